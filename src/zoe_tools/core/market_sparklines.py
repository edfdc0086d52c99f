"""Prices at even times, for a curve and for what a price was an hour ago. Pure.

Buckets begin at whole multiples of their length since 1970, so that the points of all pairs, and
of a watch that was started again, stand at the same times. The first price of a bucket is its.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from zoe_tools.domain.market_watch import MarketRow, MarketState, SparkPoint


def bucket_of(at: datetime, interval_s: float) -> datetime:
    """When the bucket began that this moment is in; intervals in seconds."""
    second = at.timestamp()
    return datetime.fromtimestamp(second - second % interval_s, UTC)


def points_of(
    rows: Iterable[MarketRow], now: datetime, interval_s: float
) -> tuple[SparkPoint, ...]:
    """A point for each pair that has a price to be believed."""
    bucket_at = bucket_of(now, interval_s)
    return tuple(
        SparkPoint(
            symbol=row.symbol,
            bucket_at=bucket_at,
            mid=row.ticker.mid,
            quote_volume=row.ticker.quote_volume,
        )
        for row in rows
        if row.state is MarketState.LIVE and row.ticker is not None and row.ticker.mid is not None
    )
