"""What fills and explicit adjustments make of a position: quantity, and a result once priced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zoe_tools.core.accounting import apply_fill, excess_of, in_time_order
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.position import Position, PositionStatus


def made_by(
    name: PositionId, fills: Iterable[Fill], adjustments: Iterable[Adjustment]
) -> Position | None:
    """The position that these fills of it, and what was adjusted of it, make.

    None where there are none, or where they sell more than they bought: part of it was adopted.
    """
    position: Position | None = None
    for fill in in_time_order(fills):
        if excess_of(position, fill) > ZERO:
            return None
        position = apply_fill(position, fill, position_id=name)
    for adjustment in adjustments:
        if position is not None and adjustment.position_id == name:
            position = adjusted(position, adjustment)
    return position


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
