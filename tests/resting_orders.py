"""Orders that rest while trading is stopped or looked at: an entry, and a position's stop."""

from __future__ import annotations

from builders import d, make_order, make_venue_order
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, VenueOrderId
from zoe_tools.domain.order import OrderType, Side

ENTRY = make_venue_order(venue_order_id=VenueOrderId("O-entry"))
STOP = make_venue_order(
    venue_order_id=VenueOrderId("O-stop"),
    client_order_id=ClientOrderId("stop"),
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("58800.0"),
)
OUR_STOP = make_order(
    client_order_id=ClientOrderId("stop"),
    venue_order_id=VenueOrderId("O-stop"),
    purpose="stop",
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    position_id=PositionId("P1"),
)
"""What the books say of it."""
