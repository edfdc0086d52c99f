"""Positions as the sum of their fills: average cost with fees in it, realised result, dust.

Spot, long only. A position's quantity can never become negative: what an order sold beyond it was
never the position's, and is named by `excess_of`, not booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderPurpose, Side
from zoe_tools.domain.position import Position, PositionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effect:
    """A fill in terms of the position: `base` it moved, `money` it cost or brought, net of fees."""

    base: Decimal
    money: Decimal
    fee: Decimal


def base_of(symbol: Symbol) -> str:
    """The base asset; a canonical symbol is `BASE/QUOTE` by the venue's definition."""
    return symbol.partition("/")[0]


def quote_of(symbol: Symbol) -> str:
    """The quote asset of a canonical symbol."""
    return symbol.partition("/")[2]


def _effect(fill: Fill) -> _Effect:
    """A fee in a third asset is not this position's money and is left out."""
    in_base = fill.fee_asset == base_of(fill.symbol)
    in_quote = fill.fee_asset == quote_of(fill.symbol)
    base_fee = fill.fee if in_base else ZERO
    quote_fee = fill.fee if in_quote else ZERO
    fee = base_fee * fill.price + quote_fee
    if fill.side is Side.BUY:
        return _Effect(base=fill.quantity - base_fee, money=fill.cost + quote_fee, fee=fee)
    return _Effect(base=fill.quantity + base_fee, money=fill.cost - quote_fee, fee=fee)


def excess_of(position: Position | None, fill: Fill) -> Decimal:
    """How much of a sale the position did not hold, in base; zero when all is in order."""
    if fill.side is Side.BUY:
        return ZERO
    held = ZERO if position is None else position.quantity
    return max(ZERO, _effect(fill).base - held)


def apply_fill(
    position: Position | None,
    fill: Fill,
    *,
    position_id: PositionId,
    purpose: OrderPurpose = "entry",
) -> Position:
    """The position after the fill; `position_id` and `purpose` name a new one.

    Raises:
        ValueError: a sale without a position, or a fill of another instrument.
    """
    if position is not None and position.symbol != fill.symbol:
        raise ValueError(f"a fill of {fill.symbol} is not the position's {position.symbol}")
    if fill.side is Side.BUY:
        return _bought(position or _opened(fill, position_id, purpose), fill)
    if position is None:
        raise ValueError(f"fill {fill.fill_id} sells {fill.symbol} of which nothing is managed")
    return _sold(position, fill)


def fold_fills(
    fills: Iterable[Fill], *, position_id: PositionId, start: Position | None = None
) -> Position | None:
    """The position that these fills, oldest first, make of `start`.

    A sale from nothing is not booked.
    """
    position = start
    for fill in fills:
        if position is None and fill.side is Side.SELL:
            continue
        position = apply_fill(position, fill, position_id=position_id)
    return position


def in_time_order(fills: Iterable[Fill]) -> list[Fill]:
    """Oldest first; what happened in one moment: purchases first, so that sales find them."""
    return sorted(fills, key=lambda each: (each.filled_at, each.side is Side.SELL, each.fill_id))


def order_of(orders: Iterable[OrderRecord], fill: Fill) -> OrderRecord | None:
    """Our order behind a fill, or None when it is somebody else's."""
    return next(
        (
            order
            for order in orders
            if fill.venue_order_id == order.venue_order_id
            or (fill.client_order_id is not None and fill.client_order_id == order.client_order_id)
        ),
        None,
    )


def entry_position_id(order: OrderRecord) -> PositionId:
    """The position an entry order opens, named after the order."""
    return order.position_id or PositionId(f"P-{order.client_order_id}")


def book(positions: dict[PositionId, Position], order: OrderRecord, fill: Fill) -> None:
    """Let a fill of our order change these open positions as the books will.

    It goes to the order's own position, else to the one of its instrument, else opens one.
    """
    held = positions.get(order.position_id) if order.position_id else None
    held = held or next((each for each in positions.values() if each.symbol == fill.symbol), None)
    if held is None and fill.side is Side.SELL:
        return
    position_id = held.position_id if held else entry_position_id(order)
    positions[position_id] = apply_fill(held, fill, position_id=position_id, purpose=order.purpose)


def _opened(fill: Fill, position_id: PositionId, purpose: OrderPurpose) -> Position:
    return Position(
        position_id=position_id,
        symbol=fill.symbol,
        side=Side.BUY,
        status=PositionStatus.OPEN,
        quantity=ZERO,
        average_cost=ZERO,
        opened_at=fill.filled_at,
        origin=purpose,
    )


def _bought(position: Position, fill: Fill) -> Position:
    effect = _effect(fill)
    quantity = position.quantity + effect.base
    if quantity <= ZERO:
        return replace(position, fees=position.fees + effect.fee)
    basis = position.quantity * position.average_cost + effect.money
    return replace(
        position,
        status=PositionStatus.OPEN,
        closed_at=None,
        quantity=quantity,
        average_cost=basis / quantity,
        fees=position.fees + effect.fee,
    )


def _sold(position: Position, fill: Fill) -> Position:
    effect = _effect(fill)
    base = min(effect.base, position.quantity)
    share = base / effect.base if effect.base else ZERO
    quantity = position.quantity - base
    realised = effect.money * share - position.average_cost * base
    is_over = quantity == ZERO
    return replace(
        position,
        status=PositionStatus.CLOSED if is_over else PositionStatus.OPEN,
        closed_at=(position.closed_at or fill.filled_at) if is_over else None,
        quantity=quantity,
        realised_pnl=position.realised_pnl + realised,
        fees=position.fees + effect.fee * share,
    )
