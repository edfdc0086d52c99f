"""The public tape of one pair: recent prints, 24 h and today's statistics, candles.

Bounded: ten thousand prints, a day of statistics, 721 candles of each interval.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from zoe_tools.paper.values.events import PrintEvent
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import BarView

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes, as Kraken offers them."""
BARS_KEPT = 721
PRINTS_KEPT = 10_000
_MINUTE_NS = 60 * NS
DAY_NS = 86_400 * NS


class Rolling:
    """Count, volume, turnover, first price, low and high of the prints in a moving window."""

    def __init__(self) -> None:
        self._prints: deque[PrintEvent] = deque()
        self._lows: deque[PrintEvent] = deque()
        self._highs: deque[PrintEvent] = deque()
        self.volume = ZERO
        self.turnover = ZERO
        self.version = 0
        """Rises with each print that comes or goes."""
        self._vwap: Decimal | None = None

    def add(self, event: PrintEvent) -> None:
        """Count one print."""
        self._prints.append(event)
        self.version += 1
        self._vwap = None
        self.volume += event.quantity
        self.turnover += event.price * event.quantity
        while self._lows and self._lows[-1].price >= event.price:
            self._lows.pop()
        self._lows.append(event)
        while self._highs and self._highs[-1].price <= event.price:
            self._highs.pop()
        self._highs.append(event)

    def drop_before(self, at: int) -> None:
        """Forget what is older."""
        prints = self._prints
        while prints and prints[0].at < at:
            gone = prints.popleft()
            self.version += 1
            self._vwap = None
            self.volume -= gone.quantity
            self.turnover -= gone.price * gone.quantity
            for line in (self._lows, self._highs):
                if line and line[0] is gone:
                    line.popleft()

    @property
    def count(self) -> int:
        """How many prints."""
        return len(self._prints)

    @property
    def opened(self) -> Decimal | None:
        """The first price in the window."""
        return self._prints[0].price if self._prints else None

    @property
    def low(self) -> Decimal:
        """The lowest price; zero without prints."""
        return self._lows[0].price if self._lows else ZERO

    @property
    def high(self) -> Decimal:
        """The highest price; zero without prints."""
        return self._highs[0].price if self._highs else ZERO

    @property
    def vwap(self) -> Decimal:
        """Turnover over volume; zero without prints. Divided once for each print."""
        if self._vwap is None:
            self._vwap = self.turnover / self.volume if self.volume > 0 else ZERO
        return self._vwap


class _Bar:
    __slots__ = ("begin", "close", "count", "high", "low", "open", "turnover", "volume")

    def __init__(self, begin: int, event: PrintEvent) -> None:
        self.begin = begin
        self.open = self.high = self.low = self.close = event.price
        self.volume = event.quantity
        self.turnover = event.price * event.quantity
        self.count = 1

    def add(self, event: PrintEvent) -> None:
        price = event.price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += event.quantity
        self.turnover += price * event.quantity
        self.count += 1

    def view(self) -> BarView:
        return BarView(
            begin=self.begin,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            vwap=self.turnover / self.volume if self.volume else ZERO,
            volume=self.volume,
            count=self.count,
        )


class Tape:
    """What has been traded in one pair."""

    def __init__(self) -> None:
        self.prints: deque[PrintEvent] = deque(maxlen=PRINTS_KEPT)
        self.day = Rolling()
        self.today = Rolling()
        self._bars: dict[int, deque[_Bar]] = {each: deque(maxlen=BARS_KEPT) for each in INTERVALS}

    def add(self, event: PrintEvent) -> None:
        """One more print, not older than the last."""
        self.prints.append(event)
        self.day.add(event)
        self.today.add(event)
        self.forget(event.at)
        for interval, bars in self._bars.items():
            begin = event.at - event.at % (interval * _MINUTE_NS)
            if bars and bars[-1].begin == begin:
                bars[-1].add(event)
            else:
                bars.append(_Bar(begin, event))

    def forget(self, now: int) -> None:
        """Move the statistics' windows up to now."""
        self.day.drop_before(now - DAY_NS)
        self.today.drop_before(now - now % DAY_NS)

    def latest(self, interval: int) -> BarView | None:
        """The candle of the last print, running or not; None before the first print."""
        bars = self._bars[interval]
        return bars[-1].view() if bars else None

    def bars(self, interval: int, now: int) -> tuple[BarView, ...]:
        """Up to 721 candles, oldest first, the last the running one; empty ones filled in."""
        step = interval * _MINUTE_NS
        running = now - now % step
        rows: list[BarView] = []
        for bar in self._bars[interval]:
            if rows:
                _fill(rows, bar.begin, step)
            rows.append(bar.view())
        if rows:
            _fill(rows, running + step, step)
        return tuple(rows[-BARS_KEPT:])


def _fill(rows: list[BarView], until: int, step: int) -> None:
    """Append empty candles up to (excluding) `until`; only the last 721 can matter."""
    last = rows[-1]
    begin = max(last.begin + step, until - BARS_KEPT * step)
    while begin < until:
        rows.append(
            BarView(
                begin=begin,
                open=last.close,
                high=last.close,
                low=last.close,
                close=last.close,
                vwap=ZERO,
                volume=ZERO,
                count=0,
            )
        )
        begin += step
