"""Writes candles by the million without being in the way: slices, and a gap after each.

A slice holds what fits into 20 ms while a loop works with the database, else twenty thousand rows.
While one is written the next ones can be read: who adds waits for the slice before only.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from typing import Self

import polars as pl

from zoe_tools.domain.candle import Source, Timeframe, Written
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.ports import Clock
from zoe_tools.store.bulk import FIRST_ROWS, GAP_S, next_size
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

ROWS_ALONE = 20_000
_LEAST_ROWS = 200
"""To hold a slice against the store costs as much as to write so many rows."""

_Part = tuple[Timeframe, pl.DataFrame]


def volume_of(frame: pl.DataFrame) -> Decimal:
    """The volume of all rows, exactly, in coins."""
    return Decimal(str(frame["volume"].sum()))


class CandleSlices:
    """Candles of one instrument and source on their way into the store, or only held against it.

    For `async with`: whoever leaves early does so when the last slice is written.
    """

    def __init__(
        self,
        store: StoreRunner,
        clock: Clock,
        symbol: Symbol,
        source: Source,
        *,
        is_dry: bool = False,
    ) -> None:
        """`is_dry`: nothing is written; what would become of each candle is told all the same."""
        self._store = store
        self._clock = clock
        self._symbol = symbol
        self._source = source
        self._is_dry = is_dry
        self._waiting: deque[_Part] = deque()
        self._rows = 0
        self._size = FIRST_ROWS
        self._writing: asyncio.Task[None] | None = None
        self.told: dict[Timeframe, Written] = {}
        self.volume: defaultdict[Timeframe, Decimal] = defaultdict(Decimal)
        """Of all that was taken, in coins."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def add(self, timeframe: Timeframe, frame: pl.DataFrame) -> None:
        """Take more, and write while it is enough for a slice."""
        if frame.height:
            self._waiting.append((timeframe, frame))
            self._rows += frame.height
            self.volume[timeframe] += volume_of(frame)
        while self._rows >= self._size:
            await self._write()

    async def finish(self, also: Callable[[Transaction], object] | None = None) -> None:
        """Write the rest; `also` is done in the transaction of the last slice."""
        while self._rows > self._size:
            await self._write()
        if self._rows or also is not None:
            await self._write(also)
        await self._settled()

    async def _write(self, also: Callable[[Transaction], object] | None = None) -> None:
        """Begin with the next slice, once the one before has told how large it may be."""
        await self._settled()
        self._writing = asyncio.create_task(self._kept(self._next_slice(), also))
        await asyncio.sleep(0)  # it is on its way when the caller goes on reading

    async def _settled(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _kept(self, parts: list[_Part], also: Callable[[Transaction], object] | None) -> None:
        rows = sum(frame.height for _, frame in parts)
        at = self._clock.now()

        def work(books: Transaction) -> tuple[list[Written], float, bool]:
            began = time.perf_counter()
            is_watched = books.is_loop_near(at)
            market = books.market
            market.expect_many(is_alone=not is_watched)
            put = market.compare_frame if self._is_dry else market.write_frame
            written = [put(self._symbol, each, frame, self._source) for each, frame in parts]
            if also is not None and not self._is_dry:
                also(books)
            return written, time.perf_counter() - began, is_watched

        written, kept_s, is_watched = await self._store.run(work)
        for (timeframe, _), done in zip(parts, written, strict=True):
            self.told[timeframe] = self.told.get(timeframe, Written()) + done
        self._size = max(next_size(rows, kept_s), _LEAST_ROWS) if is_watched else ROWS_ALONE
        await self._clock.sleep(GAP_S)  # who waits for the store gets it

    def _next_slice(self) -> list[_Part]:
        """So many rows as are written at once, from the front of what waits."""
        room, parts = self._size, []
        while room and self._waiting:
            timeframe, frame = self._waiting.popleft()
            parts.append((timeframe, frame.head(room)))
            if frame.height > room:
                self._waiting.appendleft((timeframe, frame.slice(room)))
            room -= parts[-1][1].height
        self._rows -= self._size - room
        return parts
