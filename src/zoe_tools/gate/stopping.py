"""Stops one account: the level is latched first, then the venue is worked on until it is so.

What was done is proved by looking again: a plan to stop that has nothing left to do is the proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from zoe_tools.core.kill import NOT_YET, TOO_SMALL, is_unfinished, plan_kill
from zoe_tools.core.kill_proof import IN_DOUBT, may_still_buy, unlisted_buys, visible_from
from zoe_tools.core.proof import silence_counts_from
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import IntentId, Symbol
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.plan import CancelOrder, OutcomeState, PlaceOrder, Plan
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import VenueError
from zoe_tools.gate.by_name import ByName
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.latch import latch_level
from zoe_tools.gate.progress import HANGING_S, SILENCE_S, Progress
from zoe_tools.gate.receipt import Receipt, together
from zoe_tools.gather import Need
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner

KILL_NEEDS = frozenset({Need.CATALOGUE, Need.OPEN_ORDERS, Need.QUOTES})
"""What has to be read of the venue to cancel."""


def needs_of(level: KillLevel) -> frozenset[Need]:
    """What `Stopper.look` has to read: to sell, also whether the whole venue takes a sale."""
    return KILL_NEEDS | {Need.MODE} if level is KillLevel.FLATTEN else KILL_NEEDS


ROUNDS = 60
"""How often the venue is looked at at most, however much moves: others may be trading, too."""


LATER = (
    "What is not sold yet, a running loop sells once the venue takes it; where none runs, run this"
    " again then."
)

_SENT_S, _LATE = 0.25, timedelta(seconds=1)
"""How often the books are asked for the end of an order that was sent before, and until when."""

_PAUSES_S = (1.0, 1.0, 2.0, 3.0, 5.0)
_SPARE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What came of it; `silence` says why the venue was given up, where it did not answer."""

    receipt: Receipt
    silence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopper:
    """Stops the account of a gate; `tell` says that it is latched, before the venue is called.

    With a `symbol` that instrument alone is stopped.

    A drill is no news: nobody is alarmed by one.
    """

    gate: Gate
    store: StoreRunner
    clock: Clock
    account: Account
    policy: Policy
    look: Callable[[], Awaitable[Snapshot]]
    tell: Callable[[str], None]
    symbol: Symbol | None = None
    is_drill: bool = False
    progress: Progress = field(default_factory=Progress)

    async def stop(self, level: KillLevel, reason: str) -> Stopped:
        """Latch, then act and look again until there is nothing left to do.

        Raises:
            StoreError: the level cannot be latched; nothing was asked of the venue.
        """
        latched = await self._latched(level, reason)
        if level is KillLevel.PAUSE_ENTRIES:
            return Stopped(receipt=together([latched], is_verified=True))
        async with self.progress.telling():
            if await self.store.read(lambda tx: tx.unresolved_intents()):
                # Looked up once: to wait for what may still show up would keep the cancels.
                self.progress.now("looking up what was sent before")
                await self._look_up(SILENCE_S)
            return await self._settled([latched], level, reason)

    async def _latched(self, level: KillLevel, reason: str) -> Receipt:
        latch = await latch_level(
            store=self.store,
            clock=self.clock,
            account=self.account,
            policy=self.policy,
            level=level,
            reason=reason,
            author=self.gate.author,
            symbol=self.symbol,
            is_drill=self.is_drill,
        )
        receipt = self.gate.tell_latch(latch)
        there = "" if self.symbol is None else f" {self.symbol}"
        self.tell(f"Latched: {level.label}; no loop of this store enters{there}.")
        if level is not KillLevel.PAUSE_ENTRIES:
            self.tell(f"Now the venue: it is given up once it is silent for {HANGING_S:.0f} s.")
        return receipt

    async def _settled(self, receipts: list[Receipt], level: KillLevel, reason: str) -> Stopped:
        """Until there is nothing left, nobody answers, or nothing has moved for too long."""
        heard_at, moved_at, idle = _loop_time(), self.clock.now(), 0
        by_name = ByName(gate=self.gate, policy=self.policy, symbol=self.symbol, began=moved_at)
        plan: tuple[Snapshot, Plan] | str = ""
        told: set[str] = set()
        looked_for: set[IntentId] = set()
        for turn in range(ROUNDS):
            plan = await self._next(level, reason, by_name, is_first=turn == 0)
            if isinstance(plan, str):
                if _loop_time() - heard_at > SILENCE_S:
                    return Stopped(receipt=together(receipts, is_verified=False), silence=plan)
                await self.clock.sleep(_PAUSES_S[0])
                continue
            if not isinstance(plan[0].open_orders, Missing):
                heard_at = _loop_time()
            if plan[1].is_empty and not is_unfinished(plan[1]):
                is_proved = await self._proof(level, plan, looked_for)
                if is_proved is None:
                    continue
                return Stopped(receipt=together(receipts, is_verified=is_proved))
            if self.clock.now() - moved_at > self._patience:
                break
            if not plan[1].is_empty:
                self.progress.now("carrying out what is to be done; each step is shown")
                receipts.append(await self.gate.carry_out(plan[1], snapshot=plan[0], execute=True))
                told.update(plan[1].notes)  # they were shown with the plan
                await self._book(receipts[-1])
                if any(each.state is OutcomeState.DONE for each in receipts[-1].outcomes):
                    moved_at, idle = self.clock.now(), 0
                    continue
            self._tell_unfinished(plan[1], told)
            await self._wait(idle)
            idle += 1
        self._tell_left(plan)
        return Stopped(receipt=together(receipts, is_verified=False))

    async def _proof(
        self, level: KillLevel, plan: tuple[Snapshot, Plan], looked_for: set[IntentId]
    ) -> bool | None:
        """Whether the venue as it was seen is the proof; None: look once more, and then judge.

        It was seen after the books: what they still call under way need not have been there yet.
        """
        sent = may_still_buy(plan[0], self.symbol)
        if not sent:
            self._tell_proved(level, plan[1])
            return True
        if all(each.intent_id in looked_for for each in sent):
            self._tell_sent(sent)
            return False
        await self._end_of(sent)
        looked_for.update(each.intent_id for each in sent)
        return None

    async def _end_of(self, sent: Sequence[Intent]) -> None:
        """Until the books know what became of these, or they are too late; then they are looked up.

        They were journaled before the level was latched, and after their deadline the venue takes
        none of them any more.
        """
        self.progress.now("waiting for the end of orders that were sent before the latch")
        names = {each.intent_id for each in sent}
        until = max(each.deadline for each in sent) + _LATE
        while self.clock.now() < until:
            open_ones = await self.store.read(lambda tx: tx.unresolved_intents())
            if not names & {each.intent_id for each in open_ones}:
                return
            await self.clock.sleep(_SENT_S)
        await self._look_up(HANGING_S)

    def _tell_sent(self, sent: Sequence[Intent]) -> None:
        """What keeps it from being proved, and from when on the venue's silence tells."""
        for each in sent:
            known_at = silence_counts_from(each, self.policy)
            self.tell(
                f"Not proved: an order to buy {each.symbol} was sent before the latch, and whether"
                f" the venue has it is not known (intent {each.intent_id}). After"
                f" {known_at:%H:%M:%S} UTC its records tell: run this again then."
            )

    def _tell_proved(self, level: KillLevel, plan: Plan) -> None:
        there = "" if self.symbol is None else f" {self.symbol}"
        sold = ", and of what zoe manages nothing that can be sold is held"
        rest = sold if level is KillLevel.FLATTEN else ""
        self.tell(f"Proved at the venue: no open order can buy{there} any more{rest}.")
        for note in plan.notes:
            if TOO_SMALL in note:
                self.tell(note)

    def _tell_left(self, plan: tuple[Snapshot, Plan] | str) -> None:
        """What keeps it from being proved, and what to do about it."""
        if isinstance(plan, str):
            return
        if any(NOT_YET in note for note in plan[1].notes):
            self.tell(LATER)
        for note in plan[1].notes:
            if IN_DOUBT in note:
                self.tell(f"Not proved: {note}")
        if any(IN_DOUBT in note for note in plan[1].notes):
            lacking = unlisted_buys(plan[0], self.symbol)
            known_at = max(visible_from(each, self.policy) for each in lacking)
            self.tell(
                f"After {known_at:%H:%M:%S} UTC the venue's records tell: run this again then, or"
                " cancel it there."
            )

    def _tell_unfinished(self, plan: Plan, told: set[str]) -> None:
        """What keeps a position from being sold, and an order from being over: each reason once."""
        for note in plan.notes:
            if (NOT_YET in note or IN_DOUBT in note) and note not in told:
                told.add(note)
                self.tell(note)

    @property
    def _patience(self) -> timedelta:
        """What may still show up has shown up by then, and what has not may be done again."""
        lag_s = self.policy.order_deadline_s + self.policy.visibility_lag_s
        return timedelta(seconds=lag_s + _SPARE_S)

    async def _book(self, receipt: Receipt) -> None:
        """What the cancelled entries had filled before that, and the fills of all the sales."""
        if any(isinstance(each.step, CancelOrder | PlaceOrder) for each in receipt.outcomes):
            self.progress.now("reading what was filled meanwhile")
            await self._look_up(HANGING_S)

    async def _look_up(self, at_most_s: float) -> None:
        """What was sent and what it filled, by the venue's records; as far as they are told."""
        with suppress(VenueError, TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self.gate.recover(patient=False)

    async def _wait(self, idle: int) -> None:
        """It is being sold, its trades are not shown yet, or the venue refuses: see how it ends."""
        if idle == 1:
            self.tell(
                "Not so at the venue yet; looking again for up to"
                f" {self._patience.total_seconds():.0f} s. Ctrl-C is safe: the level stays latched."
            )
        self.progress.now("waiting for what is not so yet, and looking again")
        await self.clock.sleep(_PAUSES_S[min(idle, len(_PAUSES_S) - 1)])
        await self._look_up(HANGING_S)

    async def _next(
        self, level: KillLevel, reason: str, by_name: ByName, *, is_first: bool
    ) -> tuple[Snapshot, Plan] | str:
        """What is left to do; a sentence when the venue could not be read.

        What can be done at once is not kept waiting for what the list lacks; but to sell out it has
        to be known first what was bought, or a stop would go that covers it.
        """
        until = _loop_time() + HANGING_S
        self.progress.now("asking the venue what is open", until=until)
        try:
            async with asyncio.timeout_at(until):
                snapshot = await self.look()
            plan = plan_kill(snapshot, level, reason, self.symbol)
            if is_first and not plan.is_empty and level is not KillLevel.FLATTEN:
                return snapshot, plan
            snapshot = await by_name.asked(snapshot)
            plan = plan_kill(snapshot, level, reason, self.symbol, by_name.gone(snapshot))
            if not plan.is_empty or not by_name.is_news(snapshot):
                return snapshot, plan
            self.progress.now("looking up what is open by the books alone")
            await self._look_up(HANGING_S)
            return await self._next(level, reason, by_name, is_first=False)
        except TimeoutError:
            return f"no answer for {HANGING_S:.0f} s."
        except VenueError as error:
            return error.message


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
