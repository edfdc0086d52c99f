"""The loop's copy of its own books: refreshed from the store after every change.

The store is the truth; this is what the turns read without waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from zoe_tools.config.tightening import tightened
from zoe_tools.core.executed import (
    as_executed,
    booked_of,
    no_more_than_told,
    not_sold,
    unbooked,
)
from zoe_tools.core.position_rows import levels_changed, prices_changed
from zoe_tools.core.proof import CLOCK_TOLERANCE_S
from zoe_tools.core.reconcile_store import changed_by_hand
from zoe_tools.domain.discrepancy import NEVER_COMPARED, ReconciliationState
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.level_story import RetoldLevels
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import RECENT
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.domain.trading_state import (
    ARMED,
    LATCHED_SWITCH,
    KillLevel,
    TradingState,
    takes_over,
)
from zoe_tools.gather import effective_trading_state, registry_of
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

_USUAL = Policy()


T = TypeVar("T")

_Set = tuple[TradingState, Policy, ReconciliationState, tuple[TakeProfitLevel, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one reading found, all of it of one moment; `closed` held something the last time."""

    active: tuple[Position, ...]
    positions: tuple[Position, ...]
    unbooked: tuple[tuple[PositionId, Decimal], ...]
    closed: tuple[Position | None, ...]
    stops_lowered: frozenset[PositionId]
    retold: tuple[tuple[Position, Position], ...]
    targets_retold: tuple[RetoldLevels, ...]
    targets: tuple[TakeProfitLevel, ...]
    orders: tuple[OrderRecord, ...]
    given_up: frozenset[PositionId]
    groups: tuple[IntentGroup, ...]
    recent_orders: tuple[OrderRecord, ...]
    refusals: tuple[Intent, ...]
    fills: tuple[Fill, ...]
    not_sold: tuple[Position, ...]
    late: tuple[OrderRecord, ...]
    unresolved: tuple[Intent, ...]
    day: date
    daily_notional: Decimal
    trading_state: TradingState
    policy: Policy
    reconciliation: ReconciliationState
    mark: object
    """The database's, see `Transaction.change_mark`."""


class Books:
    """Positions, working and recent orders, open intents, the day's notional, the kill state."""

    def __init__(self, store: StoreRunner, policy: Policy = _USUAL) -> None:
        self._store = store
        self._configured = policy
        self.policy = policy
        self.positions: tuple[Position, ...] = ()
        """What is held, as the venue executed it: of an entry also what no trade tells yet."""
        self.unbooked: tuple[tuple[PositionId, Decimal], ...] = ()
        self.not_sold: tuple[Position, ...] = ()
        """Those less what was sold and no trade tells yet: what a stop has still to cover."""
        self.targets: tuple[TakeProfitLevel, ...] = ()
        self.orders: tuple[OrderRecord, ...] = ()
        self.given_up: frozenset[PositionId] = frozenset()
        self.recent_orders: tuple[OrderRecord, ...] = ()
        self.groups: tuple[IntentGroup, ...] = ()
        self.refusals: tuple[Intent, ...] = ()
        self.unresolved: tuple[Intent, ...] = ()
        self.daily_notional: Decimal = ZERO
        self.trading_state: TradingState = ARMED
        self.told_state: TradingState = ARMED
        """The trading state as the log was told of it last, by whoever raised or noticed it."""
        self.reconciliation = NEVER_COMPARED
        self.day: date | None = None
        self.is_sound = True
        self.stops_lowered: frozenset[PositionId] = frozenset()
        self._retold: dict[str, str] = {}
        self._active: tuple[Position, ...] = ()
        self._last: Read | None = None
        """As it was read; it may be on its way here, from the store's own thread."""
        self._state_read_at: object = None
        self.version = 0
        """Rises whenever something may be another than before."""
        self.endings = 0
        """How many positions were seen to end."""
        self._closed: list[Position] = []
        self.fills: tuple[Fill, ...] = ()

    async def refresh(self, now: datetime, *, is_urgent: bool = False) -> None:
        """Read everything again, unless all of it was read since anybody changed anything."""

        def read(transaction: Transaction) -> Read:
            last = self._last_read_at(transaction.change_mark())
            is_known = last is not None and last.day == now.date()
            return last if last is not None and is_known else self.read(transaction, now)

        self.take(await self._looked(read) if is_urgent else await self._store.run(read))

    async def _looked(self, read: Callable[[Transaction], T]) -> T:
        """What stands in the books; only where a switch is to be latched that is written."""
        try:
            return await self._store.read(read, is_urgent=True)
        except _ToBeLatchedError:
            return await self._store.run(read, is_urgent=True)

    async def refresh_trading_state(self, now: datetime) -> bool:
        """Read what people set: kill state, limits, targets, and latch what the switch demands.

        True if anything is another than before.
        """

        def read(transaction: Transaction) -> tuple[object, _Set | None]:
            mark = transaction.change_mark()
            if mark is not None and mark == self._state_read_at:
                return mark, None  # nobody has written anything since the last look
            last = self._last_read_at(mark)
            if last is not None:
                return mark, (last.trading_state, last.policy, last.reconciliation, last.targets)
            compared = transaction.reconciliation.state()
            state, policy = _latched_state(transaction, now), self._policy(transaction)
            return mark, (state, policy, compared, transaction.targets())

        mark, told = await self._looked(read)  # mostly nobody changed anything
        if told is None:
            return False
        self._state_read_at = mark  # only what has arrived here was seen
        changed = told != (self.trading_state, self.policy, self.reconciliation, self.targets)
        if changed:
            self.trading_state, self.policy, self.reconciliation, self.targets = told
            self.version += 1
        return changed

    def _last_read_at(self, mark: object) -> Read | None:
        """What was read last, if nobody has changed anything since."""
        last = self._last
        return last if last is not None and mark is not None and mark == last.mark else None

    def note_told(self) -> None:
        """The log knows of the state as it is."""
        self.told_state = self.trading_state

    def write_into(self, transaction: Transaction) -> None:
        """Write what is known here into an empty store, which stands in for the real one."""
        if self.trading_state.changed_at is not None and self.trading_state.may_enter:
            transaction.rearm(self.trading_state, ARMED, None)
        elif self.trading_state.changed_at is not None:
            transaction.latch(self.trading_state)
        for symbol, state in self.trading_state.stopped:
            transaction.latch(state, symbol)
        for position in self._active:
            transaction.copy_position(position)
        for position_id in {each.position_id for each in self.targets}:
            own = [each for each in self.targets if each.position_id == position_id]
            transaction.set_targets(position_id, own)
        for intent in self.unresolved:
            transaction.record_intent(intent)
        orders = {each.client_order_id: each for each in (*self.recent_orders, *self.orders)}
        for order in orders.values():
            transaction.record_order(order)
        for fill in self.fills:
            transaction.record_fill(fill)
        for group in self.groups:
            transaction.groups.record(group)

    def _policy(self, transaction: Transaction) -> Policy:
        """The limits as configured, or tighter: the store may not loosen them."""
        return tightened(self._configured, transaction.limits())

    def take_closed(self) -> tuple[Position, ...]:
        """Positions that closed since the last call; each is given once."""
        closed, self._closed = tuple(self._closed), []
        return closed

    def take(self, read: Read) -> None:
        """Go by what was read from now on, all of it at once: a turn sees no half of it."""
        self._tell_retold(read)
        # By what is gone by then: two readings may have been under way at once.
        gone = _names(self.positions) - _names(read.positions)
        self.endings += len(gone)
        self._closed.extend(
            each
            for each in read.closed
            if each is not None and each.position_id in gone and not each.status.is_active
        )
        self._active, self.positions = read.active, read.positions
        self.unbooked, self.not_sold = read.unbooked, read.not_sold
        self.stops_lowered, self.given_up = read.stops_lowered, read.given_up
        self.targets, self.orders, self.groups = read.targets, read.orders, read.groups
        self.recent_orders, self.refusals = read.recent_orders, read.refusals
        self.fills, self.unresolved = read.fills, read.unresolved
        self.day, self.daily_notional = read.day, read.daily_notional
        self.trading_state, self.policy = read.trading_state, read.policy
        self.reconciliation = read.reconciliation
        self.version += 1

    def read(self, transaction: Transaction, now: datetime) -> Read:
        """All of it, as it stands in the store; `take` it in the loop's own thread."""
        known = registry_of(transaction)
        working = transaction.orders(open_only=True)
        orders = (*working, *_stops_not_told_over(transaction, known.positions, working))
        groups = transaction.groups.active()
        recent = _recent_in(transaction, groups, now)
        late = self._late_in(transaction, known.positions, (*recent, *orders), now)
        fills = _fills_in(transaction, (*orders, *recent), late)
        told = tuple(_as_told(transaction, (*late, *recent, *orders), fills))
        executed = as_executed(known.positions, told, fills)
        positions = tuple(each for each in executed.positions if each.status.holds)
        gone = _names(self.positions) - _names(positions)
        targets, targets_retold = transaction.targets_and_retold()
        self._last = Read(
            active=known.positions,
            positions=positions,
            unbooked=executed.unbooked,
            closed=tuple(transaction.position(each) for each in sorted(gone)),
            stops_lowered=known.stops_lowered,
            retold=known.retold,
            targets_retold=targets_retold,
            targets=targets,
            orders=orders,
            given_up=_given_up_in(transaction, known.positions, orders),
            groups=groups,
            recent_orders=recent,
            refusals=transaction.refusals(now - RECENT),
            fills=fills,
            not_sold=not_sold(positions, told, fills),
            late=_not_booked(late, fills),
            unresolved=transaction.unresolved_intents(),
            day=now.date(),
            daily_notional=transaction.daily_notional(now.date()),
            trading_state=_latched_state(transaction, now),
            policy=self._policy(transaction),
            reconciliation=transaction.reconciliation.state(),
            mark=transaction.change_mark(),
        )
        return self._last

    def _late_in(
        self,
        transaction: Transaction,
        active: Sequence[Position],
        seen: Sequence[OrderRecord],
        now: datetime,
    ) -> tuple[OrderRecord, ...]:
        """Old orders that are over since the last look: their trades may be shown later.

        A stop rests for weeks. The first look asks for all of what is held; and after an hour what
        no trade tells was not sold.
        """
        names = {each.client_order_id for each in seen}
        if self._last is None:
            told = (transaction.orders_of_position(each.position_id) for each in active)
            rows: Iterable[OrderRecord | None] = chain.from_iterable(told)
        else:
            before = {each.client_order_id for each in (*self._last.orders, *self._last.late)}
            rows = [transaction.order(each) for each in sorted(before - names)]
        return tuple(
            each
            for each in rows
            if each is not None
            and each.client_order_id not in names
            and now - each.updated_at < RECENT
        )

    def _tell_retold(self, read: Read) -> None:
        """Once for each: the loop goes by the story, and the comparison mends the row."""
        active = {each.position_id: each for each in read.active}
        found = [prices_changed(row, told) for row, told in read.retold]
        found += [levels_changed(each, active[each.position_id]) for each in read.targets_retold]
        said = {finding.subject: finding.evidence for finding, _ in found}
        for subject, evidence in said.items():
            if self._retold.get(subject) != evidence:
                _LOG.error("INVARIANT_VIOLATION %s: %s", subject, evidence)
        self._retold = said


class _ToBeLatchedError(Exception):
    """A look met a switch that nobody has latched yet."""


def _names(positions: Iterable[Position]) -> set[PositionId]:
    return {each.position_id for each in positions}


def _recent_in(
    transaction: Transaction, groups: Sequence[IntentGroup], now: datetime
) -> tuple[OrderRecord, ...]:
    """Of the last hour, and however old those of intent groups that are not over."""
    recent = transaction.orders(since=now - RECENT)
    names = {each.client_order_id for each in recent}
    grouped = transaction.groups.orders_of([each.group_id for each in groups])
    older = tuple(each for each in grouped if each.client_order_id not in names)
    return (*older, *recent)


def _stops_not_told_over(
    transaction: Transaction, active: Sequence[Position], working: Sequence[OrderRecord]
) -> Iterator[OrderRecord]:
    """Linked stops whose rows were changed by hand: their own events say that they rest.

    Until the row is rebuilt they count, or a second stop would be placed beside each.
    """
    known = {each.venue_order_id for each in working}
    for position in active:
        name = position.stop_venue_order_id
        if name is None or name in known:
            continue
        row = transaction.order_by_venue_id(name)
        if row is None:
            continue
        log = {row.client_order_id: transaction.order_events(row.client_order_id)}
        fills = transaction.fills(venue_order_id=name)
        for _, told in changed_by_hand((row,), log, fills):
            if not told.status.is_terminal:
                yield told


def _not_booked(orders: Iterable[OrderRecord], fills: Sequence[Fill]) -> tuple[OrderRecord, ...]:
    booked = booked_of(fills)
    return tuple(each for each in orders if unbooked(each, booked))


def _given_up_in(
    transaction: Transaction, active: Sequence[Position], orders: Sequence[OrderRecord]
) -> frozenset[PositionId]:
    """Of the working stops' and targets' positions those that were not sold, and are no more.

    A row that is gone tells of no sale, either.
    """
    known = {each.position_id for each in active}
    names = {each.position_id for each in orders if each.purpose in ("stop", "take_profit")}
    found: set[PositionId] = set()
    for name in names - known:
        position = None if name is None else transaction.position(name)
        if name is not None and (position is None or position.status.is_given_up):
            found.add(name)
    return frozenset(found)


def _fills_in(
    transaction: Transaction, orders: Sequence[OrderRecord], older: Sequence[OrderRecord]
) -> tuple[Fill, ...]:
    """All of those orders above, so that none of them is taken for news, or for not booked.

    By time most are found at once; but an order was made by our clock, and is filled by the
    venue's. What is not found so, and of the `older` ones all, is asked for by the order's name: no
    clock says what is booked.
    """
    filled = [each.created_at for each in orders if each.filled_quantity > ZERO]
    found: tuple[Fill, ...] = ()
    if filled:
        found = transaction.fills(since=min(filled) - timedelta(seconds=CLOCK_TOLERANCE_S))
    booked = booked_of(found)
    short = {
        each.venue_order_id
        for each in (*orders, *older)
        if each.venue_order_id is not None and unbooked(each, booked)
    }
    if not short:
        return found
    named = transaction.reconciliation.fills_of_orders(sorted(short))
    known = {each.fill_id for each in found}
    return (*(each for each in named if each.fill_id not in known), *found)


def _as_told(
    transaction: Transaction, orders: Sequence[OrderRecord], fills: Sequence[Fill]
) -> Iterator[OrderRecord]:
    """The orders; of those that show more than is booked, what their own events tell.

    So the gate reads them, too, and what it withholds is not planned.
    """
    booked = booked_of(fills)
    for each in orders:
        if unbooked(each, booked):
            yield no_more_than_told(each, transaction.order_events(each.client_order_id))
        else:
            yield each


def _latched_state(transaction: Transaction, now: datetime) -> TradingState:
    """The state in force. Once seen, the switch stays: setting its row back re-arms nothing."""
    if not transaction.kill_switch():
        return transaction.trading_state()
    state, reason = transaction.trading_state(), "kill_switch was set in the table config"
    if state.level < KillLevel.REDUCE_ONLY or takes_over(state, reason):
        if transaction.is_look:
            raise _ToBeLatchedError
        transaction.latch(
            TradingState(
                level=KillLevel.REDUCE_ONLY,
                reason=reason,
                changed_at=now,
                changed_by=LATCHED_SWITCH,
            )
        )
    return effective_trading_state(transaction)
