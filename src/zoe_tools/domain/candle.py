"""Candles and their timeframes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
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


class Source(StrEnum):
    """Where a candle comes from, as its row says; each tells as much as it ranks.

    Trades come first: their candles are exact and have a vwap. Kraken's OHLC is second. Its bulk
    tables of candles are last: they have no vwap, and floats have passed through their volumes.
    """

    TRADES = "kraken trades"
    BULK_TRADES = "bulk trades"
    OHLC = "kraken OHLC"
    BULK_CANDLES = "bulk OHLCVT"

    @property
    def rank(self) -> int:
        """The higher, the more it tells."""
        return _RANKS[self]


_RANKS = {Source.TRADES: 2, Source.BULK_TRADES: 2, Source.OHLC: 1, Source.BULK_CANDLES: 0}


def rank_of(source: str) -> int:
    """The rank of what a row names as its source; what is no `Source` counts as Kraken's OHLC."""
    return Source(source).rank if source in set(Source) else Source.OHLC.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A stored candle that is not as it is offered; both in words, what they differ in alone."""

    opened_at: datetime
    stored: str
    offered: str
    is_replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of candles that were offered to the store, or would.

    `unchanged` are there already, as good or better; `changed` take the place of another; `kept`
    differ from one that is worth more, which stays. `differing` are the first few of `changed` and
    `kept` that were final before.
    """

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    differing: tuple[Differing, ...] = ()

    def __add__(self, other: Written) -> Written:
        """Both together."""
        return Written(
            rows=self.rows + other.rows,
            new=self.new + other.new,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            kept=self.kept + other.kept,
            differing=(*self.differing, *other.differing)[:MOST_DIFFERING],
        )


MOST_DIFFERING = 3
"""So many differences are told one by one; all are counted."""


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


def moment_at(second: int) -> datetime:
    """The moment, in UTC, of a second since 1970: what spans and frames tell."""
    return datetime.fromtimestamp(second, UTC)


def second_at(moment: datetime) -> int:
    """The whole second since 1970 that a moment is in."""
    return int(moment.timestamp())
