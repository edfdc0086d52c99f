"""Gets candles from the venue's records: the history at the start, and what a gap tore.

One public call an instrument, one after the other, beside the turns. A venue that does not answer
is asked again; until it has, the strategy is not asked about that instrument.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from zoe_tools.core.backfill import looked_through
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.engine.candle_book import CandleBook, Torn
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError, VenueError
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

PACE_S = 1.0
"""Venue seconds between two calls: others are more urgent."""

ASK_AGAIN_S = 15.0
"""After a failure; twice as long after each further one, up to a minute."""

LATEST_S = 60.0
SOURCE = "kraken OHLC"


class CandleKeeper:
    """Repairs one book of candles."""

    def __init__(self, parts: LoopParts, book: CandleBook, heard: Callable[[], None]) -> None:
        """`heard` is called when a candle was repaired."""
        self._parts = parts
        self._book = book
        self._heard = heard
        self._news = asyncio.Event()
        self._failures: dict[Symbol, int] = {}
        self._not_before: dict[Symbol, datetime] = {}

    def notice(self) -> None:
        """The stream told something: perhaps that it was away."""
        if not self._news.is_set() and next(self._book.torn(), None) is not None:
            self._news.set()

    async def run(self) -> None:
        """Repair until cancelled."""
        clock = self._parts.clock
        while True:
            torn = min(self._book.torn(), key=self._due, default=None)
            if torn is None:
                self._news.clear()
                await self._news.wait()
                continue
            left_s = (self._due(torn) - self._book.time_at(clock.now())).total_seconds()
            if left_s > 0:
                await clock.sleep(min(left_s, self._parts.cadence.cycle_s))
                continue
            await self._repair(torn)
            await clock.sleep(PACE_S)

    def _due(self, torn: Torn) -> datetime:
        return max(torn.due_at, self._not_before.get(torn.symbol, torn.due_at))

    async def _repair(self, torn: Torn) -> None:
        timeframe = self._parts.strategy.timeframe
        asked_at = self._book.time_at(self._parts.clock.now())
        try:
            recorded = await self._parts.venue.candles(torn.symbol, timeframe, torn.since)
        except VenueError as error:
            self._fails(torn.symbol, error)
            return
        self._failures.pop(torn.symbol, None)
        self._not_before.pop(torn.symbol, None)
        over = self._book.repair(torn, recorded, asked_at)
        self._heard()
        await self._keep(torn, recorded, over)

    def _fails(self, symbol: Symbol, error: VenueError) -> None:
        failures = self._failures.get(symbol, 0)
        if not failures:
            _LOG.warning("The candles of %s cannot be read: %s", symbol, error.message)
        self._failures[symbol] = failures + 1
        wait_s = min(ASK_AGAIN_S * 2.0**failures, LATEST_S)
        self._not_before[symbol] = self._parts.clock.now() + timedelta(seconds=wait_s)

    async def _keep(self, torn: Torn, recorded: Sequence[Candle], over: tuple[Candle, ...]) -> None:
        """Store what is over, and that all of it was looked through: what is missing never was."""
        if not over:
            return
        timeframe = self._parts.strategy.timeframe
        looked = looked_through(recorded, timeframe, torn.since)

        def write(tx: Transaction) -> None:
            tx.write_candles(over, SOURCE)
            if looked is not None:
                tx.market.note_read(torn.symbol, timeframe, looked, SOURCE)

        try:
            await self._parts.store.run(write)
        except StoreError as error:
            _LOG.warning("Candles cannot be kept: %s", error.message)
