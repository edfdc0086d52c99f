"""A managed position: the net of zoe's own fills and of what was adopted by name.

A spot balance is not a position. What is not managed is shown and counted, never stopped or sold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side


class PositionKind(StrEnum):
    """Spot: a part of a balance that zoe manages. Derivative: a position of the venue's own."""

    SPOT = "spot"
    DERIVATIVE = "derivative"


class PositionStatus(StrEnum):
    """Where a position stands; which may follow which stands in `domain/position_lifecycle.py`."""

    PENDING = "pending"
    """Its entry order works at the venue, or its trades are yet to be shown; none is booked."""

    OPEN = "open"
    """It holds something that no stop of its own protects."""

    PROTECTED = "protected"
    """A stop of its own rests at the venue."""

    PARTIAL = "partial"
    """A part of it was sold, the rest is held."""

    EXIT_PENDING = "exit_pending"
    """An order that leaves it is at work; until that fills, it is held."""

    CANCEL_PENDING = "cancel_pending"
    """Its entry is being cancelled, and nothing has filled."""

    CLOSED = "closed"
    CANCELLED = "cancelled"
    """Its entry ended without a fill."""

    ERROR = "error"
    """Its row contradicts itself; nothing is managed by it any more."""

    ORPHANED = "orphaned"
    """Nothing at the venue answers to it any more."""

    @property
    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self in _TERMINAL

    @property
    def is_active(self) -> bool:
        """Whether it is not over; an instrument has one such position at most."""
        return self not in _TERMINAL

    @property
    def is_given_up(self) -> bool:
        """Whether it was ended unsold: what it held may still be there, stop and all."""
        return self in GIVEN_UP

    @property
    def holds(self) -> bool:
        """Whether something is held by it, that can be stopped and sold."""
        return self in HOLDING


HOLDING = frozenset(
    {
        PositionStatus.OPEN,
        PositionStatus.PROTECTED,
        PositionStatus.PARTIAL,
        PositionStatus.EXIT_PENDING,
    }
)
_TERMINAL = frozenset(
    {
        PositionStatus.CLOSED,
        PositionStatus.CANCELLED,
        PositionStatus.ERROR,
        PositionStatus.ORPHANED,
    }
)
GIVEN_UP = frozenset({PositionStatus.ERROR, PositionStatus.ORPHANED})
ACTIVE = frozenset(PositionStatus) - _TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One managed position; `quantity` in base (what is still held), prices in quote.

    `quantity` is `entry_quantity` less `exit_quantity`: all that was ever bought or adopted, and
    all that was sold, net of fees in base. `realised_pnl` is net of fees, in quote, over the whole
    life of the position. What was planned at its beginning (`initial_...`) never changes again.
    """

    position_id: PositionId
    symbol: Symbol
    side: Side
    status: PositionStatus
    quantity: Decimal
    entry_quantity: Decimal
    average_cost: Decimal
    opened_at: datetime
    exit_quantity: Decimal = ZERO
    closed_at: datetime | None = None
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    stop_price: Decimal | None = None
    stop_client_order_id: ClientOrderId | None = None
    stop_venue_order_id: VenueOrderId | None = None
    take_profit_price: Decimal | None = None
    origin: str = "entry"
    position_kind: PositionKind = PositionKind.SPOT
    initial_quantity: Decimal | None = None
    initial_price: Decimal | None = None
    initial_stop_price: Decimal | None = None
    initial_take_profit_price: Decimal | None = None
    exit_reason: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPosition:
    """A row of the registry as it is stored: texts, None where there is none.

    `is_closed`: it has a time of closing. `updated_at` sorts as text; empty where it never changed.
    """

    position_id: PositionId
    symbol: str
    status: str
    quantity: str | None
    entry_quantity: str | None
    exit_quantity: str | None
    is_closed: bool
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GonePosition:
    """A position that holds something by its own story, and whose row is not there any more.

    `symbol` is that of its orders; empty where those are gone, too. `quantity` in base.
    """

    position_id: PositionId
    symbol: str
    quantity: Decimal
