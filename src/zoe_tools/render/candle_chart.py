"""Candles and their volumes for eyes on a terminal: blocks and lines, prices left, times below.

A column is shaded where its price rose and filled where it fell, so that it can be read without
colour; a thin line goes from its low to its high.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from zoe_tools.core.markets_history import Column
from zoe_tools.domain.money import short
from zoe_tools.render.sparkline import BLOCKS

PRICE_ROWS, VOLUME_ROWS = 14, 3
RISING, FALLING, WICK, FLAT = "░", "█", "│", "─"
_LABEL_EVERY = 3
"""Rows between two prices."""
_DIGITS, _MOST_DECIMALS, _UNITS_APART = 5, 10, 2
_LARGE = ((10**9, "B"), (10**6, "M"), (10**3, "k"))
WIDEST_LABEL = 12
"""Of prices below a thousand million with ten decimals at most."""
Paint = Callable[[str, str], str]
"""A text in a colour, or as it is."""


def chart(columns: Sequence[Column | None], *, begin: int, step_s: int, paint: Paint) -> list[str]:
    """The lines of the chart, top first; `begin` and `step_s` in seconds.

    Raises:
        ValueError: there is no column.
    """
    known = [each for each in columns if each is not None]
    if not known:
        raise ValueError("nothing to draw")
    low, high = min(each.low for each in known), max(each.high for each in known)
    labels = _labels(low, high)
    margin = max(map(len, (*labels, _volume_label(known))))
    lines: list[str] = []
    for row in range(PRICE_ROWS):
        label = labels[row] if row % _LABEL_EVERY == 0 or row == PRICE_ROWS - 1 else ""
        cells = "".join(_cell(each, row, low, high, paint) for each in columns)
        lines.append(f"{label.rjust(margin)} {'┤' if label else '│'}{cells}".rstrip())
    lines.append(f"{'':>{margin}} │")
    most = max(each.volume for each in known)
    for row in range(VOLUME_ROWS):
        label = _volume_label(known) if row == 0 else ""
        cells = "".join(_bar(each, row, most, paint) for each in columns)
        lines.append(f"{label.rjust(margin)} {'┤' if label else '│'}{cells}".rstrip())
    return [*lines, *_times(len(columns), begin, step_s, margin)]


def _labels(low: Decimal, high: Decimal) -> list[str]:
    """A price for each row, all with as many decimals as tell two rows apart."""
    span = high - low
    decimals = 0
    step = span / (PRICE_ROWS - 1) if span else abs(high) / 10**_DIGITS
    while decimals < _MOST_DECIMALS and step and step * 10**decimals < _UNITS_APART:
        decimals += 1
    rows = (high - span * row / (PRICE_ROWS - 1) for row in range(PRICE_ROWS))
    return [f"{each:,.{decimals}f}" for each in rows]


def _volume_label(known: Sequence[Column]) -> str:
    most = max(each.volume for each in known)
    unit, name = next((each for each in _LARGE if most >= each[0]), (1, ""))
    return short(Decimal(f"{most / unit:.3g}")) + name


def _cell(column: Column | None, row: int, low: Decimal, high: Decimal, paint: Paint) -> str:
    if column is None:
        return " "
    top, bottom = _row(column.high, low, high), _row(column.low, low, high)
    if not top <= row <= bottom:
        return " "
    ends = _row(column.open, low, high), _row(column.close, low, high)
    color = "green" if column.close >= column.open else "red"
    if not min(ends) <= row <= max(ends):
        return paint(WICK, color)
    if column.open == column.close:
        return paint(FLAT, color)
    return paint(RISING if column.close > column.open else FALLING, color)


def _row(price: Decimal, low: Decimal, high: Decimal) -> int:
    """The row of a price, 0 at the top; a market that did not move is in the middle."""
    if high == low:
        return PRICE_ROWS // 2
    return round((high - price) / (high - low) * (PRICE_ROWS - 1))


def _bar(column: Column | None, row: int, most: Decimal, paint: Paint) -> str:
    if column is None or not column.volume:
        return " "
    eighths = max(1, round(column.volume / most * VOLUME_ROWS * len(BLOCKS)))
    here = eighths - (VOLUME_ROWS - 1 - row) * len(BLOCKS)
    if here <= 0:
        return " "
    color = "green" if column.close >= column.open else "red"
    return paint(BLOCKS[min(here, len(BLOCKS)) - 1], color)


def _times(columns: int, begin: int, step_s: int, margin: int) -> list[str]:
    """The axis and its times, as many as fit with room between them."""
    told = "%Y-%m-%d" if step_s >= 86_400 else "%m-%d %H:%M"  # noqa: PLR2004 - a day
    width = len(datetime(2000, 1, 1, tzinfo=UTC).strftime(told)) + 3
    axis, below = ["─"] * columns, ""
    for place in range(0, columns, width):
        label = datetime.fromtimestamp(begin + place * step_s, UTC).strftime(told)
        if place and place + len(label) > columns:
            break
        axis[place] = "┬"
        below = below.ljust(place) + label
    return [f"{'':>{margin}} └{''.join(axis)}", f"{'':>{margin}}  {below}"]
