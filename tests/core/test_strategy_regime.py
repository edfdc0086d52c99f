"""The market's regime: hysteresis, and a dwell."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.core.strategy.features import FloatCandle
from zoe_tools.core.strategy.regime import (
    MINIMUM_DWELL,
    REGIME_WINDOW,
    SIZE_MULTIPLIER,
    Regime,
    Signs,
    regime_over,
    signs_of,
    wished_regime,
)

BULL, BETWEEN, CRASH = Regime.LOW_VOL_BULL, Regime.TRANSITION, Regime.HIGH_VOL_CRASH

CALM_CLIMB = Signs(volatility=0.5, impact_z=0.0, strength=0.4, distance=0.01)
DRIFT = replace(CALM_CLIMB, strength=0.1)
PANIC = replace(CALM_CLIMB, volatility=1.5)
SHOWS = {BULL: CALM_CLIMB, BETWEEN: DRIFT, CRASH: PANIC}


@pytest.mark.parametrize(
    ("changes", "wish"),
    [
        ({}, BULL),
        ({"strength": 0.3}, BETWEEN),
        ({"distance": 0.0}, BETWEEN),
        ({"volatility": 0.8}, BETWEEN),
        ({"volatility": 1.0}, BETWEEN),
        ({"volatility": 1.01}, CRASH),
        ({"impact_z": 2.0}, BULL),
        ({"impact_z": 2.01}, CRASH),
        ({"impact_z": None}, BULL),
        ({"volatility": None}, BETWEEN),
        ({"strength": None}, BETWEEN),
        ({"distance": None}, BETWEEN),
        ({"volatility": None, "impact_z": 3.0}, CRASH),
    ],
)
def test_what_one_close_shows(changes: dict[str, float | None], wish: Regime) -> None:
    """Thresholds are exclusive; what is missing is never favourable."""
    assert wished_regime(BETWEEN, replace(CALM_CLIMB, **changes)) is wish


@pytest.mark.parametrize(
    ("current", "changes", "wish"),
    [
        (BULL, {"strength": 0.26, "distance": -0.004, "volatility": 0.89}, BULL),
        (BULL, {"strength": 0.25}, BETWEEN),
        (BULL, {"distance": -0.005}, BETWEEN),
        (BULL, {"volatility": 0.9}, BETWEEN),
        (CRASH, {"volatility": 0.86}, CRASH),
        (CRASH, {"volatility": 0.85}, BETWEEN),
        (CRASH, {"impact_z": 1.01}, CRASH),
        (CRASH, {"volatility": None}, CRASH),
        (CRASH, {"distance": None}, CRASH),
    ],
)
def test_to_stay_takes_less_than_to_begin(
    current: Regime, changes: dict[str, float | None], wish: Regime
) -> None:
    """Hysteresis; and what is missing is no reason to believe that a crash is over."""
    assert wished_regime(current, replace(CALM_CLIMB, **changes)) is wish


@pytest.mark.parametrize(
    ("shown", "settled"),
    [
        ([], BETWEEN),
        ([BULL, BULL], BETWEEN),
        ([BULL, BULL, BULL], BULL),
        ([CRASH, BULL, BULL, BULL], BULL),
        ([BULL, BULL, BULL, CRASH, CRASH], BULL),
        ([BULL, BULL, BULL, CRASH, CRASH, CRASH], CRASH),
        ([CRASH, CRASH, CRASH], CRASH),
        ([CRASH, CRASH, CRASH, BETWEEN, BETWEEN], CRASH),
        ([CRASH, CRASH, CRASH, BETWEEN, BETWEEN, BETWEEN], BETWEEN),
    ],
)
def test_a_regime_changes_when_closes_in_a_row_agree(shown: list[Regime], settled: Regime) -> None:
    """Until then the one in force stays."""
    assert MINIMUM_DWELL == 3
    assert regime_over(SHOWS[each] for each in shown).regime is settled


def test_one_close_like_a_crash_alarms_before_it_settles() -> None:
    """It keeps entries out, and sells nothing."""
    standing = regime_over([*[CALM_CLIMB] * 3, PANIC])

    assert (standing.regime, standing.is_alarming) == (BULL, True)
    assert not regime_over([CALM_CLIMB] * 3).is_alarming


@given(st.lists(st.sampled_from([[PANIC], [PANIC, PANIC], [CALM_CLIMB], [DRIFT, DRIFT]])))
def test_no_crash_that_comes_and_goes_ever_asks_for_an_exit(blocks: list[list[Signs]]) -> None:
    """No flapping: fewer closes in a row than the dwell settle nothing."""
    closes = [each for block in blocks for each in (*block, DRIFT)]

    assert regime_over(closes).regime is not CRASH


@given(st.lists(st.sampled_from([CALM_CLIMB, DRIFT, PANIC]), max_size=60))
def test_a_regime_stays_at_least_the_dwell(closes: list[Signs]) -> None:
    """Between two changes there are never fewer closes."""
    regimes = [regime_over(closes[:end]).regime for end in range(len(closes) + 1)]
    changes = [n for n in range(1, len(regimes)) if regimes[n] is not regimes[n - 1]]

    assert all(later - earlier >= MINIMUM_DWELL for earlier, later in itertools.pairwise(changes))


def test_the_closes_alone_make_the_signs() -> None:
    """One for each close of the window, the newest last; what cannot be told is None."""
    history = [
        FloatCandle(100.0, 101.0, 99.0, 100.0 + math.sin(n), 100.0, 10.0 + n % 3, 1.0)
        for n in range(60)
    ]
    signs = signs_of(history)

    assert len(signs) == REGIME_WINDOW
    assert None not in (signs[-1].volatility, signs[-1].impact_z, signs[-1].strength)
    assert signs_of(history[:1]) == (Signs(),)


def test_no_size_is_left_in_a_crash() -> None:
    """Each regime has its size."""
    assert SIZE_MULTIPLIER == {BULL: 1.0, BETWEEN: 0.5, CRASH: 0.0}
