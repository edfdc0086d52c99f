"""What is missing of a series of candles, and why."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.core.candle_gaps import ENOUGH, WEEK_S, Cause, Gap, Series, gaps_of
from zoe_tools.domain.candle import Span, Timeframe, merged

M1 = Timeframe.M1
MINUTE = 60
T0 = 1_767_600_000
"""A whole day."""
WEEK = Span(T0 - WEEK_S, T0 + WEEK_S)


def at(*minutes: int) -> list[int]:
    """Minutes after T0 as seconds."""
    return [T0 + minute * MINUTE for minute in minutes]


def span(since: int, until: int) -> Span:
    """From one minute after T0 to another."""
    return Span(T0 + since * MINUTE, T0 + until * MINUTE)


def gap(since: int, count: int, cause: Cause) -> Gap:
    """Of minutes after T0."""
    return Gap(since=T0 + since * MINUTE, count=count, cause=cause)


def found(starts: list[int], read: tuple[Span, ...], wanted: Span) -> list[Gap]:
    """The gaps of minutes."""
    return list(gaps_of(Series(timeframe=M1, starts=starts, read=read), wanted))


@pytest.mark.parametrize(
    ("stored", "read", "told"),
    [
        ((), (), [(0, 6, Cause.NEVER_FETCHED)]),
        (range(6), (), []),
        ((0, 1, 4, 5), (), [(2, 2, Cause.NEVER_FETCHED)]),
        ((2, 3), (), [(0, 2, Cause.NEVER_FETCHED), (4, 2, Cause.NEVER_FETCHED)]),
        ((0, 1, 4, 5), ((0, 6),), [(2, 2, Cause.NOTHING_TRADED)]),
        ((0, 5), ((0, 3),), [(1, 2, Cause.NOTHING_TRADED), (3, 2, Cause.NEVER_FETCHED)]),
        (
            (0, 5),
            ((2, 3),),
            [
                (1, 1, Cause.NEVER_FETCHED),
                (2, 1, Cause.NOTHING_TRADED),
                (3, 2, Cause.NEVER_FETCHED),
            ],
        ),
        ((0,), ((-9, 2), (2, 99)), [(1, 5, Cause.NOTHING_TRADED)]),
    ],
    ids=[
        "nothing at all",
        "all of it",
        "a hole",
        "both ends",
        "a hole that was read",
        "read in part",
        "read in the midst",
        "read in two parts that touch",
    ],
)
def test_what_is_missing_is_told_with_its_cause(
    stored: tuple[int, ...], read: tuple[tuple[int, int], ...], told: list[tuple[int, int, Cause]]
) -> None:
    """What was looked for and is not there never was; the rest was never fetched."""
    spans = tuple(span(since, until) for since, until in read)

    assert found(at(*stored), spans, span(0, 6)) == [gap(*each) for each in told]


def test_a_candle_that_was_read_in_part_was_not_read() -> None:
    """Half a minute may lack the trade that there was."""
    half = (Span(T0 + 30, T0 + 3 * MINUTE + 30),)
    told = [(0, 1, Cause.NEVER_FETCHED), (1, 2, Cause.NOTHING_TRADED), (3, 1, Cause.NEVER_FETCHED)]

    assert found([], half, span(0, 4)) == [gap(*each) for each in told]


def test_only_whole_candles_within_the_span_are_wanted() -> None:
    """One that begins before it or ends after it is somebody else's."""
    wanted = Span(T0 + 1, T0 + 3 * MINUTE - 1)

    assert found([], (), wanted) == [gap(1, 1, Cause.NEVER_FETCHED)]


def test_silence_where_it_always_trades_is_an_outage() -> None:
    """No minute is missing for a week on either side, but these ten."""
    starts = list(range(WEEK.since, WEEK.until, MINUTE))
    hole = set(at(*range(10)))

    assert found([each for each in starts if each not in hole], (WEEK,), WEEK) == [
        gap(0, 10, Cause.OUTAGE)
    ]


@pytest.mark.parametrize("around", [ENOUGH // 2 - 1, ENOUGH // 2])
def test_a_short_history_tells_of_no_outage(around: int) -> None:
    """A hundred candles must be there around the hole."""
    starts = at(*range(-around, 0), *range(1, around + 1))
    is_enough = 2 * around >= ENOUGH
    cause = Cause.OUTAGE if is_enough else Cause.NOTHING_TRADED

    assert found(starts, (span(-around, around + 1),), span(0, 1)) == [gap(0, 1, cause)]


def test_an_instrument_that_is_silent_at_times_is_silent_again() -> None:
    """One more missing minute in the week makes it no outage."""
    starts = [each for each in range(WEEK.since, WEEK.until, MINUTE) if each not in at(0, -5_000)]

    assert [each.cause for each in found(starts, (WEEK,), WEEK)] == [Cause.NOTHING_TRADED] * 2


def test_where_another_instrument_traded_it_was_no_outage() -> None:
    """The venue was there."""
    starts = [each for each in range(WEEK.since, WEEK.until, MINUTE) if each != T0]
    asked: list[Span] = []

    def traded(hole: Span) -> bool:
        asked.append(hole)
        return True

    series = Series(timeframe=M1, starts=starts, read=(WEEK,))
    (only,) = gaps_of(series, WEEK, traded_elsewhere=traded)

    assert only.cause is Cause.NOTHING_TRADED
    assert asked == [span(0, 1)]


SPANS = st.lists(
    st.tuples(st.integers(-50, 250), st.integers(0, 120)).map(
        lambda pair: Span(T0 + pair[0] * 30, T0 + (pair[0] + pair[1]) * 30)
    ),
    max_size=6,
)


@given(st.sets(st.integers(0, 99)), SPANS, st.sampled_from([Timeframe.M1, Timeframe.M5]))
def test_stored_and_missing_are_all_there_is(
    stored: set[int], read: list[Span], timeframe: Timeframe
) -> None:
    """Each candle of the grid is stored or in one gap, by whether it was read."""
    length = timeframe.minutes * 60
    grid = [T0 + number * length for number in range(100)]
    starts = [grid[number] for number in sorted(stored)]
    series = Series(timeframe=timeframe, starts=starts, read=tuple(read))
    gaps = list(gaps_of(series, Span(T0, T0 + 100 * length)))
    missing = [
        (each.since + number * length, each.cause) for each in gaps for number in range(each.count)
    ]

    assert sorted([*starts, *(start for start, _ in missing)]) == grid
    for start, cause in missing:
        is_read = any(each.since <= start and start + length <= each.until for each in merged(read))
        assert (cause is Cause.NEVER_FETCHED) is not is_read


@given(st.sets(st.integers(0, 99)), SPANS)
def test_gaps_are_told_in_order_and_as_long_as_they_are(stored: set[int], read: list[Span]) -> None:
    """Two that touch have different causes."""
    gaps = found(at(*sorted(stored)), tuple(read), span(0, 100))

    for before, after in itertools.pairwise(gaps):
        end = before.since + before.count * MINUTE
        assert end <= after.since
        assert end < after.since or before.cause is not after.cause
