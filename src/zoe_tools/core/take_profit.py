"""The levels at which a position takes its profit: made from the policy, taken one by one.

What is still to be taken follows from the position: what was sold since they were set took the
first levels. So nothing is lost with a restart, and open levels always come to what is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.position_orders import place_target
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderType, VenueOrder
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    PositionStill,
    SetTargets,
    Step,
    values_of,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode

Working = OrderRecord | VenueOrder
"""An order that works, by our books or by the venue's."""

_TARGETS = frozenset({OrderType.LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLevel:
    """A level of which `remaining` (base) is still to be taken."""

    level: TakeProfitLevel
    remaining: Decimal


def is_target(order: Working) -> bool:
    """Whether an order is of a type that takes profit where it rests; no stop ever is."""
    return order.order_type in _TARGETS


def own_targets(
    position: Position, orders: Sequence[OrderRecord], open_orders: Sequence[VenueOrder]
) -> tuple[VenueOrder, ...]:
    """The targets at the venue that are zoe's for this position, the lowest first."""
    ours = {
        order.client_order_id
        for order in orders
        if order.position_id == position.position_id and order.purpose == "take_profit"
    }
    found = [
        order
        for order in open_orders
        if order.symbol == position.symbol
        and order.side is position.side.opposite
        and is_target(order)
        and order.client_order_id in ours
    ]
    return tuple(sorted(found, key=lambda each: (price_of(each) or ZERO, each.venue_order_id)))


def rungs_of(policy: Policy) -> tuple[tuple[Decimal, Decimal], ...]:
    """The ladder in force: share and profit of each level, in percent."""
    if policy.take_profit_levels:
        return policy.take_profit_levels
    whole = (HUNDRED, policy.take_profit_pct)
    if policy.take_profit_pct <= ZERO:
        return ()
    if mode_in_force(policy) is TargetMode.SPLIT:
        half = (HUNDRED / 2, policy.take_profit_pct)
        return (half, half)
    return (whole,)


def mode_in_force(policy: Policy) -> TargetMode:
    """Where new targets live: nowhere but with the loop, unless they may take a stop's place."""
    allowed = policy.allow_targets_without_stop
    return policy.take_profit_mode if allowed else TargetMode.MANAGED


def uses_levels(policy: Policy) -> bool:
    """Whether a loop keeps levels: a single managed target needs none."""
    return bool(policy.take_profit_levels) or mode_in_force(policy) is not TargetMode.MANAGED


def levels_for(
    position: Position, instrument: Instrument, policy: Policy, *, at: datetime
) -> tuple[TakeProfitLevel, ...]:
    """The levels of what is held, as the policy has them; prices on tick, from the cost.

    One that is too small for an order goes into the next; a last one into the one before.
    """
    made: list[TakeProfitLevel] = []
    whole = instrument.floor_quantity(position.entry_quantity - position.exit_quantity)
    placed = carried = ZERO
    rungs = rungs_of(policy)
    for index, (share, profit) in enumerate(rungs, start=1):
        is_last = index == len(rungs)
        wanted = instrument.floor_quantity(whole * share / HUNDRED) + carried
        quantity = whole - placed if is_last else wanted
        price = instrument.ceil_price(position.average_cost * (1 + profit / HUNDRED))
        if not instrument.is_tradable_quantity(quantity, price=price):
            carried = quantity
            continue
        carried = ZERO
        placed += quantity
        made.append(_level(position, len(made) + 1, price, quantity, at))
    if made and placed < whole:
        made[-1] = replace(made[-1], quantity=made[-1].quantity + whole - placed)
    return _with_modes(made, mode_in_force(policy))


def _level(
    position: Position, number: int, price: Decimal, quantity: Decimal, at: datetime
) -> TakeProfitLevel:
    return TakeProfitLevel(
        position_id=position.position_id,
        level=number,
        price=price,
        quantity=quantity,
        status=LevelStatus.WAITING,
        mode=TargetMode.MANAGED,
        updated_at=at,
    )


def _with_modes(levels: Sequence[TakeProfitLevel], mode: TargetMode) -> tuple[TakeProfitLevel, ...]:
    """Which of them rest: none, all but the last, all."""
    resting = {TargetMode.MANAGED: 0, TargetMode.SPLIT: len(levels) - 1}.get(mode, len(levels))
    return tuple(
        replace(each, mode=TargetMode.RESTING if index < resting else TargetMode.MANAGED)
        for index, each in enumerate(levels)
    )


def levels_of(
    position: Position,
    stored: Sequence[TakeProfitLevel],
    instrument: Instrument,
    policy: Policy,
    *,
    at: datetime,
) -> tuple[TakeProfitLevel, ...]:
    """The position's levels: those that were set, until more is bought; else new ones.

    Their prices stay as they were set, whatever the policy says later; none rests that the policy
    does not let rest any more.
    """
    own = tuple(each for each in stored if each.position_id == position.position_id)
    if own and ZERO <= _sold_before(position, own, instrument) <= position.exit_quantity:
        return own if policy.allow_targets_without_stop else _with_modes(own, TargetMode.MANAGED)
    return levels_for(position, instrument, policy, at=at)


def open_levels(
    position: Position, levels: Sequence[TakeProfitLevel], instrument: Instrument
) -> tuple[OpenLevel, ...]:
    """What is still to be taken, in order; it comes to what is held."""
    sold = position.exit_quantity - _sold_before(position, levels, instrument)
    found = []
    for each in levels:
        taken = min(sold, each.quantity)
        sold -= taken
        remaining = instrument.floor_quantity(each.quantity - taken)
        if remaining > ZERO:
            found.append(OpenLevel(level=each, remaining=remaining))
    return tuple(found)


def _sold_before(
    position: Position, levels: Sequence[TakeProfitLevel], instrument: Instrument
) -> Decimal:
    """What had been sold when these levels were set: they came to what was held then."""
    whole = instrument.floor_quantity(position.entry_quantity)
    return whole - sum((each.quantity for each in levels), ZERO)


def due_now(levels: Sequence[OpenLevel], bid: Decimal) -> Decimal:
    """How much the managed levels ask to be sold at this bid, in base."""
    return sum(
        (
            each.remaining
            for each in levels
            if each.level.mode is TargetMode.MANAGED and bid >= each.level.price
        ),
        ZERO,
    )


# --- bringing the venue in line ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """What works for a position at the venue: its stop, its targets; all of them with ids there."""

    stop: Working | None
    targets: tuple[Working, ...]


def fit_resting(
    position: Position,
    instrument: Instrument,
    levels: Sequence[TakeProfitLevel],
    resting: Resting,
) -> tuple[list[Step], list[str]]:
    """The steps after which the levels that rest do so, and the stop holds what is left; and notes.

    First what is too much goes, then the stop makes room, then targets are placed, each for itself:
    one that cannot be placed keeps none of the others back.
    """
    wanted = [
        each
        for each in open_levels(position, levels, instrument)
        if each.level.mode is TargetMode.RESTING
    ]
    placeable, notes = _placeable(position, instrument, wanted)
    matched = _matched(placeable, resting.targets)
    kept = {id(order) for order in matched.values()}
    steps: list[Step] = [
        _cancel(position, order, "no level of the position asks for it")
        for order in resting.targets
        if id(order) not in kept
    ]
    for_stop = instrument.floor_quantity(position.quantity) - sum(
        (each.remaining for each in placeable), ZERO
    )
    makes_room = resting.stop is not None and resting.stop.remaining_quantity > for_stop
    if makes_room:
        steps.extend(_fitted_stop(position, resting.stop, for_stop))
    for each in placeable:
        order = matched.get(each.level.level)
        if order is None:
            steps.append(_placed(position, instrument, each))
        elif order.remaining_quantity != each.remaining:
            steps.append(
                _amended(
                    position,
                    order,
                    each.remaining,
                    f"the target covers {short(order.remaining_quantity)} of"
                    f" {short(each.remaining)}",
                )
            )
    if not makes_room:
        steps.extend(_fitted_stop(position, resting.stop, for_stop))
    return steps, notes


def _placeable(
    position: Position, instrument: Instrument, wanted: Sequence[OpenLevel]
) -> tuple[list[OpenLevel], list[str]]:
    placeable, notes = [], []
    for each in wanted:
        if instrument.is_tradable_quantity(each.remaining, price=each.level.price):
            placeable.append(each)
        else:
            notes.append(
                f"{position.symbol}: level {each.level.level}, {short(each.remaining)} at"
                f" {short(each.level.price)}, is below the venue's minimum and stays managed."
            )
    return placeable, notes


def _matched(levels: Sequence[OpenLevel], orders: Sequence[Working]) -> dict[int, Working]:
    """The order of each level, by its price; of several at one price each is used once."""
    free = list(orders)
    found: dict[int, Working] = {}
    for each in levels:
        order = next((one for one in free if price_of(one) == each.level.price), None)
        if order is not None:
            free.remove(order)
            found[each.level.level] = order
    return found


def price_of(order: Working) -> Decimal | None:
    """Where an order takes profit."""
    return order.trigger_price if order.order_type is not OrderType.LIMIT else order.limit_price


def _placed(position: Position, instrument: Instrument, each: OpenLevel) -> Step:
    return place_target(
        position,
        quantity=each.remaining,
        price=each.level.price,
        notional=instrument.cost(price=each.level.price, quantity=each.remaining),
        reason=f"level {each.level.level} takes profit at {short(each.level.price)}",
    )


def _fitted_stop(position: Position, stop: Working | None, quantity: Decimal) -> Iterator[Step]:
    if stop is None or stop.remaining_quantity == quantity:
        return
    if quantity == ZERO:
        yield _cancel(position, stop, "the targets hold all of the position")
        return
    yield _amended(
        position,
        stop,
        quantity,
        f"the targets leave {short(quantity)} of {short(stop.remaining_quantity)} to the stop",
    )


def _amended(position: Position, order: Working, remaining: Decimal, reason: str) -> AmendOrder:
    return AmendOrder(
        amendment=OrderAmendment(
            venue_order_id=id_of(order),
            symbol=position.symbol,
            quantity=order.filled_quantity + remaining,
        ),
        reason=reason,
        before=values_of(order),
        purpose="take_profit" if is_target(order) else "stop",
        position_id=position.position_id,
        preconditions=(
            PositionStill(position_id=position.position_id, quantity=position.quantity),
        ),
    )


def _cancel(position: Position, order: Working, reason: str) -> CancelOrder:
    return CancelOrder(
        venue_order_id=id_of(order),
        client_order_id=order.client_order_id,
        symbol=position.symbol,
        purpose="take_profit" if is_target(order) else "stop",
        position_id=position.position_id,
        before=values_of(order),
        reason=reason,
    )


def id_of(order: Working) -> VenueOrderId:
    """The venue's id of an order that rests there.

    Raises:
        ValueError: it has none: it does not rest there.
    """
    if order.venue_order_id is None:
        raise ValueError(f"order {order.client_order_id} has no id at the venue")
    return order.venue_order_id


# --- what is kept of it --------------------------------------------------------------------------


def keep_levels(
    position: Position,
    stored: Sequence[TakeProfitLevel],
    levels: Sequence[TakeProfitLevel],
) -> SetTargets | None:
    """The step that sets these levels, where the store has others; None where it has not."""
    own = tuple(each for each in stored if each.position_id == position.position_id)
    if not levels or [_facts(each) for each in levels] == [_facts(each) for each in own]:
        return None
    told = ", ".join(
        f"{short(each.quantity)} at {short(each.price)} ({each.mode.value})" for each in levels
    )
    return SetTargets(
        position_id=position.position_id,
        symbol=position.symbol,
        levels=tuple(levels),
        reason=f"profit is taken so: {told}",
    )


def _facts(each: TakeProfitLevel) -> tuple[object, ...]:
    return (each.level, each.price, each.quantity, each.mode)


def as_taken(
    position: Position,
    levels: Sequence[TakeProfitLevel],
    orders: Sequence[OrderRecord],
    *,
    at: datetime,
) -> tuple[TakeProfitLevel, ...]:
    """The levels with what has become of each: filled by what was sold, working, or waiting.

    `orders` are the position's own, over or not.
    """
    working = [each for each in orders if is_target(each) and not each.status.is_terminal]
    before = position.entry_quantity - sum((each.quantity for each in levels), ZERO)
    sold = max(ZERO, position.exit_quantity - max(ZERO, before))
    found = []
    for each in levels:
        taken = min(sold, each.quantity)
        sold -= taken
        status, name = LevelStatus.FILLED, each.client_order_id
        if taken < each.quantity:
            order = next((one for one in working if price_of(one) == each.price), None)
            status = LevelStatus.WAITING if order is None else LevelStatus.WORKING
            name = None if order is None else order.client_order_id
            working = [one for one in working if one is not order]
        after = replace(each, status=status, client_order_id=name)
        found.append(after if after == each else replace(after, updated_at=at))
    return tuple(found)
