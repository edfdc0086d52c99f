"""Candles from trades by the million: a history folded batch by batch, exactly, in little memory.

A frame is a polars table, one row a bucket; a trade is a bucket of one. `at` is its start in
seconds since 1970; `open`, `high`, `low`, `close` and `volume` are decimals of 12 places;
`turnover`, the sum of price times volume, is a whole number of 24 places. Nothing is rounded, so
that it changes nothing where a history is cut into batches.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.candle_table import AMOUNT
from zoe_tools.domain.money import PLACES

TRADES = pl.Schema({"at": pl.Int64(), "price": AMOUNT, "volume": AMOUNT})
"""What trades are handed over as, oldest first; two of one moment are two trades."""

BUCKETS = pl.Schema(
    {
        "at": pl.Int64(),
        "open": AMOUNT,
        "high": AMOUNT,
        "low": AMOUNT,
        "close": AMOUNT,
        "volume": AMOUNT,
        "turnover": pl.Int128(),
        "count": pl.Int64(),
    }
)


_UNIT = Decimal(1).scaleb(-PLACES)
_MOST_TURNOVER = 1e14
"""In whole units of money, for one batch at its highest price, and for one candle: whole numbers of
128 bits hold both together, of 24 places."""
_MOST_SUM = int(_MOST_TURNOVER) * 10 ** (2 * PLACES)


class OutOfOrder(ValueError):
    """A trade is older than one before it; `at` is its time in seconds since 1970."""

    def __init__(self, at: int) -> None:
        super().__init__(f"a trade of {at} comes after a later one")
        self.at = at


def demand_exact(trades: pl.DataFrame) -> None:
    """Pass while sums over this batch are exact.

    Raises:
        OverflowError: so much money that they would not be.
    """
    price, volume = pl.col("price").max(), pl.col("volume").sum()
    highest, coins = trades.select(price.cast(pl.Float64), volume.cast(pl.Float64)).row(0)
    if trades.height and highest * coins > _MOST_TURNOVER:
        raise OverflowError(
            f"{trades.height:,} trades of {coins:.3g} coins at up to {highest:.3g}: no market does"
        )


def of_trades(trades: pl.DataFrame) -> pl.DataFrame:
    """Each trade as a bucket of its own.

    Raises:
        OverflowError: so much money that sums would not be exact.
    """
    demand_exact(trades)
    price, volume = pl.col("price"), pl.col("volume")
    return trades.select(
        "at",
        price.alias("open"),
        price.alias("high"),
        price.alias("low"),
        price.alias("close"),
        volume,
        (price.to_physical() * volume.to_physical()).alias("turnover"),
        pl.lit(1, pl.Int64).alias("count"),
    )


class Fold:
    """Folds buckets into longer ones; the newest is kept back until a later one has begun."""

    def __init__(self, timeframe: Timeframe, running: pl.DataFrame | None = None) -> None:
        """`running`: what an earlier fold kept back, to go on from there."""
        self.timeframe = timeframe
        self.running = BUCKETS.to_frame() if running is None else running

    def add(self, buckets: pl.DataFrame) -> pl.DataFrame:
        """The buckets that are over now, oldest first.

        Raises:
            OutOfOrder: one is older than one before it.
            OverflowError: so much money in one bucket that its sum would not be exact.
        """
        at = pl.col("at")
        all_of_it = pl.concat((self.running, buckets.select(BUCKETS.names())))
        _demand_order(all_of_it)
        # Known to be sorted, and added up as whole numbers, it takes half the time.
        folded = (
            all_of_it.with_columns(at - at % (self.timeframe.minutes * 60))
            .with_columns(at.set_sorted())
            .group_by("at", maintain_order=True)
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").to_physical().sum(),
                pl.col("turnover", "count").sum(),
            )
            .with_columns(pl.col("volume").cast(pl.Decimal(38, 0)) * pl.lit(_UNIT))
        )
        _demand_sums(folded)
        self.running = folded.tail(1)
        return folded.head(-1)


def _demand_sums(buckets: pl.DataFrame) -> None:
    """What was kept back and what a batch adds may be too much together, and then is below 0."""
    turnover = pl.col("turnover")
    if buckets.select(((turnover < 0) | (turnover > _MOST_SUM)).any()).item():
        raise OverflowError("so much money in one candle as no market has")


def _demand_order(buckets: pl.DataFrame) -> None:
    late = buckets.select(pl.col("at").filter(pl.col("at").diff() < 0)).to_series()
    if late.len():
        raise OutOfOrder(late.item(0))


def vwap(price_decimals: int) -> pl.Expr:
    """Turnover by volume, cut off behind the pair's decimals as Kraken's is; 0 without volume."""
    shift = 10 ** (PLACES - price_decimals)
    volume = pl.col("volume").to_physical()
    cut = pl.col("turnover") // (volume * shift) * shift
    exact = pl.when(volume > 0).then(cut).otherwise(pl.lit(0, pl.Int128))
    return exact.cast(pl.Decimal(38, 0)) * pl.lit(_UNIT)
