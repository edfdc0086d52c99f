"""The API circuit breaker, for all who share a key: it is part of the key's note.

A call passes through `passage`: refused while the breaker is open, counted when it ends. What is
urgent (cancels, stops, exits, a kill) and what is needed to place and prove it never waits for the
breaker; how it ends is counted all the same. Errors by kind: kraken-spot section 9.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from zoe_tools.domain.breaker import Admission, Breaker, BreakerState, CallResult
from zoe_tools.errors import (
    CircuitOpen,
    OutcomeUnknown,
    VenueMisbehaved,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.kraken import budget_note
from zoe_tools.kraken.errors import row_for
from zoe_tools.ports import Claim, Clock, Coordination, NoteStep, Urgency

T = TypeVar("T")

LOOK_S = 1.0
"""What others with the key have found is known here so much later."""

NEEDED_READS = frozenset(
    {
        "AssetPairs",
        "Assets",
        "BalanceEx",
        "ClosedOrders",
        "GetWebSocketsToken",
        "OpenOrders",
        "QueryOrders",
        "SystemStatus",
        "Ticker",
        "Time",
        "TradesHistory",
    }
)
"""Without these nothing can be protected, proved or stopped."""

_NAMES = {
    BreakerState.OPEN: "API circuit breaker OPENED",
    BreakerState.HALF_OPEN: "API circuit breaker half-open",
    BreakerState.CLOSED: "API circuit breaker closed",
}
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Passage:
    """A call on its way; `is_sent` is set once something may have left."""

    is_sent: bool = False


class CircuitBreaker:
    """The breaker of one key, as this process sees and steps it."""

    def __init__(self, coordination: Coordination, clock: Clock) -> None:
        self._coordination = coordination
        self._clock = clock
        self._known = Breaker()
        self._looked_at: datetime | None = None

    async def look(self) -> Breaker:
        """The breaker as all who share the key see it; told in the log where that is news."""
        return await self._step(lambda breaker, _: (breaker, breaker))

    async def force(self, *, is_open: bool) -> Breaker:
        """Open it until it is closed by the same word, or close it now."""

        def step(breaker: Breaker, now: datetime) -> tuple[Breaker, Breaker]:
            after = breaker.forced_open(now) if is_open else Breaker()
            return after, after

        return await self._step(step)

    @asynccontextmanager
    async def passage(self, claim: Claim, *, method: str) -> AsyncIterator[Passage]:
        """Let a call of that method through, and count how it ends.

        Raises:
            CircuitOpen: the breaker is open, and the call is none of those that need not ask.
        """
        is_needed = claim.urgency is Urgency.PROTECTION or method in NEEDED_READS
        admission = Admission(is_allowed=True) if is_needed else await self._admission()
        if not admission.is_allowed:
            raise self._refusal(method)
        passage, result = Passage(), CallResult.UNSENT
        try:
            yield passage
            result = CallResult.ANSWERED
        except Exception as error:
            result = result_of(error) if passage.is_sent else CallResult.UNSENT
            raise
        finally:
            self._tell(result, admission.probe)

    async def _admission(self) -> Admission:
        now = self._clock.now()
        last = self._looked_at
        is_fresh = last is not None and 0 <= (now - last).total_seconds() < LOOK_S
        if self._known.is_closed and is_fresh:
            return Admission(is_allowed=True)
        return await self._step(lambda breaker, at: breaker.asked(at))

    def _tell(self, result: CallResult, probe: datetime | None) -> None:
        """Without waiting: a call that has ended holds nothing up, even where it was given up."""
        known = self._known
        is_quiet = known.is_closed and not (known.failures or known.throttles)
        if result in {CallResult.UNSENT, CallResult.DECLINED} and probe is None:
            return
        if result is CallResult.ANSWERED and is_quiet:
            return

        def step(breaker: Breaker, now: datetime) -> tuple[Breaker, None]:
            return breaker.told(result, probe=probe, now=now), None

        self._coordination.post(_of_note(step))
        # As far as is known here; the next that asks is told what all of them found.
        self._know(known.told(result, probe=probe, now=self._clock.now()))
        self._looked_at = None

    async def _step(self, step: Callable[[Breaker, datetime], tuple[Breaker, T]]) -> T:
        def both(breaker: Breaker, now: datetime) -> tuple[Breaker, tuple[Breaker, T]]:
            after, result = step(breaker, now)
            return after, (after, result)

        known, result = await self._coordination.change(_of_note(both), _READS)
        self._looked_at = self._clock.now()
        self._know(known)
        return result

    def _know(self, breaker: Breaker) -> None:
        before, self._known = self._known, breaker
        if before.state is breaker.state:
            return
        level = logging.INFO if breaker.is_closed else logging.WARNING
        if breaker.state is BreakerState.OPEN:
            level = logging.ERROR
        _LOG.log(level, "%s%s", _NAMES[breaker.state], _details(before, breaker))

    def _refusal(self, method: str) -> CircuitOpen:
        due_at = self._known.probes_at
        until = "until `zoe breaker --force-close`" if due_at is None else f"till {due_at:%H:%M:%S}"
        return CircuitOpen(
            f"{method} was not sent: the API circuit breaker is {self._known.state.value}"
            f" ({self._known.reason}), {until}.",
        )


_READS = Claim(may_go_alone=True)


def _of_note(step: Callable[[Breaker, datetime], tuple[Breaker, T]]) -> NoteStep[T]:
    """A step of the breaker as one of the key's note; what changes nothing writes nothing."""

    def of_text(text: bytes, now: datetime) -> tuple[bytes, T]:
        note = budget_note.note_at(text, now)
        breaker = note.breaker or Breaker()
        after, result = step(breaker, now)
        if after == breaker:
            return text, result
        note.breaker = None if after == Breaker() else after
        return budget_note.encoded(note), result

    return of_text


def result_of(error: Exception) -> CallResult:
    """What an error of a call that was sent proves about the API."""
    match error:
        case CircuitOpen():
            return CallResult.UNSENT
        case VenueThrottled():
            return CallResult.THROTTLED
        case OutcomeUnknown(code=code) if code and row_for(code) is None:
            return CallResult.DECLINED
        case OutcomeUnknown() | VenueUnavailable() | VenueMisbehaved():
            return CallResult.FAILED
        case VenueRejected():
            return CallResult.DECLINED
        case _:
            return CallResult.UNSENT


def _details(before: Breaker, after: Breaker) -> str:
    if after.state is BreakerState.OPEN:
        wait = f", for {after.wait_s:.0f} s" if after.wait_s else ""
        counts = f"{after.failures} failures, {after.throttles} rate limits"
        again = "; the probe failed" if before.state is BreakerState.HALF_OPEN else ""
        return f": {after.reason} ({counts}){wait}{again}"
    if after.state is BreakerState.HALF_OPEN:
        return ": one call goes as the probe"
    return ": ordinary calls go again"
