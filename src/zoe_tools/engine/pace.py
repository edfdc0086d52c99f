"""When the loop looks again: at once after news, at one instrument after its price, and each cycle.

What is waited for is one event, however much comes: a busy market costs a turn nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.ports import Clock


class Pace:
    """One loop's. `period_s` is a cycle, in the clock's seconds."""

    def __init__(self, clock: Clock, period_s: float) -> None:
        self._clock = clock
        self._period_s = period_s
        self._news = asyncio.Event()
        self._is_due = False
        self._turned_at = clock.now()
        self._priced: set[Symbol] = set()

    def wake(self) -> None:
        """A turn is due."""
        self._is_due = True
        self._news.set()

    def price(self, symbol: Symbol) -> None:
        """A price is new where something is at stake."""
        self._priced.add(symbol)
        self._news.set()

    async def next(self) -> frozenset[Symbol] | None:
        """Wait for the next: None is a turn, else there are new prices of these alone.

        With nothing at all the loop was told to stop.
        """
        await self._news.wait()
        self._news.clear()
        is_due, self._is_due = self._is_due, False
        if is_due:
            self._turned_at = self._clock.now()
        priced, self._priced = frozenset(self._priced), set()
        return None if is_due else priced

    @asynccontextmanager
    async def ticking(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """A turn is due a cycle after the last one meanwhile; `stop` ends a wait."""
        stopped = asyncio.create_task(self._heed(stop))
        ticker = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            for task in (stopped, ticker):
                task.cancel()
            await asyncio.gather(stopped, ticker, return_exceptions=True)

    async def _tick(self) -> None:
        left_s = self._period_s
        while True:
            await self._clock.sleep(left_s)
            # By a clock that was set back no turn would be due again for as long.
            gone_s = abs((self._clock.now() - self._turned_at).total_seconds())
            left_s = self._period_s - gone_s
            if left_s <= 0:
                self.wake()
                left_s = self._period_s

    async def _heed(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()
