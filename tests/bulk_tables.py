"""Tables as Kraken's archives hold them, of any size, with a stated pattern of gaps.

In each hour the first 54 minutes trade and the last six do not; from 03:00 to 05:00 UTC nothing
does. What trades has the same number of trades each minute, give or take one, stamped to the
second, so that many of them share their second. Over 366 days that is 434,808 minutes.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl

BEGIN = 1_704_067_200
"""2024-01-01 00:00 UTC: a leap year begins, and a quarter."""

DAYS = 366
MINUTES_A_DAY = 22 * 54
_AT_ONCE = 500_000


def trades(path: Path, count: int, *, days: int = DAYS) -> Path:
    """Write so many trades over so many days: time, price and volume, oldest first."""
    minutes = days * MINUTES_A_DAY
    with path.open("wb") as file:
        for first in range(0, count, _AT_ONCE):
            number = pl.int_range(first, min(first + _AT_ONCE, count), eager=True).alias("number")
            frame = number.to_frame().select(
                _minute(pl.col("number") * minutes // count) * 60
                + BEGIN
                + pl.col("number") * minutes % count * 60 // count,
                price=_amount(600_000 + pl.col("number") * 7_919 % 20_011, 1),
                volume=_amount(1 + pl.col("number") * 104_729 % 99_999_989, 8),
            )
            frame.write_csv(file, include_header=False)
    return path


def volume_of(count: int) -> int:
    """What so many trades come to, in units of 8 places."""
    return sum(1 + number * 104_729 % 99_999_989 for number in range(count))


def candles(path: Path, count: int) -> Path:
    """Write so many candles of a minute, with volumes as floats leave them in the archives."""
    number = pl.int_range(0, count, eager=True).alias("number").to_frame()
    price = 600_000 + pl.col("number") * 7_919 % 20_011
    number.select(
        pl.col("number") * 60 + BEGIN,
        open=_amount(price, 1),
        high=_amount(price + 31, 1),
        low=_amount(price - 47, 1),
        close=_amount(price - 5, 1),
        volume=_amount(1 + pl.col("number") * 104_729 % 99_999_989, 8),
        count=1 + pl.col("number") % 40,
    ).write_csv(path, include_header=False)
    return path


def _minute(active: pl.Expr) -> pl.Expr:
    """The minute of the year that is the so manieth to trade."""
    day, rest = active // MINUTES_A_DAY, active % MINUTES_A_DAY
    hour = rest // 54
    hour = pl.when(hour < 3).then(hour).otherwise(hour + 2)
    return day * 1440 + hour * 60 + rest % 54


def _amount(units: pl.Expr, places: int) -> pl.Expr:
    """So many units of so many places, exactly."""
    return units.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-places))
