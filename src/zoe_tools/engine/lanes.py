"""What is under way, one lane an instrument: each is carried out beside the turns and the others.

A lane that fails ends the run. Whoever ends the run ends the lanes, wherever they are: what they
sent is in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.ports import Clock


class Lanes:
    """Open while the loop takes turns: `async with lanes`. At most one for each instrument."""

    def __init__(self, clock: Clock, rest_s: float, freed: Callable[[], None]) -> None:
        """`freed` is called when a lane has ended; where one failed, nothing for `rest_s`."""
        self._clock = clock
        self._rest_s = rest_s
        self._freed = freed
        self._group = asyncio.TaskGroup()
        self._under_way: dict[Symbol, asyncio.Task[None]] = {}
        self._rests_until: dict[Symbol, datetime] = {}
        self._stopping: frozenset[Symbol] = frozenset()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is under way, or end it, where there is an error."""
        await self._group.__aexit__(kind, error, trace)

    @property
    def at_work(self) -> frozenset[Symbol]:
        """Where something is under way."""
        return frozenset(self._under_way)

    @property
    def without_stop(self) -> frozenset[Symbol]:
        """Where something is under way, and no stop with it."""
        return self.at_work - self._stopping

    def begin(
        self, symbol: Symbol, work: Coroutine[Any, Any, None], *, stops: bool = False
    ) -> None:
        """Carry it out beside the turns; the lane is free once it has ended.

        `stops`: it brings what covers a position.
        """
        if symbol in self._under_way:
            work.close()
            raise AssertionError(f"something is under way in {symbol} already")
        task = self._group.create_task(self._through(symbol, work))
        task.add_done_callback(lambda _: work.close())  # it may be ended before it has begun
        self._under_way[symbol] = task
        self._stopping = self._stopping | {symbol} if stops else self._stopping - {symbol}

    async def _through(self, symbol: Symbol, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            del self._under_way[symbol]
            self._freed()

    def rest(self, symbols: Iterable[Symbol]) -> None:
        """What was refused or not answered there is not tried again within the same moment."""
        until = self._clock.now() + timedelta(seconds=self._rest_s)
        self._rests_until.update(dict.fromkeys(symbols, until))

    def resting(self, now: datetime) -> frozenset[Symbol]:
        """Where nothing is begun; for `rest_s` at most, also by a clock that was set back."""
        return frozenset(
            symbol
            for symbol, until in self._rests_until.items()
            if 0 < (until - now).total_seconds() <= self._rest_s
        )

    def rests_until(self, now: datetime) -> datetime | None:
        """When the next of those may be tried again; None: nothing rests."""
        return min((self._rests_until[each] for each in self.resting(now)), default=None)

    async def are_free(self, within_s: float) -> bool:
        """Wait for all that is under way, so many seconds at most; whether nothing is."""
        timer = asyncio.ensure_future(self._clock.sleep(within_s))
        try:
            while self._under_way and not timer.done():
                waits: set[asyncio.Future[None]] = {timer, *self._under_way.values()}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return not self._under_way
