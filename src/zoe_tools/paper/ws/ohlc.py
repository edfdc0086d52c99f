"""Candles as the socket prints them: the running one at every trade, none ever marked as closed."""

from __future__ import annotations

from collections.abc import Iterable

from zoe_tools.paper.engine.tape import INTERVALS
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.rounding import down, fixed
from zoe_tools.paper.values.times import NS, iso, iso_nanos
from zoe_tools.paper.values.views import BarView

OHLC_INTERVALS = INTERVALS
_MINUTE_NS = 60 * NS


def candle_row(bar: BarView, spec: PairSpec, interval: int) -> str:
    """One candle as JSON; `timestamp` is the end of its interval, as Kraken (deprecated) has it."""
    price = spec.pair_decimals
    return (
        f'{{"symbol":"{spec.symbol}","open":{fixed(bar.open, price)},'
        f'"high":{fixed(bar.high, price)},"low":{fixed(bar.low, price)},'
        f'"close":{fixed(bar.close, price)},"trades":{bar.count},'
        f'"volume":{fixed(bar.volume, spec.lot_decimals)},"vwap":{down(bar.vwap, price):f},'
        f'"interval_begin":"{iso_nanos(bar.begin)}","interval":{interval},'
        f'"timestamp":"{iso(bar.begin + interval * _MINUTE_NS)}"}}'
    )


def candles_frame(
    kind: str, bars: Iterable[BarView], spec: PairSpec, interval: int, now: int
) -> str:
    """A frame of the ohlc channel."""
    rows = ",".join(candle_row(bar, spec, interval) for bar in bars)
    return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{iso_nanos(now)}","data":[{rows}]}}'
