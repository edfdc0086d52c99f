"""The indicators of `edge` against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_candle
from zoe_tools.core.strategy.features import (
    ADX_WINDOW,
    AMIHUD_WINDOW,
    ATTENTION_WINDOW,
    EFFICIENCY_WINDOW,
    HISTORY,
    RSI_WINDOW,
    VOLATILITY_WINDOW,
    VWAP_WINDOW,
    Feature,
    NotEnoughHistory,
    adx_strength,
    amihud_spike_z,
    attention_z,
    compute_features,
    corwin_schultz_spread,
    efficiency_ratio,
    expected_move_pct,
    garman_klass_volatility,
    rsi_state,
    vwap_distance,
)
from zoe_tools.domain.candle import Candle

HOUR = timedelta(hours=1)


def hour(number: int, close: str, **changes: object) -> Candle:
    """One hourly candle that opened, traded and closed at one price, unless said otherwise."""
    price = d(close)
    values: dict[str, object] = {
        "opened_at": NOON + number * HOUR,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "vwap": price,
        "volume": d("10"),
    }
    return make_candle(**{**values, **changes})


def closing_at(*closes: str) -> tuple[Candle, ...]:
    """Hourly candles with these closes."""
    return tuple(hour(number, close) for number, close in enumerate(closes))


def by_name(candles: Sequence[Candle]) -> dict[str, Feature]:
    """All features of these candles."""
    return {each.name: each for each in compute_features(candles)}


def test_attention_counts_standard_deviations_of_volume() -> None:
    """Fourteen volumes of 9 and 11 have mean 10 and deviation 1: a volume of 13 is 3 away."""
    volumes = ["9", "11"] * (ATTENTION_WINDOW // 2) + ["13"]
    candles = [hour(n, "100", volume=d(volume)) for n, volume in enumerate(volumes)]

    assert attention_z(candles) == pytest.approx(3.0)


@pytest.mark.parametrize("spread", ["0.001", "0.006", "0.02"])
def test_corwin_schultz_gives_back_the_spread_of_a_price_that_stands_still(spread: str) -> None:
    """Two days that bounce between bid and ask of one price: beta 2r^2, gamma r^2, S exact."""
    half = 100 * d(spread) / 2
    candles = [hour(n, "100", high=100 + half, low=100 - half) for n in range(2)]

    assert corwin_schultz_spread(candles) == pytest.approx(float(spread), rel=1e-9)


def test_corwin_schultz_takes_beta_as_the_sum_of_both_days() -> None:
    """Ranges 2 % and 4 %: beta .0200007^2 + .0400053^2, gamma .0400053^2, alpha .0113976."""
    candles = [
        hour(0, "100", high=d("101"), low=d("99")),
        hour(1, "100", high=d("102"), low=d("98")),
    ]

    assert corwin_schultz_spread(candles) == pytest.approx(0.0113976, abs=1e-7)


def test_corwin_schultz_of_a_price_that_walked_is_no_spread() -> None:
    """The two-day range is far above each day's: the negative estimate counts as 0."""
    candles = [
        hour(0, "100", high=d("100.1"), low=d("99.9")),
        hour(1, "110", high=d("110.1"), low=d("109.9")),
    ]

    assert corwin_schultz_spread(candles) == 0.0


def test_garman_klass_annualises_by_the_candle_s_length() -> None:
    """Range 10 %, no body: 0.5 ln(1.1)^2 an hour, 8760 hours a year."""
    candles = [hour(n, "100", high=d("110")) for n in range(VOLATILITY_WINDOW)]

    assert garman_klass_volatility(candles) == pytest.approx(6.307777, abs=1e-6)


def test_garman_klass_takes_the_body_off() -> None:
    """0.5 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2, with the close at the high: 0.113706 ln(1.1)^2."""
    candles = [hour(n, "110", open=d("100"), low=d("100")) for n in range(VOLATILITY_WINDOW)]
    variance = (0.5 - (2 * math.log(2) - 1)) * math.log(1.1) ** 2

    assert garman_klass_volatility(candles) == pytest.approx(math.sqrt(variance * 8760))


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([1] * RSI_WINDOW, 1.0),
        ([-1] * RSI_WINDOW, 0.0),
        ([1, -1] * (RSI_WINDOW // 2), 0.5),
        ([0] * RSI_WINDOW, 0.5),
    ],
)
def test_rsi_has_three_states(steps: list[int], state: float) -> None:
    """Overbought 1, oversold 0, between one half; a price that stands still is between."""
    closes = [100 + sum(steps[:count]) for count in range(len(steps) + 1)]

    assert rsi_state(closing_at(*map(str, closes))) == state


def test_vwap_distance_weighs_by_volume() -> None:
    """(4 x 100 x 10 + 110 x 60) / 100 = 106: a close of 110 is 3.7736 % above."""
    candles = [*closing_at("100", "100", "100", "100"), hour(4, "110", volume=d("60"))]

    assert len(candles) == VWAP_WINDOW
    assert vwap_distance(candles) == pytest.approx(110 / 106 - 1)


def test_adx_of_a_straight_climb_is_full_and_of_a_flat_market_none() -> None:
    """All movement is upward: 100 / 60. No movement: 0."""
    count = 2 * ADX_WINDOW + 1

    assert adx_strength(closing_at(*(str(100 + n) for n in range(count)))) == pytest.approx(
        100 / 60
    )
    assert adx_strength(closing_at(*["100"] * count)) == 0.0


def test_efficiency_is_the_net_move_over_the_path() -> None:
    """Ten steps of 1, eight up and two down: 6 of 10."""
    up_and_down = [1, 1, 1, 1, -1, 1, 1, 1, -1, 1]
    closes = [str(100 + sum(up_and_down[:count])) for count in range(EFFICIENCY_WINDOW + 1)]

    assert efficiency_ratio(closing_at(*closes)) == pytest.approx(0.6)


def test_amihud_sees_a_move_on_little_money() -> None:
    """Impact per dollar: 15 times 1 and 15 times 3 before, so mean 2, deviation 1; 7 is 5 away."""
    step = math.log(1.1)
    wanted = [1, 3] * (AMIHUD_WINDOW // 2) + [7]
    candles = [
        hour(n, "110", open=d("100"), vwap=d("100"), volume=Decimal(step / (100 * impact)))
        for n, impact in enumerate(wanted)
    ]

    assert amihud_spike_z(candles) == pytest.approx(5.0, abs=1e-9)


@pytest.mark.parametrize(("high", "expected"), [("100", 0.3), ("140", 15.0)])
def test_the_expected_move_is_clamped(high: str, expected: float) -> None:
    """Between 0.3 and 15 percent a day."""
    candles = [hour(n, "100", high=d(high)) for n in range(VOLATILITY_WINDOW)]

    assert expected_move_pct(candles) == expected


def test_the_expected_move_is_a_day_s_volatility_times_root_two() -> None:
    """0.5 % an hour: sqrt(0.5) ln(1.005) sqrt(24) sqrt(2) = 2.4434 %."""
    candles = [hour(n, "100", high=d("100.5")) for n in range(VOLATILITY_WINDOW)]

    assert expected_move_pct(candles) == pytest.approx(100 * math.log(1.005) * math.sqrt(24))


@pytest.mark.parametrize(
    ("function", "needs"),
    [
        (attention_z, ATTENTION_WINDOW + 1),
        (corwin_schultz_spread, 2),
        (garman_klass_volatility, VOLATILITY_WINDOW),
        (rsi_state, RSI_WINDOW + 1),
        (vwap_distance, VWAP_WINDOW),
        (adx_strength, 2 * ADX_WINDOW + 1),
        (efficiency_ratio, EFFICIENCY_WINDOW + 1),
        (amihud_spike_z, AMIHUD_WINDOW + 1),
        (expected_move_pct, VOLATILITY_WINDOW),
    ],
)
def test_too_short_a_history_is_missing_not_zero(
    function: Callable[[Sequence[Candle]], float], needs: int
) -> None:
    """One candle less than the window: the feature says how many of how many there are."""
    candles = closing_at(*["100"] * (needs - 1))

    with pytest.raises(NotEnoughHistory, match=f"{needs - 1} of {needs} candles"):
        function(candles)
    assert needs <= HISTORY
    feature = by_name(candles)[function.__name__]
    assert (feature.value, feature.quality) == (None, "missing")


def test_what_cannot_be_computed_has_failed_and_has_no_value() -> None:
    """A market that stands still has no deviation of volume and walks no path."""
    features = by_name(closing_at(*["100"] * HISTORY))

    for name in ("attention_z", "efficiency_ratio", "amihud_spike_z"):
        assert (features[name].value, features[name].quality) == (None, "failed")


def test_candles_without_trades_fail_instead_of_looking_calm() -> None:
    """Volume 0 has no volume-weighted price."""
    features = by_name([hour(n, "100", volume=d("0")) for n in range(HISTORY)])

    assert features["vwap_distance"].quality == "failed"


def test_a_feature_is_true_for_the_newest_close() -> None:
    """Its time is the end of the newest candle, not its start."""
    candles = closing_at(*["100"] * 3)

    assert {each.as_of for each in compute_features(candles)} == {NOON + 3 * HOUR}


@given(st.lists(st.integers(1, 10_000), min_size=HISTORY + 5, max_size=HISTORY + 5))
def test_features_look_back_no_further_than_their_history(closes: list[int]) -> None:
    """Older candles than `HISTORY` change nothing."""
    candles = closing_at(*map(str, closes))

    assert compute_features(candles) == compute_features(candles[-HISTORY:])
