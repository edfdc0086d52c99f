"""When to try a lost connection again. Pure: attempts and times in, a delay out.

Source: kraken-spot sections 3.3 and 13.6: the first tries at once, then 5 to 30 seconds with
jitter, and never near the 150 attempts in ten minutes that ban an address.
"""

from __future__ import annotations

import random
from collections import deque
from datetime import datetime, timedelta

FAST_TRIES = 2
SLOWEST_S = 30.0
FASTEST_S = 5.0
MOST_TRIES = 120
WINDOW = timedelta(seconds=600)
STABLE = timedelta(seconds=60)
"""A wire that was up for so long starts over; one that comes and goes does not."""


class AttemptBudget:
    """The attempts of all wires of one address: the ban counts them together."""

    def __init__(self) -> None:
        self._tries: deque[datetime] = deque()

    def room_in_s(self, now: datetime) -> float:
        """Seconds until another attempt is allowed."""
        while self._tries and now - self._tries[0] >= WINDOW:
            self._tries.popleft()
        if len(self._tries) < MOST_TRIES:
            return 0.0
        return (self._tries[-MOST_TRIES] + WINDOW - now).total_seconds()

    def spend(self, at: datetime) -> None:
        """Count an attempt, which may lie ahead."""
        self._tries.append(at)
        if len(self._tries) > 1 and self._tries[-2] > at:
            self._tries = deque(sorted(self._tries))


class ReconnectPolicy:
    """The attempts of one connection."""

    def __init__(self, rng: random.Random, budget: AttemptBudget | None = None) -> None:
        self._rng = rng
        self._budget = budget or AttemptBudget()
        self._failures = 0
        self._up_since: datetime | None = None

    def connected(self, now: datetime) -> None:
        """The wire is up and subscribed."""
        self._up_since = now

    def delay_s(self, now: datetime, *, at_least_s: float = 0.0) -> float:
        """Seconds to wait before the next attempt, which is hereby counted.

        `at_least_s` is how long the venue asked us to stay away.
        """
        if self._up_since is not None and now - self._up_since >= STABLE:
            self._failures = 0
        self._up_since = None
        delay = max(at_least_s, self._backoff_s(), self._budget.room_in_s(now))
        self._failures += 1
        self._budget.spend(now + timedelta(seconds=delay))
        return delay

    def _backoff_s(self) -> float:
        if self._failures < FAST_TRIES:
            return 0.0
        doublings = min(self._failures - FAST_TRIES + 1, 8)
        return self._rng.uniform(FASTEST_S, min(SLOWEST_S, FASTEST_S * 2.0**doublings))
