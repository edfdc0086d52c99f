"""Cancels for the day when the store is gone: cancels are always allowed.

Only for `kill`, only what could still add risk, by id. Each is in the emergency journal before it
is sent, unless that is gone as well. It proves its result by reading back, and once more when what
was sent before has to be shown: without books one empty list is no evidence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from zoe_tools.core.kill import remaining_risk
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import IntentState, ProofKind
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import CancelOrder, Plan
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import StoreError, VenueError
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.journal import Author, Entry, entry_without_store
from zoe_tools.gate.progress import HANGING_S, SILENCE_S, Progress
from zoe_tools.gate.send import Answer, send
from zoe_tools.ports import Clock, Venue

_LOG = logging.getLogger(__name__)

LOOKS = 5
LOOK_GAP_S = 1.0

_AGAIN_S = (1.0, 1.0, 2.0, 3.0, 5.0)
"""Between looks at a list that was empty; the last of them from then on."""

_ENDS = {
    Answer.YES: (IntentState.CONFIRMED, ProofKind.ANSWER),
    Answer.NO: (IntentState.REJECTED, ProofKind.ANSWER),
    Answer.NOT_SENT: (IntentState.REJECTED, ProofKind.NOT_SENT),
    Answer.LOST: (IntentState.UNKNOWN, ProofKind.NONE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyResult:
    """What was cancelled, and what may still be open (None when the venue cannot be read).

    `is_journaled`: whether the latch and all cancels will be in the books once the store is back.
    `shown_by`: what was sent before the kill began is shown by the venue by then.
    """

    cancelled: tuple[VenueOrder, ...]
    still_open: tuple[VenueOrder, ...] | None
    is_journaled: bool
    shown_by: datetime


class EmergencyKill:
    """Stops what could add risk on one account, or one instrument of it, without its store."""

    def __init__(
        self,
        *,
        venue: Venue,
        clock: Clock,
        author: Author,
        policy: Policy,
        journal: EmergencyJournal,
        symbol: Symbol | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._author = author
        self._policy = policy
        self._journal = journal
        self._symbol = symbol
        self._progress = progress or Progress()
        self._is_journaled = True

    async def carry_out(self, level: KillLevel, reason: str) -> EmergencyResult:
        """Note the level, then cancel every open order that could add risk, while one is seen.

        At any level: a loop that runs cannot be told to pause. That none is seen is to be looked
        at again.
        """
        at = self._clock.now()
        by = self._author.operator or self._author.command
        with suppress(StoreError):
            self._journal.prepare()
        self._note(lambda: self._journal.latch(level, reason, by=by, at=at, symbol=self._symbol))
        facts = {"level": level.label, "reason": reason}
        self._note(lambda: self._journal.order(self._author, facts, (), at=at))
        async with self._progress.telling():
            cancelled, still_open = await self._settled(reason)
        lag_s = self._policy.order_deadline_s + self._policy.visibility_lag_s
        return EmergencyResult(
            cancelled=cancelled,
            still_open=still_open,
            is_journaled=self._is_journaled,
            shown_by=at + timedelta(seconds=lag_s),
        )

    async def look_again(self, first: EmergencyResult, reason: str) -> EmergencyResult:
        """Until what was sent before has to be shown; what shows up meanwhile is cancelled.

        Who waits for other accounts may do it later. What was unproved before stays so.
        """
        self._is_journaled = first.is_journaled
        lag_s = self._policy.order_deadline_s + self._policy.visibility_lag_s
        left_s = (first.shown_by - self._clock.now()).total_seconds()
        until = asyncio.get_running_loop().time() + min(max(left_s, 0.0), lag_s)
        cancelled, still_open = first.cancelled, first.still_open
        turn = 0
        async with self._progress.telling():
            while still_open == ():
                gap_s = min(_AGAIN_S[min(turn, len(_AGAIN_S) - 1)], _until(until))
                self._progress.now(
                    "looking again: what was sent before may still be shown", until=until
                )
                await self._clock.sleep(gap_s)
                is_last = _until(until) <= 0.0
                more, still_open = await self._settled(reason)
                cancelled += more
                if is_last:
                    break
                turn += 1
        return replace(
            first, cancelled=cancelled, still_open=still_open, is_journaled=self._is_journaled
        )

    async def _settled(
        self, reason: str
    ) -> tuple[tuple[VenueOrder, ...], tuple[VenueOrder, ...] | None]:
        """What was cancelled, and what may be open still; ends once none is seen."""
        loop_time = asyncio.get_running_loop().time
        heard_at = loop_time()
        cancelled: dict[str, VenueOrder] = {}
        still_open: tuple[VenueOrder, ...] | None = None
        for _ in range(LOOKS):
            until = loop_time() + HANGING_S
            self._progress.now("asking the venue what is open", until=until)
            try:
                async with asyncio.timeout_at(until):
                    still_open = remaining_risk(await self._venue.open_orders(), self._symbol)
                heard_at = loop_time()
            except (VenueError, TimeoutError):
                still_open = None
            if still_open == () or loop_time() - heard_at > SILENCE_S:
                break
            if still_open:
                self._progress.now("cancelling what could add risk")
                for order in await self._cancelled(still_open, reason):
                    cancelled[order.venue_order_id] = order
            await self._clock.sleep(LOOK_GAP_S)
        return tuple(cancelled.values()), still_open

    async def _cancelled(
        self, orders: tuple[VenueOrder, ...], reason: str
    ) -> tuple[VenueOrder, ...]:
        """Those that the venue took the cancel of."""
        now = self._clock.now()
        plan = Plan(
            command="kill",
            account=self._author.account,
            created_at=now,
            expires_at=now + timedelta(seconds=self._policy.plan_lifetime_s),
            steps=tuple(
                CancelOrder(
                    venue_order_id=order.venue_order_id,
                    symbol=order.symbol,
                    reason=reason,
                    client_order_id=order.client_order_id,
                )
                for order in orders
            ),
        )
        done = [await self._cancel(plan, index) for index in range(len(orders))]
        return tuple(order for order, is_done in zip(orders, done, strict=True) if is_done)

    async def _cancel(self, plan: Plan, index: int) -> bool:
        step = plan.steps[index]
        if not isinstance(step, CancelOrder):
            raise TypeError(f"{type(step).__name__} is no cancel")
        entry = entry_without_store(
            plan,
            index,
            author=self._author,
            policy=self._policy,
            now=self._clock.now(),
            attempt=1,
            store_epoch="",
        )
        self._note(lambda: self._journal.begin(entry))
        self._advance(entry, IntentState.SENT)
        reply = await send(self._venue, step, entry)
        state, proof = _ENDS[reply.answer]
        self._advance(entry, state, reply.words, proof)
        return reply.answer is Answer.YES

    def _advance(
        self,
        entry: Entry,
        state: IntentState,
        evidence: str = "",
        proof: ProofKind = ProofKind.NONE,
    ) -> None:
        at = self._clock.now()
        self._note(
            lambda: self._journal.advance(entry, state, at=at, evidence=evidence, proof=proof)
        )

    def _note(self, write: Callable[[], None]) -> None:
        """Write it down if that is possible; a cancel does not wait for that."""
        if not self._is_journaled:
            return
        try:
            write()
        except StoreError as error:
            _LOG.error("The emergency journal is gone as well: %s", error.message)
            self._is_journaled = False


def _until(moment: float) -> float:
    """The seconds that are left until then, by the loop's clock."""
    return max(moment - asyncio.get_running_loop().time(), 0.0)
