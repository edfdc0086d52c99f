"""One strictly rising nonce sequence per process, one signed call at a time.

Microseconds of the venue's clock: several processes of one key stay in order by time alone, and a
collision is answered with a refusal that proves that nothing happened (kraken-spot section 2.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from zoe_tools.ports import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NonceSource:
    """Implements `ports.Coordination` for a single process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def nonce(self) -> AsyncIterator[int]:
        """A nonce greater than all before, by at least one even where time stands still.

        The lock is held until the reply is in: with two calls under way, the second could overtake
        the first on the wire, and the first would be refused.
        """
        async with self._turn:
            micros = (self._clock.now() - _EPOCH) // _MICROSECOND
            self._last = max(self._last + 1, micros)
            yield self._last
