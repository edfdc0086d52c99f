"""Candles in columns: nothing of them is lost, whatever the room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_candle
from zoe_tools.core.markets_history import Columns, history_of, span_of
from zoe_tools.domain.candle import Candle, Span, Timeframe

H1 = Timeframe.H1
HOUR = 3_600
T0 = int(NOON.timestamp())


def candle(hour: int, close: int) -> Candle:
    """One whose prices and volume tell which it is."""
    return make_candle(
        opened_at=NOON + timedelta(hours=hour),
        open=d(str(hour + 1)),
        high=d(str(close + 100)),
        low=d(str(hour + 1)) / 2,
        close=d(str(close)),
        volume=d(str(hour + 1)),
        count=hour,
    )


@given(st.sets(st.integers(0, 99), min_size=1), st.integers(1, 120))
def test_no_column_loses_a_candle(hours: set[int], room: int) -> None:
    """Sums, extremes, and the first and the last price are those of all candles."""
    candles = [candle(hour, hour * 7 % 50 + 1) for hour in sorted(hours)]
    columns = Columns(Span(T0, T0 + 100 * HOUR), H1, room)
    columns.add(candles[:3])
    columns.add(candles[3:])
    whole = columns.whole

    assert len(columns.columns) <= room
    assert whole is not None
    assert whole.volume == sum(each.volume for each in candles)
    assert (whole.open, whole.close) == (candles[0].open, candles[-1].close)
    assert whole.high == max(each.high for each in candles)
    assert whole.low == min(each.low for each in candles)
    assert whole.candles == len(candles)
    shown = [each is not None for each in columns.columns]
    assert shown == [
        any(place * columns.each <= hour < (place + 1) * columns.each for hour in hours)
        for place in range(len(columns.columns))
    ]


def test_what_is_not_there_is_counted() -> None:
    """Three of five, and the change in percent."""
    span = Span(T0, T0 + 5 * HOUR)
    columns = Columns(span, H1, 80)
    columns.add([candle(0, 2), candle(2, 3), candle(4, 4)])
    told = history_of(columns, "BTC/USD", H1, span)

    assert told is not None
    assert (told.candles, told.missing, told.trades) == (3, 2, 6)
    assert (told.open, told.close, told.change_pct) == (d("1"), d("4"), d("300.00"))
    assert told.until == datetime.fromtimestamp(span.until, UTC)


def test_without_a_candle_there_is_no_history() -> None:
    """An empty stretch of a market that is known."""
    span = Span(T0, T0 + 5 * HOUR)

    assert history_of(Columns(span, H1, 80), "BTC/USD", H1, span) is None


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        (None, None, (40, 100)),
        (None, 90, (30, 90)),
        (20, None, (20, 100)),
        (-9, 200, (0, 100)),
        (20, 50, (20, 50)),
        (120, None, (120, 120)),
        (None, -5, (0, 0)),
    ],
)
def test_the_newest_that_fit_are_shown_unless_said_otherwise(
    since: int | None, until: int | None, shown: tuple[int, int]
) -> None:
    """Never more than is stored."""
    stored = Span(T0, T0 + 100 * HOUR)
    begin = None if since is None else T0 + since * HOUR
    end = None if until is None else T0 + until * HOUR

    assert span_of(H1, stored, begin, end, 60) == Span(*(T0 + each * HOUR for each in shown))
