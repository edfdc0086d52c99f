"""The equity curve of a replay: looked at whenever a candle of its market ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from zoe_tools.core.candles import bucket_start
from zoe_tools.core.performance import CurvePoint, Performance, performance_of
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import ZERO, plain
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.errors import ConfigError
from zoe_tools.ports import Clock
from zoe_tools.store.store import Transaction

_A_MOMENT = timedelta(milliseconds=1)
"""After the end: what ends with the candle is in the point."""


class CurveRecorder:
    """A watcher of the loop. `points` grow with the run: for replays, which end."""

    def __init__(self, clock: Clock, timeframe: Timeframe) -> None:
        self._clock = clock
        self._length = timeframe.length
        self._loop: TradingLoop | None = None
        self.points: list[CurvePoint] = []
        self.marks: dict[Symbol, tuple[Decimal, Decimal]] = {}

    async def watch(self, loop: TradingLoop) -> None:
        """Look until cancelled."""
        self._loop = loop
        while True:
            self.look()
            now = self._clock.now()
            end = bucket_start(now, self._length) + self._length + _A_MOMENT
            wait_s = 1.0 if not self.points else (end - now).total_seconds()
            await self._clock.sleep(wait_s)

    async def finish(self) -> None:
        """The last point."""
        self.look()

    def look(self) -> None:
        """Add a point, once there are balances and every coin that is held has a price."""
        loop = self._loop
        if loop is None or not loop.totals():
            return
        quotes = loop.view.quotes
        for symbol, quote in quotes.items():
            first = self.marks.get(symbol, (quote.ask, quote.bid))[0]
            self.marks[symbol] = first, quote.bid
        bids = {symbol.partition("/")[0]: quote.bid for symbol, quote in quotes.items()}
        cash_names = {symbol.partition("/")[2] for symbol in loop.instruments}
        cash = held = ZERO
        for balance in loop.totals():
            if balance.asset in cash_names:
                cash += balance.total
            elif balance.total:
                price = bids.get(balance.asset)
                if price is None:
                    return
                held += balance.total * price
        self.points.append(CurvePoint(at=self._clock.now(), equity=cash + held, held=held))

    def performance(self, transaction: Transaction) -> Performance | None:
        """What the run came to, from its books and these points."""
        return performance_of(
            self.points,
            positions=transaction.positions(),
            fills=transaction.fills(),
            marks=self.marks,
        )


def write_curve(path: Path, points: Sequence[CurvePoint]) -> None:
    """Write the curve as CSV: time in UTC, equity, and what of it was held, in quote.

    Raises:
        ConfigError: it cannot be written.
    """
    rows = (f"{each.at.isoformat()},{plain(each.equity)},{plain(each.held)}" for each in points)
    try:
        path.write_text("\n".join(("at,equity,held", *rows)) + "\n")
    except OSError as error:
        raise ConfigError(
            f"The equity curve cannot be written to {path}: {error.strerror}.",
            hint="The run itself is complete, and its books are in the store.",
        ) from error
