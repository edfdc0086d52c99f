"""What stopping means at each level: what to cancel, what to spare, what to sell.

Cancelling takes away what can still add risk: every open buy, whoever placed it. Sells reduce risk
and stay, protective stops first of all. Only flattening cancels zoe's own sells, because they hold
what is to be sold; it sells what zoe manages and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.executed import booked_of, unbooked
from zoe_tools.core.kill_proof import IN_DOUBT, in_doubt, named_at_venue, still_open, told_doubt
from zoe_tools.core.order_desk import takes_market
from zoe_tools.core.position_orders import can_be_canceled, cancelled, place_exit
from zoe_tools.core.reprice import collared, ladder_of, rounded
from zoe_tools.core.run_desk import CLOSED_TO_SALES, TAKES_NO_SALE
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import IntentKind, OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderPurpose, Side, VenueOrder
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    Plan,
    SetTradingState,
    Step,
    values_of,
)
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import RECENT, Missing, Snapshot, quote_in, value_of
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    KillLevel,
    takes_over,
)

SOLD_ALREADY, NOT_YET = "are being sold already", "cannot be sold yet"
"""What the note of a position says for which there is nothing to do now, and something is left."""

TOO_SMALL = "is below the venue's minimum and cannot be sold"
"""What the note of a position says that the venue would not take."""


def is_unfinished(plan: Plan) -> bool:
    """Whether a plan without steps is no proof: an order is in doubt, or something was missing."""
    return any(word in note for note in plan.notes for word in (SOLD_ALREADY, NOT_YET, IN_DOUBT))


def plan_latch(
    snapshot: Snapshot, level: KillLevel, reason: str, symbol: Symbol | None = None
) -> Plan:
    """The first part: latch the level. Needs nothing of the venue; never lowers a level.

    With a `symbol` that instrument's alone, whatever the account's is.
    """
    state = snapshot.trading_state.of(symbol)
    current = state.level
    # What only the row in the table demands is not latched: it goes when the row goes.
    is_latched = state.changed_by != CONFIG_SWITCH
    is_row_s = level is current and not is_latched
    if level > current or is_row_s or takes_over(state, reason):
        level = max(level, current)
        step = SetTradingState(level=level, reason=reason, before=current, symbol=symbol)
        return _plan(snapshot, (step,), ())
    where = "Trading" if symbol is None else f"Trading in {symbol}"
    note = f"{where} is already at {current.label}."
    return _plan(snapshot, (), (note,) if level < current else ())


def plan_kill(
    snapshot: Snapshot,
    level: KillLevel,
    reason: str,
    symbol: Symbol | None = None,
    gone: frozenset[ClientOrderId] = frozenset(),
) -> Plan:
    """All of it: latch, cancel, and when flattening sell. Empty once the world is so.

    A buy that the books have at work and the list lacks is cancelled where the venue shows it by
    its name, and is in doubt until it is over there, or one of those that are `gone`.

    With a `symbol` all of it is about that instrument, and nothing about any other. What is missing
    keeps nothing back that can be done without it: without the list of open orders the buys that
    the books know are cancelled, and without the instruments stops stay, and nothing is sold yet.

    Raises:
        VenueUnavailable: the open orders are missing, and the books know of no buy.
    """
    latch = plan_latch(snapshot, level, reason, symbol)
    if symbol is not None:
        snapshot = narrowed(snapshot, symbol)
    steps: list[Step] = list(latch.steps)
    notes: list[str] = list(latch.notes)
    if level >= KillLevel.CANCEL_OPEN and isinstance(snapshot.open_orders, Missing):
        known = tuple(_known_buys(snapshot))
        if not known:
            value_of(snapshot.open_orders, "the open orders")
        steps.extend(known)
        notes.append(f"What else is open cannot be told: {snapshot.open_orders.reason}.")
    elif level >= KillLevel.CANCEL_OPEN:
        listed = value_of(snapshot.open_orders, "the open orders")
        open_orders = (*listed, *still_open(snapshot))
        cancels = tuple(_cancels(snapshot, open_orders, level))
        steps.extend(each for each in cancels if each.purpose == "entry")
        notes.extend(_spared(snapshot, open_orders, level))
        ways = tuple(each for each in cancels if each.purpose != "entry")
        sold, unsold = _sold_out(snapshot, ways) if level is KillLevel.FLATTEN else ((), ())
        steps.extend(sold)
        notes.extend(unsold)
        notes.extend(told_doubt(each, snapshot) for each in in_doubt(snapshot, gone))
    return _plan(snapshot, tuple(steps), tuple(notes))


def remaining_risk(
    open_orders: tuple[VenueOrder, ...], symbol: Symbol | None = None
) -> tuple[VenueOrder, ...]:
    """The open orders that could still add risk; with a `symbol` those of that instrument."""
    return tuple(
        each for each in open_orders if each.side is Side.BUY and symbol in (None, each.symbol)
    )


def narrowed(snapshot: Snapshot, symbol: Symbol) -> Snapshot:
    """The same with nothing in it that is about another instrument; balances are about all."""
    open_orders = snapshot.open_orders
    if not isinstance(open_orders, Missing):
        own = tuple(each for each in open_orders.value if each.symbol == symbol)
        open_orders = replace(open_orders, value=own)
    return replace(
        snapshot,
        open_orders=open_orders,
        positions=tuple(each for each in snapshot.positions if each.symbol == symbol),
        orders=tuple(each for each in snapshot.orders if each.symbol == symbol),
        recent_orders=tuple(each for each in snapshot.recent_orders if each.symbol == symbol),
        unresolved_intents=tuple(
            each for each in snapshot.unresolved_intents if each.symbol == symbol
        ),
    )


def _plan(
    snapshot: Snapshot, steps: tuple[Step, ...], notes: tuple[str, ...], *, command: str = "kill"
) -> Plan:
    return Plan(
        command=command,
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=steps,
        notes=notes,
    )


def held_in(snapshot: Snapshot) -> tuple[Position, ...]:
    """The positions that hold something."""
    return tuple(each for each in snapshot.positions if each.status.holds)


def _record_of(snapshot: Snapshot, order: VenueOrder) -> OrderRecord | None:
    for record in snapshot.orders:
        same_client = order.client_order_id not in (None, "") and (
            record.client_order_id == order.client_order_id
        )
        if same_client or record.venue_order_id == order.venue_order_id:
            return record
    return None


def _is_in_the_way(snapshot: Snapshot, order: VenueOrder, level: KillLevel) -> bool:
    """Whether flattening must cancel this sell of our own to free what it holds."""
    if level is not KillLevel.FLATTEN or order.side is not Side.SELL:
        return False
    linked: set[VenueOrderId | None] = {each.stop_venue_order_id for each in held_in(snapshot)}
    record = _record_of(snapshot, order)
    is_selling_out = record is not None and record.purpose == "flatten"
    return not is_selling_out and (record is not None or order.venue_order_id in linked)


def _cancels(
    snapshot: Snapshot, open_orders: tuple[VenueOrder, ...], level: KillLevel
) -> Iterator[CancelOrder]:
    risky = remaining_risk(open_orders)
    for order in open_orders:
        record = _record_of(snapshot, order)
        if order in risky:
            reason = f"it could still buy {short(order.remaining_quantity)} {order.symbol}"
            purpose: OrderPurpose = "entry"
        elif _is_in_the_way(snapshot, order, level):
            reason = "it holds what is to be sold"
            purpose = "stop" if order.order_type.is_stop else "exit"
        else:
            continue
        yield CancelOrder(
            venue_order_id=order.venue_order_id,
            symbol=order.symbol,
            reason=reason,
            before=values_of(order),
            client_order_id=record.client_order_id if record else None,
            purpose=purpose,
            position_id=record.position_id if record else None,
        )


def _sold_out(
    snapshot: Snapshot, ways: Sequence[CancelOrder]
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Each position in turn: what holds it is cancelled, and it is sold; and why one is not.

    Not all stops first: where the venue's limits make the calls wait, each position keeps its own
    until its turn has come; and for good where the venue would take no sale.
    """
    held = held_in(snapshot)
    if isinstance(snapshot.catalogue, Missing):
        why = f"{NOT_YET}: the instruments are missing: {snapshot.catalogue.reason}."
        return (), tuple(f"{each.symbol}: {short(each.quantity)} {why}" for each in held)
    coming = _coming(snapshot)
    symbols = {each.symbol for each in held} | coming.keys()
    steps: list[Step] = [each for each in ways if each.symbol not in symbols]
    notes = [
        f"{symbol}: {short(quantity)} {NOT_YET}: the venue shows no trade of what was bought."
        for symbol, quantity in coming.items()
    ]
    for position in held:
        if why := _is_shut(snapshot, position):
            notes.append(f"{position.symbol}: {short(position.quantity)} {NOT_YET}: {why}.")
            continue
        freed = _freed(snapshot, position, ways, coming.get(position.symbol, ZERO))
        steps += [each for each in freed if each not in steps]
        sale = _sale(snapshot, position)
        if isinstance(sale, str):
            notes.append(sale)
        else:
            steps.append(sale)
    return tuple(steps), tuple(notes)


def _freed(
    snapshot: Snapshot, position: Position, ways: Sequence[CancelOrder], coming: Decimal
) -> Iterator[Step]:
    """What frees the coins to be sold: cancels, and a stop that shrinks to what is not booked.

    That cannot be sold yet. Where the venue refused to shrink one, or takes none so small, it goes.
    """
    instrument = value_of(snapshot.catalogue, "the instruments").resolve(position.symbol)
    resting = {each.venue_order_id: each for each in value_of(snapshot.open_orders, "the orders")}
    refused = {each.venue_order_id for each in snapshot.refusals if each.kind is IntentKind.AMEND}
    for way in ways:
        if way.symbol != position.symbol:
            continue
        order = resting.get(way.venue_order_id)
        if way.purpose != "stop" or order is None or not coming:
            yield way
        elif order.remaining_quantity <= coming:
            coming -= order.remaining_quantity
        elif coming >= instrument.min_quantity and way.venue_order_id not in refused:
            yield _shrunk(position, order, coming)
            coming = ZERO
        else:
            yield way


def _shrunk(position: Position, stop: VenueOrder, quantity: Decimal) -> AmendOrder:
    return AmendOrder(
        amendment=OrderAmendment(
            venue_order_id=stop.venue_order_id,
            symbol=stop.symbol,
            quantity=stop.filled_quantity + quantity,
        ),
        reason="it holds what is to be sold, and covers what no trade tells yet",
        before=values_of(stop),
        position_id=position.position_id,
    )


def _coming(snapshot: Snapshot) -> dict[Symbol, Decimal]:
    """What entries have bought of late and no trade tells yet: a stop of it stays until one does.

    By the books, and by what the venue told of them by name.
    """
    booked, seen = booked_of(snapshot.recorded_fills), named_at_venue(snapshot)
    coming: dict[Symbol, Decimal] = {}
    for order in {each.client_order_id: each for each in _lately(snapshot)}.values():
        shown = seen.get(order.venue_order_id) if order.venue_order_id else None
        told = order.filled_quantity if shown is None else shown.filled_quantity
        executed = replace(order, filled_quantity=max(order.filled_quantity, told))
        if more := unbooked(executed, booked):
            coming[order.symbol] = coming.get(order.symbol, ZERO) + more
    return coming


def _lately(snapshot: Snapshot) -> Iterator[OrderRecord]:
    """Entries of which trades may still be shown: at work, or changed within the hour."""
    since = snapshot.taken_at - RECENT
    for each in (*snapshot.recent_orders, *snapshot.orders):
        if each.side is Side.BUY and (not each.status.is_terminal or each.updated_at > since):
            yield each


def _known_buys(snapshot: Snapshot) -> Iterator[CancelOrder]:
    """Cancels of what the books know to be open, where the venue's list cannot be had."""
    for record in snapshot.orders:
        if record.side is Side.BUY and can_be_canceled(record):
            yield from cancelled(record, "it may still buy, by the books")


def _spared(
    snapshot: Snapshot, open_orders: tuple[VenueOrder, ...], level: KillLevel
) -> Iterator[str]:
    for order in open_orders:
        if order.side is Side.SELL and not _is_in_the_way(snapshot, order, level):
            word = "protective stop" if order.order_type.is_stop else "sell"
            yield f"{order.symbol}: {word} {order.venue_order_id} stays."


def _is_shut(snapshot: Snapshot, position: Position) -> str:
    """Why the venue takes no sale of it now; empty where it does."""
    mode = snapshot.venue_mode
    if not isinstance(mode, Missing) and mode.value in CLOSED_TO_SALES:
        return f"the whole venue is at {mode.value.value}, and what protects it stays"
    instrument = value_of(snapshot.catalogue, "the instruments").find(position.symbol)
    if instrument is None:
        return "the venue lists no such instrument"
    if instrument.status in TAKES_NO_SALE:
        return f"the venue has it at {instrument.status.value}"
    if not takes_market(snapshot, instrument) and quote_in(snapshot, position.symbol) is None:
        return "the venue takes limits alone, and there is no price for one"
    return ""


def _sale(snapshot: Snapshot, position: Position) -> PlaceOrder | str:
    instrument = value_of(snapshot.catalogue, "the instruments").resolve(position.symbol)
    if gone := _gone_from_venue(snapshot, position):
        told = f"{position.symbol}: {short(position.quantity)} {NOT_YET}"
        return (
            f"{told}: its order {gone} rests at the venue no more, and what it sold is not booked."
        )
    selling = _selling_already(snapshot, position)
    quantity = instrument.floor_quantity(position.quantity - selling)
    price = _bid(snapshot, position)
    if selling > ZERO and quantity < instrument.min_quantity:
        return f"{position.symbol}: {short(selling)} {SOLD_ALREADY}."
    if not instrument.is_tradable_quantity(quantity, price=price):
        return f"{position.symbol}: {short(position.quantity)} {TOO_SMALL}."
    return place_exit(
        position,
        quantity=quantity,
        notional=instrument.cost(price=price, quantity=quantity),
        purpose="flatten",
        reason="the position is to be sold out",
        limit=_limit(snapshot, position, instrument),
    )


def _limit(snapshot: Snapshot, position: Position, instrument: Instrument) -> Decimal | None:
    """The edge of the collar where the venue takes limits alone; else None: the market."""
    quote = quote_in(snapshot, position.symbol)
    if takes_market(snapshot, instrument) or quote is None:
        return None
    edge = collared(Side.SELL, quote, ladder_of(snapshot.policy))
    return rounded(Side.SELL, edge, instrument)


def _gone_from_venue(snapshot: Snapshot, position: Position) -> VenueOrderId | None:
    """A stop or target of it that the books call open and the venue's list lacks.

    It may have sold all of the position while nobody was there to book it: a sale would then take
    coins that are not zoe's.
    """
    if isinstance(snapshot.open_orders, Missing):
        return None
    resting = {each.venue_order_id for each in snapshot.open_orders.value}
    for each in snapshot.orders:
        is_its_way_out = each.position_id == position.position_id and each.side is Side.SELL
        if each.status.is_terminal or not is_its_way_out or each.purpose == "flatten":
            continue
        if each.venue_order_id is not None and each.venue_order_id not in resting:
            return each.venue_order_id
    return None


def _selling_already(snapshot: Snapshot, position: Position) -> Decimal:
    """What our orders will take of the position: sells at work, and sold without a trade shown."""
    found = {each.client_order_id: each for each in (*snapshot.recent_orders, *snapshot.orders)}
    booked = booked_of(snapshot.recorded_fills)
    taken = ZERO
    for each in found.values():
        if each.position_id != position.position_id or each.side is not Side.SELL:
            continue
        if each.purpose == "flatten" and not each.status.is_terminal:
            taken += each.remaining_quantity
        taken += unbooked(each, booked)
    return taken


def _bid(snapshot: Snapshot, position: Position) -> Decimal:
    """The market's bid; without a quote the position's own cost serves for the minimum check."""
    quote = quote_in(snapshot, position.symbol)
    return position.average_cost if quote is None else quote.bid
