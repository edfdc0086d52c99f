"""What a backfill read of the venue, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from zoe_tools.domain.candle import Span, Timeframe, moment_at
from zoe_tools.domain.identifiers import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A span as it is told."""

    since: datetime
    until: datetime

    @property
    def span(self) -> Span:
        """In seconds since 1970."""
        return Span(int(self.since.timestamp()), int(self.until.timestamp()))


@dataclass(frozen=True, slots=True, kw_only=True)
class OhlcRead:
    """What the venue's OHLC of one series brought: `written` candles were missing or differed."""

    symbol: Symbol
    timeframe: Timeframe
    candles: int
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesRead:
    """What a reading of trades came to.

    Of the candles it finished `new` were missing, `alike` were there with the same figures, and
    those that `differ` from OHLC's are now as the trades say; the first few are `told`. In the time
    of `unproved` candles something traded by the store's word alone. What is older than
    `begins_at` the venue does not have any more; None: it has all of it.
    """

    symbol: Symbol
    stretch: Stretch
    timeframes: tuple[Timeframe, ...]
    trades: int
    new: int
    alike: int
    differ: int
    unproved: int
    told: tuple[str, ...]
    begins_at: datetime | None = None


def stretch_of(span: Span) -> Stretch:
    """A span in words."""
    return Stretch(since=moment_at(span.since), until=moment_at(span.until))
