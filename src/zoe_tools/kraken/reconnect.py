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


class ReconnectPolicy:
    """The attempts of one connection."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._tries: deque[datetime] = deque()

    def connected(self) -> None:
        """The wire is up and subscribed: the next loss starts over."""
        self._failures = 0

    def delay_s(self, now: datetime) -> float:
        """Seconds to wait before the next attempt, which is hereby counted."""
        while self._tries and now - self._tries[0] >= WINDOW:
            self._tries.popleft()
        delay = 0.0
        if self._failures >= FAST_TRIES:
            reach = min(SLOWEST_S, FASTEST_S * 2 ** (self._failures - FAST_TRIES))
            delay = self._rng.uniform(FASTEST_S, max(FASTEST_S, reach))
        if len(self._tries) >= MOST_TRIES:
            room_in = (self._tries[0] + WINDOW - now).total_seconds()
            delay = max(delay, room_in)
        self._failures += 1
        self._tries.append(now + timedelta(seconds=delay))
        return delay
