"""The offset of the venue's clock: bounded by every answer, never invented."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.kraken.server_time import ServerTime

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=number)


def asked(time: ServerTime, offset: float, *, sent: float, trip: float = 0.2) -> None:
    """REST's Time, in whole seconds, of a clock that is ahead by `offset`, half way through."""
    there = (NOON + seconds(sent + trip / 2 + offset)).replace(microsecond=0)
    ours = {"sent": NOON + seconds(sent), "received": NOON + seconds(sent + trip)}
    time.observe(**ours, earliest=there, latest=there + seconds(1))


def test_a_clock_that_may_be_right_is_left_alone() -> None:
    """Nothing is corrected by noise."""
    time = ServerTime()
    for number in range(10):
        asked(time, 0.0, sent=number * 1.37)

    assert time.offset == timedelta(0)
    assert time.at_venue(NOON) == NOON


@given(
    st.floats(-30, 30).filter(lambda offset: abs(offset) > 2),
    st.lists(st.tuples(st.floats(0, 60), st.floats(0.01, 0.8)), min_size=1, max_size=20),
)
def test_the_offset_is_never_further_off_than_one_answer_allows(
    offset: float, calls: list[tuple[float, float]]
) -> None:
    """Whole seconds and a round trip: more answers only narrow it."""
    time = ServerTime()
    for sent, trip in calls:
        asked(time, offset, sent=sent, trip=trip)

    narrowest = min(trip for _, trip in calls)
    assert abs(time.offset.total_seconds() - offset) <= (1 + narrowest) / 2 + 0.01


def test_microseconds_of_the_socket_say_it_to_the_round_trip() -> None:
    """time_in and time_out bound it from both sides."""
    time = ServerTime()
    there = NOON + seconds(5.005)
    time.observe(
        sent=NOON, received=NOON + seconds(0.01), earliest=there + seconds(0.001), latest=there
    )

    assert abs(time.offset - seconds(5)) <= seconds(0.006)


def test_a_clock_that_was_set_is_believed_again() -> None:
    """What contradicts everything known replaces it."""
    time = ServerTime()
    asked(time, 8.0, sent=0)
    asked(time, -4.0, sent=10)

    assert abs(time.offset - seconds(-4)) <= seconds(0.7)


@pytest.mark.parametrize("days", [-400, -1.1, 1.1, 400])
def test_a_clock_that_is_days_off_is_told_once_and_not_corrected(
    days: float, caplog: pytest.LogCaptureFixture
) -> None:
    """What was known is kept; agreeing once, it is told of again."""
    time = ServerTime()
    for sent, offset in enumerate((5, days * 86_400, days * 86_400)):
        asked(time, offset, sent=sent)
    assert time.offset.total_seconds() == pytest.approx(5, abs=1)
    told = [each.getMessage() for each in caplog.records]
    assert [each[: len("CLOCK_FAR_OFF")] for each in told] == ["CLOCK_FAR_OFF"]
    assert f"{days:+.1f} days" in told[0]

    for sent, offset in enumerate((5, days * 86_400), start=10):
        asked(time, offset, sent=sent)
    assert len(caplog.records) == 2
