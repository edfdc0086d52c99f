"""The strategy's own pace: asked when a candle has closed, beside the turns and never within one.

What it wants waits here for the next turn. A stop or an exit does not wait for a strategy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

from zoe_tools.core.position_invariants import is_dust
from zoe_tools.core.strategy.protocol import Decision, MarketView
from zoe_tools.domain.candle import Candle
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.position import Position
from zoe_tools.engine.books import Books
from zoe_tools.engine.decisions import write_decisions
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.view import LiveView


class Deciding:
    """Asks the strategy; keeps what it decided until a turn takes it."""

    def __init__(
        self, parts: LoopParts, view: LiveView, books: Books, wake: Callable[[], None]
    ) -> None:
        """`wake` is called when there is something for a turn to take."""
        self._parts = parts
        self._view = view
        self._books = books
        self._wake_turns = wake
        self._news = asyncio.Event()
        self._due_at: datetime | None = None
        self._decided: list[Decision] = []
        self._is_over = False
        self.candles_seen = 0

    def notice(self) -> None:
        """The market was told something: look at it, if it moved when the next candle closes."""
        if self._view.has_closed or self._view.closes_at != self._due_at:
            self._news.set()

    def take(self) -> tuple[Decision, ...]:
        """What was decided since the last call; each is given once."""
        decided, self._decided = tuple(self._decided), []
        return decided

    def end(self) -> None:
        """Decide nothing from now on; candles are still counted."""
        self._is_over = True
        self._decided.clear()

    async def run(self) -> None:
        """Decide whenever a candle closes, until cancelled."""
        while True:
            await self._until_due()
            await self._decide(self._parts.clock.now())

    async def _until_due(self) -> None:
        """Until a candle has closed by a trade of the next one, or by the clock."""
        clock = self._parts.clock
        while not self._view.has_closed:
            self._news.clear()
            self._due_at = self._view.closes_at
            if self._due_at is None:
                await self._news.wait()
                continue
            left_s = (self._due_at - clock.now()).total_seconds()
            if left_s <= 0:
                return
            timer = asyncio.ensure_future(clock.sleep(left_s))
            told = asyncio.ensure_future(self._news.wait())
            try:
                await asyncio.wait({timer, told}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                told.cancel()

    async def _decide(self, now: datetime) -> None:
        closed = self._view.take_closed(now)
        self.candles_seen += len(closed)
        if self._is_over:
            return
        decided = tuple(self._on(closed, now))
        wanted = tuple(each for each in decided if each.action != "hold")
        if wanted:
            await self._parts.store.run(lambda tx: write_decisions(tx, now, wanted))
        if decided and not self._is_over:
            self._decided.extend(decided)
            self._wake_turns()

    def _on(self, closed: tuple[Candle, ...], now: datetime) -> Iterator[Decision]:
        """One decision for each instrument that closed a candle and has a price."""
        for symbol in dict.fromkeys(candle.symbol for candle in closed):
            quote = self._view.fresh_quote(symbol, now, self._parts.policy.quote_stale_s)
            if quote is None:
                continue
            view = MarketView(
                symbol=symbol,
                now=now,
                quote=quote,
                candles=self._view.candles(symbol),
                position=self._held(symbol),
            )
            yield self._parts.strategy.decide(view)

    def _held(self, symbol: Symbol) -> Position | None:
        for position in self._books.positions:
            if position.symbol == symbol:
                instrument = self._parts.catalogue.resolve(symbol)
                return None if is_dust(position, instrument) else position
        return None
