"""What a replay's trading came to, as an operator reads it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest

from builders import NOON, d, make_position
from zoe_tools.core.performance import CurvePoint, performance_of
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.position import PositionStatus
from zoe_tools.render.performance import performance_rows, show_curve
from zoe_tools.render.printer import Printer


def curve(*equities: str) -> list[CurvePoint]:
    """A point an hour."""
    return [
        CurvePoint(at=NOON + number * timedelta(hours=1), equity=d(each), held=d("0"))
        for number, each in enumerate(equities)
    ]


def rows(*results: str) -> dict[str, str]:
    """Figure by name, of round trips of 100 USD with these results."""
    positions = [
        make_position(
            position_id=PositionId(f"P{number}"),
            status=PositionStatus.CLOSED,
            quantity=d("0"),
            exit_quantity=d("1"),
            average_cost=d("100"),
            realised_pnl=d(each),
            closed_at=NOON + timedelta(hours=1),
        )
        for number, each in enumerate(results)
    ]
    found = performance_of(curve("1000", "990", "1010"), positions=positions, fills=(), marks={})
    assert found is not None
    return dict(performance_rows(found))


def test_each_figure_has_its_line() -> None:
    """In words that a trader knows."""
    told = rows("6", "-2", "-1")

    assert told["equity"] == "1,000.00 to 1,010.00 USD: +1.00 %, to buy and hold -"
    assert told["drawdown"] == "10.00 USD, 1.00 % at the most"
    assert told["trades"] == "3, 33.3 % won, 2 losses in a row at the most"
    assert told["expectancy"] == "+1.0000 USD a trade, +1.00 %; a win +6.0000, a loss -1.5000"
    assert told["profit factor"] == "2.00"


def test_what_has_no_meaning_is_a_dash() -> None:
    """Without a trade there is nothing to expect."""
    told = rows()

    assert (told["trades"], told["expectancy"], told["profit factor"]) == ("none", "-", "-")


@pytest.mark.parametrize("width", [80, 120])
def test_the_curve_fits_the_terminal(width: int) -> None:
    """Lowest and highest at its end."""
    out = StringIO()
    found = performance_of(
        curve(*(str(1000 + n % 7) for n in range(300))), positions=(), fills=(), marks={}
    )
    assert found is not None
    show_curve(Printer(out=out, err=out, width=width, is_terminal=True), found)

    line, *_ = out.getvalue().splitlines()
    assert len(line) == width
    assert line.startswith("  curve  ")
    assert line.endswith("  1,000.00 to 1,006.00")


def test_a_pipe_gets_no_blocks() -> None:
    """What is read by a program is in --json."""
    out = StringIO()
    found = performance_of(curve("1", "2"), positions=(), fills=(), marks={})
    assert found is not None
    show_curve(Printer(out=out, err=out, width=80), found)

    assert out.getvalue() == ""
