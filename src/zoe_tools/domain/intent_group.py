"""An intent group: one decision to buy or to sell, and all the orders that are sent for it.

Whatever its orders are called at the venue, together they fill no more than its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import ClientOrderId, GroupId, PositionId, Symbol
from zoe_tools.domain.order import OrderPurpose, Side


class Style(StrEnum):
    """How much of a hurry a group is in."""

    PASSIVE = "passive"
    """Waits at its own side of the book, as a maker, until its last attempt."""

    NORMAL = "normal"
    """Reaches for the market by a part of the spread."""

    PANIC = "panic"
    """Crosses the spread at once, and goes to the market if that does not fill."""


class GroupEnd(StrEnum):
    """Why nothing more is sent for a group."""

    FILLED = "filled"
    EXHAUSTED = "exhausted"
    """The last attempt ran out."""

    LIQUIDITY_GUARD = "liquidity_guard"
    """The spread grew wider than an entry may meet."""

    STOPPED = "stopped"
    """Entries are not wanted any more, or somebody else ended its order: a person, the venue."""

    REJECTED = "rejected"
    TOO_SMALL = "too_small"
    """What is left is below the venue's minimum."""

    NOT_HELD = "not_held"
    """There is nothing left to sell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What the desk wants with an order that is placed: quantities in base, prices in quote.

    `group_id` None opens a group. `arrival_bid` and `arrival_ask` were told when it was decided;
    None: there was no fresh quote. `worst_price` is the worst that any order of the group may ask
    for; None: what reduces risk has none. `attempt` counts from 0. `ttl_s` is seconds.
    """

    style: Style
    target_quantity: Decimal
    ttl_s: Decimal
    group_id: GroupId | None = None
    attempt: int = 0
    arrival_bid: Decimal | None = None
    arrival_ask: Decimal | None = None
    worst_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentGroup:
    """The group as the books have it; fields as in `Ticket`.

    With an `ending` nothing more is sent for it; `ended_at` is when its last order was over.
    `renews` is the order that the desk itself cancels to place another one for what is left.
    """

    group_id: GroupId
    symbol: Symbol
    side: Side
    purpose: OrderPurpose
    style: Style
    target_quantity: Decimal
    created_at: datetime
    ttl_s: Decimal
    arrival_bid: Decimal | None = None
    arrival_ask: Decimal | None = None
    worst_price: Decimal | None = None
    position_id: PositionId | None = None
    reason: str = ""
    renews: ClientOrderId | None = None
    ending: GroupEnd | None = None
    ended_at: datetime | None = None

    @property
    def arrival_mid(self) -> Decimal | None:
        """The middle of the market when it was decided."""
        if self.arrival_bid is None or self.arrival_ask is None:
            return None
        return (self.arrival_bid + self.arrival_ask) / 2


def group_id_of(client_order_id: ClientOrderId) -> GroupId:
    """A group is named after its first order."""
    return GroupId(f"G-{client_order_id}")
