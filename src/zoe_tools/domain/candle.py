"""Candles and their timeframes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from zoe_tools.domain.identifiers import Symbol


class Timeframe(Enum):
    """The candle lengths there are (kraken-spot section 5), shortest first.

    The value is the name operators type. All begin at whole multiples of themselves since 1970, so
    that a week begins on Thursday.
    """

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"
    D15 = "15d"

    @property
    def minutes(self) -> int:
        """Length in minutes, as Kraken's `interval` wants it."""
        return _MINUTES[self]

    @property
    def length(self) -> timedelta:
        """Length as a duration."""
        return timedelta(minutes=self.minutes)


_MINUTES = {
    Timeframe.M1: 1,
    Timeframe.M5: 5,
    Timeframe.M15: 15,
    Timeframe.M30: 30,
    Timeframe.H1: 60,
    Timeframe.H4: 240,
    Timeframe.D1: 1440,
    Timeframe.W1: 10080,
    Timeframe.D15: 21600,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One candle; `opened_at` is its start. Exact decimals; indicators may turn them to floats.

    A candle without trades carries the previous close, volume 0 and count 0. Bulk archives tell no
    vwap: it is None then.
    """

    symbol: Symbol
    timeframe: Timeframe
    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal | None
    volume: Decimal
    count: int
    is_final: bool = True


class Span(NamedTuple):
    """From `since`, until before `until`; seconds since 1970."""

    since: int
    until: int


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same seconds in as few spans as there can be, ascending."""
    found: list[Span] = []
    for span in sorted(spans):
        if span.until <= span.since:
            continue
        if found and span.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(span)
    return tuple(found)
