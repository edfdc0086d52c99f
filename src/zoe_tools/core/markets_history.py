"""A stretch of candles in as many columns as there is room for, each of equally many candles.

Times are whole seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.candle import Candle, Span, Timeframe, moment_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column shows: the candles of `candles` times the timeframe's length."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is shown of an instrument: prices in quote, volume in base.

    `missing` are candles of the grid that the store does not have. The change is in percent of the
    first opening price.
    """

    symbol: str
    timeframe: Timeframe
    since: datetime
    until: datetime
    candles: int
    missing: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    change_pct: Decimal


class Columns:
    """Takes candles in any order of pages, oldest first within all, and keeps columns alone."""

    def __init__(self, span: Span, timeframe: Timeframe, most: int) -> None:
        length = timeframe.minutes * 60
        candles = max(1, (span.until - span.since) // length)
        self.each = -(-candles // max(1, most))
        """Candles in a column."""
        self.step_s = self.each * length
        self.begin = span.since
        self.columns: list[Column | None] = [None] * -(-candles // self.each)
        self.candles = self.trades = 0

    def add(self, candles: Iterable[Candle]) -> None:
        """The next candles of the span."""
        for each in candles:
            place = (int(each.opened_at.timestamp()) - self.begin) // self.step_s
            self.columns[place] = _with(self.columns[place], each)
            self.candles += 1
            self.trades += each.count

    @property
    def whole(self) -> Column | None:
        """All of it as one; None without a candle."""
        found: Column | None = None
        for each in self.columns:
            if each is not None:
                found = each if found is None else _joined(found, each)
        return found


def history_of(columns: Columns, symbol: str, timeframe: Timeframe, span: Span) -> History | None:
    """What the columns come to; None without a candle."""
    whole = columns.whole
    if whole is None:
        return None
    grid = (span.until - span.since) // (timeframe.minutes * 60)
    change = (whole.close - whole.open) / whole.open * 100 if whole.open else Decimal(0)
    return History(
        symbol=symbol,
        timeframe=timeframe,
        since=moment_at(span.since),
        until=moment_at(span.until),
        candles=columns.candles,
        missing=grid - columns.candles,
        open=whole.open,
        high=whole.high,
        low=whole.low,
        close=whole.close,
        volume=whole.volume,
        trades=columns.trades,
        change_pct=change.quantize(Decimal("0.01")),
    )


def span_of(
    timeframe: Timeframe, stored: Span, since: int | None, until: int | None, most: int
) -> Span:
    """From `since` to `until` within what is stored, or the newest `most` candles."""
    length = timeframe.minutes * 60
    end = stored.until if until is None else min(stored.until, until // length * length)
    begin = end - most * length if since is None else -(-since // length) * length
    return Span(max(stored.since, begin), max(stored.since, begin, end))


def _with(column: Column | None, candle: Candle) -> Column:
    fresh = Column(
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        candles=1,
    )
    return fresh if column is None else _joined(column, fresh)


def _joined(before: Column, after: Column) -> Column:
    return replace(
        before,
        high=max(before.high, after.high),
        low=min(before.low, after.low),
        close=after.close,
        volume=before.volume + after.volume,
        candles=before.candles + after.candles,
    )
