"""What an explicit adjustment makes of a position: its quantity, and a result once it is priced."""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.position import Position, PositionStatus


def adjusted(position: Position, adjustment: Adjustment) -> Position:
    """The position with the adjustment's quantity in it, never below zero.

    Without a price nothing is won or lost: what goes, goes at its cost; what comes, comes at it.
    """
    after = max(ZERO, position.quantity + adjustment.quantity)
    moved = after - position.quantity
    realised, cost = position.realised_pnl, position.average_cost
    price = adjustment.unit_price
    if price is not None and moved < ZERO:
        realised += (price - cost) * -moved
    elif price is not None and after > ZERO:
        cost = (position.quantity * cost + moved * price) / after
    is_over = after == ZERO
    return replace(
        position,
        status=PositionStatus.CLOSED if is_over else position.status,
        closed_at=adjustment.adjusted_at if is_over else position.closed_at,
        exit_reason="reconciliation" if is_over else position.exit_reason,
        quantity=after,
        entry_quantity=position.entry_quantity + max(ZERO, moved),
        exit_quantity=position.exit_quantity + max(ZERO, -moved),
        average_cost=cost,
        realised_pnl=realised,
        updated_at=adjustment.adjusted_at,
    )
