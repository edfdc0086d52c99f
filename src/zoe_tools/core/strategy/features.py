"""Indicators of the `edge` strategy, from closed candles alone.

Floats are allowed here, and only here: these are statistics, not money. Every feature carries its
value, the close it is true for, its source and its quality; a feature that cannot be computed says
why and has no value, and the rules that need it fail closed.

Sources: Corwin and Schultz (2012) for the spread, Garman and Klass (1980) for the volatility,
Wilder (1978) for RSI and ADX, Kaufman (1995) for the efficiency ratio, Amihud (2002) for
illiquidity.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, pstdev
from typing import Literal

from zoe_tools.domain.candle import Candle

Quality = Literal["good", "missing", "failed", "absent"]

ATTENTION_WINDOW = 14
VWAP_WINDOW = 5
RSI_WINDOW = 14
ADX_WINDOW = 14
EFFICIENCY_WINDOW = 10
VOLATILITY_WINDOW = 30
AMIHUD_WINDOW = 30
HISTORY = 61
"""Closed candles that the longest feature needs."""

_SECONDS_PER_YEAR = 365 * 86_400
_RSI_LOW, _RSI_HIGH = 30.0, 70.0
_CS_DENOMINATOR = 3 - 2 * math.sqrt(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature; `value` is None unless the quality is good."""

    name: str
    value: float | None
    as_of: datetime
    source: str = "kraken candles"
    quality: Quality = "good"
    note: str = ""


class NotEnoughHistory(ValueError):
    """The window reaches further back than the candles do."""


def compute_features(candles: Sequence[Candle]) -> tuple[Feature, ...]:
    """All candle features as of the newest close, in a fixed order."""
    as_of = candles[-1].opened_at + candles[-1].timeframe.length
    return tuple(_feature(name, function, candles, as_of) for name, function in _FUNCTIONS)


def _feature(
    name: str,
    function: Callable[[Sequence[Candle]], float],
    candles: Sequence[Candle],
    at: datetime,
) -> Feature:
    try:
        value = function(candles)
    except NotEnoughHistory as error:
        return Feature(name=name, value=None, as_of=at, quality="missing", note=str(error))
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        return Feature(name=name, value=None, as_of=at, quality="failed", note=str(error))
    if not math.isfinite(value):
        return Feature(name=name, value=None, as_of=at, quality="failed", note="not finite")
    return Feature(name=name, value=value, as_of=at)


def _last(candles: Sequence[Candle], count: int) -> Sequence[Candle]:
    if len(candles) < count:
        raise NotEnoughHistory(f"{len(candles)} of {count} candles")
    return candles[-count:]


def attention_z(candles: Sequence[Candle]) -> float:
    """How unusual the newest volume is against the window before it, in standard deviations."""
    window = [float(each.volume) for each in _last(candles, ATTENTION_WINDOW + 1)]
    before, latest = window[:-1], window[-1]
    return (latest - fmean(before)) / pstdev(before)


def corwin_schultz_spread(candles: Sequence[Candle]) -> float:
    """The spread implied by highs and lows of the two newest candles; beta is their sum."""
    first, second = _last(candles, 2)
    high = max(float(first.high), float(second.high))
    low = min(float(first.low), float(second.low))
    beta = _log_range(first) ** 2 + _log_range(second) ** 2
    gamma = math.log(high / low) ** 2
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / _CS_DENOMINATOR
    alpha -= math.sqrt(gamma / _CS_DENOMINATOR)
    return max(0.0, 2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)))


def _log_range(candle: Candle) -> float:
    return math.log(float(candle.high) / float(candle.low))


def garman_klass_volatility(candles: Sequence[Candle]) -> float:
    """Annualised volatility."""
    window = _last(candles, VOLATILITY_WINDOW)
    per_year = _SECONDS_PER_YEAR / window[-1].timeframe.length.total_seconds()
    variance = fmean(_garman_klass_variance(each) for each in window)
    return math.sqrt(max(0.0, variance) * per_year)


def _garman_klass_variance(candle: Candle) -> float:
    body = math.log(float(candle.close) / float(candle.open))
    return 0.5 * _log_range(candle) ** 2 - (2 * math.log(2) - 1) * body**2


def rsi_state(candles: Sequence[Candle]) -> float:
    """0 below 30, 1 above 70, one half between and for a price that stands still."""
    closes = [float(each.close) for each in _last(candles, RSI_WINDOW + 1)]
    moves = [later - earlier for earlier, later in itertools.pairwise(closes)]
    gain = sum(move for move in moves if move > 0)
    loss = -sum(move for move in moves if move < 0)
    if gain == loss:
        return 0.5
    rsi = 100 * gain / (gain + loss)
    if rsi < _RSI_LOW:
        return 0.0
    return 1.0 if rsi > _RSI_HIGH else 0.5


def vwap_distance(candles: Sequence[Candle]) -> float:
    """How far the close is above the window's volume-weighted price, as a fraction."""
    window = _last(candles, VWAP_WINDOW)
    volume = sum(float(each.volume) for each in window)
    vwap = sum(float(each.vwap) * float(each.volume) for each in window) / volume
    return float(window[-1].close) / vwap - 1


def adx_strength(candles: Sequence[Candle]) -> float:
    """Wilder's ADX divided by 60."""
    window = _last(candles, 2 * ADX_WINDOW + 1)
    indices = [
        _directional_index(window[end - ADX_WINDOW : end + 1])
        for end in range(ADX_WINDOW, len(window))
    ]
    return fmean(indices) / 60


def _directional_index(window: Sequence[Candle]) -> float:
    up = down = true_range = 0.0
    for before, latest in itertools.pairwise(window):
        rise = float(latest.high) - float(before.high)
        fall = float(before.low) - float(latest.low)
        up += rise if rise > max(fall, 0) else 0.0
        down += fall if fall > max(rise, 0) else 0.0
        true_range += max(
            float(latest.high) - float(latest.low),
            abs(float(latest.high) - float(before.close)),
            abs(float(latest.low) - float(before.close)),
        )
    if true_range == 0 or up + down == 0:
        return 0.0
    return 100 * abs(up - down) / (up + down)


def efficiency_ratio(candles: Sequence[Candle]) -> float:
    """Net move divided by the path walked, 0 to 1."""
    closes = [float(each.close) for each in _last(candles, EFFICIENCY_WINDOW + 1)]
    path = sum(abs(later - earlier) for earlier, later in itertools.pairwise(closes))
    return abs(closes[-1] - closes[0]) / path


def amihud_spike_z(candles: Sequence[Candle]) -> float:
    """How unusual the newest price impact per unit of money is, in standard deviations."""
    window = [_impact(each) for each in _last(candles, AMIHUD_WINDOW + 1)]
    before, latest = window[:-1], window[-1]
    return (latest - fmean(before)) / pstdev(before)


def _impact(candle: Candle) -> float:
    return abs(math.log(float(candle.close) / float(candle.open))) / (
        float(candle.volume) * float(candle.vwap)
    )


def expected_move_pct(candles: Sequence[Candle]) -> float:
    """The move to expect over a day, in percent, clamped to 0.3 to 15."""
    daily = garman_klass_volatility(candles) / math.sqrt(365)
    return min(15.0, max(0.3, daily * math.sqrt(2) * 100))


_FUNCTIONS: tuple[tuple[str, Callable[[Sequence[Candle]], float]], ...] = (
    ("attention_z", attention_z),
    ("corwin_schultz_spread", corwin_schultz_spread),
    ("garman_klass_volatility", garman_klass_volatility),
    ("rsi_state", rsi_state),
    ("vwap_distance", vwap_distance),
    ("adx_strength", adx_strength),
    ("efficiency_ratio", efficiency_ratio),
    ("amihud_spike_z", amihud_spike_z),
    ("expected_move_pct", expected_move_pct),
)
