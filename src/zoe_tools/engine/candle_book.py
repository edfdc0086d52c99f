"""Closed candles of each instrument, built from trades; what a gap tore is told once repaired.

A candle counts as whole when the stream was up from before its beginning to its end. One that is
not is dropped, and the venue's own record of it is put in its place (`candle_keeper`). Until that
is done later candles wait: a history with a hole in it is shown to nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from zoe_tools.core.candles import CandleBuilder, bucket_start
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.money import ZERO

SETTLED_AFTER = timedelta(seconds=2)
"""So long after its end the venue's record of a candle is taken for complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """What is to be asked for: candles opened at `since` or later, from `due_at` on.

    `number` names the gap: after another one the answer is of no use.
    """

    symbol: Symbol
    since: datetime
    due_at: datetime
    number: int


@dataclass(slots=True)
class _Series:
    """One instrument. Candles are whole `whole_from` on; None while the stream is away."""

    builder: CandleBuilder
    history: deque[Candle]
    is_repaired: bool = False
    whole_from: datetime | None = None
    waiting: deque[Candle] = field(default_factory=deque)


class CandleBook:
    """The newest `history` closed candles of each instrument."""

    def __init__(
        self, instruments: Mapping[Symbol, Instrument], timeframe: Timeframe, history: int
    ) -> None:
        self._length = timeframe.length
        self._history = max(1, history)
        self._closed: list[Candle] = []
        self._up_at: datetime | None = None
        self._gaps = 0
        self._traded_at: datetime | None = None
        self._series = {
            symbol: _Series(
                CandleBuilder(symbol, timeframe, price_decimals=instrument.price_decimals),
                deque(maxlen=self._history),
                waiting=deque(maxlen=self._history),
            )
            for symbol, instrument in instruments.items()
        }

    # --- what the stream tells -------------------------------------------------------------------

    def stream_is_up(self, at: datetime) -> None:
        """Nothing is missed from here on; what was told before may have holes."""
        start = bucket_start(at, self._length)
        self._begin(at, start if start == at else start + self._length)

    def stream_is_down(self) -> None:
        """Trades are missed from here on."""
        self._begin(None, None)

    def _begin(self, at: datetime | None, whole_from: datetime | None) -> None:
        self._up_at = at
        self._gaps += 1
        for series in self._series.values():
            series.is_repaired, series.whole_from = False, whole_from
            series.waiting.clear()

    def add(self, trade: PublicTrade) -> None:
        """Fold one trade."""
        series = self._series.get(trade.symbol)
        if series is not None:
            self._traded_at = max(trade.traded_at, self._traded_at or trade.traded_at)
            self._note(series, series.builder.add(trade))

    def time_at(self, now: datetime) -> datetime:
        """The venue's time: by the clock, or by its newest trade where that is ahead of it."""
        return now if self._traded_at is None else max(now, self._traded_at)

    # --- what is closed --------------------------------------------------------------------------

    def candles(self, symbol: Symbol) -> tuple[Candle, ...]:
        """Closed candles, oldest first; one without trades repeats the close before it."""
        return tuple(self._series[symbol].history)

    def closed_at(self, symbol: Symbol) -> datetime | None:
        """When the newest of them ended; None: there is none."""
        series = self._series.get(symbol)
        if series is None or not series.history:
            return None
        return series.history[-1].opened_at + self._length

    @property
    def has_closed(self) -> bool:
        """Whether a candle was closed, and not yet taken."""
        return bool(self._closed)

    @property
    def closes_at(self) -> datetime | None:
        """When the clock closes the next of the candles that have begun; None: none has."""
        ends = (series.builder.ends_at for series in self._series.values())
        return min((end for end in ends if end is not None), default=None)

    def take_closed(self, now: datetime) -> tuple[Candle, ...]:
        """Candles that closed since the last call; each is given once."""
        for series in self._series.values():
            self._note(series, series.builder.close_due(now))
        closed, self._closed = tuple(self._closed), []
        return closed

    def _note(self, series: _Series, candle: Candle | None) -> None:
        if candle is None or series.whole_from is None or candle.opened_at < series.whole_from:
            return
        if not series.is_repaired:
            series.waiting.append(candle)
            return
        self._fill(series.history, [candle])
        self._closed.append(candle)

    def _fill(self, history: deque[Candle], fresh: Iterable[Candle]) -> None:
        """Append in order; a stretch without trades repeats the close before it."""
        for candle in fresh:
            if history:
                missing = (candle.opened_at - history[-1].opened_at) // self._length - 1
                for number in range(max(1, missing - self._history), missing + 1):
                    history.append(_silent(history[-1], candle.opened_at, missing + 1 - number))
            history.append(candle)

    # --- what is torn ----------------------------------------------------------------------------

    def torn(self) -> Iterator[Torn]:
        """Every instrument whose history is to be repaired, while the stream is up."""
        for symbol, series in self._series.items():
            whole_from, up_at = series.whole_from, self._up_at
            if series.is_repaired or whole_from is None or up_at is None:
                continue
            yield Torn(
                symbol=symbol,
                since=whole_from - self._history * self._length,
                due_at=up_at if whole_from == up_at else whole_from + SETTLED_AFTER,
                number=self._gaps,
            )

    def repair(
        self, torn: Torn, recorded: Iterable[Candle], asked_at: datetime
    ) -> tuple[Candle, ...]:
        """Put the venue's records in, asked for at `asked_at`; returns those that are over.

        The newest is told as closed, if it ended while the stream was up.
        """
        series = self._series[torn.symbol]
        whole_from, up_at = series.whole_from, self._up_at
        if torn.number != self._gaps or whole_from is None or up_at is None:
            return ()
        over = tuple(
            replace(each, is_final=True)
            for each in recorded
            if each.opened_at + self._length <= asked_at
        )
        known = {each.opened_at: each for each in series.history}
        known |= {each.opened_at: each for each in over}
        known |= {each.opened_at: each for each in series.waiting}
        before = max((each.opened_at for each in series.history), default=None)
        ordered = [known[at] for at in sorted(known)]
        series.history.clear()
        self._fill(series.history, ordered)
        series.waiting.clear()
        series.is_repaired = True
        newest = ordered[-1] if ordered else None
        if newest is not None and newest.opened_at != before:
            end = newest.opened_at + self._length
            if end > up_at and asked_at - end < self._length:
                self._closed.append(newest)
        return over


def _silent(before: Candle, until: datetime, back: int) -> Candle:
    """A candle without trades, so many lengths before `until`."""
    return replace(
        before,
        opened_at=until - back * before.timeframe.length,
        open=before.close,
        high=before.close,
        low=before.close,
        vwap=ZERO,
        volume=ZERO,
        count=0,
    )
