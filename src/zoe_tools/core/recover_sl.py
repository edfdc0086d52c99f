"""Find and link each position's stop at the venue; fit what does not fit, place what is missing.

A stop matches by side, quantity, and a price on the right side of the market, never by symbol
alone; a take-profit is none, trigger or not. A stop of somebody else's making is not linked, not
touched and not doubled. One of ours changes in place; where that does not go, it is cancelled and,
once that is proved, another one is placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.accounting import base_of, book, in_time_order, order_of
from zoe_tools.core.given_up import taken_back, too_much_beside
from zoe_tools.core.position_orders import place_stop
from zoe_tools.core.position_rows import told_gone
from zoe_tools.core.protection import (
    UNLISTED,
    Held,
    is_refused_an_amendment,
    may_be_replaced,
    moved_price,
)
from zoe_tools.core.sync_positions import protective_price, through_its_stop
from zoe_tools.core.take_profit import own_targets
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderType, Side, VenueOrder
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    LinkStop,
    OutcomeState,
    PlaceOrder,
    Plan,
    Step,
    StepOutcome,
    still_open,
    values_of,
)
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Snapshot, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    open_orders: tuple[VenueOrder, ...]

    def quote_of(self, position: Position) -> Quote | None:
        """The market of a position."""
        part = self.snapshot.quotes
        quotes: tuple[Quote, ...] = () if isinstance(part, Missing) else part.value
        return next((each for each in quotes if each.symbol == position.symbol), None)

    def held(self, position: Position) -> Held:
        """The position as its protection sees it."""
        return Held(
            position=position,
            instrument=self.catalogue.resolve(position.symbol),
            policy=self.snapshot.policy,
            working=(),
            refusals=self.snapshot.refusals,
            quote=self.quote_of(position),
            is_lowered=position.position_id in self.snapshot.stops_lowered,
        )


def plan_recover_sl(snapshot: Snapshot) -> Plan:
    """The steps after which each position has a stop that fits it, and knows it.

    Raises:
        VenueUnavailable: instruments or open orders are missing from the snapshot.
    """
    world = _world_of(snapshot)
    steps: list[Step] = []
    notes = [
        f"{fill.symbol}: the venue shows {fill.side.value} {short(fill.quantity)}"
        f" {base_of(fill.symbol)}, the books do not; with --execute that is booked first."
        for _, fill in _unbooked(snapshot)
    ]
    notes += [told_gone(each) for each in snapshot.positions_gone]
    for position in snapshot.positions:
        if position.status.holds:
            for found in _recover(world, position):
                if isinstance(found, str):
                    notes.append(found)
                else:
                    steps.append(found)
    return Plan(
        command="recover-sl",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def _world_of(snapshot: Snapshot) -> _World:
    return _World(
        snapshot=snapshot,
        catalogue=value_of(snapshot.catalogue, "the instruments"),
        open_orders=value_of(snapshot.open_orders, "the open orders"),
    )


def as_booked(snapshot: Snapshot) -> Snapshot:
    """The snapshot with positions as they are once the fills that the books lack are booked.

    Which is done before anything is sent; where the fills were not asked for, nothing is known.
    """
    fills = _unbooked(snapshot)
    if not fills:
        return snapshot
    positions = {each.position_id: each for each in snapshot.positions}
    for order, fill in fills:
        book(positions, order, fill)
    active = tuple(each for each in positions.values() if each.status.is_active)
    return replace(snapshot, positions=active)


def _unbooked(snapshot: Snapshot) -> list[tuple[OrderRecord, Fill]]:
    """The venue's fills of our orders that the books lack, oldest first."""
    if isinstance(snapshot.fills, Missing):
        return []
    known = {each.fill_id for each in snapshot.recorded_fills}
    missing = in_time_order(each for each in snapshot.fills.value if each.fill_id not in known)
    found = ((order_of(snapshot.orders, each), each) for each in missing)
    return [(order, fill) for order, fill in found if order is not None]


def restoring(snapshot: Snapshot, outcomes: Sequence[StepOutcome]) -> tuple[PlaceOrder, ...]:
    """The stops that made room for others which the venue then refused, as they were.

    `snapshot` is the one of the plan: its open orders still have them. A trailing stop has no price
    of its own by then, and is not among them.
    """
    refused = {
        each.step.position_id: each.step
        for each in outcomes
        if each.state is OutcomeState.REJECTED
        and isinstance(each.step, PlaceOrder)
        and each.step.request.purpose == "stop"
    }
    made_room = {
        each.step.venue_order_id: refused[each.step.position_id]
        for each in outcomes
        if each.state is OutcomeState.DONE
        and isinstance(each.step, CancelOrder)
        and each.step.purpose == "stop"
        and each.step.position_id in refused
    }
    return tuple(
        _as_it_was(order, made_room[order.venue_order_id])
        for order in value_of(snapshot.open_orders, "the open orders")
        if order.venue_order_id in made_room and not order.order_type.is_trailing
    )


def _as_it_was(old: VenueOrder, refused: PlaceOrder) -> PlaceOrder:
    request = replace(
        refused.request,
        order_type=old.order_type,
        quantity=old.remaining_quantity,
        trigger_price=old.trigger_price,
        limit_price=old.limit_price,
    )
    why = f"the venue refused another one: {old.venue_order_id} as it was"
    return replace(refused, request=request, reason=why)


def left_without_a_stop(snapshot: Snapshot) -> bool:
    """Whether a position has none, and gets none: the market is through it, or its row is gone."""
    world = _world_of(snapshot)
    return bool(snapshot.positions_gone) or any(
        each.status.holds and through_its_stop(each, world.quote_of(each)) in _recover(world, each)
        for each in snapshot.positions
    )


def own_stops(
    position: Position, orders: Sequence[OrderRecord], open_orders: Sequence[VenueOrder]
) -> tuple[VenueOrder, ...]:
    """The stops at the venue that are zoe's for this position, the largest first.

    An order of ours that no position owns counts where its price is the one that the registry has.
    """
    ours = {order.client_order_id: order for order in orders}
    found = []
    for order in open_orders:
        if not _is_stop_for(position, order):
            continue
        record = ours.get(order.client_order_id) if order.client_order_id else None
        is_linked = order.venue_order_id == position.stop_venue_order_id
        if is_linked or (record is not None and _belongs(position, record, order)):
            found.append(order)
    return tuple(sorted(found, key=lambda each: each.remaining_quantity, reverse=True))


def _is_stop_for(position: Position, order: VenueOrder) -> bool:
    return (
        order.symbol == position.symbol
        and order.order_type.is_stop
        and order.side is position.side.opposite
    )


def _belongs(position: Position, record: OrderRecord, order: VenueOrder) -> bool:
    if record.position_id is None:
        return position.stop_price in (None, order.trigger_price)
    return record.position_id == position.position_id


def matching_stops(
    position: Position,
    instrument: Instrument,
    open_orders: Sequence[VenueOrder],
    quote: Quote | None = None,
) -> Iterator[VenueOrder]:
    """Resting stops, whoever placed them, that would close exactly this position at a loss."""
    quantity = instrument.floor_quantity(position.quantity)
    for order in open_orders:
        is_exact = _is_stop_for(position, order) and order.remaining_quantity == quantity
        if is_exact and _is_on_the_right_side(position, order, quote):
            yield order


def _is_on_the_right_side(position: Position, order: VenueOrder, quote: Quote | None) -> bool:
    """A stop above the market of a long position would have fired; distances cannot tell."""
    price = order.trigger_price
    if quote is None or price is None or order.order_type.is_trailing:
        return True
    return price < quote.ask if position.side is Side.BUY else price > quote.bid


def _recover(world: _World, position: Position) -> Iterator[Step | str]:
    for each in too_much_beside(world.snapshot, position, world.open_orders):
        yield taken_back(each, f"beside {position.position_id} it would sell what is not managed")
    instrument = world.catalogue.find(position.symbol)
    if instrument is None:
        yield f"{position.symbol}: {UNLISTED}"
        return
    stops = own_stops(position, world.snapshot.orders, world.open_orders)
    needed = instrument.floor_quantity(position.quantity) - sum(
        (
            each.remaining_quantity
            for each in own_targets(position, world.snapshot.orders, world.open_orders)
        ),
        ZERO,
    )
    if stops:
        yield from _linked(position, stops)
        if len(stops) == 1 and needed > ZERO:
            yield from _fit_one(world, position, stops[0], needed)
        else:
            yield from _fitted(position, stops, needed)
        return
    if needed <= ZERO:
        return
    quote = world.quote_of(position)
    foreign = next(matching_stops(position, instrument, world.open_orders, quote), None)
    if foreign is not None:
        yield (
            f"{position.symbol}: {foreign.venue_order_id} would close this position but was "
            "not placed here; it was neither linked nor doubled."
        )
        return
    yield _missing(world, position, instrument, needed)


def _linked(position: Position, stops: Sequence[VenueOrder]) -> Iterator[Step]:
    if all(each.venue_order_id != position.stop_venue_order_id for each in stops):
        yield LinkStop(
            position_id=position.position_id,
            order=stops[0],
            reason=f"{stops[0].venue_order_id} closes this position",
        )


def _fit_one(
    world: _World, position: Position, stop: VenueOrder, needed: Decimal
) -> Iterator[Step | str]:
    """Quantity and trigger in place; of another type, or not to be amended, it is replaced."""
    held = world.held(position)
    is_ours = any(each.client_order_id == stop.client_order_id for each in world.snapshot.orders)
    is_other = is_ours and stop.order_type is not OrderType.STOP_LOSS
    moved = None
    if not stop.order_type.is_trailing and position.stop_price is not None:
        moved = moved_price(held, stop.trigger_price)
    if stop.remaining_quantity == needed and moved is None and not is_other:
        if held.is_lowered:
            yield (
                f"{position.symbol}: its stop was moved to {short(stop.trigger_price or ZERO)} at"
                " the venue, away from profit; it was left there."
            )
        return
    if is_other or is_refused_an_amendment(stop.venue_order_id, world.snapshot.refusals):
        why = f"it is a {stop.order_type.value}" if is_other else "the venue does not amend it"
        if may_be_replaced(held):
            yield from _replaced(held, stop, needed, why)
        else:
            yield f"{position.symbol}: {why}, and a new stop would not rest now; it was left."
        return
    yield _amended(position, stop, needed, price=moved)


def _replaced(held: Held, stop: VenueOrder, quantity: Decimal, why: str) -> Iterator[Step]:
    """On spot the old one holds the coins: its cancel is proved before the new one is sent."""
    yield CancelOrder(
        venue_order_id=stop.venue_order_id,
        client_order_id=stop.client_order_id,
        symbol=stop.symbol,
        purpose="stop",
        position_id=held.position.position_id,
        before=values_of(stop),
        preconditions=(still_open(stop),),
        reason=f"{why}: a stop-loss takes its place",
    )
    yield place_stop(
        held.position,
        quantity=quantity,
        price=held.stop_price,
        notional=held.instrument.cost(price=held.stop_price, quantity=quantity),
        reason=f"in the place of {stop.venue_order_id}",
    )


def _fitted(position: Position, stops: Sequence[VenueOrder], needed: Decimal) -> Iterator[Step]:
    """The largest stop grows to what is missing; what is too much goes, the smallest first."""
    missing = needed - sum((each.remaining_quantity for each in stops), ZERO)
    if missing > ZERO:
        yield _amended(position, stops[0], stops[0].remaining_quantity + missing)
        return
    excess = -missing
    for stop in reversed(stops):
        if excess <= ZERO:
            return
        if stop.remaining_quantity <= excess:
            excess -= stop.remaining_quantity
            yield CancelOrder(
                venue_order_id=stop.venue_order_id,
                client_order_id=stop.client_order_id,
                symbol=stop.symbol,
                purpose="stop",
                position_id=position.position_id,
                before=values_of(stop),
                preconditions=(still_open(stop),),
                reason="other stops cover all of the position",
            )
        else:
            yield _amended(position, stop, stop.remaining_quantity - excess)
            return


def _amended(
    position: Position, stop: VenueOrder, quantity: Decimal, *, price: Decimal | None = None
) -> AmendOrder:
    why = f"the stop covers {short(stop.remaining_quantity)} of {short(quantity)}"
    if stop.remaining_quantity == quantity and price is not None:
        why = f"the stop belongs at {short(price)}"
    return AmendOrder(
        amendment=OrderAmendment(
            venue_order_id=stop.venue_order_id,
            symbol=stop.symbol,
            quantity=stop.filled_quantity + quantity,
            trigger_price=price,
        ),
        reason=why,
        before=values_of(stop),
        position_id=position.position_id,
        preconditions=(still_open(stop),),
    )


def _missing(
    world: _World, position: Position, instrument: Instrument, quantity: Decimal
) -> Step | str:
    quote = world.quote_of(position)
    price = protective_price(
        position,
        instrument,
        mark=None if quote is None else quote.bid,
        loss_pct=world.snapshot.policy.stop_loss_pct,
    )
    if not instrument.is_tradable_quantity(quantity, price=price):
        return f"{position.symbol}: {short(position.quantity)} is dust that no stop can protect."
    through = through_its_stop(position, quote)
    if through:
        return through
    return place_stop(
        position,
        quantity=quantity,
        price=price,
        notional=instrument.cost(price=price, quantity=quantity),
        reason="no stop for this position rests at the venue",
    )
