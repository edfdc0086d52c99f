"""Frames of candles for tests, from a line of words each."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import polars as pl

from builders import NOON
from zoe_tools.domain.candle_table import CANDLES

AT = int(NOON.timestamp())


def frame(*lines: str, is_final: bool = True) -> pl.DataFrame:
    """Candles of `minute open high low close vwap volume count`; `-` is no vwap."""
    return pl.DataFrame([_row(line.split(), is_final=is_final) for line in lines], CANDLES)


def _row(words: list[str], *, is_final: bool) -> dict[str, object]:
    minute, *amounts, count = words
    names = ("open", "high", "low", "close", "vwap", "volume")
    values = {
        name: None if word == "-" else Decimal(word)
        for name, word in zip(names, amounts, strict=True)
    }
    return {"at": AT + 60 * int(minute), **values, "count": int(count), "is_final": is_final}


def told(rows: Iterable[dict[str, object]]) -> list[str]:
    """Candles as such lines again, in plain digits without zeros at their end."""
    return [
        " ".join(
            (
                str((int(str(row["at"])) - AT) // 60),
                *(_text(row[name]) for name in ("open", "high", "low", "close", "vwap", "volume")),
                str(row["count"]),
            )
        )
        for row in rows
    ]


def _text(value: object) -> str:
    if value is None:
        return "-"
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
