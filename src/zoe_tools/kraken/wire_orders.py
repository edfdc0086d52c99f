"""The answers to order methods that both wires give in two spellings (kraken-spot 8.3, 8.5, 11.3).

Every field that zoe can do without has a default; what it cannot read is the reader's to judge.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from zoe_tools.kraken.wire import Row, names


class BatchRow(Row, frozen=True):
    """An order of a batch: its id, as REST or as the socket calls it, or its error."""

    unread: ClassVar[frozenset[str]] = names("descr close order_userref warnings")

    txid: str | None = None
    order_id: str | None = None
    cl_ord_id: str | None = None
    error: str | None = None

    @property
    def id(self) -> str:
        """The venue's id; empty where there is none."""
        return self.txid or self.order_id or ""


class PlacedBatch(Row, frozen=True):
    """AddOrderBatch, in the order sent."""

    orders: list[BatchRow]


class Edited(Row, frozen=True):
    """EditOrder and edit_order: the new order and the old one; an error where REST has one."""

    unread: ClassVar[frozenset[str]] = names(
        "status volume price price2 descr newuserref olduserref warnings"
    )

    txid: str = ""
    order_id: str = ""
    originaltxid: str = ""
    original_order_id: str = ""
    orders_cancelled: int | None = None
    error_message: str = ""

    @property
    def id(self) -> str:
        """The new order's id; empty where there is none."""
        return self.txid or self.order_id

    @property
    def original(self) -> str:
        """The old order's id."""
        return self.originaltxid or self.original_order_id


class CancelledOne(Row, frozen=True):
    """One of the answers to cancel_order: the order by the name that was used."""

    unread: ClassVar[frozenset[str]] = names("order_userref warnings")

    order_id: str | None = None
    cl_ord_id: str | None = None


BATCH = msgspec.json.Decoder(list[BatchRow] | PlacedBatch)
"""A list as documented, or in an object as others have seen it (section 16)."""
EDITED = msgspec.json.Decoder(Edited)
CANCELLED_ONE = msgspec.json.Decoder(CancelledOne)
