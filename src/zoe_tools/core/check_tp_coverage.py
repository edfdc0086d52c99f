"""Per position: how much of it a stop and a take-profit cover, quantity against quantity.

The target of a position may rest at the venue or be managed by the loop; a managed target covers
the whole position while a price for it can be named. Nothing is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.domain.order import OrderType, VenueOrder
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Snapshot, value_of


class Coverage(StrEnum):
    """The state of a position's protection, the worst that applies."""

    OK = "OK"
    NO_EXCHANGE_POSITION = "NO_EXCHANGE_POSITION"
    UNPROTECTED = "UNPROTECTED"
    STOP_WRONG_SIDE = "STOP_WRONG_SIDE"
    MISSING_TP = "MISSING_TP"
    MISMATCH_TP = "MISMATCH_TP"


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionCoverage:
    """One row; quantities in base, prices in quote, None where there is no price."""

    position_id: PositionId
    symbol: Symbol
    quantity: Decimal
    held_at_venue: Decimal
    stop_quantity: Decimal
    stop_price: Decimal | None
    target_quantity: Decimal
    target_price: Decimal | None
    target_is_managed: bool
    coverage: Coverage


def check_tp_coverage(snapshot: Snapshot, *, loop_is_running: bool) -> tuple[PositionCoverage, ...]:
    """One row per open position, in the registry's order.

    `loop_is_running` says whether somebody manages the managed targets; without it they cover
    nothing.

    Raises:
        VenueUnavailable: open orders, balances or instruments are missing from the snapshot.
    """
    open_orders = value_of(snapshot.open_orders, "the open orders")
    balances = {each.asset: each for each in value_of(snapshot.balances, "the balances")}
    catalogue = value_of(snapshot.catalogue, "the instruments")
    quotes = (
        {}
        if isinstance(snapshot.quotes, Missing)
        else {each.symbol: each for each in snapshot.quotes.value}
    )
    rows = []
    for position in snapshot.positions:
        if not position.status.holds:
            continue
        instrument = catalogue.resolve(position.symbol)
        balance = balances.get(instrument.base)
        rows.append(
            _assess(
                position,
                instrument,
                held=balance.total if balance else ZERO,
                orders=_own_orders(snapshot, position, open_orders),
                quote=quotes.get(position.symbol),
                managed_target=_managed_target(snapshot, position, instrument)
                if loop_is_running
                else None,
            )
        )
    return tuple(rows)


def _own_orders(
    snapshot: Snapshot, position: Position, open_orders: tuple[VenueOrder, ...]
) -> tuple[VenueOrder, ...]:
    ours = {
        order.client_order_id
        for order in snapshot.orders
        if order.position_id == position.position_id
    }
    return tuple(
        order
        for order in open_orders
        if order.side is position.side.opposite
        and (order.client_order_id in ours or order.venue_order_id == position.stop_venue_order_id)
    )


def _managed_target(
    snapshot: Snapshot, position: Position, instrument: Instrument
) -> Decimal | None:
    if position.take_profit_price is not None:
        return position.take_profit_price
    if snapshot.policy.take_profit_pct <= ZERO:
        return None
    distance = position.average_cost * snapshot.policy.take_profit_pct / HUNDRED
    return instrument.ceil_price(position.average_cost + distance)


def _assess(
    position: Position,
    instrument: Instrument,
    *,
    held: Decimal,
    orders: tuple[VenueOrder, ...],
    quote: Quote | None,
    managed_target: Decimal | None,
) -> PositionCoverage:
    stops = [order for order in orders if order.order_type.is_stop]
    targets = [order for order in orders if _is_target(order)]
    quantity = instrument.floor_quantity(position.quantity)
    resting_target = sum((order.remaining_quantity for order in targets), ZERO)
    target_price = (targets[0].trigger_price or targets[0].limit_price) if targets else None
    is_managed = not targets and managed_target is not None
    row = PositionCoverage(
        position_id=position.position_id,
        symbol=position.symbol,
        quantity=position.quantity,
        held_at_venue=held,
        stop_quantity=sum((order.remaining_quantity for order in stops), ZERO),
        stop_price=stops[0].trigger_price if stops else None,
        target_quantity=quantity if is_managed else resting_target,
        target_price=managed_target if is_managed else target_price,
        target_is_managed=is_managed,
        coverage=Coverage.OK,
    )
    return _graded(row, quantity=quantity, quote=quote)


def _graded(row: PositionCoverage, *, quantity: Decimal, quote: Quote | None) -> PositionCoverage:
    if row.held_at_venue < row.quantity:
        return replace(row, coverage=Coverage.NO_EXCHANGE_POSITION)
    if row.stop_quantity < quantity:
        return replace(row, coverage=Coverage.UNPROTECTED)
    if quote is not None and row.stop_price is not None and row.stop_price >= quote.ask:
        return replace(row, coverage=Coverage.STOP_WRONG_SIDE)
    if row.target_quantity == ZERO:
        return replace(row, coverage=Coverage.MISSING_TP)
    if row.target_quantity != quantity:
        return replace(row, coverage=Coverage.MISMATCH_TP)
    return row


def _is_target(order: VenueOrder) -> bool:
    return order.order_type in (
        OrderType.LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    )
