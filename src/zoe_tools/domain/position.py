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


class PositionStatus(StrEnum):
    """Where a position stands."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One managed position; `quantity` in base (what is still held), prices in quote.

    `realised_pnl` is net of fees, in quote, over the whole life of the position.
    """

    position_id: PositionId
    symbol: Symbol
    side: Side
    status: PositionStatus
    quantity: Decimal
    average_cost: Decimal
    opened_at: datetime
    closed_at: datetime | None = None
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    stop_price: Decimal | None = None
    stop_client_order_id: ClientOrderId | None = None
    stop_venue_order_id: VenueOrderId | None = None
    take_profit_price: Decimal | None = None
    origin: str = "entry"
