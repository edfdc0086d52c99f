"""The market's regime and its dwell."""

from __future__ import annotations

import pytest

from zoe_tools.core.strategy.regime import (
    MINIMUM_DWELL,
    SIZE_MULTIPLIER,
    Regime,
    regime_of,
    settled_regime,
)

BULL, BETWEEN, CRASH = Regime.LOW_VOL_BULL, Regime.TRANSITION, Regime.HIGH_VOL_CRASH

CALM_CLIMB = {
    "garman_klass_volatility": 0.5,
    "amihud_spike_z": 0.0,
    "adx_strength": 0.4,
    "vwap_distance": 0.01,
}


@pytest.mark.parametrize(
    ("changes", "regime"),
    [
        ({}, BULL),
        ({"adx_strength": 0.3}, BETWEEN),
        ({"vwap_distance": 0.0}, BETWEEN),
        ({"garman_klass_volatility": 0.8}, BETWEEN),
        ({"garman_klass_volatility": 1.0}, BETWEEN),
        ({"garman_klass_volatility": 1.01}, CRASH),
        ({"amihud_spike_z": 2.0}, BULL),
        ({"amihud_spike_z": 2.01}, CRASH),
        ({"garman_klass_volatility": None}, BETWEEN),
        ({"adx_strength": None}, BETWEEN),
        ({"vwap_distance": None}, BETWEEN),
        ({"garman_klass_volatility": None, "amihud_spike_z": 3.0}, CRASH),
    ],
)
def test_the_regime_of_one_close(changes: dict[str, float | None], regime: Regime) -> None:
    """Thresholds are exclusive; what is missing is never favourable."""
    assert regime_of({**CALM_CLIMB, **changes}) is regime


@pytest.mark.parametrize(
    ("latest", "settled"),
    [
        ([], BETWEEN),
        ([BULL], BETWEEN),
        ([BULL, BULL], BETWEEN),
        ([BULL, BULL, BULL], BULL),
        ([CRASH, BULL, BULL, BULL], BULL),
        ([BULL, BULL, CRASH], BETWEEN),
        ([BULL, CRASH, CRASH], BETWEEN),
        ([CRASH, CRASH, CRASH], CRASH),
    ],
)
def test_a_regime_settles_when_closes_in_a_row_agree(latest: list[Regime], settled: Regime) -> None:
    """Until then it is transition."""
    assert MINIMUM_DWELL == 3
    assert settled_regime(latest) is settled


def test_no_size_is_left_in_a_crash() -> None:
    """Each regime has its size."""
    assert SIZE_MULTIPLIER == {BULL: 1.0, BETWEEN: 0.5, CRASH: 0.0}
