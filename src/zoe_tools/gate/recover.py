"""After a crash or a lost stream: resolve every open intent, and book what happened meanwhile.

It only reads the venue and writes the books; running it again changes nothing. Orders and fills
that are not ours are left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from zoe_tools.core.accounting import in_time_order
from zoe_tools.core.executed import booked_of, unbooked
from zoe_tools.core.order_lifecycle import UndefinedTransition
from zoe_tools.core.proof import CLOCK_TOLERANCE_S, Judgement, Verdict
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord, ProofKind
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.snapshot import RECENT
from zoe_tools.errors import VenueError
from zoe_tools.gate.books import (
    book_missed_fill,
    book_proved,
    record_execution,
    sighting_of_order,
)
from zoe_tools.gate.carry import Carrier
from zoe_tools.gate.journal import entry_of, mark
from zoe_tools.gate.position_books import link_stop
from zoe_tools.observe.log import event
from zoe_tools.ports import Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

SOURCE = "venue records"

_SENDER_GONE = "who sent it is gone, and heard no answer"

Heard = Callable[[], Awaitable[None]]
"""Is told that the books have changed, while there is more to be read."""

Which = Callable[[Intent], bool]
"""Whether an intent is to be looked for."""


_Known = Mapping[VenueOrderId, VenueOrder | None]
"""Orders that were just looked at; None: the venue did not show it."""

KNOWN_FOR_S = 5.0
"""How long a look at many orders stands for one at each: to resolve an intent may take minutes."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one call told of many orders, and when it was asked."""

    orders: _Known
    at: datetime

    def by(self, now: datetime) -> _Known:
        """What of it is known still."""
        is_fresh = now - self.at <= timedelta(seconds=KNOWN_FOR_S)
        return self.orders if is_fresh else MappingProxyType({})


def everything(_: Intent) -> bool:
    """All of them."""
    return True


LOOK_BACK = RECENT * 6
"""Of orders that were made so long before the newest one it is asked whether their fills add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What an intent turned out to be; `order` is its order, where the records showed it."""

    intent: Intent
    state: IntentState
    evidence: str
    order: VenueOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found: resolved intents, how many orders moved, how many fills were new.

    `lacks_fills`: an order has lately filled more than the trades tell that are shown as yet.
    """

    resolutions: tuple[Resolution, ...] = ()
    orders_updated: int = 0
    fills_booked: int = 0
    notes: tuple[str, ...] = ()
    lacks_fills: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether no intent is left unresolved."""
        return all(each.state.is_terminal for each in self.resolutions)


async def recover(
    carrier: Carrier,
    store: StoreRunner,
    *,
    patient: bool = True,
    heard: Heard | None = None,
    reads_trades: bool = True,
    which: Which = everything,
) -> Recovery:
    """Bring the journal, the orders, the fills and the positions up to date.

    Intents that the carrier is sending right now, as it changes, are not touched. Patient, it waits
    until silence counts; otherwise what silence cannot prove stays unknown. `heard` is called when
    an intent is resolved, and when orders ended of which no execution is missing: more may be long
    in coming. Calls are few, and who waits for his stop needs them: what was seen of an order is
    not asked again. Who has read the trades lately need not (`reads_trades`), but where an order
    shows more than is booked of it; `which` intents are looked for is the caller's.

    Raises:
        VenueUnavailable: the venue's records cannot be read.
    """
    looked = await _look(carrier, await store.read(_to_look_at))
    resolutions = await resolve(carrier, store, patient=patient, which=which, looked=looked)
    if heard is not None and any(each.state.is_terminal for each in resolutions):
        await heard()
    working = await store.read(_unfinished)
    shown = {each.order.venue_order_id: each.order for each in resolutions if each.order}
    known = replace(looked, orders={**looked.orders, **shown}).by(carrier.clock.now())
    found = await _orders_at(carrier.venue, _names_of(working), known)
    seen = tuple(each for each in found.values() if each is not None)
    now, lags_s = carrier.clock.now(), carrier.policy.visibility_lag_s
    if heard is not None:
        ended = await store.run(lambda tx: _book_ended(tx, working, seen, now, lags_s=lags_s))
        if ended:
            await heard()
    fills: tuple[Fill, ...] = ()
    if reads_trades or await store.read(lambda tx: _shows_more(tx, working, seen)):
        fills = await _fills_at(store, carrier.venue, working, seen)
    now = carrier.clock.now()
    moved, fresh, notes = await store.run(
        lambda tx: _book(tx, working, seen, fills, now, lags_s=lags_s)
    )
    return Recovery(
        resolutions=resolutions,
        orders_updated=moved,
        fills_booked=fresh,
        notes=notes,
        lacks_fills=await store.read(lambda tx: _lacks_fills(tx, now)),
    )


async def resolve(
    carrier: Carrier,
    store: StoreRunner,
    *,
    patient: bool,
    which: Which = everything,
    looked: _Looked | None = None,
) -> tuple[Resolution, ...]:
    """Look for what became of open intents: first of those about orders that have a name.

    Of a place that nobody shows that takes four calls; of an order just `looked` at, none.

    Raises:
        VenueUnavailable: the venue's records cannot be read.
    """
    intents = await store.read(lambda tx: tx.unresolved_intents())
    if looked is None:
        open_ones = (each for each in intents if each.intent_id not in carrier.in_flight)
        named = [each for each in open_ones if which(each) and not is_unseen(each)]
        names = {each.venue_order_id for each in named if each.venue_order_id is not None}
        looked = await _look(carrier, sorted(names)) if len(names) > 1 else None
    # Asked one by one: what is in flight changes while the venue is looked at.
    resolutions = [
        await _resolve(carrier, store, intent, looked, patient=patient)
        for intent in sorted(intents, key=is_unseen)
        if intent.intent_id not in carrier.in_flight and which(intent)
    ]
    _tell_unknown(resolutions, carrier.clock.now())
    return tuple(resolutions)


def doubt_sent(transaction: Transaction, command: str, now: datetime) -> None:
    """What a process that is gone had sent is unknown: nobody will hear the answer."""
    for intent in transaction.unresolved_intents():
        if intent.command == command and intent.state is IntentState.SENT:
            entry = entry_of(transaction, intent)
            mark(transaction, entry, IntentState.UNKNOWN, at=now, evidence=_SENDER_GONE)


def _tell_unknown(resolutions: Sequence[Resolution], now: datetime) -> None:
    """Somebody should know how long the outcome of an order has not been known."""
    for each in resolutions:
        if not each.state.is_terminal:
            event(
                _LOG,
                "OUTCOME_UNKNOWN",
                "error",
                intent_id=each.intent.intent_id,
                kind=each.intent.kind.value,
                symbol=each.intent.symbol,
                age_s=round((now - each.intent.created_at).total_seconds()),
                evidence=each.evidence,
            )


def is_unseen(intent: Intent) -> bool:
    """Whether it asks for an order that the venue has not been seen to have."""
    return intent.kind is IntentKind.PLACE


async def _resolve(
    carrier: Carrier,
    store: StoreRunner,
    intent: Intent,
    looked: _Looked | None,
    *,
    patient: bool,
) -> Resolution:
    entry = await store.read(lambda tx: entry_of(tx, intent))
    known: _Known = MappingProxyType({}) if looked is None else looked.by(carrier.clock.now())
    # What was journaled and never marked as sent left no byte: one look is enough.
    never_sent = intent.state is IntentState.JOURNALED
    judgement = await carrier.prover.resolve(entry, patient=patient and not never_sent, known=known)
    state, proof, evidence = _ending(intent, judgement)
    fills: tuple[Fill, ...] = ()
    if judgement.verdict is Verdict.DONE and judgement.order is not None:
        fills = await carrier.prover.fills_of(judgement.order)
    now = carrier.clock.now()

    def write(transaction: Transaction) -> IntentState:
        known = transaction.intent(intent.intent_id)
        if never_sent and known is not None and known.state is not IntentState.JOURNALED:
            return known.state  # whoever journaled it is sending it after all, and will say
        if judgement.verdict is Verdict.DONE and judgement.order is not None:
            sighting = sighting_of_order(judgement.order, seen_at=now, source=SOURCE)
            book_proved(transaction, sighting, fills)
        mark(
            transaction,
            entry,
            state,
            at=now,
            evidence=evidence,
            proof=proof,
            venue_order_id=judgement.order.venue_order_id if judgement.order else None,
        )
        return state

    return Resolution(
        intent=intent, state=await store.run(write), evidence=evidence, order=judgement.order
    )


def _ending(intent: Intent, judgement: Judgement) -> tuple[IntentState, ProofKind, str]:
    never_sent = intent.state is IntentState.JOURNALED
    match judgement.verdict:
        case Verdict.DONE:
            return IntentState.CONFIRMED, ProofKind.RECORDS, judgement.evidence
        case Verdict.FOREIGN_MATCH:
            return IntentState.UNKNOWN, ProofKind.NONE, f"FOREIGN_MATCH: {judgement.evidence}"
        case Verdict.NOT_DONE | Verdict.UNKNOWN if never_sent:
            words = f"it was never sent: {judgement.evidence}"
            return IntentState.DENIED, ProofKind.NOT_SENT, words
        case Verdict.NOT_DONE:
            words = f"it never happened: {judgement.evidence}"
            return IntentState.REJECTED, ProofKind.RECORDS, words
        case Verdict.UNKNOWN:
            return IntentState.UNKNOWN, ProofKind.NONE, judgement.evidence


def _at_stake(transaction: Transaction) -> list[OrderRecord]:
    """Orders at work, those made lately, and all of each position that is not over; oldest first.

    However long the history, what is read of it stays short; the rest is for `zoe reconcile`. Of an
    old order whose executions are missing the position still holds what it sold.
    """
    active = transaction.positions(active_only=True)
    found = (
        *transaction.orders(open_only=True),
        *transaction.reconciliation.newest_orders(LOOK_BACK),
        *(each for one in active for each in transaction.orders_of_position(one.position_id)),
    )
    orders = {each.client_order_id: each for each in found}
    return sorted(orders.values(), key=lambda each: (each.created_at, each.client_order_id))


def _unfinished(transaction: Transaction) -> tuple[OrderRecord, ...]:
    """Orders that may have moved while nobody looked, and those whose fills do not add up."""
    orders = _at_stake(transaction)
    booked = _booked(transaction, orders)
    return tuple(
        order for order in orders if not order.status.is_terminal or unbooked(order, booked)
    )


def _lacks_fills(transaction: Transaction, now: datetime) -> bool:
    """Whether trades of the last hour are yet to be shown."""
    orders = [order for order in _at_stake(transaction) if order.updated_at > now - RECENT]
    booked = _booked(transaction, orders)
    return any(unbooked(order, booked) for order in orders)


def _booked(transaction: Transaction, orders: Iterable[OrderRecord]) -> dict[VenueOrderId, Decimal]:
    filled = {
        order.venue_order_id
        for order in orders
        if order.venue_order_id is not None and order.filled_quantity > ZERO
    }
    return booked_of(transaction.reconciliation.fills_of_orders(filled))


def _to_look_at(transaction: Transaction) -> list[VenueOrderId]:
    """Orders of which a change is in doubt, and those at work with them; none without the first."""
    changed = [each for each in transaction.unresolved_intents() if not is_unseen(each)]
    names = [each.venue_order_id for each in changed if each.venue_order_id is not None]
    return list(dict.fromkeys([*names, *_names_of(_unfinished(transaction))])) if names else []


def _names_of(orders: Iterable[OrderRecord]) -> list[VenueOrderId]:
    return [each.venue_order_id for each in orders if each.venue_order_id is not None]


async def _look(carrier: Carrier, names: Sequence[VenueOrderId]) -> _Looked:
    """One call about all of them; where it fails each is asked for again, and that is told."""
    at = carrier.clock.now()
    with suppress(VenueError):
        return _Looked(await _orders_at(carrier.venue, names), at)
    return _Looked({}, at)


async def _orders_at(
    venue: Venue, names: Sequence[VenueOrderId], known: _Known = MappingProxyType({})
) -> dict[VenueOrderId, VenueOrder | None]:
    """What the venue's records say of these orders, some of which were just looked at."""
    unknown = [each for each in names if each not in known]
    seen = await venue.orders(unknown) if unknown else ()
    found = {each.venue_order_id: each for each in seen}
    return {each: known[each] if each in known else found.get(each) for each in names}


def _shows_more(
    transaction: Transaction, working: Sequence[OrderRecord], seen: Sequence[VenueOrder]
) -> bool:
    """Whether an order has filled more, by the books or by the records, than is booked of it."""
    booked = _booked(transaction, working)
    return any(unbooked(each, booked) for each in working) or any(
        each.filled_quantity > booked.get(each.venue_order_id, ZERO) for each in seen
    )


async def _fills_at(
    store: StoreRunner,
    venue: Venue,
    working: Sequence[OrderRecord],
    seen: Sequence[VenueOrder],
) -> tuple[Fill, ...]:
    """The venue's fills since our oldest doubtful order; asked after the orders, so none lacks."""
    since = await store.read(lambda tx: _doubtful_since(tx, working, seen))
    if since is None:
        return ()
    since -= timedelta(seconds=CLOCK_TOLERANCE_S)
    return tuple(in_time_order(await venue.fills(since=since)))


def _doubtful_since(
    transaction: Transaction, working: Sequence[OrderRecord], seen: Sequence[VenueOrder]
) -> datetime | None:
    """From when on executions may be missing; None where there is no order.

    Of an order that shows as much as is booked of it, what an hour before the last change of any
    order lies behind is booked: a stop that has rested for weeks asks for no weeks of trades. An
    order was made by our clock, and opened by the venue's, which tells its trades: the earlier one
    counts.
    """
    orders = _at_stake(transaction)
    if not orders:
        return None
    lately = max(each.updated_at for each in orders) - RECENT
    booked = _booked(transaction, working)
    shown = {each.venue_order_id: each.filled_quantity for each in seen}
    opened = {each.venue_order_id: each.opened_at for each in seen}
    times = [orders[-1].updated_at]
    for each in working:
        name = each.venue_order_id
        is_whole = name in shown and max(shown[name], each.filled_quantity) <= booked.get(
            name, ZERO
        )
        begun = each.created_at
        if name in opened:
            begun = min(begun, opened[name])
        times.append(max(begun, lately) if is_whole else begun)
    return min(times)


def _book_ended(
    transaction: Transaction,
    working: Sequence[OrderRecord],
    seen: Sequence[VenueOrder],
    now: datetime,
    *,
    lags_s: float,
) -> bool:
    """Book what is over and executed no further than is booked; whether there was any."""
    before = {each.venue_order_id: each for each in working}
    booked = _booked(transaction, working)
    is_news = False
    for order in seen:
        known, name = before[order.venue_order_id], order.venue_order_id
        is_over = order.status.is_terminal and not known.status.is_terminal
        if not is_over or order.filled_quantity > booked.get(name, ZERO):
            continue
        with suppress(UndefinedTransition):  # told below
            sighting = sighting_of_order(order, seen_at=now, source=SOURCE, lags_s=lags_s)
            is_news |= record_execution(transaction, sighting) is not None
    return is_news


def _book(
    transaction: Transaction,
    working: Sequence[OrderRecord],
    seen: Sequence[VenueOrder],
    fills: Sequence[Fill],
    now: datetime,
    *,
    lags_s: float,
) -> tuple[int, int, tuple[str, ...]]:
    """Book orders and then their fills, oldest first; returns orders moved, new fills, and notes.

    In one transaction: who reads the books beside us finds no filled order without its position.
    """
    before = {each.venue_order_id: each for each in working if each.venue_order_id is not None}
    notes = [
        f"the venue does not show our order {missing}; it was left as it is"
        for missing in sorted(before.keys() - {each.venue_order_id for each in seen})
    ]
    moved = 0
    for order in seen:
        sighting = sighting_of_order(order, seen_at=now, source=SOURCE, lags_s=lags_s)
        try:
            record_execution(transaction, sighting)
        except UndefinedTransition as error:
            _LOG.error("INVARIANT_VIOLATION %s", error.message)
            notes.append(error.message)
        known = before[order.venue_order_id]
        moved += (known.status, known.filled_quantity) != (order.status, order.filled_quantity)
    first = min((each.filled_at for each in fills), default=now)
    booked = {each.fill_id for each in transaction.fills(since=first)}
    fresh = sum(book_missed_fill(transaction, fill) for fill in fills if fill.fill_id not in booked)
    if fresh:
        _link_stops(transaction, seen)
    return moved, fresh, tuple(notes)


def _link_stops(transaction: Transaction, seen: Sequence[VenueOrder]) -> None:
    """Once more: a stop that was sent without a store is older than its position's record."""
    for order in seen:
        record = transaction.order_by_venue_id(order.venue_order_id)
        if record is not None:
            link_stop(transaction, record)
