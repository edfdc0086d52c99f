"""Candles by the million, as columns: what travels between files, folds and the store.

The one module of the domain that needs polars: nothing imports it that must start quickly.
"""

from __future__ import annotations

import polars as pl

from zoe_tools.domain.money import PLACES

AMOUNT = pl.Decimal(38, PLACES)
"""Every amount that the books can hold, exactly; of a sum, too."""

CANDLES = pl.Schema(
    {
        "at": pl.Int64(),
        "open": AMOUNT,
        "high": AMOUNT,
        "low": AMOUNT,
        "close": AMOUNT,
        "vwap": AMOUNT,
        "volume": AMOUNT,
        "count": pl.Int64(),
        "is_final": pl.Boolean(),
    }
)
"""Candles of one series, ascending, none twice; `at` is the start in seconds since 1970. `vwap`
may be null; so may no other."""


def as_candles(frame: pl.DataFrame, *, is_final: bool = True) -> pl.DataFrame:
    """The frame's candles as `CANDLES`; without a column `vwap` or `is_final` these are filled."""
    missing = []
    if "vwap" not in frame.columns:
        missing.append(pl.lit(None, AMOUNT).alias("vwap"))
    if "is_final" not in frame.columns:
        missing.append(pl.lit(is_final).alias("is_final"))
    return frame.with_columns(missing).select(CANDLES.names()).cast(CANDLES)
