"""What is missing, by which way it would come, and in how many calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, make_candle
from zoe_tools.core.candle_gaps import Series
from zoe_tools.core.candle_needs import (
    CALL_S,
    InstrumentNeed,
    SeriesNeed,
    calls_for,
    need_of,
    spans_to_read,
    trades_within,
    wanted_of,
)
from zoe_tools.domain.candle import Span, Timeframe
from zoe_tools.domain.candle_reads import stretch_of

H1 = Timeframe.H1
HOUR = 3_600
DAY = 86_400
T0 = 1_767_600_000 // DAY * DAY
NOW = T0 + 90 * DAY + 1_800
"""Ninety days and half an hour later."""
REACH = T0 + 60 * DAY
"""Where OHLC of hours begins: 720 of them are thirty days."""


def need(
    starts: list[int], read: tuple[Span, ...] = (), since: int | None = T0, until: int | None = None
) -> tuple[SeriesNeed, tuple[Span, ...]]:
    """Of hourly candles."""
    wanted = wanted_of(H1, NOW, since, until)
    return need_of(Series(timeframe=H1, starts=starts, read=read), wanted, NOW)


@pytest.mark.parametrize(
    ("since", "until", "first", "end"),
    [
        (None, None, REACH, NOW - 1_800),
        (T0, None, T0, NOW - 1_800),
        (T0 + 1, T0 + 3 * HOUR - 1, T0 + HOUR, T0 + 2 * HOUR),
        (T0, NOW + 99 * DAY, T0, NOW - 1_800),
        (NOW, None, NOW - 1_800, NOW - 1_800),
    ],
)
def test_wanted_are_whole_candles_that_are_over(
    since: int | None, until: int | None, first: int, end: int
) -> None:
    """Without a beginning, as far as OHLC reaches."""
    assert wanted_of(H1, NOW, since, until) == Span(first, end)


def test_what_ohlc_reaches_comes_from_ohlc() -> None:
    """Even the first of the 720, where nothing older is missing."""
    told, old = need([], since=None)

    assert (told.by_ohlc, told.by_trades, old) == (720, 0, ())
    assert told.ohlc_since == datetime.fromtimestamp(REACH, UTC)


def test_what_lies_further_back_comes_from_trades() -> None:
    """With a margin: OHLC's reach moves on while the trades are read."""
    told, old = need([])
    border = -(-REACH // (60 * HOUR)) * 60 * HOUR

    assert old == (Span(T0, border),)
    assert told.ohlc_since == datetime.fromtimestamp(border, UTC)
    assert told.by_trades == (border - T0) // HOUR
    assert told.by_ohlc + told.by_trades == told.never_fetched == 90 * 24


def test_the_border_stays_while_a_backfill_is_broken_off_for_an_hour() -> None:
    """The same candle comes the same way, so that nothing depends on when it was."""
    wanted = Span(T0, NOW - 1_800)
    borders = {
        need_of(Series(timeframe=H1, starts=[], read=()), wanted, NOW + later)[1]
        for later in range(0, 2 * HOUR, 300)
    }

    assert len(borders) == 1


def test_what_never_was_is_not_fetched() -> None:
    """It was looked for already."""
    told, old = need([], (Span(T0, NOW),))

    assert (told.by_ohlc, told.by_trades, old) == (0, 0, ())
    assert told.nothing_traded == told.missing == 90 * 24


def test_the_longest_gaps_are_told_in_their_order() -> None:
    """Five of them."""
    missing = {0, *range(10, 13), *range(20, 22), *range(30, 34), *range(40, 45), *range(50, 56)}
    starts = [T0 + number * HOUR for number in range(90 * 24) if number not in missing]
    told, _ = need(starts)

    assert [each.count for each in told.holes] == [3, 2, 4, 5, 6]
    assert told.gaps == 6
    assert told.missing == len(missing)
    assert told.holes[0].since == datetime.fromtimestamp(T0 + 10 * HOUR, UTC)
    assert told.holes[0].until == datetime.fromtimestamp(T0 + 13 * HOUR, UTC)


@given(st.sets(st.integers(0, 90 * 24 - 1), max_size=40))
def test_each_missing_candle_comes_one_way(stored: set[int]) -> None:
    """By OHLC or by trades; what trades fill lies before the border, and all of it is read."""
    starts = [T0 + number * HOUR for number in sorted(stored)]
    told, old = need(starts)
    border = int(told.ohlc_since.timestamp())
    missing = {T0 + number * HOUR for number in set(range(90 * 24)) - stored}
    by_trades = {each for each in missing if each < border}
    read = {at for each in spans_to_read(old) for at in range(each.since, each.until, HOUR)}

    assert told.by_trades == len(by_trades)
    assert told.by_ohlc == len(missing - by_trades)
    assert by_trades <= read


def test_gaps_that_are_near_are_read_in_one_go() -> None:
    """A day between them, and they are two."""
    near = (Span(T0, T0 + HOUR), Span(T0 + 5 * HOUR, T0 + 6 * HOUR))
    far = Span(T0 + 6 * HOUR + DAY, T0 + 7 * HOUR + DAY)

    assert spans_to_read((far, *near)) == (Span(T0, T0 + 6 * HOUR), far)


def test_trades_are_counted_by_daily_candles() -> None:
    """Parts of a day by their share; before the first day it was as on the first ones."""
    days = [
        make_candle(
            timeframe=Timeframe.D1,
            opened_at=datetime.fromtimestamp(T0, UTC) + timedelta(days=number),
            count=count,
        )
        for number, count in enumerate((1_000, 3_000))
    ]

    assert trades_within((Span(T0, T0 + 2 * DAY),), days) == 4_000
    assert trades_within((Span(T0 + DAY // 2, T0 + DAY + DAY // 4),), days) == 500 + 750
    assert trades_within((Span(T0 - DAY, T0),), days) == 2_000
    assert trades_within((Span(T0, T0 + DAY),), ()) == 0


def test_calls_and_their_time() -> None:
    """A page more for each reading; a call a second."""
    told, old = need([])
    one = InstrumentNeed(
        symbol=BTC,
        series=(told,),
        reads=tuple(map(stretch_of, spans_to_read(old))),
        resumes=None,
        ohlc_calls=1,
        trades=2_500,
        trade_calls=calls_for(2_500, 1),
    )

    assert (one.trade_calls, one.calls, one.seconds) == (3, 4, 4 * CALL_S)
    assert not one.is_slow
    assert not one.is_complete
    assert one.reads[0].span == old[0]
