"""Candles from prints, for one instrument and one length.

A candle is handed out only once it is over: when a print of a later candle arrives, or when the
clock has passed its end. Candles without prints are not made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import PublicTrade
from zoe_tools.domain.money import ZERO, quantum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bucket_start(at: datetime, length: timedelta) -> datetime:
    """The start of the candle that `at` falls into, on the grid of the epoch."""
    return at - (at - _EPOCH) % length


@dataclass(slots=True)
class _Running:
    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    count: int


class CandleBuilder:
    """Folds prints into candles; `price_decimals` is for the truncated vwap."""

    def __init__(self, symbol: Symbol, timeframe: Timeframe, *, price_decimals: int) -> None:
        self._symbol = symbol
        self._timeframe = timeframe
        self._length = timeframe.length
        self._price_decimals = price_decimals
        self._running: _Running | None = None
        self._closed_at: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """When the running candle is over by the clock; None while none is running."""
        return None if self._running is None else self._running.opened_at + self._length

    def add(self, trade: PublicTrade) -> Candle | None:
        """Fold one print; returns the candle that it ends, if any. Late prints are left out."""
        start = bucket_start(trade.traded_at, self._length)
        running = self._running
        ended = None
        if self._closed_at is not None and start <= self._closed_at:
            return None  # its candle was told already: a second one would be a lie
        if running is not None:
            if start < running.opened_at:
                return None
            if start == running.opened_at:
                _fold(running, trade)
                return None
            ended = self._finished(running)
        price = trade.price
        self._running = _Running(start, price, price, price, price, ZERO, ZERO, 0)
        _fold(self._running, trade)
        return ended

    def close_due(self, now: datetime) -> Candle | None:
        """The running candle, if the clock has passed its end."""
        running = self._running
        if running is None or now < running.opened_at + self._length:
            return None
        self._running = None
        return self._finished(running)

    def _finished(self, running: _Running) -> Candle:
        self._closed_at = running.opened_at
        vwap = ZERO
        if running.volume:
            vwap = (running.turnover / running.volume).quantize(
                quantum(self._price_decimals), rounding=ROUND_DOWN
            )
        return Candle(
            symbol=self._symbol,
            timeframe=self._timeframe,
            opened_at=running.opened_at,
            open=running.open,
            high=running.high,
            low=running.low,
            close=running.close,
            vwap=vwap,
            volume=running.volume,
            count=running.count,
        )


def _fold(running: _Running, trade: PublicTrade) -> None:
    running.high = max(running.high, trade.price)
    running.low = min(running.low, trade.price)
    running.close = trade.price
    running.volume += trade.quantity
    running.turnover += trade.price * trade.quantity
    running.count += 1
