"""What the venue tells of orders in bulk, alike over both wires, and how it is read.

Pure. What an answer leaves open is `OutcomeUnknown`, order by order: a row that says neither yes
nor a listed no may have done something. Source: kraken-spot sections 8.3 to 8.7 and 11.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderName, OrderRequest
from zoe_tools.errors import OutcomeUnknown, VenueError
from zoe_tools.kraken.errors import error_for, normalised
from zoe_tools.kraken.wire_orders import BatchRow, Edited

NewOrder = tuple[ClientOrderId | None, OrderRequest]
"""An order of a batch with our id for it; None if its terms have a `userref`."""

_GONE = ("EOrder:Unknown order", "EOrder:Invalid order")


def called_of(client_order_id: ClientOrderId | None, request: OrderRequest) -> str:
    """What a new order is called until the venue names it: our id, or its user reference."""
    if client_order_id is not None:
        return client_order_id
    return "" if request.terms is None else str(request.terms.userref)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMember:
    """One order of a batch, and what became of it: its id, or why there is none.

    `error` is `OutcomeUnknown` where nobody knows; any other is a definite no.
    """

    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    error: VenueError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedOrder:
    """An edit that was made: the id of the new order, and of the one that ended for it."""

    venue_order_id: VenueOrderId
    original_order_id: VenueOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult:
    """What became of one name of several: how many orders were cancelled by it, or why none."""

    name: OrderName
    count: int
    error: VenueError | None = None


def is_gone(code: str) -> bool:
    """Whether a refusal says that there is no such open order (any more)."""
    return normalised(code).startswith(_GONE)


def members_of(orders: Sequence[NewOrder], rows: Sequence[BatchRow]) -> tuple[BatchMember, ...]:
    """The members of a batch, in the order sent.

    An order without an id and without an error may exist all the same.

    Raises:
        OutcomeUnknown: the answer tells of fewer, more, or other orders.
    """
    _match(orders, rows)
    return tuple(
        BatchMember(
            client_order_id=client_id,
            venue_order_id=VenueOrderId(row.id) if row.id else None,
            error=None if row.id else _error_of(row),
        )
        for (client_id, _), row in zip(orders, rows, strict=True)
    )


def checked_of(orders: Sequence[NewOrder], rows: Sequence[BatchRow]) -> tuple[BatchMember, ...]:
    """The members of a batch that was only checked: none has an id, sound ones have no error.

    Raises:
        OutcomeUnknown: an order was named, so perhaps it was placed; or as `members_of`.
    """
    for row in rows:
        if row.id:
            raise placed_by_a_check(row.id)
    _match(orders, rows)
    return tuple(
        BatchMember(
            client_order_id=client_id,
            venue_order_id=None,
            error=error_for([row.error], is_write=False) if row.error else None,
        )
        for (client_id, _), row in zip(orders, rows, strict=True)
    )


def _match(orders: Sequence[NewOrder], rows: Sequence[BatchRow]) -> None:
    if len(rows) != len(orders):
        raise OutcomeUnknown(f"Kraken told of {len(rows)} of the {len(orders)} orders of a batch.")
    for (client_id, _), row in zip(orders, rows, strict=True):
        if row.cl_ord_id not in (None, client_id):
            raise OutcomeUnknown(f"Kraken told of {row.cl_ord_id!r} in the place of {client_id!r}.")
    ids = [row.id for row in rows if row.id]
    if len(set(ids)) != len(ids):
        raise OutcomeUnknown("Kraken named one id for two orders of a batch.")


def _error_of(row: BatchRow) -> VenueError:
    if row.error:
        return error_for([row.error], is_write=True)
    return OutcomeUnknown("Kraken told neither an id nor an error of this order.")


def placed_by_a_check(named: str) -> OutcomeUnknown:
    """The venue named an order that it was only to check."""
    return OutcomeUnknown(f"Kraken was asked only to check an order, and named the id {named}.")


def edited_of(row: Edited, asked: VenueOrderId) -> EditedOrder:
    """What came of an edit.

    Raises:
        OutcomeUnknown: it names no new order, or another old one.
        VenueError: the venue's own no, where it says that it cancelled nothing.
    """
    if row.error_message and not row.id:
        if row.orders_cancelled == 0:
            raise error_for([row.error_message], is_write=True)
        raise OutcomeUnknown(f"Kraken's edit of {asked} ended halfway: {row.error_message}.")
    if not row.id or row.original not in ("", asked):
        raise OutcomeUnknown(
            f"Kraken was asked to edit {asked}, and told of {row.original!r} and {row.id!r}."
        )
    return EditedOrder(venue_order_id=VenueOrderId(row.id), original_order_id=asked)


def check_edit_unmade(row: Edited) -> None:
    """See that an edit was only checked, and would do.

    Raises:
        OutcomeUnknown: a new order was named, so perhaps it was made.
        VenueError: the venue's no.
    """
    if row.id:
        raise placed_by_a_check(row.id)
    if row.error_message:
        raise error_for([row.error_message], is_write=False)


def trigger_time_of(text: str) -> datetime | None:
    """When the dead man's switch goes off; None where it is disarmed.

    Raises:
        OutcomeUnknown: it is no time, so whether the switch is set is not known.
    """
    if text in ("", "0"):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise OutcomeUnknown(f"Kraken's switch goes off at {text!r}, which is no time.") from error
