"""Gaps against the expected grid; what is written once is not written again."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, PAPER, d
from zoe_tools.core.backfill import OHLC_REACH, expected_starts, find_gaps, plan_backfill
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.plan import Plan, WriteCandles

GRID = expected_starts(Timeframe.H1, NOON + timedelta(minutes=5))


def candle(back: int, close: str = "100", *, is_final: bool = True) -> Candle:
    """The candle so many hours before noon."""
    return Candle(
        symbol=BTC,
        timeframe=Timeframe.H1,
        opened_at=NOON - timedelta(hours=back),
        open=d("100"),
        high=d("100"),
        low=d("100"),
        close=d(close),
        vwap=d("100"),
        volume=d("1"),
        count=1,
        is_final=is_final,
    )


def plan(stored: tuple[Candle, ...], fetched: tuple[Candle, ...]) -> Plan:
    """The plan five minutes past noon."""
    return plan_backfill(
        account=PAPER,
        now=NOON + timedelta(minutes=5),
        symbol=BTC,
        timeframe=Timeframe.H1,
        stored=stored,
        fetched=fetched,
        lifetime_s=300,
    )


def test_the_grid_ends_with_the_last_finished_candle() -> None:
    """The running candle is not expected."""
    assert len(GRID) == OHLC_REACH
    assert GRID[-1] == NOON - timedelta(hours=1)


@given(st.sets(st.integers(0, OHLC_REACH - 1)))
def test_gaps_are_exactly_what_is_missing(present: set[int]) -> None:
    """Counts add up, and no stretch touches the next."""
    stored = tuple(
        Candle(
            symbol=BTC,
            timeframe=Timeframe.H1,
            opened_at=GRID[index],
            open=d("1"),
            high=d("1"),
            low=d("1"),
            close=d("1"),
            vwap=d("1"),
            volume=d("1"),
            count=1,
        )
        for index in sorted(present)
    )
    gaps = find_gaps(GRID, stored, Timeframe.H1)

    assert sum(gap.count for gap in gaps) == OHLC_REACH - len(present)
    assert all(
        later.first - earlier.last > Timeframe.H1.length
        for earlier, later in itertools.pairwise(gaps)
    )


def test_what_the_venue_has_and_we_lack_is_written() -> None:
    """A differing candle is corrected, a running one is not stored."""
    fetched = (candle(3), candle(2, "101"), candle(1), candle(0, is_final=False))
    (step,) = plan((candle(3), candle(2)), fetched).steps
    assert isinstance(step, WriteCandles)

    assert step.candles == (candle(2, "101"), candle(1))


def test_a_second_run_is_empty() -> None:
    """Idempotent."""
    fetched = (candle(2), candle(1), candle(0, is_final=False))

    assert plan(fetched[:2], fetched).is_empty


@pytest.mark.parametrize(("stored", "missing"), [((), 720), ((candle(1),), 719)])
def test_the_notes_say_what_is_missing(stored: tuple[Candle, ...], missing: int) -> None:
    """And what the venue's answer does not hold."""
    notes = plan(stored, ()).notes

    assert f"{missing} missing" in notes[0]
    assert f"{missing} are not in the venue's answer" in notes[-1]
