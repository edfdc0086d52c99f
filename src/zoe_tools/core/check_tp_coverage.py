"""Per position: how much of it a stop and a take-profit cover, quantity against quantity.

The targets of a position may rest at the venue or be managed by the loop; a managed target covers
while a loop runs. What the account holds beyond the registry is listed. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.core.accounting import base_of
from zoe_tools.core.positions import shares_of
from zoe_tools.core.reconcile_positions import managed_by_asset
from zoe_tools.core.recover_sl import own_stops
from zoe_tools.core.take_profit import (
    OpenLevel,
    levels_of,
    open_levels,
    own_targets,
    price_of,
)
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot, quote_in, value_of
from zoe_tools.domain.take_profit import TargetMode


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
    """One row; quantities in base, prices in quote, None where there is no price.

    `target_quantity` is what rests and what a running loop manages; `resting_quantity` the former.
    `unprotected_quantity` has no stop, neither at the venue nor in a running loop; of that
    `minded_quantity` rests in targets as it was meant to, and lacks nothing but the loop.
    """

    position_id: PositionId
    symbol: Symbol
    quantity: Decimal
    held_at_venue: Decimal
    stop_quantity: Decimal
    stop_price: Decimal | None
    target_quantity: Decimal
    resting_quantity: Decimal
    target_price: Decimal | None
    target_is_managed: bool
    coverage: Coverage
    unprotected_quantity: Decimal = ZERO
    minded_quantity: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentHolding:
    """What the account holds of an asset and the registry does not know: unmanaged, no finding."""

    asset: str
    quantity: Decimal


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
    positions = [each for each in snapshot.positions if each.status.holds]
    managed = managed_by_asset(positions)
    rows = []
    for position in positions:
        instrument = catalogue.find(position.symbol)
        if instrument is None:
            rows.append(_unlisted(position, balances))
            continue
        balance = balances.get(instrument.base)
        rows.append(
            _assess(
                _Parts(
                    position=position,
                    instrument=instrument,
                    held=balance.total if balance else ZERO,
                    managed_in_all=managed[base_of(position.symbol)],
                    stops=own_stops(position, snapshot.orders, open_orders),
                    targets=own_targets(position, snapshot.orders, open_orders),
                    levels=_levels(snapshot, position, instrument),
                    is_set=any(
                        each.position_id == position.position_id for each in snapshot.targets
                    ),
                    quote=quote_in(snapshot, position.symbol),
                    loop_is_running=loop_is_running,
                )
            )
        )
    return tuple(rows)


def _unlisted(position: Position, balances: Mapping[str, Balance]) -> PositionCoverage:
    """What the venue lists no more: nothing can rest for it there."""
    held = balances.get(base_of(position.symbol))
    return PositionCoverage(
        position_id=position.position_id,
        symbol=position.symbol,
        quantity=position.quantity,
        held_at_venue=held.total if held else ZERO,
        stop_quantity=ZERO,
        stop_price=None,
        target_quantity=ZERO,
        resting_quantity=ZERO,
        target_price=None,
        target_is_managed=False,
        coverage=Coverage.UNPROTECTED,
        unprotected_quantity=position.quantity,
    )


def absent_holdings(snapshot: Snapshot) -> tuple[AbsentHolding, ...]:
    """What the account holds beyond what the registry manages, by asset; money left out.

    What a position holds whose row is gone is zoe's all the same.
    """
    gone: dict[str, Decimal] = {}
    for each in snapshot.positions_gone:
        asset = each.symbol.partition("/")[0]
        gone[asset] = gone.get(asset, ZERO) + each.quantity
    found = (
        AbsentHolding(asset=each.asset, quantity=each.unmanaged - gone.get(each.asset, ZERO))
        for each in shares_of(snapshot.positions, snapshot) or ()
    )
    return tuple(each for each in found if each.quantity > ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    position: Position
    instrument: Instrument
    held: Decimal
    managed_in_all: Decimal
    stops: tuple[VenueOrder, ...]
    targets: tuple[VenueOrder, ...]
    levels: tuple[OpenLevel, ...]
    is_set: bool
    quote: Quote | None
    loop_is_running: bool

    @property
    def quantity(self) -> Decimal:
        return self.instrument.floor_quantity(self.position.quantity)

    @property
    def resting(self) -> Decimal:
        return _sum(self.targets)

    @property
    def planned_to_rest(self) -> Decimal:
        """How much of it is meant to rest in targets instead of under the stop."""
        return sum(
            (each.remaining for each in self.levels if each.level.mode is TargetMode.RESTING), ZERO
        )

    @property
    def left_to_targets(self) -> Decimal:
        """What rests in targets as it was meant to: a loop minds its stop, if one runs."""
        return min(self.resting, self.planned_to_rest)

    @property
    def unprotected(self) -> Decimal:
        """What neither a stop at the venue covers nor a running loop minds."""
        covered = _sum(self.stops) + (self.left_to_targets if self.loop_is_running else ZERO)
        return max(ZERO, self.quantity - covered)

    @property
    def managed(self) -> tuple[OpenLevel, ...]:
        """The levels that a loop sells at, where there is one."""
        if not self.loop_is_running:
            return ()
        return tuple(each for each in self.levels if each.level.mode is TargetMode.MANAGED)


def _levels(
    snapshot: Snapshot, position: Position, instrument: Instrument
) -> tuple[OpenLevel, ...]:
    levels = levels_of(
        position, snapshot.targets, instrument, snapshot.policy, at=snapshot.taken_at
    )
    return open_levels(position, levels, instrument)


def _sum(orders: Sequence[VenueOrder]) -> Decimal:
    return sum((order.remaining_quantity for order in orders), ZERO)


def _assess(parts: _Parts) -> PositionCoverage:
    managed = sum((each.remaining for each in parts.managed), ZERO)
    resting_price = price_of(parts.targets[0]) if parts.targets else None
    managed_price = parts.managed[0].level.price if parts.managed else None
    if parts.position.take_profit_price is not None and parts.managed and not parts.is_set:
        managed_price = parts.position.take_profit_price
    return PositionCoverage(
        position_id=parts.position.position_id,
        symbol=parts.position.symbol,
        quantity=parts.position.quantity,
        held_at_venue=parts.held,
        stop_quantity=_sum(parts.stops),
        stop_price=parts.stops[0].trigger_price if parts.stops else None,
        target_quantity=parts.resting + managed,
        resting_quantity=parts.resting,
        target_price=resting_price if resting_price is not None else managed_price,
        target_is_managed=bool(parts.managed) and not parts.targets,
        coverage=_graded(parts, parts.resting + managed),
        unprotected_quantity=parts.unprotected,
        minded_quantity=ZERO if parts.loop_is_running else parts.left_to_targets,
    )


def _graded(parts: _Parts, target: Decimal) -> Coverage:
    if parts.held < parts.managed_in_all:  # of two positions in one asset nobody knows whose it is
        return Coverage.NO_EXCHANGE_POSITION
    if parts.unprotected > ZERO:
        return Coverage.UNPROTECTED
    if any(_is_on_the_wrong_side(parts, each) for each in parts.stops):
        return Coverage.STOP_WRONG_SIDE
    if target == ZERO:
        return Coverage.MISSING_TP
    if target != parts.quantity or _is_at_another_price(parts):
        return Coverage.MISMATCH_TP
    return Coverage.OK


def _is_on_the_wrong_side(parts: _Parts, stop: VenueOrder) -> bool:
    quote, price = parts.quote, stop.trigger_price
    if quote is None or price is None or stop.order_type.is_trailing:
        return False
    return price >= quote.ask if parts.position.side is Side.BUY else price <= quote.bid


def _is_at_another_price(parts: _Parts) -> bool:
    """Whether a target rests where no level is, where levels were set."""
    if not parts.is_set:
        return False
    prices = {each.level.price for each in parts.levels}
    return any(price_of(each) not in prices for each in parts.targets)
