"""The door itself: one plan in, one receipt out; the loop's and the commands' only way to act.

Stages in order, each in a file of its own: veto (core.risk), show (Approver), consent, re-check,
journal, send, prove. A dry run ends after show.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from zoe_tools.core.order_lifecycle import UndefinedTransition
from zoe_tools.core.proof import is_due_again, reads_to_prove
from zoe_tools.core.risk import Refusal, veto
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import Plan, StepOutcome, VenueStep
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.domain.snapshot import Reading, Snapshot, reads_in
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.domain.stream import ExecutionReport
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import PlanRefused, StoreUnavailable, VenueError
from zoe_tools.gate.again import send_again
from zoe_tools.gate.books import book_missed_fill, record_execution, sighting_of_report
from zoe_tools.gate.carry import Carrier
from zoe_tools.gate.consent import demand_consent
from zoe_tools.gate.countdown import Countdown, SetCountdown
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.fence import Fence, LeaseMemory
from zoe_tools.gate.hurry import Hurry
from zoe_tools.gate.journal import Author
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.latch import Latch
from zoe_tools.gate.looks import Proof, looks_of
from zoe_tools.gate.order_log import OrderLog
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gate.recheck import (
    PRICE_TOLERANCE_PCT,
    demand_stops_hold,
    demand_timely,
    demand_unchanged,
)
from zoe_tools.gate.recover import (
    Heard,
    Recovery,
    Which,
    doubt_sent,
    everything,
    recover,
    resolve,
)
from zoe_tools.gate.standing import standing_of, with_books
from zoe_tools.ports import Approver, Clock, Pricing, Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_AT_ONCE = 50
"""Reports in one transaction: the loop hears nothing while it works through them."""

_CLOCK_S = 2.0
"""How long a stop waits for the venue's time: it is measured for sales, and cancels wait for it."""

Regather = Callable[[], Awaitable[tuple[Snapshot, Plan]]]
"""Looks again and plans again; over a live view it need not touch the venue."""


class Gate:
    """See the module. One object per command or loop; `proof` is the loop's executions stream.

    A caller that `looks_again` at the open orders after each plan, and books orders and fills by
    `recover`, is not kept waiting for what that proves.
    """

    def __init__(
        self,
        *,
        venue: Venue,
        store: StoreRunner,
        clock: Clock,
        approver: Approver,
        account: Account,
        policy: Policy,
        command: str,
        operator: str,
        host: str,
        live_consent: bool,
        pid: int = 0,
        process: str = "",
        proof: Proof | None = None,
        pricing: Pricing | None = None,
        emergency: EmergencyJournal | None = None,
        looks_again: bool = False,
        countdown: SetCountdown | None = None,
    ) -> None:
        self._venue = venue
        self._looks_again = looks_again
        self._store = store
        self._clock = clock
        self._approver = approver
        self._account = account
        self._pricing = pricing
        self._is_proved_by_stream = proof is not None
        self._live_consent = live_consent
        self._keeper = Keeper(store, emergency)
        author = Author(
            account=account,
            command=command,
            operator=operator,
            host=host,
            pid=pid,
            process=process,
        )
        self.author = author
        self._order_log = OrderLog(keeper=self._keeper, clock=clock, author=author)
        self._countdown: Countdown | None = None
        if countdown is not None:
            self._countdown = Countdown(countdown, self._keeper, self._order_log)
        self._carrier = Carrier(
            venue=venue,
            keeper=self._keeper,
            clock=clock,
            approver=approver,
            policy=policy,
            author=author,
            looks=looks_of(
                venue, self._keeper, clock, policy, proof=proof, looks_again=looks_again
            ),
            in_flight=set(),
            turned_down=set(),
            looks_again=looks_again,
        )

    def trade_under(self, lease: Lease) -> None:
        """From now on nothing is sent without this lease; to cancel an entry needs none."""
        fence = Fence(holder=lease.holder, token=lease.token)
        self._carrier = replace(self._carrier, fence=fence)

    @property
    def lease(self) -> LeaseMemory:
        """What is known of the lease while the store is away; the loop keeps it."""
        return self._carrier.lease

    async def prepare(self, seed: Callable[[Transaction], None]) -> None:
        """Be ready to go on without the store; `seed` writes what the caller knows of its books."""
        await self._keeper.prepare()
        await self._store.run(lambda tx: tx.make_ready())
        self._keeper.arm(seed)

    @property
    def hurry(self) -> Hurry:
        """Where a stop waits for its instrument; the loop says so each turn."""
        return self._carrier.looks.hurry

    @property
    def has_countdown(self) -> bool:
        """Whether the venue's dead man's switch can be set here."""
        return self._countdown is not None

    async def inherit_countdown(self) -> int:
        """The seconds of one that a predecessor may have left armed; see `Countdown.inherit`."""
        return 0 if self._countdown is None else await self._countdown.inherit()

    @property
    def countdown_in_doubt_s(self) -> int:
        """How long it runs at most, where nobody knows whether it is armed; else 0."""
        return 0 if self._countdown is None else self._countdown.in_doubt_s

    async def count_down(self, seconds: int) -> datetime | None:
        """Set the venue's dead man's countdown, 0 disarms it; see `Countdown.set`."""
        if self._countdown is None:
            raise AssertionError("there is no countdown here")
        return await self._countdown.set(seconds, self._carrier.fence)

    @property
    def is_store_away(self) -> bool:
        """Whether nothing that adds risk can be done, because the store failed."""
        return self._keeper.is_gone

    @property
    def store_trouble(self) -> str:
        """Why it is away, and what to do about it; empty while it is not."""
        return self._keeper.trouble

    @property
    def has_room_to_spare(self) -> bool:
        """Whether what could as well be left may be journaled: with a store always."""
        emergency = self._keeper.emergency
        return emergency is None or not self.is_store_away or emergency.has_room_to_spare

    def latch_for_later(self, level: KillLevel, reason: str) -> None:
        """Note a kill level in the emergency file: the store that is away shall know it.

        Raises:
            StoreUnavailable: there is no such file, or it takes nothing.
        """
        emergency = self._keeper.emergency
        if emergency is None:
            raise StoreUnavailable("There is no emergency journal here.")
        emergency.latch(level, reason, by=self.author.command, at=self._clock.now())

    async def return_to_store(self, check: Callable[[Transaction], None]) -> bool:
        """If the store is back, tell it what it missed; True when it knows.

        `check` is done there first; what it raises that is no StoreError is raised.
        """
        return await self._keeper.return_home(check)

    async def carry_out(
        self,
        plan: Plan,
        *,
        snapshot: Snapshot,
        execute: bool,
        regather: Regather | None = None,
    ) -> Receipt:
        """Show the plan; when `execute`, also do it.

        Raises:
            ConsentMissing: a live account, and nobody consented.
            PlanStale: the plan expired, or planning again gives other steps.
            StoreError: the journal cannot be written; nothing more was sent.
        """
        plan = sealed(plan, snapshot)
        looks = () if regather is None else reads_in(snapshot)
        shown = self._priced(plan, looks)
        self._approver.show_plan(shown)
        if not execute or plan.is_empty:
            return Receipt(
                plan=shown,
                refusals=veto(plan, snapshot),
                is_executed=execute,
                store_trouble=self._keeper.trouble if execute else "",
            )
        demand_consent(plan, live_consent=self._live_consent)
        fresh, seen = plan, snapshot
        if regather is not None:
            seen, fresh = await regather()
            fresh = sealed(fresh, seen)
        refusals = veto(fresh, seen)
        demand_unchanged(plan, fresh, now=self._clock.now())
        await self._measure_clock(fresh)
        told = shown if fresh is plan else self._priced(fresh, ())
        await self._keeper.prepare()
        outcomes = await self._carrier.carry(fresh, refusals)
        return self._receipt(told, outcomes, refusals)

    def tell_latch(self, latch: Latch) -> Receipt:
        """Show what was latched: it is done by then, in a transaction of its own."""
        self._approver.show_plan(latch.plan)
        for each in latch.outcomes:
            self._approver.show_outcome(each)
        return Receipt(plan=latch.plan, outcomes=latch.outcomes, is_executed=True)

    async def _measure_clock(self, plan: Plan) -> None:
        """Deadlines are told by the venue's clock; the loop's streams measure it all the time."""
        if not self._is_proved_by_stream and any(
            isinstance(step, VenueStep) for step in plan.steps
        ):
            with suppress(VenueError, TimeoutError):
                async with asyncio.timeout(_CLOCK_S if self._looks_again else None):
                    await self._venue.server_time()

    def _priced(self, plan: Plan, looks: Sequence[VenueRead]) -> Plan:
        """What the plan will cost at the venue's limits; carried out is the plan as it was made."""
        if self._pricing is None or plan.is_empty:
            return plan

        def proofs(step: VenueStep) -> Sequence[VenueRead]:
            if self._is_proved_by_stream:
                return ()
            return reads_to_prove(step, looks_again=self._looks_again)

        return self._pricing.priced(plan, looks=looks, proofs=proofs)

    async def apply(
        self,
        plan: Plan,
        *,
        look: Regather,
        execute: bool,
        resume: bool = False,
        tolerance_pct: Decimal = PRICE_TOLERANCE_PCT,
    ) -> Receipt:
        """Show a plan that was saved earlier; when `execute`, carry out exactly its steps.

        It must be what planning again gives now, prices within the tolerance. With `resume` the
        steps that an earlier run settled are told and not done again; only the others are compared.

        Raises:
            ConsentMissing, StoreError: see `carry_out`.
            PlanStale: it expired, is another account's, or the world moved.
            PlanRefused: it was begun before, and nobody says `resume`.
        """
        demand_timely(plan, now=self._clock.now(), is_begun=resume)
        if execute:
            await self.recover()
        account_id = self._account.account_id
        standing = await self._store.read(lambda tx: standing_of(tx, plan, account_id))
        if standing.is_begun and not resume:
            raise PlanRefused(
                "This plan was carried out before, or in part: the journal knows"
                f" {len(standing.settled) + len(standing.attempts)} of its steps.",
                hint="Add --resume to see what became of them and to do the rest.",
            )
        snapshot, fresh = await look()
        if resume:
            standing = with_books(standing, plan, fresh)
        settled = frozenset(standing.settled)
        shown = self._priced(plan, reads_in(snapshot))
        self._approver.show_plan(shown)
        demand_unchanged(
            plan, fresh, now=self._clock.now(), tolerance_pct=tolerance_pct, settled=settled
        )
        demand_stops_hold(plan, snapshot, settled=settled)
        refusals = tuple(each for each in veto(plan, snapshot) if each.step_index not in settled)
        if not execute or plan.is_empty:
            earlier = tuple(standing.settled[index] for index in sorted(settled))
            for each in earlier:
                self._approver.show_outcome(each)
            return Receipt(plan=shown, outcomes=earlier, refusals=refusals, is_executed=execute)
        demand_consent(plan, live_consent=self._live_consent)
        standing = replace(standing, looked_at=fresh.created_at)
        await self._keeper.prepare()
        await self._order_log.begun(plan, is_resumed=resume)
        outcomes = await self._carrier.carry(plan, refusals, standing)
        receipt = self._receipt(shown, outcomes, refusals)
        await self._order_log.ended(plan, receipt, is_resumed=resume)
        return receipt

    def due_again(self, intents: Sequence[Intent]) -> tuple[Intent, ...]:
        """Those of all open ones that may be sent once more now; see `send_again`."""
        now, dead = self._clock.now(), self._carrier.turned_down
        dead &= {each.intent_id for each in intents}
        return tuple(
            each for each in intents if is_due_again(each, now, is_dead=each.intent_id in dead)
        )

    async def send_again(self, intent: Intent) -> StepOutcome | None:
        """A stop of which nobody knows whether it arrived; see `gate.again.send_again`."""
        return await send_again(self._carrier, intent)

    def _receipt(
        self, plan: Plan, outcomes: tuple[StepOutcome, ...], refusals: tuple[Refusal, ...]
    ) -> Receipt:
        return Receipt(
            plan=plan,
            outcomes=outcomes,
            refusals=refusals,
            is_executed=True,
            store_trouble=self._keeper.trouble,
        )

    async def record_report(self, report: ExecutionReport) -> bool:
        """Book one row of the executions stream; False: it is of somebody else's order.

        A row that contradicts what is proved is logged and not booked; a fill in it is real and
        is booked all the same.
        """
        sighting = sighting_of_report(report)
        fills = () if report.fill is None else (report.fill,)
        try:
            booked = await self._store.run(lambda tx: record_execution(tx, sighting, fills))
        except UndefinedTransition as error:
            _LOG.error("INVARIANT_VIOLATION %s", error.message)
            if report.fill is not None:
                fill = report.fill
                await self._store.run(lambda tx: book_missed_fill(tx, fill))
            return True
        return booked is not None

    async def record_reports(
        self, reports: Sequence[ExecutionReport], read: Callable[[Transaction], T]
    ) -> tuple[tuple[bool, ...], T]:
        """Book rows that came together, in one transaction if they are few, and `read` there too.

        Which of them are of our orders; see `record_report` for the rest.
        """
        if len(reports) > _AT_ONCE:
            first, _ = await self.record_reports(reports[:_AT_ONCE], lambda _: None)
            others, found = await self.record_reports(reports[_AT_ONCE:], read)
            return first + others, found

        def book(transaction: Transaction) -> tuple[tuple[bool, ...], T]:
            booked = [
                record_execution(
                    transaction,
                    sighting_of_report(report),
                    () if report.fill is None else (report.fill,),
                )
                for report in reports
            ]
            return tuple(each is not None for each in booked), read(transaction)

        try:
            return await self._store.run(book, is_urgent=True)
        except UndefinedTransition:
            ours = tuple([await self.record_report(report) for report in reports])
            return ours, await self._store.run(read)

    async def doubt_predecessors(self) -> None:
        """For a loop that has taken the account: what one before it sent is in doubt at once.

        Raises:
            StoreError: the store cannot be read or written.
        """
        command, now = self.author.command, self._clock.now()
        await self._store.run(lambda tx: doubt_sent(tx, command, now))

    async def recover(
        self,
        *,
        patient: bool = True,
        heard: Heard | None = None,
        reads_trades: bool = True,
        which: Which = everything,
    ) -> Recovery:
        """Resolve every open intent against the venue and book what was missed; see `recover`.

        Intents that this gate is sending at the moment are left to it. What was journaled while
        the store was gone is merged first.

        Raises:
            StoreError: the store cannot be read, or, in a loop, written.
            VenueError: the venue's records cannot be read.
        """
        return await self._recovered(
            lambda: recover(
                self._carrier,
                self._store,
                patient=patient,
                heard=heard,
                reads_trades=reads_trades,
                which=which,
            )
        )

    async def named(self, names: Sequence[VenueOrderId]) -> Reading[tuple[VenueOrder, ...]]:
        """What the venue says of orders by their names, which its list may lack.

        Raises:
            VenueError: it cannot be asked.
        """
        return Reading(await self._venue.orders(names), self._clock.now(), "QueryOrders")

    async def resolve(self, which: Which) -> Recovery:
        """What became of open intents, as `recover` finds out, and nothing else is asked.

        Raises:
            StoreError: the store cannot be read, or, in a loop, written.
            VenueError: the venue's records cannot be read.
        """

        async def looked() -> Recovery:
            found = await resolve(self._carrier, self._store, patient=False, which=which)
            return Recovery(resolutions=found)

        return await self._recovered(looked)

    async def _recovered(self, look: Callable[[], Awaitable[Recovery]]) -> Recovery:
        await self._keeper.merge()
        try:
            found = await look()
            if not self._keeper.is_gone:  # what a copy was told is no news for the log
                await self._order_log.recovered(found)
        except StoreUnavailable as error:
            if not self._keeper.may_go_without:
                raise
            # What can still be read is enough to reduce risk; the next command books the rest.
            self._keeper.lose(error)
            return Recovery(notes=(error.message,))
        return found
