"""The indicators of `edge` against values worked out by hand and the authors' own words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, localcontext

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
    SPREAD_WINDOW,
    VOLATILITY_WINDOW,
    VWAP_WINDOW,
    FloatCandle,
    NotEnoughHistory,
    adx_series,
    adx_strength,
    amihud_illiquidity,
    amihud_spike_z,
    attention_z,
    compute_features,
    corwin_schultz_of,
    corwin_schultz_spread,
    efficiency_ratio,
    expected_move_pct,
    funding_feature,
    garman_klass_volatility,
    in_floats,
    rsi,
    rsi_state,
    vwap_distance,
)
from zoe_tools.core.strategy.protocol import Feature, FundingView
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

    assert attention_z(in_floats(candles)) == pytest.approx(3.0)


@pytest.mark.parametrize("spread", ["0.001", "0.006", "0.02"])
def test_corwin_schultz_gives_back_the_spread_of_a_price_that_stands_still(spread: str) -> None:
    """Days that bounce between bid and ask of one price: beta 2r^2, gamma r^2, S exact."""
    half = 100 * d(spread) / 2
    candles = [hour(n, "100", high=100 + half, low=100 - half) for n in range(SPREAD_WINDOW + 1)]

    assert corwin_schultz_spread(in_floats(candles)) == pytest.approx(float(spread), rel=1e-9)


def test_corwin_schultz_takes_beta_as_the_sum_of_both_days() -> None:
    """Ranges 2 % and 4 %: beta .0200007^2 + .0400053^2, gamma .0400053^2, alpha .0113976."""
    first, second = in_floats(
        [
            hour(0, "100", high=d("101"), low=d("99")),
            hour(1, "100", high=d("102"), low=d("98")),
        ]
    )

    assert corwin_schultz_of(first, second) == pytest.approx(0.0113976, abs=1e-7)


def test_corwin_schultz_has_its_sign_and_zero_in_the_mean() -> None:
    """A price that walks within its candles makes the pair's estimate negative, the mean 0."""
    candles = [
        hour(n, str(101 + n), open=Decimal(100 + n), high=Decimal(101 + n), low=Decimal(100 + n))
        for n in range(SPREAD_WINDOW + 1)
    ]
    history = in_floats(candles)

    assert corwin_schultz_of(history[0], history[1]) < 0
    assert corwin_schultz_spread(history) == 0.0


@pytest.mark.parametrize("gap", ["-7", "-0.5", "0.5", "7"])
def test_corwin_schultz_moves_a_day_back_that_began_elsewhere(gap: str) -> None:
    """The whole second day lies beyond the first's close: as if it had begun there."""
    first = hour(0, "100", high=d("101"), low=d("99"))
    up = d(gap) > 0
    low = 100 + d(gap) if up else 97 + d(gap)
    moved = hour(1, "100", high=low + 3, low=low)
    at_close = hour(1, "100", high=d("103") if up else d("100"), low=d("100") if up else d("97"))

    assert corwin_schultz_of(*in_floats([first, moved])) == pytest.approx(
        corwin_schultz_of(*in_floats([first, at_close]))
    )


def slow_corwin_schultz(first: Candle, second: Candle) -> float:
    """The paper's equations 14 and 18 with 40 digits, on adjusted highs and lows."""
    with localcontext() as context:
        context.prec = 40
        high, low = second.high, second.low
        if low > first.close:
            high, low = high - (low - first.close), first.close
        elif high < first.close:
            high, low = first.close, low + (first.close - high)
        beta = (first.high / first.low).ln() ** 2 + (high / low).ln() ** 2
        gamma = (max(first.high, high) / min(first.low, low)).ln() ** 2
        k = 3 - 2 * Decimal(2).sqrt()
        alpha = ((2 * beta).sqrt() - beta.sqrt()) / k - (gamma / k).sqrt()
        return float(2 * (alpha.exp() - 1) / (1 + alpha.exp()))


@given(
    st.tuples(*[st.integers(9_000, 11_000)] * 3),
    st.tuples(*[st.integers(9_000, 11_000)] * 3),
)
def test_corwin_schultz_is_the_papers(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    """Whatever the two days were."""
    candles = []
    for number, prices in enumerate((first, second)):
        low, close, high = sorted(prices)
        candles.append(hour(number, str(close), high=Decimal(high), low=Decimal(low)))

    assert corwin_schultz_of(*in_floats(candles)) == pytest.approx(
        slow_corwin_schultz(*candles), abs=1e-9
    )


def test_garman_klass_annualises_by_the_candle_s_length() -> None:
    """Range 10 %, no body: 0.5 ln(1.1)^2 an hour, 8760 hours a year."""
    candles = [hour(n, "100", high=d("110")) for n in range(VOLATILITY_WINDOW)]

    assert garman_klass_volatility(in_floats(candles)) == pytest.approx(6.307777, abs=1e-6)


def test_garman_klass_takes_the_body_off() -> None:
    """0.5 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2, with the close at the high: 0.113706 ln(1.1)^2."""
    candles = [hour(n, "110", open=d("100"), low=d("100")) for n in range(VOLATILITY_WINDOW)]
    variance = (0.5 - (2 * math.log(2) - 1)) * math.log(1.1) ** 2

    assert garman_klass_volatility(in_floats(candles)) == pytest.approx(math.sqrt(variance * 8760))


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

    assert rsi_state(in_floats(closing_at(*map(str, closes)))) == state


RSI_CLOSES = (
    "44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931"
    " 46.0328 45.6140 46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521"
    " 45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628 43.1314"
)
RSI_PUBLISHED = (
    "70.53 66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71 50.42 39.99 41.46 41.87"
    " 45.46 37.30 33.08 37.77"
)


def test_rsi_is_wilders_as_a_published_table_has_it() -> None:
    """The much copied example of 33 closes and 19 values, to the second decimal."""
    candles = closing_at(*RSI_CLOSES.split())
    found = [rsi(in_floats(candles[:end])) for end in range(RSI_WINDOW + 1, len(candles) + 1)]

    assert " ".join(f"{each:.2f}" for each in found) == RSI_PUBLISHED


def test_vwap_distance_weighs_by_volume() -> None:
    """(4 x 100 x 10 + 110 x 60) / 100 = 106: a close of 110 is 3.7736 % above."""
    candles = [*closing_at("100", "100", "100", "100"), hour(4, "110", volume=d("60"))]

    assert len(candles) == VWAP_WINDOW
    assert vwap_distance(in_floats(candles)) == pytest.approx(110 / 106 - 1)


def test_adx_of_a_straight_climb_is_full_and_of_a_flat_market_none() -> None:
    """All movement is upward: 100 / 60. No movement: 0."""
    count = 2 * ADX_WINDOW
    climb = in_floats(closing_at(*(str(100 + n) for n in range(count))))

    assert adx_strength(climb) == pytest.approx(100 / 60)
    assert adx_strength(in_floats(closing_at(*["100"] * count))) == 0.0


def slow_adx(history: Sequence[FloatCandle]) -> float:
    """By the book: running totals less a fourteenth, and the index smoothed thirteen to one."""
    window = ADX_WINDOW
    plus, minus, ranges = [], [], []
    for number in range(1, len(history)):
        now, before = history[number], history[number - 1]
        up, down = now.high - before.high, before.low - now.low
        plus.append(up if up > 0 and up > down else 0.0)
        minus.append(down if down > 0 and down > up else 0.0)
        ranges.append(
            max(now.high - now.low, abs(now.high - before.close), abs(now.low - before.close))
        )
    totals = [sum(each[:window]) for each in (plus, minus, ranges)]
    indices = []
    for number in range(window, len(plus) + 1):
        if number > window:
            news = [each[number - 1] for each in (plus, minus, ranges)]
            totals = [old - old / window + new for old, new in zip(totals, news, strict=True)]
        rising, falling = (100 * each / totals[2] if totals[2] else 0.0 for each in totals[:2])
        both = rising + falling
        indices.append(100 * abs(rising - falling) / both if both else 0.0)
    adx = sum(indices[:window]) / window
    for index in indices[window:]:
        adx = (adx * (window - 1) + index) / window
    return adx


@given(st.lists(st.tuples(*[st.integers(9_000, 11_000)] * 3), min_size=28, max_size=60))
def test_adx_is_wilders(prices: list[tuple[int, int, int]]) -> None:
    """Smoothed as in the book, whatever the market did."""
    candles = []
    for number, each in enumerate(prices):
        low, close, high = sorted(each)
        candles.append(hour(number, str(close), high=Decimal(high), low=Decimal(low)))
    history = in_floats(candles)

    assert adx_series(history)[-1] == pytest.approx(slow_adx(history), abs=1e-6)
    assert len(adx_series(history)) == len(history) - 2 * ADX_WINDOW + 1


def test_efficiency_is_the_net_move_over_the_path() -> None:
    """Ten steps of 1, eight up and two down: 6 of 10."""
    up_and_down = [1, 1, 1, 1, -1, 1, 1, 1, -1, 1]
    closes = [str(100 + sum(up_and_down[:count])) for count in range(EFFICIENCY_WINDOW + 1)]

    assert efficiency_ratio(in_floats(closing_at(*closes))) == pytest.approx(0.6)


def traded(*impacts: float) -> list[Candle]:
    """Candles that each rise a tenth, on so much money that the impact per dollar is this."""
    candles = [hour(0, "100")]
    for number, impact in enumerate(impacts, start=1):
        close = d("100") * d("1.1") ** number
        volume = d("0.1") / (close * Decimal(impact)) if impact else d("0")
        candles.append(hour(number, str(close), volume=volume))
    return candles


def test_amihud_sees_a_move_on_little_money() -> None:
    """Impact per dollar: 15 times 1 and 15 times 3 before, so mean 2, deviation 1; 7 is 5 away."""
    history = in_floats(traded(*[1, 3] * (AMIHUD_WINDOW // 2), 7))

    assert amihud_spike_z(history) == pytest.approx(5.0, abs=1e-9)


def test_amihud_is_the_mean_impact_of_a_million() -> None:
    """31 candles, 16 of 1e-9 a dollar and 15 of 3e-9: 61e-9 / 31 by a million."""
    history = in_floats(traded(*[1e-9, 3e-9] * (AMIHUD_WINDOW // 2), 1e-9))

    assert amihud_illiquidity(history) == pytest.approx(61e-3 / 31)


def test_amihud_leaves_out_what_was_not_traded() -> None:
    """An hour without trades has no impact at all; without one in the newest, there is no spike."""
    history = in_floats(traded(*[1, 3, 0] * (AMIHUD_WINDOW // 3), 2))
    assert amihud_illiquidity(history) == pytest.approx(2e6)
    assert amihud_spike_z(history) == pytest.approx(0.0, abs=1e-9)

    silent = by_name(traded(*[1, 3] * (AMIHUD_WINDOW // 2), 0))
    assert silent["amihud_spike_z"].quality == "failed"


@pytest.mark.parametrize(("high", "expected"), [("100", 0.3), ("140", 15.0)])
def test_the_expected_move_is_clamped(high: str, expected: float) -> None:
    """Between 0.3 and 15 percent a day."""
    candles = [hour(n, "100", high=Decimal(high)) for n in range(VOLATILITY_WINDOW)]

    assert expected_move_pct(in_floats(candles)) == expected


def test_the_expected_move_is_a_day_s_volatility_times_root_two() -> None:
    """0.5 % an hour: sqrt(0.5) ln(1.005) sqrt(24) sqrt(2) = 2.4434 %."""
    candles = [hour(n, "100", high=d("100.5")) for n in range(VOLATILITY_WINDOW)]

    assert expected_move_pct(in_floats(candles)) == pytest.approx(
        100 * math.log(1.005) * math.sqrt(24)
    )


@pytest.mark.parametrize(
    ("function", "needs"),
    [
        (attention_z, ATTENTION_WINDOW + 1),
        (corwin_schultz_spread, SPREAD_WINDOW + 1),
        (garman_klass_volatility, VOLATILITY_WINDOW),
        (rsi, RSI_WINDOW + 1),
        (rsi_state, RSI_WINDOW + 1),
        (vwap_distance, VWAP_WINDOW),
        (adx_strength, 2 * ADX_WINDOW),
        (efficiency_ratio, EFFICIENCY_WINDOW + 1),
        (amihud_illiquidity, AMIHUD_WINDOW + 2),
        (amihud_spike_z, AMIHUD_WINDOW + 2),
        (expected_move_pct, VOLATILITY_WINDOW),
    ],
)
def test_too_short_a_history_is_missing_not_zero(
    function: Callable[[Sequence[FloatCandle]], float], needs: int
) -> None:
    """One candle less than the window: the feature says how many of how many there are."""
    candles = closing_at(*["100"] * (needs - 1))

    with pytest.raises(NotEnoughHistory, match=f"{needs - 1} of {needs} candles"):
        function(in_floats(candles))
    assert needs <= HISTORY
    feature = by_name(candles)[function.__name__]
    assert (feature.value, feature.quality) == (None, "missing")


def test_what_cannot_be_computed_has_failed_and_has_no_value() -> None:
    """A market that stands still has no deviation of volume and walks no path."""
    features = by_name(closing_at(*["100"] * HISTORY))

    for name in ("attention_z", "efficiency_ratio", "amihud_spike_z"):
        assert (features[name].value, features[name].quality) == (None, "failed")


def test_candles_without_trades_fail_instead_of_looking_calm() -> None:
    """Volume 0 has no volume-weighted price, and no impact."""
    features = by_name([hour(n, "100", volume=d("0")) for n in range(HISTORY)])

    for name in ("vwap_distance", "amihud_illiquidity", "amihud_spike_z"):
        assert (features[name].value, features[name].quality) == (None, "failed")


def test_a_feature_is_true_for_the_newest_close() -> None:
    """Its time is the end of the newest candle, not its start."""
    candles = closing_at(*["100"] * 3)

    assert {each.as_of for each in compute_features(candles)} == {NOON + 3 * HOUR}


def test_features_are_stale_once_the_next_candle_should_have_closed() -> None:
    """An hourly close is looked at for an hour; then nobody knows what the market did since."""
    candles = closing_at(*["100"] * 40)
    close = NOON + 40 * HOUR
    fresh = compute_features(candles, close + HOUR)
    late = compute_features(candles, close + HOUR + timedelta(seconds=1))

    assert "stale" not in {each.quality for each in fresh}
    assert {(each.value, each.quality) for each in late} == {(None, "stale")}
    assert [each.name for each in late] == [each.name for each in fresh]


FUNDING = FundingView(rate_8h=d("0.0001"), as_of=NOON, source="a ticker")


@pytest.mark.parametrize(
    ("view", "age_s", "quality"),
    [
        (None, 0, "absent"),
        (FUNDING, 0, "good"),
        (FUNDING, 600, "good"),
        (FUNDING, 601, "stale"),
        (FUNDING, -601, "stale"),
        (replace(FUNDING, as_of=None), 0, "stale"),
        (replace(FUNDING, rate_8h=None), 0, "missing"),
        (replace(FUNDING, rate_8h=None, note="HTTP 502"), 0, "failed"),
    ],
)
def test_funding_is_worth_what_its_source_is(
    view: FundingView | None, age_s: int, quality: str
) -> None:
    """Absent by configuration is one thing, a source that is late or failed another; never 0."""
    feature = funding_feature(view, NOON + timedelta(seconds=age_s), 600.0)

    assert feature.quality == quality
    assert feature.value == (0.0001 if quality == "good" else None)
    assert (feature.note == "") is (quality == "good")


@given(st.lists(st.integers(1, 10_000), min_size=HISTORY + 5, max_size=HISTORY + 5))
def test_features_look_back_no_further_than_their_history(closes: list[int]) -> None:
    """Older candles than `HISTORY` change nothing."""
    candles = closing_at(*map(str, closes))

    assert compute_features(candles) == compute_features(candles[-HISTORY:])
