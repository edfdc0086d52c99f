"""What trades of a table become: candles of several lengths in one pass, and which are whole.

A candle is whole if trades were seen on both sides of it. The first and the last of a table may
have been cut through, unless the table is cut where Kraken cuts its archives: between two quarters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from zoe_tools.core.candle_frames import BUCKETS, Fold, of_trades, vwap
from zoe_tools.domain.candle import Span, Timeframe, moment_at
from zoe_tools.domain.candle_table import CANDLES

LENGTHS = (
    Timeframe.M1,
    Timeframe.M5,
    Timeframe.M15,
    Timeframe.H1,
    Timeframe.H4,
    Timeframe.D1,
)
"""What trades are made into; each length is a multiple of the one before."""

_EDGE = timedelta(hours=1)
"""A table whose first or last trade is so near to the turn of a quarter was cut there."""


def whole_span(first: int, last: int) -> Span:
    """Of which no trade is missing, in a table whose first and last trade these are."""
    begins, ends = moment_at(first), moment_at(last)
    quarter, turn = _quarter_of(begins), _next_quarter(ends)
    since = int(quarter.timestamp()) if begins - quarter <= _EDGE else first + 1
    until = int(turn.timestamp()) if turn - ends <= _EDGE else last
    return Span(since, max(since, until))


def whole_table(first: int, last: int, timeframe: Timeframe) -> Span:
    """Of which no candle is missing or cut through, where these are a table's first and last.

    More may have been traded in the last one after the table was made, unless that was at the turn
    of a quarter.
    """
    end = last + timeframe.minutes * 60
    is_cut = _next_quarter(moment_at(end - 1)) - moment_at(end) > _EDGE
    return Span(first, last if is_cut else end)


def that_is_over(whole: Span, now: int) -> Span:
    """As far as it has come: nobody knows what is still to be traded."""
    return Span(min(whole.since, now), min(whole.until, now))


def covered(whole: Span, timeframe: Timeframe) -> Span:
    """The candles that begin and end within a span."""
    length = timeframe.minutes * 60
    since = -(-whole.since // length) * length
    return Span(since, max(since, whole.until // length * length))


def _quarter_of(moment: datetime) -> datetime:
    return datetime(moment.year, (moment.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC)


def _next_quarter(moment: datetime) -> datetime:
    return _quarter_of(_quarter_of(moment) + timedelta(days=100))


class Cascade:
    """Folds trades into the shortest candles, those into longer ones, and so on.

    What it keeps is one candle of each length, however long the history is.
    """

    def __init__(
        self, whole: Span, price_decimals: int, lengths: Sequence[Timeframe] = LENGTHS
    ) -> None:
        """`whole`: which candles are final; `lengths` ascending, multiples of one another."""
        self._whole = whole
        self._vwap = vwap(price_decimals)
        self._folds = [Fold(each) for each in lengths]

    def add(self, trades: pl.DataFrame) -> list[tuple[Timeframe, pl.DataFrame]]:
        """The candles that are over now, as `CANDLES`, of each length that has any.

        Raises:
            OutOfOrder: a trade is older than one before it.
            OverflowError: so much money that sums would not be exact.
        """
        return self._pass_on(of_trades(trades), is_end=False)

    def end(self) -> list[tuple[Timeframe, pl.DataFrame]]:
        """The candles that were kept back for trades to come: there are none."""
        return self._pass_on(BUCKETS.to_frame(), is_end=True)

    def _pass_on(
        self, buckets: pl.DataFrame, *, is_end: bool
    ) -> list[tuple[Timeframe, pl.DataFrame]]:
        over = []
        for fold in self._folds:
            done = fold.add(buckets)
            if is_end:
                done = pl.concat((done, fold.running))
            if done.height:
                over.append((fold.timeframe, self._candles(done, fold.timeframe)))
            buckets = done
        return over

    def _candles(self, buckets: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
        at, span = pl.col("at"), covered(self._whole, timeframe)
        is_final = (at >= span.since) & (at < span.until)
        return buckets.with_columns(vwap=self._vwap, is_final=is_final).select(CANDLES.names())
