"""How often the venue's API failed of late, as this process met it.

A read counts once, however often it was asked; a definite no is an answer. Kinds: kraken-spot
section 9.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from zoe_tools.domain.breaker import CallResult
from zoe_tools.errors import VenueError
from zoe_tools.kraken.breaker import result_of
from zoe_tools.ports import Clock

_MOST = 1_000


class ApiErrors:
    """When calls failed for good; the oldest of very many are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: deque[datetime] = deque(maxlen=_MOST)

    def within(self, seconds: float) -> int:
        """How many in the last so many seconds; what lies ahead, by a clock set back, is not."""
        now = self._clock.now()
        oldest = now - timedelta(seconds=seconds)
        return sum(oldest < at <= now for at in self._at)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Count what fails within."""
        try:
            yield
        except VenueError as error:
            if result_of(error) in {CallResult.FAILED, CallResult.THROTTLED}:
                self._at.append(self._clock.now())
            raise
