"""Positions as the sum of their fills: average cost with fees in it, realised result, dust.

Spot, long only. A position's quantity can never become negative: what an order sold beyond it was
never the position's, and is named by `excess_of`, not booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderPurpose, Side
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_lifecycle import TRANSITIONS


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
    return _sold(position, fill, EXIT_REASONS.get(purpose, ""))


EXIT_REASONS: dict[OrderPurpose, str] = {
    "stop": "stop_loss",
    "take_profit": "take_profit",
    "exit": "strategy",
    "flatten": "kill_switch",
    "repair": "manual",
}
"""Why a position was closed, by the order that sold the last of it."""


def begun_by(order: OrderRecord) -> Position:
    """The position that an entry order will make, before anything of it has filled."""
    return Position(
        position_id=entry_position_id(order),
        symbol=order.symbol,
        side=order.side,
        status=PositionStatus.PENDING,
        quantity=ZERO,
        entry_quantity=ZERO,
        average_cost=ZERO,
        opened_at=order.created_at,
        origin=order.purpose,
        initial_quantity=order.quantity,
        initial_price=order.limit_price,
        updated_at=order.updated_at,
    )


def is_begun_again(position: Position, order: OrderRecord) -> bool:
    """Whether an entry finds only what an earlier trade left, with no stop: a new trade begins.

    The prices of the old one are about another market, and stop and take profit no more; nor does
    its age say how long the new one has been held.
    """
    return (
        order.purpose == "entry"
        and position.status.holds
        and position.exit_quantity > ZERO
        and position.stop_venue_order_id is None
        and position.position_id != entry_position_id(order)
    )


def standing(position: Position, *, is_leaving: bool = False) -> PositionStatus:
    """The status that a position's facts give it; `is_leaving`: an exit of it is at work."""
    if position.quantity == ZERO:
        return position.status if position.entry_quantity == ZERO else PositionStatus.CLOSED
    if is_leaving:
        return PositionStatus.EXIT_PENDING
    if position.exit_quantity > ZERO:
        return PositionStatus.PARTIAL
    if position.stop_venue_order_id is not None:
        return PositionStatus.PROTECTED
    return PositionStatus.OPEN


def next_standing(position: Position, *, is_leaving: bool = False) -> PositionStatus:
    """The status that its facts give it, where its life knows a way there; else the one it has.

    What was booked as sold in part stays so, even if its fills turn out to have sold nothing.
    """
    status = standing(position, is_leaving=is_leaving)
    return status if status in TRANSITIONS[position.status] else position.status


def with_stop(
    position: Position,
    client_order_id: ClientOrderId | None,
    venue_order_id: VenueOrderId | None,
    price: Decimal | None,
    *,
    at: datetime,
) -> Position:
    """The position with this stop linked to it, or with none; `price` None leaves the price."""
    linked = replace(
        position,
        stop_client_order_id=client_order_id,
        stop_venue_order_id=venue_order_id,
        stop_price=position.stop_price if price is None else price,
        initial_stop_price=position.initial_stop_price or price,
    )
    if position.status.holds:
        is_leaving = position.status is PositionStatus.EXIT_PENDING
        linked = replace(linked, status=next_standing(linked, is_leaving=is_leaving))
    if linked == position:
        return position
    return replace(linked, updated_at=at)


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
    if held is not None and held.symbol != fill.symbol:
        held = None  # its row was changed by hand
    held = held or next((each for each in positions.values() if each.symbol == fill.symbol), None)
    if held is None and fill.side is Side.SELL:
        return
    held = held or begun_by(order)
    after = apply_fill(held, fill, position_id=held.position_id, purpose=order.purpose)
    positions[held.position_id] = after


def _opened(fill: Fill, position_id: PositionId, purpose: OrderPurpose) -> Position:
    return Position(
        position_id=position_id,
        symbol=fill.symbol,
        side=Side.BUY,
        status=PositionStatus.OPEN,
        quantity=ZERO,
        entry_quantity=ZERO,
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
    is_first = position.entry_quantity == ZERO
    return replace(
        position,
        status=position.status if position.status.holds else PositionStatus.OPEN,
        opened_at=fill.filled_at if is_first else position.opened_at,
        closed_at=None,
        exit_reason="",
        quantity=quantity,
        entry_quantity=position.entry_quantity + effect.base,
        updated_at=_later(position, fill),
        average_cost=basis / quantity,
        fees=position.fees + effect.fee,
    )


def _later(position: Position, fill: Fill) -> datetime:
    return max(position.updated_at or fill.filled_at, fill.filled_at)


def _sold(position: Position, fill: Fill, exit_reason: str) -> Position:
    effect = _effect(fill)
    base = min(effect.base, position.quantity)
    share = base / effect.base if effect.base else ZERO
    quantity = position.quantity - base
    realised = effect.money * share - position.average_cost * base
    is_over = quantity == ZERO
    is_leaving = position.status is PositionStatus.EXIT_PENDING
    after = replace(
        position,
        closed_at=(position.closed_at or fill.filled_at) if is_over else None,
        quantity=quantity,
        exit_quantity=position.exit_quantity + base,
        # What ended it has ended it: its story tells no second end.
        exit_reason=(position.exit_reason or exit_reason) if is_over else "",
        updated_at=_later(position, fill),
        realised_pnl=position.realised_pnl + realised,
        fees=position.fees + effect.fee * share,
    )
    return replace(after, status=standing(after, is_leaving=is_leaving))
