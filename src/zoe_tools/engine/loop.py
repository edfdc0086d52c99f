"""The trading loop: what the streams say, one turn after the other, until told to stop.

Stream events are folded where they arrive (`following`), the strategy is asked beside (`deciding`);
here, at the loop's own pace, is decided and done what follows from both. Everything that changes
the world goes through the gate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain

from zoe_tools.core.glance import at_stake
from zoe_tools.core.lanes import Lane, entered_by, lane_again, lanes_of, stopped_by
from zoe_tools.core.left_behind import NOTHING, LeftBehind, left_behind
from zoe_tools.core.position_invariants import is_dust
from zoe_tools.core.run import wants_exit
from zoe_tools.core.run_report import LoopTally
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.invariants import SafetyState
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.plan import ORDER_GONE, OutcomeState, PlaceOrder, Plan
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    BookUpdate,
    CandleUpdate,
    OrdersBookUpdate,
    QuoteUpdate,
    StreamEvent,
    TradeUpdate,
)
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.engine.account_facts import AccountFacts
from zoe_tools.engine.alarms import tell_alarms
from zoe_tools.engine.books import Books
from zoe_tools.engine.candle_keeper import CandleKeeper
from zoe_tools.engine.deciding import Deciding
from zoe_tools.engine.decisions import write_would_be
from zoe_tools.engine.doubts import Doubts
from zoe_tools.engine.entries_wanted import EntriesWanted
from zoe_tools.engine.following import Following
from zoe_tools.engine.lanes import Lanes
from zoe_tools.engine.later import Later
from zoe_tools.engine.leaving import Leaving
from zoe_tools.engine.outage import Outage, demand_journal
from zoe_tools.engine.pace import Pace
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.picture import Picture
from zoe_tools.engine.planner import Planner
from zoe_tools.engine.protection import ALARM_CYCLES, ProtectionWatch
from zoe_tools.engine.safe_mode import SafeMode
from zoe_tools.engine.standing import Standing
from zoe_tools.engine.unsold import UnsoldWatch
from zoe_tools.engine.view import LiveView
from zoe_tools.errors import PlanStale
from zoe_tools.store.store import Transaction

SETTLE_TURNS = 20
"""Cycles that an orderly stop waits for entries and stops, besides what a lost order takes."""


NOTES_REMEMBERED = 500
"""Reasons that are told once; with so many they are forgotten, and told again."""


class TradingLoop:
    """One account's loop. `run` returns when `stop` is set and the orderly stop is done."""

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._followed = {each.symbol: each for each in parts.catalogue}
        self._instruments = {each.symbol: each for each in parts.listed} | self._followed
        self.view = LiveView(
            self._followed,
            timeframe=parts.strategy.timeframe,
            history=parts.strategy.history,
            wires=frozenset({"public", "private"}),
        )
        self.books = Books(parts.store, parts.policy)
        self.following = Following(parts, self.view, self.books, self._heard)
        wallets = self.following.wallets
        self.facts = AccountFacts(parts, self.view, self.books, wallets, self._followed)
        self.safe_mode = SafeMode(parts, self.view, self.stand)
        self.deciding = Deciding(
            parts, self.view, self.books, self.facts, self.wake, self.stand, self.safe_mode.scanned
        )
        self.keeper = CandleKeeper(parts, self.view.candle_book, self._heard)
        self.standing = Standing(parts.clock, parts.narrator)
        self.key = parts.key
        self.safety = SafetyState.ACTIVE
        may_rest = parts.policy.allow_targets_without_stop
        self.watch = ProtectionWatch(self._alarm_s, targets_may_hold=may_rest)
        self.cycles = 0
        self.would_be_orders = 0
        self.leaving = Leaving()
        self._entries_wanted = EntriesWanted(parts.policy.quote_stale_s)
        self._noted: set[str] = set()
        self._pace = Pace(parts.clock, parts.cadence.cycle_s)
        self._later = Later(parts.clock, self.wake)
        self._stakes: frozenset[Symbol] = frozenset()
        self._staked_at = -1
        self._held_back: frozenset[Symbol] = frozenset()
        self.lanes = Lanes(parts.clock, parts.cadence.cycle_s, self.wake)
        self._doubts = Doubts(parts, self.books, self.lanes)
        self._outage = Outage(parts.gate, parts.clock, parts.narrator)
        self.planner = Planner(
            gate=parts.gate,
            view=self.view,
            books=self.books,
            records=self.following.records,
            picture=Picture(parts, self.view, self.books, self.following, self.safe_mode),
            standing=self.standing,
            outage=self._outage,
            leaving=self.leaving,
            watch=self.watch,
            unsold=UnsoldWatch(),
            work=parts.work,
        )
        self._started_at = parts.clock.now()

    @property
    def _alarm_s(self) -> float:
        """How long something may stand unprotected: the time that an answer may take."""
        parts = self._parts
        return max(ALARM_CYCLES * parts.cadence.cycle_s, parts.policy.order_deadline_s)

    async def follow(self) -> None:
        """Fold and book the feed's events until the feed is closed."""
        await self.following.follow()

    def wake(self) -> None:
        """Take a turn soon."""
        self._pace.wake()

    def stand(self, watch: str, reasons: tuple[str, ...]) -> None:
        """What a watch has against entries: with reasons none are made, and working ones go."""
        if self.standing.set(watch, reasons):
            self.wake()

    async def return_to_store(self, check: Callable[[Transaction], None]) -> None:
        """Where the store was away and is back: have it told, catch up, and trade again."""
        self._note_outage()
        if await self._outage.ends(check):
            await self.following.records.catch_up(self._clock.now())
            self.wake()

    def _note_outage(self) -> None:
        if self._outage.begins():
            self.following.records.missed.note()

    def _heard(self, event: StreamEvent | None = None) -> None:
        """What an event of the stream, or a word of the venue's records, calls for."""
        match event:
            case QuoteUpdate(quote=quote):
                if quote.symbol in self._at_stake:
                    self._pace.price(quote.symbol)
            case TradeUpdate(trades=trades):
                self.deciding.notice()
                for symbol in {each.symbol for each in trades} & self._held_back:
                    self._pace.price(symbol)  # safe mode may be over there
            case BookUpdate() | OrdersBookUpdate() | CandleUpdate():
                pass  # nothing is decided by them
            case BalancesSnapshot() | BalanceUpdate() if self.following.is_booking:
                pass  # what moved them is booked now, and a turn follows on that
            case _:
                self.keeper.notice()
                self.deciding.notice()
                self.wake()

    @property
    def _at_stake(self) -> frozenset[Symbol]:
        books = self.books
        if self._staked_at != books.version:
            self._stakes = at_stake(books.positions, books.orders, books.groups)
            self._staked_at = books.version
        return self._stakes

    # --- turns -----------------------------------------------------------------------------------

    async def turn_until(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`, then cancel working entries and protect what they bought.

        What is under way then is waited for.
        """
        async with self.lanes:
            async with self._pace.ticking(stop), self._later:
                while not stop.is_set():
                    priced = await self._pace.next()
                    if priced is None or any(self._is_called_for(symbol) for symbol in priced):
                        await self._turn()
            self.planner.is_stopping = True
            self.deciding.end()
            await self._settle()
        self.watch.finish(self._clock.now())

    async def _settle(self) -> None:
        cycle_s = self._parts.cadence.cycle_s
        give_up_at = self._clock.now() + timedelta(seconds=self._settling_s)
        while self._clock.now() < give_up_at:
            await self._turn()
            if await self.lanes.are_free(cycle_s) and self.is_settled:
                return
            await self._clock.sleep(cycle_s)

    @property
    def is_settled(self) -> bool:
        """Whether the loop may go: nothing is under way, no entry or exit works, all is stopped."""
        return not self.lanes.at_work and self.left.is_empty

    @property
    def left(self) -> LeftBehind:
        """What an orderly stop has still to do; a shadow does nothing."""
        if self._parts.is_shadow:
            return NOTHING
        books = self.books
        held = self._tradable(self._not_sold)
        return left_behind(held, books.orders, self._instruments, books.unresolved)

    @property
    def is_compared(self) -> bool:
        """Whether books and venue were compared since the start."""
        return not self._parts.compares or "reconcile" in self._parts.work.done_at

    @property
    def _settling_s(self) -> float:
        """Long enough for a lost answer to be proved, and for what it held up to be done."""
        policy = self._parts.policy
        return (
            policy.order_deadline_s
            + policy.visibility_lag_s
            + self._parts.cadence.cycle_s * SETTLE_TURNS
        )

    def _is_called_for(self, symbol: Symbol) -> bool:
        """Whether a turn would do anything about the instrument at the price it has now."""
        now = self._clock.now()
        if symbol in self._shut(now):
            return False  # a turn comes when that is over
        seen, plan = self.planner.of_one(now, self.key, symbol)
        return self._is_to_leave(seen, now) or not plan.is_empty

    def _shut(self, now: datetime) -> frozenset[Symbol]:
        """Where nothing can begin now."""
        if not self.planner.may_act:
            return frozenset(self._instruments)
        return self.lanes.at_work | self.lanes.resting(now)

    def _is_to_leave(self, seen: Snapshot, now: datetime) -> bool:
        """Whether a position reached its target that nobody has seen leaving yet."""
        for position in seen.positions:
            quote = self.view.fresh_quote(position.symbol, now, seen.policy.quote_stale_s)
            instrument = self._instruments[position.symbol]
            if (
                quote is not None
                and position.position_id not in self.leaving.exiting
                and not is_dust(position, instrument)
                and wants_exit(position, quote, instrument, self._parts.policy, seen.targets)
            ):
                return True
        return False

    async def _turn(self) -> None:
        self.cycles += 1
        began = self._clock.now()
        await self._act(began)
        self._parts.work.turned(began, self._clock.now())

    async def _act(self, now: datetime) -> None:
        self._note_outage()
        self.standing.note_latched(self.books.trading_state)
        if self.books.day != now.date():
            await self.books.refresh(now)  # the daily limit starts over with the UTC day
        decisions = self.deciding.take()
        self._note_exits(now, decisions)
        entry = self._next_entry(now, decisions)
        exiting, unsold = self.leaving.exiting | self._sold_out(), self.planner.unsold
        unsold.look(
            now,
            [each for each in self._tradable(self._not_sold) if each.position_id in exiting],
            chain(self.books.recent_orders, self.books.orders),
            self._instruments,
            shut=self._shut(now),
        )
        self.watch.look(
            now,
            self._not_sold,
            self.books.orders,
            self._instruments,
            exiting,
            self.lanes.at_work,
            unsold=unsold.names,
        )
        self._outage.look(now, self.watch)
        orders = chain(self.books.recent_orders, self.books.orders)
        self.watch.fills.look(now, self.books.fills, self._listed, orders, self._instruments)
        if not self.planner.is_stopping:
            self._later.wake_at(self.watch.grows_at)
            self._later.wake_at(self.lanes.rests_until(now))
        known = self.planner.known
        if known is not None and known.is_empty:
            return
        snapshot, plan = self.planner.of_all(now, self.key, entry)
        plan = sealed(plan, snapshot)  # once, for all lanes
        self._held_back = frozenset(symbol for symbol, _ in snapshot.held_back)
        self._parts.work.done("protection", now)
        self._tell_notes(now, plan)
        bare = stopped_by(plan, self.watch.bare)
        self._parts.gate.hurry.ask(bare & self.lanes.without_stop)
        lanes = lanes_of(plan, at_work=self.lanes.at_work, resting=self.lanes.resting(now))
        self._settle_entry(entry, plan, lanes)
        if lanes:
            self._noted.clear()
        if self._parts.is_shadow:
            await self._record_would_be(now, lanes)
            return
        for lane in lanes:
            tell_alarms(lane.plan)
            self.watch.planned(lane.plan)
            unsold.begun(now, lane.plan)
            work = self._carry_out(snapshot, lane, entry)
            self.lanes.begin(lane.symbol, work, stops=lane.symbol in bare)
        if known is None:
            self._doubts.look_after(now, snapshot)

    def _settle_entry(
        self, entry: tuple[Decision, ...], plan: Plan, lanes: tuple[Lane, ...]
    ) -> None:
        """A wish that is planned and cannot begin yet stays one: something else goes first."""
        planned = frozenset(entered_by(plan))
        begun = {symbol for lane in lanes for symbol in entered_by(lane.plan)}
        refused = tuple(each for each in entry if each.symbol not in planned)
        self.deciding.trace.tell_entries(refused, plan)
        over = (*refused, *(each for each in entry if each.symbol in begun))
        self._entries_wanted.take(over)
        if over and self._entries_wanted:
            self.wake()

    def _next_entry(self, now: datetime, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
        """At most one entry a turn, and none while anything is under way, or is to be booked.

        What it fills is protected before the next one is sent.
        """
        self._entries_wanted.note(now, decisions)
        if self.following.is_behind or self.planner.only_reduces:
            self._outage.withholds(self._entries_wanted.symbols)
            self._entries_wanted.clear()
        is_free = not (self.lanes.at_work or self.following.is_booking)
        if not (is_free and self.planner.may_act and self.planner.is_ready):
            return ()
        return self._entries_wanted.first(now, self.lanes.resting(now))

    def _tell_notes(self, now: datetime, plan: Plan) -> None:
        """Why there is no entry: each reason once, until something is done again."""
        for note in plan.notes:
            if len(self._noted) >= NOTES_REMEMBERED:
                self._noted.clear()
            if note not in self._noted:
                self._noted.add(note)
                self._parts.narrator.show_withheld(now, note)

    async def _carry_out(
        self, snapshot: Snapshot, lane: Lane, decisions: tuple[Decision, ...]
    ) -> None:
        """A lane from the gate to the books, which know of all that was done before it ends."""
        await self._through_the_gate(snapshot, lane, decisions)
        if self._parts.gate.is_store_away:
            # What was under way when the store went may have filled before the copy knew of it.
            await self.following.records.catch_up(self._clock.now())
        await self.books.refresh(self._clock.now(), is_urgent=True)  # its lane may be needed

    async def _through_the_gate(
        self, snapshot: Snapshot, lane: Lane, decisions: tuple[Decision, ...]
    ) -> None:
        async def regather() -> tuple[Snapshot, Plan]:
            now = self._clock.now()
            if lane.adds_risk:
                seen, plan = self.planner.of_all(now, self.key, decisions)
            else:
                seen, plan = self.planner.of_one(now, self.key, lane.symbol)
            at_work, resting = self.lanes.at_work, self.lanes.resting(now)
            return seen, lane_again(plan, lane, at_work=at_work, resting=resting)

        try:
            receipt = await self._parts.gate.carry_out(
                lane.plan, snapshot=snapshot, execute=True, regather=regather
            )
        except PlanStale:
            # The world moved within this turn: the next one plans again, entries too.
            if lane.adds_risk:
                self._entries_wanted.put_back(decisions)
            return
        if lane.adds_risk:
            self.deciding.trace.tell_entries(decisions, receipt.plan, receipt)
        demand_journal(receipt)
        is_done = all(
            outcome.state is OutcomeState.DONE or outcome.code == ORDER_GONE
            for outcome in receipt.outcomes
        )
        is_left = lane.symbol in self._parts.gate.hurry.symbols
        if (receipt.refusals or not is_done) and not is_left:
            self.lanes.rest((lane.symbol,))

    async def _record_would_be(self, at: datetime, lanes: tuple[Lane, ...]) -> None:
        """In shadow an order is written down where it would have been sent."""
        steps = (step for lane in lanes for step in lane.plan.steps)
        orders = [step for step in steps if isinstance(step, PlaceOrder)]
        self.would_be_orders += len(orders)
        if lanes:
            self.lanes.rest(self._followed)
            await self._parts.store.run(lambda tx: write_would_be(tx, at, orders))

    def _note_exits(self, now: datetime, decisions: tuple[Decision, ...]) -> None:
        held, stale_s = self._held(), self._parts.policy.quote_stale_s
        fresh = {each.symbol: self.view.fresh_quote(each.symbol, now, stale_s) for each in held}
        quotes = {symbol: quote for symbol, quote in fresh.items() if quote is not None}
        self.leaving.note_decisions(held, decisions)
        self.leaving.note_targets(
            held, quotes, self._instruments, self._parts.policy, self.books.targets
        )
        self.leaving.note_ages(held, self.books.policy, now)
        self.leaving.note_books(
            held,
            self.books.groups,
            is_stopping=self.planner.is_stopping,
            may_lack=self.following.records.is_behind,
        )

    def _sold_out(self) -> frozenset[PositionId]:
        """What a kill switch sells, here or by its own command."""
        state = self.books.trading_state
        return frozenset(
            each.position_id
            for each in self.books.positions
            if state.in_force(each.symbol).level is KillLevel.FLATTEN
        )

    @property
    def _listed(self) -> tuple[Position, ...]:
        """Open positions in what the venue lists; others nobody can stop or sell here."""
        return tuple(each for each in self.books.positions if each.symbol in self._instruments)

    @property
    def _not_sold(self) -> tuple[Position, ...]:
        """Those less what was sold and is not booked yet: what can stand bare."""
        return tuple(each for each in self.books.not_sold if each.symbol in self._instruments)

    def _held(self) -> tuple[Position, ...]:
        """Those that can still be traded; dust waits for the next one to carry it."""
        return self._tradable(self._listed)

    def _tradable(self, positions: Iterable[Position]) -> tuple[Position, ...]:
        return tuple(
            each for each in positions if not is_dust(each, self._instruments[each.symbol])
        )

    @property
    def instruments(self) -> Mapping[Symbol, Instrument]:
        """What it follows."""
        return self._followed

    def balances(self) -> tuple[Balance, ...]:
        """What lies in the wallet that trades, as the balances stream last told it."""
        return self.following.wallets.trading()

    def totals(self) -> tuple[Balance, ...]:
        """The same over all wallets."""
        return self.following.wallets.over_all()

    def tally(self) -> LoopTally:
        """What was counted so far."""
        return LoopTally(
            started_at=self._started_at,
            ended_at=self._clock.now(),
            cycles=self.cycles,
            candles=self.deciding.candles_seen,
            prints=self.view.prints,
            would_be_orders=self.would_be_orders,
            unprotected_seconds=self.watch.seconds,
            unprotected_by_cause=self.watch.by_cause,
            positions_with_stop=self.watch.positions_with_stop,
            fill_to_protected=self.watch.fills.times,
            checksums=self._parts.feed.checksums,
            left=self.left,
        )
