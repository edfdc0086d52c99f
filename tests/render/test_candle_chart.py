"""A chart of candles in blocks: what goes where."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import d
from zoe_tools.core.markets_history import Column
from zoe_tools.render.candle_chart import (
    PRICE_ROWS,
    VOLUME_ROWS,
    WIDEST_LABEL,
    chart,
)

BEGIN = 1_767_571_200
"""2026-01-05."""


def column(open_: str, high: str, low: str, close: str, volume: str = "1") -> Column:
    """One."""
    return Column(
        open=d(open_), high=d(high), low=d(low), close=d(close), volume=d(volume), candles=1
    )


def drawn(*columns: Column | None, step_s: int = 3_600) -> list[str]:
    """Without colours."""
    return chart(columns, begin=BEGIN, step_s=step_s, paint=lambda text, _: text)


def at_column(lines: list[str], place: int) -> str:
    """One column of the prices from top to bottom."""
    margin = lines[0].index("┤") + 1
    return "".join(line[margin:].ljust(place + 1)[place] for line in lines[:PRICE_ROWS])


def test_bodies_and_wicks_stand_where_prices_are() -> None:
    """Rising is shaded, falling filled; a hole stays empty."""
    lines = drawn(
        column("0", "13", "0", "13"), None, column("10", "13", "0", "5"), column("5", "5", "5", "5")
    )

    assert at_column(lines, 0) == "░" * 14
    assert at_column(lines, 1) == " " * 14
    assert at_column(lines, 2) == "│││██████│││││"
    assert at_column(lines, 3) == " " * 8 + "─" + " " * 5


def test_the_axis_tells_prices_and_times() -> None:
    """The highest on top, the lowest at the bottom."""
    lines = drawn(*(column("100", "113", "100", "113") for _ in range(40)))

    assert lines[0].startswith("113.0 ┤")
    assert lines[PRICE_ROWS - 1].startswith("100.0 ┤")
    assert lines[-2].strip().startswith("└┬────")
    assert (
        lines[-1].split()
        == ["01-05", "00:00", "01-05", "14:00", "01-06", "04:00"][: len(lines[-1].split())]
    )
    assert drawn(column("1", "2", "1", "2"), step_s=86_400)[-1].split() == ["2026-01-05"]


def test_volumes_are_bars_below() -> None:
    """An eighth of a row is the least that is seen."""
    lines = drawn(
        column("1", "2", "1", "2", "2400"),
        column("1", "2", "1", "2", "1200"),
        column("1", "2", "1", "2", "0.001"),
        column("1", "2", "1", "2", "0"),
    )
    bars = [line.split("┤")[-1].split("│")[-1] for line in lines[-2 - VOLUME_ROWS : -2]]

    assert bars == ["█", "█▄", "██▁"]
    assert lines[-2 - VOLUME_ROWS].strip().startswith("2.4k ┤")


def test_a_market_that_did_not_move_is_a_line_in_the_middle() -> None:
    """No division by its range."""
    lines = drawn(*(column("0.00001234", "0.00001234", "0.00001234", "0.00001234"),) * 3)

    assert [line.count("───") for line in lines[:PRICE_ROWS]].index(1) == PRICE_ROWS // 2


def test_nothing_cannot_be_drawn() -> None:
    """Whoever asks says so in words."""
    with pytest.raises(ValueError, match="nothing to draw"):
        drawn(None, None)


PRICES = st.integers(1, 10**13).flatmap(
    lambda top: st.tuples(
        st.lists(st.integers(1, top), min_size=4, max_size=4), st.integers(0, 10)
    ).map(lambda drawn: [Decimal(each).scaleb(-drawn[1]) for each in sorted(drawn[0])])
)


@given(st.lists(st.one_of(st.none(), PRICES), min_size=1, max_size=30))
def test_every_market_fits(rows: list[list[Decimal] | None]) -> None:
    """Prices of a fraction of a cent and of millions; each line has its room."""
    columns = [
        None
        if row is None
        else Column(open=row[1], high=row[3], low=row[0], close=row[2], volume=row[0], candles=1)
        for row in rows
    ]
    if not any(columns):
        return
    lines = drawn(*columns)
    margin = lines[0].index("┤")

    assert len(lines) == PRICE_ROWS + 1 + VOLUME_ROWS + 2
    assert all(len(line) <= margin + 1 + max(len(rows), 16) for line in lines)
    high = max(each.high for each in columns if each is not None)
    if high < 10**6:
        assert margin <= WIDEST_LABEL + 1 + 6
