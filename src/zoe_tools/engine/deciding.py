"""The strategy's own pace: asked when a candle has closed, beside the turns and never within one.

What it wants waits here for the next turn. A stop or an exit does not wait for a strategy. One that
fails keeps entries back until it answers again, and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from zoe_tools.core.position_invariants import is_dust
from zoe_tools.core.strategy.protocol import Action, Decision, MarketView
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.position import Position
from zoe_tools.engine.account_facts import AccountFacts
from zoe_tools.engine.asking import StrategyTrouble
from zoe_tools.engine.books import Books
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.tracing import DecisionTrace, Traced
from zoe_tools.engine.view import LiveView
from zoe_tools.errors import StoreError
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

STRATEGY = "strategy"
"""The watch that keeps entries back while the strategy fails."""


class Deciding:
    """Asks the strategy; keeps what it decided until a turn takes it."""

    def __init__(
        self,
        parts: LoopParts,
        view: LiveView,
        books: Books,
        facts: AccountFacts,
        wake: Callable[[], None],
        stand: Callable[[str, tuple[str, ...]], None],
        scanned: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`wake`: there is something for a turn to take; `stand`: what speaks against entries.

        `scanned` is told after each round of how many instruments there was a market.
        """
        self._parts = parts
        self._view = view
        self._books = books
        self._facts = facts
        self._wake_turns = wake
        self._stand = stand
        self.trace = DecisionTrace(parts.trace)
        self._scanned = scanned
        self._news = asyncio.Event()
        self._due_at: datetime | None = None
        self._decided: dict[tuple[Symbol, Action], Decision] = {}
        self._failed: dict[Symbol, str] = {}
        self._is_over = False
        self.candles_seen = 0

    def notice(self) -> None:
        """The market was told something: look at it, if it moved when the next candle closes."""
        if self._view.has_closed or self._view.closes_at != self._due_at:
            self._news.set()

    def take(self) -> tuple[Decision, ...]:
        """What was decided since the last call; each is given once."""
        decided, self._decided = tuple(self._decided.values()), {}
        return decided

    def keep(self, decided: Iterable[Decision]) -> None:
        """Until a turn takes them; of an instrument one of each kind waits, the newest.

        However long no turn is taken, and an exit that was wanted stays wanted.
        """
        for each in decided:
            self._decided.pop((each.symbol, each.action), None)
            self._decided[each.symbol, each.action] = each

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
        traced: list[Traced] = []
        for symbol in dict.fromkeys(candle.symbol for candle in closed):
            if self._is_over:
                return
            traced.append(await self._ask_about(symbol, now))
        if traced:
            self._scanned(sum(each.view is not None for each in traced))
        await self._tell(traced, now)
        decided = [each.decision for each in traced if each.decision is not None]
        if decided and not self._is_over:
            self.keep(decided)
            self._wake_turns()
        self._parts.work.done("decide", self._parts.clock.now())

    async def _ask_about(self, symbol: Symbol, now: datetime) -> Traced:
        """One decision, if there is a price to decide at and the strategy has an answer."""
        quote = self._view.fresh_quote(symbol, now, self._parts.policy.quote_stale_s)
        if quote is None:
            return Traced(symbol=symbol, view=None, decision=None, why="no fresh quote")
        strategy, funding = self._parts.strategy, self._parts.funding
        try:
            view = MarketView(
                symbol=symbol,
                now=now,
                quote=quote,
                candles=self._view.candles(symbol),
                position=self._held(symbol),
                funding=None if funding is None else funding.view(symbol),
                account=await self._facts.look(symbol, now),
            )
        except StoreError as error:
            return Traced(symbol=symbol, view=None, decision=None, why=error.message)
        try:
            decision = await self._parts.asker.ask(strategy, view)
        except StrategyTrouble as error:
            self._fails(symbol, f"{error}")
            return Traced(symbol=symbol, view=view, decision=None, why=f"it failed: {error}")
        self._answers(symbol)
        return Traced(symbol=symbol, view=view, decision=decision)

    def _fails(self, symbol: Symbol, why: str) -> None:
        """Told once for each way to fail; entries wait until it answers about that instrument."""
        if self._failed.get(symbol) != why:
            name = self._parts.strategy.name
            event(_LOG, "STRATEGY_FAILED", "error", strategy=name, symbol=symbol, reason=why)
        self._failed[symbol] = why
        self._stand(STRATEGY, _sentences(self._parts.strategy.name, self._failed))

    def _answers(self, symbol: Symbol) -> None:
        if self._failed.pop(symbol, None) is not None:
            name = self._parts.strategy.name
            event(_LOG, "STRATEGY_ANSWERS", "warning", strategy=name, symbol=symbol)
            self._stand(STRATEGY, _sentences(name, self._failed))

    async def _tell(self, traced: list[Traced], now: datetime) -> None:
        """What is decided counts, whether or not it can be written down."""
        new = self.trace.note(traced, now)
        if not new:
            return
        try:
            await self._parts.store.run(lambda tx: self.trace.write(tx, new, now))
        except StoreError as error:
            _LOG.warning("What was decided cannot be kept: %s", error.message)

    def _held(self, symbol: Symbol) -> Position | None:
        for position in self._books.positions:
            if position.symbol == symbol:
                instrument = self._parts.catalogue.resolve(symbol)
                return None if is_dust(position, instrument) else position
        return None


def _sentences(name: str, failed: Mapping[Symbol, str]) -> tuple[str, ...]:
    return tuple(f"The strategy {name} fails on {symbol}: {failed[symbol]}." for symbol in failed)
