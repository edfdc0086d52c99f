"""Indicators of the `edge` strategy, from closed candles and from perpetual funding.

Floats are allowed here, and only here: these are statistics, not money. Every feature carries its
value, the time it is true for, its source and its quality; one that cannot be computed says why
and has no value, and the rules that need it fail closed.

Sources: Corwin and Schultz (2012) for the spread, Garman and Klass (1980) for the volatility,
Wilder (1978) for RSI and ADX, Kaufman (1995) for the efficiency ratio, Amihud (2002) for
illiquidity.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import NamedTuple

from zoe_tools.core.strategy.protocol import Feature, FundingView
from zoe_tools.domain.candle import Candle

ATTENTION_WINDOW = 14
SPREAD_WINDOW = 14
VWAP_WINDOW = 5
RSI_WINDOW = 14
ADX_WINDOW = 14
EFFICIENCY_WINDOW = 10
VOLATILITY_WINDOW = 30
AMIHUD_WINDOW = 30
HISTORY = 110
"""Closed candles that are looked at: what Wilder's averages have seen is as good as all there was,
and the regime has settled."""

_SECONDS_PER_YEAR = 365 * 86_400
_DAYS_PER_YEAR = 365
_RSI_LOW, _RSI_HIGH = 30.0, 70.0
_ADX_UNIT = 60.0
_CS_DENOMINATOR = 3 - 2 * math.sqrt(2)
_PER_MILLION = 1e6


class FloatCandle(NamedTuple):
    """A closed candle in floats; `hours` is its length."""

    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: float
    hours: float


class NotEnoughHistory(ValueError):
    """The window reaches further back than the candles do."""


def _typical_price(candle: Candle) -> float:
    """In place of a volume-weighted price that nobody told: bulk archives have none."""
    return float(candle.high + candle.low + candle.close) / 3


def in_floats(candles: Sequence[Candle]) -> tuple[FloatCandle, ...]:
    """The newest `HISTORY` candles, oldest first."""
    return tuple(
        FloatCandle(
            float(each.open),
            float(each.high),
            float(each.low),
            float(each.close),
            float(each.vwap) if each.vwap is not None else _typical_price(each),
            float(each.volume),
            each.timeframe.length.total_seconds() / 3600,
        )
        for each in candles[-HISTORY:]
    )


def compute_features(candles: Sequence[Candle], now: datetime | None = None) -> tuple[Feature, ...]:
    """All candle features as of the newest close, in a fixed order.

    With `now` they are stale once the next candle should have closed, too.
    """
    length = candles[-1].timeframe.length
    as_of = candles[-1].opened_at + length
    late = now is not None and now - as_of > length
    if late:
        note = f"the last close was at {as_of:%Y-%m-%d %H:%M}"
        return tuple(
            Feature(name=name, value=None, as_of=as_of, quality="stale", note=note)
            for name, _ in FUNCTIONS
        )
    history = in_floats(candles)
    return tuple(_feature(name, function, history, as_of) for name, function in FUNCTIONS)


def funding_feature(view: FundingView | None, now: datetime, stale_s: float) -> Feature:
    """What longs pay on the instrument's perpetual per eight hours, as a fraction.

    A source that is configured and does not answer in time is no zero: it has no value.
    """
    name = "funding_8h"
    if view is None:
        note = "no source is configured"
        return Feature(
            name=name, value=None, as_of=None, source="none", quality="absent", note=note
        )
    if view.rate_8h is None:
        return Feature(
            name=name,
            value=None,
            as_of=view.as_of,
            source=view.source,
            quality="failed" if view.note else "missing",
            note=view.note or "the source has no rate for it",
        )
    if view.as_of is None or abs(now - view.as_of) > timedelta(seconds=stale_s):
        seen = "never" if view.as_of is None else f"at {view.as_of:%Y-%m-%d %H:%M:%S}"
        return Feature(
            name=name,
            value=None,
            as_of=view.as_of,
            source=view.source,
            quality="stale",
            note=f"last told {seen}",
        )
    return Feature(name=name, value=float(view.rate_8h), as_of=view.as_of, source=view.source)


def _feature(
    name: str,
    function: Callable[[Sequence[FloatCandle]], float],
    history: Sequence[FloatCandle],
    at: datetime,
) -> Feature:
    try:
        value = function(history)
    except NotEnoughHistory as error:
        return Feature(name=name, value=None, as_of=at, quality="missing", note=str(error))
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        return Feature(name=name, value=None, as_of=at, quality="failed", note=str(error))
    if not math.isfinite(value):
        return Feature(name=name, value=None, as_of=at, quality="failed", note="not finite")
    return Feature(name=name, value=value, as_of=at)


def _last(history: Sequence[FloatCandle], count: int) -> Sequence[FloatCandle]:
    if len(history) < count:
        raise NotEnoughHistory(f"{len(history)} of {count} candles")
    return history[-count:]


def _z(values: Sequence[float]) -> float:
    """How far the newest is from the mean of those before it, in their standard deviations."""
    before, latest = values[:-1], values[-1]
    if min(before) == max(before):
        raise ZeroDivisionError("nothing varied")
    mean = fmean(before)
    return (latest - mean) / math.sqrt(fmean((each - mean) ** 2 for each in before))


# --- attention and cost --------------------------------------------------------------------------


def attention_z(history: Sequence[FloatCandle]) -> float:
    """How unusual the newest volume is against the window before it, in standard deviations."""
    return _z([each.volume for each in _last(history, ATTENTION_WINDOW + 1)])


def corwin_schultz_spread(history: Sequence[FloatCandle]) -> float:
    """The spread implied by highs and lows: the mean over all neighbours of the window.

    An estimate below zero counts as zero before the mean is taken, as the authors do.
    """
    pairs = itertools.pairwise(_last(history, SPREAD_WINDOW + 1))
    return fmean(max(0.0, corwin_schultz_of(first, second)) for first, second in pairs)


def corwin_schultz_of(first: FloatCandle, second: FloatCandle) -> float:
    """What two neighbours imply, with its sign; beta is the sum of both squares.

    Where the second began away from the first's close, as over a night, it is moved back by the
    gap: what happened between them is no spread.
    """
    gap = max(0.0, second.low - first.close) - max(0.0, first.close - second.high)
    high, low = second.high - gap, second.low - gap
    beta = math.log(first.high / first.low) ** 2 + math.log(high / low) ** 2
    gamma = math.log(max(first.high, high) / min(first.low, low)) ** 2
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / _CS_DENOMINATOR
    alpha -= math.sqrt(gamma / _CS_DENOMINATOR)
    return 2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha))


def amihud_illiquidity(history: Sequence[FloatCandle]) -> float:
    """How far the price moves per million of money, on the window's mean; no trade tells nothing.

    As a fraction: 0.01 is one percent.
    """
    impacts = [each for each in _impacts(history) if each is not None]
    if not impacts:
        raise ValueError("nothing was traded")
    return fmean(impacts) * _PER_MILLION


def amihud_spike_z(history: Sequence[FloatCandle]) -> float:
    """How unusual the newest price impact is against the window's, in standard deviations."""
    impacts = _impacts(history)
    if impacts[-1] is None:
        raise ValueError("nothing was traded in the newest candle")
    return _z([each for each in impacts if each is not None])


def _impacts(history: Sequence[FloatCandle]) -> list[float | None]:
    """Return from close to close per unit of money; None of a candle without trades."""
    window = _last(history, AMIHUD_WINDOW + 2)
    return [
        abs(latest.close / before.close - 1) / (latest.volume * latest.vwap)
        if latest.volume
        else None
        for before, latest in itertools.pairwise(window)
    ]


# --- volatility ----------------------------------------------------------------------------------


def garman_klass_volatility(history: Sequence[FloatCandle]) -> float:
    """Annualised volatility."""
    window = _last(history, VOLATILITY_WINDOW)
    per_year = _SECONDS_PER_YEAR / (window[-1].hours * 3600)
    variance = fmean(_garman_klass_variance(each) for each in window)
    return math.sqrt(max(0.0, variance) * per_year)


def _garman_klass_variance(bar: FloatCandle) -> float:
    body = math.log(bar.close / bar.open)
    return 0.5 * math.log(bar.high / bar.low) ** 2 - (2 * math.log(2) - 1) * body**2


def expected_move_pct(history: Sequence[FloatCandle]) -> float:
    """The move to expect over a day, in percent, clamped to 0.3 to 15."""
    daily = garman_klass_volatility(history) / math.sqrt(_DAYS_PER_YEAR)
    return min(15.0, max(0.3, daily * math.sqrt(2) * 100))


# --- trend ---------------------------------------------------------------------------------------


def rsi(history: Sequence[FloatCandle]) -> float:
    """Wilder's relative strength index, 0 to 100; 50 for a price that stands still."""
    closes = [each.close for each in history]
    if len(closes) <= RSI_WINDOW:
        raise NotEnoughHistory(f"{len(closes)} of {RSI_WINDOW + 1} candles")
    moves = [later - earlier for earlier, later in itertools.pairwise(closes)]
    gain = _wilder([max(0.0, move) for move in moves], RSI_WINDOW)[-1]
    loss = _wilder([max(0.0, -move) for move in moves], RSI_WINDOW)[-1]
    return 100 * gain / (gain + loss) if gain + loss else 50.0


def rsi_state(history: Sequence[FloatCandle]) -> float:
    """0 where RSI is below 30, 1 above 70, one half between."""
    value = rsi(history)
    if value < _RSI_LOW:
        return 0.0
    return 1.0 if value > _RSI_HIGH else 0.5


def vwap_distance(history: Sequence[FloatCandle]) -> float:
    """How far the close is above the window's volume-weighted price, as a fraction."""
    window = _last(history, VWAP_WINDOW)
    volume = sum(each.volume for each in window)
    if volume == 0:
        raise ValueError("nothing was traded")
    vwap = sum(each.vwap * each.volume for each in window) / volume
    return window[-1].close / vwap - 1


def adx_strength(history: Sequence[FloatCandle]) -> float:
    """Wilder's ADX divided by 60."""
    series = adx_series(history)
    if not series:
        raise NotEnoughHistory(f"{len(history)} of {2 * ADX_WINDOW} candles")
    return series[-1] / _ADX_UNIT


def adx_series(history: Sequence[FloatCandle]) -> list[float]:
    """Wilder's ADX, 0 to 100, of the newest closes: the first is that of candle `2 * ADX_WINDOW`.

    Directional movement and true range are smoothed as he does it, and so are the indices.
    """
    ups, downs, ranges = [], [], []
    for before, latest in itertools.pairwise(history):
        rise, fall = latest.high - before.high, before.low - latest.low
        ups.append(rise if rise > max(fall, 0.0) else 0.0)
        downs.append(fall if fall > max(rise, 0.0) else 0.0)
        high, low = max(latest.high, before.close), min(latest.low, before.close)
        ranges.append(high - low)
    smoothed = zip(
        _wilder(ups, ADX_WINDOW),
        _wilder(downs, ADX_WINDOW),
        _wilder(ranges, ADX_WINDOW),
        strict=True,
    )
    indices = [
        100 * abs(up - down) / (up + down) if span and up + down else 0.0
        for up, down, span in smoothed
    ]
    return _wilder(indices, ADX_WINDOW)


def _wilder(values: Sequence[float], window: int) -> list[float]:
    """Wilder's average: the mean of the first `window`, then each new value weighs one of them."""
    if len(values) < window:
        return []
    average = fmean(values[:window])
    averages = [average]
    for value in values[window:]:
        average += (value - average) / window
        averages.append(average)
    return averages


def efficiency_ratio(history: Sequence[FloatCandle]) -> float:
    """Net move divided by the path walked, 0 to 1."""
    closes = [each.close for each in _last(history, EFFICIENCY_WINDOW + 1)]
    path = sum(abs(later - earlier) for earlier, later in itertools.pairwise(closes))
    if path == 0:
        raise ZeroDivisionError("the price stood still")
    return abs(closes[-1] - closes[0]) / path


FUNCTIONS: tuple[tuple[str, Callable[[Sequence[FloatCandle]], float]], ...] = (
    ("attention_z", attention_z),
    ("corwin_schultz_spread", corwin_schultz_spread),
    ("garman_klass_volatility", garman_klass_volatility),
    ("rsi", rsi),
    ("rsi_state", rsi_state),
    ("vwap_distance", vwap_distance),
    ("adx_strength", adx_strength),
    ("efficiency_ratio", efficiency_ratio),
    ("amihud_illiquidity", amihud_illiquidity),
    ("amihud_spike_z", amihud_spike_z),
    ("expected_move_pct", expected_move_pct),
)
