"""One turn of the trading loop as a pure decision: protection first, then exits, then entries.

The plan it makes is small, and made again each turn from what is then true, so nothing here
remembers: an exit begun in one turn (cancel the stop) is finished in a later one (sell what is
left) because the snapshot then shows no stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from zoe_tools.core.executed import as_booked, is_over
from zoe_tools.core.position_orders import can_be_canceled, cancelled, leaves, left_in, place_exit
from zoe_tools.core.protection import (
    UNLISTED,
    Held,
    is_through,
    protect,
    reason_to_leave,
    resized,
    stop_price_for,
)
from zoe_tools.core.run_desk import (
    ended_exits,
    is_in_doubt,
    sell,
    takes_sales,
    tend_entries,
    tend_exits,
)
from zoe_tools.core.run_entries import entries
from zoe_tools.core.run_world import World, world_of
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.core.take_profit import (
    Resting,
    due_now,
    fit_resting,
    keep_levels,
    levels_of,
    mode_in_force,
    open_levels,
    uses_levels,
)
from zoe_tools.core.unsold import Unsold, tried_beside
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.domain.order import OrderStatus, OrderType
from zoe_tools.domain.plan import EndGroup, PlaceOrder, Plan, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.take_profit import TakeProfitLevel, TargetMode
from zoe_tools.domain.trading_state import KillLevel

LEAVING = "the position is being left"
"""Why an exit is sent that somebody or something asked for."""


_NONE_GROWS: Mapping[PositionId, datetime] = MappingProxyType({})
_ALL_ARE_SOLD: Mapping[PositionId, Unsold] = MappingProxyType({})


def plan_run(
    snapshot: Snapshot,
    decisions: Sequence[Decision],
    exiting: frozenset[PositionId],
    *,
    is_stopping: bool = False,
    urgent: frozenset[PositionId] = frozenset(),
    growing: Mapping[PositionId, datetime] = _NONE_GROWS,
    unsold: Mapping[PositionId, Unsold] = _ALL_ARE_SOLD,
) -> Plan:
    """What to do now; `is_stopping` cancels working entries and makes no new ones.

    `snapshot.orders` holds our working orders, `snapshot.positions` the open positions.
    `exiting` names the positions that are on their way out; their stops are not put back, but of
    those whose sales came to nothing (`unsold`). Those that are `urgent` are sold in panic. Stops
    of those that are `growing`, since then, may wait for a moment until they grow.

    Raises:
        VenueUnavailable: the instruments are missing from the snapshot.
    """
    world = world_of(
        snapshot,
        exiting=exiting,
        urgent=urgent,
        is_stopping=is_stopping,
        growing=growing,
        unsold=unsold,
    )
    steps: list[Step] = []
    for position in snapshot.positions:
        steps.extend(_tend(world, position))
    steps.extend(_left_behind(world))
    steps.extend(ended_exits(world.floor))
    steps.extend(tend_entries(world.floor))
    notes = list(_kept_for_people(world))
    for entry in entries(world, decisions, steps):
        if isinstance(entry, str):
            notes.append(entry)
        else:
            steps.append(entry)
    return Plan(
        command="run",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.order_deadline_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def is_alarming(step: PlaceOrder) -> bool:
    """Whether a position is sold that nobody wanted to leave: no stop holds it any more."""
    return step.request.purpose == "exit" and step.reason != LEAVING


def is_escalated(step: PlaceOrder) -> bool:
    """Whether a sale goes to the market because its limits did not fill."""
    ticket = step.ticket
    is_market = step.request.order_type is OrderType.MARKET
    return is_market and ticket is not None and ticket.attempt > 0


def target_price_for(position: Position, instrument: Instrument, policy: Policy) -> Decimal:
    """Where a long position takes its profit, on tick."""
    if position.take_profit_price is not None:
        return position.take_profit_price
    profit = policy.take_profit_levels[-1][1] if policy.take_profit_levels else None
    distance = position.average_cost * (profit or policy.take_profit_pct) / HUNDRED
    return instrument.ceil_price(position.average_cost + distance)


def wants_exit(
    position: Position,
    quote: Quote,
    instrument: Instrument,
    policy: Policy,
    stored: Sequence[TakeProfitLevel] = (),
) -> bool:
    """Whether the managed target, of a ladder the last one, is reached; levels `stored` decide."""
    if quote.bid < target_price_for(position, instrument, policy):
        return False
    levels = levels_of(position, stored, instrument, policy, at=quote.as_of)
    # Where the last one rests the venue sells.
    return (levels[-1].mode if levels else mode_in_force(policy)) is not TargetMode.RESTING


def _tend(world: World, position: Position) -> Iterator[Step]:
    instrument = world.catalogue.find(position.symbol)
    if instrument is None:
        return  # it is told, see `_kept_for_people`
    working = world.orders_of(position)
    exits = [order for order in working if leaves(order)]
    is_left = (
        position.position_id in world.exiting
        or world.snapshot.trading_state.in_force(position.symbol).level is KillLevel.FLATTEN
        or (not exits and _is_stopped(world, position, instrument, working))
    )
    held = world.held(position, instrument, working)
    booked = as_booked(position, world.snapshot)
    is_begun = world.floor.exit_of(position) is not None
    why = LEAVING if is_left or is_begun else "" if exits else reason_to_leave(held)
    if exits:
        yield from tend_exits(world.floor, exits, is_urgent=_is_urgent(world, held, why))
        if is_in_doubt(world.snapshot, position, exits):
            yield from protect(held)
    elif why and (held.stops and not takes_sales(world.snapshot, instrument)):
        yield from protect(held)  # what it would be sold by is refused: the stop is better
    elif why and not _can_be_sold(held, booked):
        yield from protect(held)
    elif why:
        yield from _left(world, held, booked, why)
    else:
        yield from protect(held)
        if booked is position:
            yield from _take_profit(world, position, instrument, working)


def _can_be_sold(held: Held, booked: Position) -> bool:
    """Whether enough is booked of it; the rest is sold once its entry's trades are shown."""
    if booked is held.position:
        return True
    quantity = held.instrument.floor_quantity(booked.quantity)
    return held.instrument.is_tradable_quantity(quantity, price=booked.average_cost)


def _is_urgent(world: World, held: Held, why: str) -> bool:
    """Whether it is sold in panic: by a stop or the kill switch, or because somebody says so."""
    quote, position = held.quote, held.position
    is_through_its_stop = quote is not None and is_through(position.side, held.stop_price, quote)
    return (
        is_through_its_stop
        or why not in (LEAVING, "")
        or position.position_id in world.urgent
        or world.snapshot.trading_state.in_force(position.symbol).level is KillLevel.FLATTEN
    )


def _left(world: World, held: Held, booked: Position, why: str) -> Iterator[Step]:
    """The sale; where sales came to nothing, the stop until the next try is due."""
    unsold, sold = world.unsold.get(booked.position_id), replace(held, position=booked)
    if unsold is None:
        yield from _leave(world, sold, why)
        return
    if not unsold.is_due(world.snapshot.taken_at, is_bare=not held.stops):
        yield from protect(held)
        return
    sale = _sale(world, sold, why)
    part = tuple(tried_beside(sold, sale)) if isinstance(sale, PlaceOrder) else ()
    yield from part or _leave(world, sold, why)


def _leave(world: World, held: Held, why: str) -> Iterator[Step]:
    """On spot the resting stop holds the asset: cancel, see it gone, then sell what is left."""
    if held.working:
        for order in filter(can_be_canceled, held.working):
            yield from cancelled(order, why)
        return
    step = _sale(world, held, why)
    if step is not None:
        yield step


def _sale(world: World, held: Held, why: str) -> PlaceOrder | EndGroup | None:
    position, instrument, quote = held.position, held.instrument, held.quote
    has_profit = quote is not None and wants_exit(
        position, quote, instrument, world.policy, world.snapshot.targets
    )
    return sell(
        world.floor,
        position,
        instrument,
        purpose="take_profit" if has_profit else "exit",
        reason=why,
        is_urgent=_is_urgent(world, held, why),
    )


# --- targets -------------------------------------------------------------------------------------


def _is_stopped(
    world: World, position: Position, instrument: Instrument, working: list[OrderRecord]
) -> bool:
    """Whether the stop was reached where targets hold, or are to hold, a part that it cannot sell.

    One cancels the other: then they go, and what is left is sold.
    """
    stored = [each for each in world.snapshot.targets if each.position_id == position.position_id]
    is_shared = (
        any(order.purpose == "take_profit" for order in working)
        or any(each.mode is TargetMode.RESTING for each in stored)
        or mode_in_force(world.policy) is not TargetMode.MANAGED
    )
    if not is_shared:
        return False
    quote = world.quotes.get(position.symbol)
    if quote is not None and quote.bid <= stop_price_for(position, instrument, world.policy):
        return True
    own = [
        order for order in world.snapshot.recent_orders if order.position_id == position.position_id
    ]
    fired = [
        order.updated_at
        for order in own
        if order.purpose == "stop" and order.status is OrderStatus.FILLED
    ]
    entered = [order.created_at for order in own if order.purpose == "entry"]
    return bool(fired) and max(fired) >= max(entered, default=max(fired))


def _take_profit(
    world: World, position: Position, instrument: Instrument, working: list[OrderRecord]
) -> Iterator[Step]:
    """Sell what is due, and let rest what is to rest; only where nothing else is on its way."""
    stored = [each for each in world.snapshot.targets if each.position_id == position.position_id]
    if not stored and not uses_levels(world.policy):
        return
    stops = [order for order in working if order.purpose == "stop"]
    targets = tuple(order for order in working if order.purpose == "take_profit")
    whole = instrument.floor_quantity(position.quantity)
    is_settled = all(can_be_canceled(order) for order in working) and len(stops) <= 1
    if not is_settled or left_in(stops) + left_in(targets) != whole or whole == ZERO:
        return
    levels = levels_of(position, stored, instrument, world.policy, at=world.snapshot.taken_at)
    kept = keep_levels(position, stored, levels)
    if kept is not None:
        yield kept
    stop = stops[0] if stops else None
    sale = _due(world, position, instrument, levels, stop)
    if sale:
        yield from sale
        return
    if _was_refused(world, position):
        return
    resting = Resting(stop=stop, targets=targets)
    yield from fit_resting(position, instrument, levels, resting)[0]


def _was_refused(world: World, position: Position) -> bool:
    """Whether a target of it was refused a moment ago: until later its part is the stop's again."""
    since = world.snapshot.taken_at - timedelta(seconds=world.policy.order_ttl_entry_s)
    return any(
        order.purpose == "take_profit"
        and order.status is OrderStatus.REJECTED
        and order.position_id == position.position_id
        and order.updated_at > since
        for order in world.snapshot.recent_orders
    )


def _due(
    world: World,
    position: Position,
    instrument: Instrument,
    levels: Sequence[TakeProfitLevel],
    stop: OrderRecord | None,
) -> tuple[Step, ...]:
    """A part of the position that a managed level sells now; the stop makes room for it first."""
    quote = world.quotes.get(position.symbol)
    if quote is None or stop is None or stop.venue_order_id is None:
        return ()
    due = due_now(open_levels(position, levels, instrument), quote.bid)
    left = stop.remaining_quantity - due
    is_possible = instrument.is_tradable_quantity(due, price=quote.bid)
    if due == ZERO or not is_possible or not instrument.is_tradable_quantity(left, price=quote.bid):
        return ()
    why = f"a target is reached: {due:f} of {stop.remaining_quantity:f} are sold"
    sale = place_exit(
        position,
        quantity=due,
        notional=quote.bid * due,
        purpose="take_profit",
        reason="a target is reached",
    )
    return (*resized(position, stop, left, why), sale)


def _of_no_position(world: World) -> Iterator[OrderRecord]:
    """Stops and targets at work of positions that hold nothing, as far as anybody knows."""
    for order in world.snapshot.orders:
        if order.purpose not in ("stop", "take_profit") or not can_be_canceled(order):
            continue
        if order.position_id is not None and is_over(order.position_id, world.snapshot):
            yield order


def _kept_for_people(world: World) -> Iterator[str]:
    """What protects coins that a position was given up with: whether it goes is for people.

    And what is held in an instrument that left the venue's list.
    """
    for position in world.snapshot.positions:
        if world.catalogue.find(position.symbol) is None:
            yield f"{position.symbol}: {UNLISTED}"
    for order in _of_no_position(world):
        if order.position_id in world.snapshot.given_up:
            yield (
                f"{order.symbol}: {order.purpose} {order.venue_order_id} stays, its position"
                f" {order.position_id} was given up and not sold: `zoe positions`"
            )


def _left_behind(world: World) -> Iterator[Step]:
    """Stops and targets of positions that are over: what they would sell is not zoe's any more."""
    for order in _of_no_position(world):
        if order.position_id not in world.snapshot.given_up:
            yield from cancelled(order, "its position is over")
