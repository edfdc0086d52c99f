"""The circuit breaker of a venue's API: after many failures nothing ordinary is asked for a while.

Closed it lets every call pass and counts; open it refuses them; when its time is over it is
half-open and lets one call through, the probe, whose result closes it or opens it for twice as
long. What reduces risk never asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES = 5
"""So many calls in a row without a proper answer open it."""

THROTTLES = 2
"""And so many answers in a row that the venue is asked too often."""

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 960.0
PROBE_S = 30.0
"""A probe that was not heard of for so long is dead, and another may go."""

_SLACK = timedelta(seconds=5)
"""Those who share a key do not read their clocks alike."""

BY_ORDER = "forced"
"""Why it is open where an operator opened it: it then waits for him, not for a probe."""


class BreakerState(StrEnum):
    """What it does with ordinary calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CallResult(StrEnum):
    """What a call proved about the API. A definite no, to the order or the key, is an answer too.

    `UNSENT`: it was given up before anything left.
    """

    ANSWERED = "answered"
    DECLINED = "declined"
    FAILED = "failed"
    THROTTLED = "throttled"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a call may go; `probe` is when it was let through as the probe, None otherwise."""

    is_allowed: bool
    probe: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state; `failures` and `throttles` are in a row, `wait_s` is how long it stays open.

    `reason`: `consecutive_failures`, `rate_limit`, or `forced`; empty while closed.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    throttles: int = 0
    reason: str = ""
    opened_at: datetime | None = None
    wait_s: float = 0.0
    probe: datetime | None = None

    @property
    def is_closed(self) -> bool:
        """Whether ordinary calls pass."""
        return self.state is BreakerState.CLOSED

    @property
    def probes_at(self) -> datetime | None:
        """When the probe may go; None where it is closed, or waits for an operator."""
        if self.opened_at is None or self.reason == BY_ORDER:
            return None
        return self.opened_at + timedelta(seconds=self.wait_s)

    def is_due(self, now: datetime) -> bool:
        """Whether the next ordinary call would be the probe."""
        due_at = self.probes_at
        if self.is_closed or due_at is None or self.opened_at is None:
            return False
        if self.probe is not None:
            return abs((now - self.probe).total_seconds()) >= PROBE_S
        # By a clock that was set back it would stay open for as long again.
        return now >= due_at or now < self.opened_at - _SLACK

    def asked(self, now: datetime) -> tuple[Breaker, Admission]:
        """An ordinary call asks whether it may go."""
        if self.is_closed:
            return self, Admission(is_allowed=True)
        if not self.is_due(now):
            return self, Admission(is_allowed=False)
        after = replace(self, state=BreakerState.HALF_OPEN, probe=now)
        return after, Admission(is_allowed=True, probe=now)

    def told(self, result: CallResult, *, probe: datetime | None, now: datetime) -> Breaker:
        """How a call ended; `probe` as its admission said, None of what did not ask."""
        if self.is_closed:
            return self._counted(result, now)
        if probe is None or probe != self.probe:
            return self
        match result:
            case CallResult.UNSENT:
                return replace(self, probe=None)
            case CallResult.ANSWERED | CallResult.DECLINED:
                return Breaker()
            case _:
                wait_s = min(self.wait_s * 2, LONGEST_WAIT_S)
                return _opened(self, self.reason, now, wait_s)

    def forced_open(self, now: datetime) -> Breaker:
        """Open until an operator closes it."""
        return _opened(self, BY_ORDER, now, 0.0)

    def _counted(self, result: CallResult, now: datetime) -> Breaker:
        match result:
            case CallResult.ANSWERED:
                return Breaker()
            case CallResult.FAILED:
                after = replace(self, failures=self.failures + 1)
            case CallResult.THROTTLED:
                after = replace(self, throttles=self.throttles + 1)
            case _:
                return self
        if after.throttles >= THROTTLES:
            return _opened(after, "rate_limit", now, FIRST_WAIT_S)
        if after.failures >= FAILURES:
            return _opened(after, "consecutive_failures", now, FIRST_WAIT_S)
        return after


def _opened(breaker: Breaker, reason: str, now: datetime, wait_s: float) -> Breaker:
    return replace(
        breaker,
        state=BreakerState.OPEN,
        reason=reason,
        opened_at=now,
        wait_s=wait_s,
        probe=None,
    )
