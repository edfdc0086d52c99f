"""An execution of part of an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from zoe_tools.domain.identifiers import ClientOrderId, FillId, Symbol, VenueOrderId
from zoe_tools.domain.order import Side

Liquidity = Literal["maker", "taker", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill; `quantity` in base, `cost` in quote, `fee` in `fee_asset`."""

    fill_id: FillId
    venue_order_id: VenueOrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    filled_at: datetime
    client_order_id: ClientOrderId | None = None
    liquidity: Liquidity = "unknown"
