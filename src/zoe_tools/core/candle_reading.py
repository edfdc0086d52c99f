"""Candles from a venue's trades, page by page: where a reading stands, and what it has finished.

One pass makes the candles of all timeframes. `Reading` holds a few running candles and nothing of
what is over, so that it takes the same memory for a day and for ten years; `saved` and `resumed`
carry it from one process to the next without a trade lost or counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from zoe_tools.core.candle_frames import BUCKETS, TRADES, Fold, OutOfOrder, of_trades, vwap
from zoe_tools.domain.candle import Span, Timeframe, Written
from zoe_tools.domain.market import PublicTrade

PAGE_TRADES = 1_000
"""Trades in a page of the venue's that is full (kraken-spot section 5)."""
_NS = 1_000_000_000
_SECOND = timedelta(seconds=1)
_AMOUNTS = ("open", "high", "low", "close", "volume")


class Tally(msgspec.Struct, kw_only=True):
    """What became of the candles that a reading has finished, and how they agree with OHLC's.

    `alike` were there already with the same figures; of those that `differ` the first few are told.
    `made` counts all of them by timeframe.
    """

    new: int = 0
    alike: int = 0
    differ: int = 0
    told: list[str] = msgspec.field(default_factory=list)
    made: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, timeframe: Timeframe, written: Written) -> None:
        """Count what the store says of one series."""
        self.made[timeframe.value] = self.made.get(timeframe.value, 0) + written.rows
        self.new += written.new
        self.alike += written.unchanged
        self.differ += written.changed + written.kept
        for each in written.differing[: max(0, _MOST_TOLD - len(self.told))]:
            self.told.append(
                f"{timeframe.value} of {each.opened_at:%Y-%m-%d %H:%M}: stored was {each.stored};"
                f" the trades say {each.offered}"
            )


_MOST_TOLD = 5


class _Saved(msgspec.Struct, kw_only=True):
    last_id: int
    is_past: bool = False
    price_decimals: int
    running: dict[str, list[list[str]]]
    tally: Tally


class TradesLost(Exception):
    """The venue has dropped trades that follow the last one that was read."""


class Reading:
    """How far the trades of one instrument are read within `span`, and what is not finished.

    `place` is what the venue gave to go on from: the moment of the last trade, in nanoseconds.
    """

    def __init__(self, span: Span, timeframes: Sequence[Timeframe], *, price_decimals: int) -> None:
        self.span = span
        self.place = str(max(span.since * _NS - 1, 0))
        self.trades = 0
        self.tally = Tally()
        self.is_over = False
        self._last_id = 0
        self._is_past = False
        self._price_decimals = price_decimals
        self._folds = {each: Fold(each) for each in timeframes}

    @property
    def timeframes(self) -> tuple[Timeframe, ...]:
        """What it makes."""
        return tuple(self._folds)

    @property
    def ask(self) -> str:
        """The `since` of the next question.

        The last trade is asked for once more: a page may end between two of the same nanosecond,
        and the venue would not tell the second one. It is known by its number.
        """
        return str(int(self.place) - 1) if self._last_id else self.place

    @property
    def read_until(self) -> int:
        """Up to where every trade was looked at, in seconds since 1970."""
        reached = self.span.until if self.is_over else int(self.place) // _NS
        return min(max(reached, self.span.since), self.span.until)

    def take(self, page: Sequence[PublicTrade], last: str) -> dict[Timeframe, pl.DataFrame]:
        """The candles that a page finishes, as `domain.candle_table.CANDLES` but for `is_final`.

        Only candles of which every trade was read.

        Raises:
            TradesLost: the last trade of the page before is not in this one.
            OutOfOrder: a trade is older than one before it.
            ValueError: the venue's place is none.
            OverflowError: so much money that sums would not be exact.
        """
        # Asked for once more, the last trade is there: else some of those behind it may be gone.
        if page and self._last_id and not self._is_past and page[0].trade_id > self._last_id:
            raise TradesLost
        fresh = [each for each in page if not self._last_id or each.trade_id > self._last_id]
        within = [each for each in fresh if _second(each) < self.span.until]
        within = [each for each in within if _second(each) >= self.span.since]
        self.trades += len(within)
        if fresh:
            self._last_id = fresh[-1].trade_id
        self.is_over = len(within) < len(fresh) and _second(fresh[-1]) >= self.span.until
        self.is_over = self.is_over or (not fresh and len(page) < PAGE_TRADES)
        # A page full of trades that are known, all of one nanosecond: past them, or for ever.
        is_stuck = not fresh and not self.is_over
        self.place = str(max(int(last), int(self.place)) + is_stuck)
        self._is_past = is_stuck
        frame = pl.DataFrame(
            {
                "at": [_second(each) for each in within],
                "price": [each.price for each in within],
                "volume": [each.quantity for each in within],
            },
            schema=TRADES,
        )
        buckets = of_trades(frame)
        return {each: self._whole(fold, fold.add(buckets)) for each, fold in self._folds.items()}

    def _whole(self, fold: Fold, finished: pl.DataFrame) -> pl.DataFrame:
        """With the running one at the end; without those that reach over the span's ends."""
        if self.is_over:
            finished = pl.concat((finished, fold.running))
            fold.running = BUCKETS.to_frame()
        length = fold.timeframe.minutes * 60
        at = pl.col("at")
        is_whole = (at >= self.span.since) & (at + length <= self.span.until)
        return finished.filter(is_whole).with_columns(vwap(self._price_decimals).alias("vwap"))

    def saved(self) -> bytes:
        """What a later process goes on from; equal readings give equal bytes."""
        running = {
            each.value: [[str(cell) for cell in row] for row in fold.running.iter_rows()]
            for each, fold in self._folds.items()
        }
        return msgspec.json.encode(
            _Saved(
                last_id=self._last_id,
                is_past=self._is_past,
                price_decimals=self._price_decimals,
                running=running,
                tally=self.tally,
            )
        )

    @classmethod
    def resumed(cls, span: Span, place: str, trades: int, saved: bytes) -> Reading:
        """As it was when it was `saved`.

        Raises:
            ValueError: these are no such bytes.
        """
        try:
            told = msgspec.json.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise ValueError(f"a reading that cannot be read: {error}") from error
        names = [Timeframe(each) for each in told.running]
        reading = cls(span, names, price_decimals=told.price_decimals)
        reading.place, reading.trades = place, trades
        reading.tally, reading._last_id = told.tally, told.last_id
        reading._is_past = told.is_past
        for each, fold in reading._folds.items():
            rows = [_cells(row) for row in told.running[each.value]]
            fold.running = pl.DataFrame(rows, schema=BUCKETS, orient="row")
        return reading


def _second(trade: PublicTrade) -> int:
    return int(trade.traded_at.timestamp())


def _cells(row: Sequence[str]) -> list[Any]:
    """A row of `BUCKETS` from its text."""
    named = dict(zip(BUCKETS.names(), row, strict=True))
    return [Decimal(text) if name in _AMOUNTS else int(text) for name, text in named.items()]


__all__ = ["PAGE_TRADES", "OutOfOrder", "Reading", "Tally", "TradesLost"]
