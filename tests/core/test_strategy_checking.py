"""What somebody else's strategy may answer."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_quote
from zoe_tools.core.strategy.checking import problem_with
from zoe_tools.core.strategy.protocol import Decision, MarketView

VIEW = MarketView(symbol=BTC, now=NOON, quote=make_quote(), candles=(), position=None)
GOOD = Decision(symbol=BTC, action="enter", reason="why not", notional=d("5"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"notional": None}, ""),
        ({"symbol": ETH}, "decided on ETH/USD"),
        ({"action": "buy"}, "'buy' is no action"),
        ({"urgency": "panic"}, ""),
        ({"urgency": "soon"}, "'soon' is no urgency"),
        ({"strength": d("1.01")}, "strength"),
        ({"strength": d("-0.1")}, "strength"),
        ({"strength": Decimal("NaN")}, "strength"),
        ({"strength": 0.5}, "strength"),
        ({"notional": d("-1")}, "notional"),
        ({"notional": Decimal("Infinity")}, "notional"),
        ({"notional": 5}, "notional"),
    ],
)
def test_a_decision_must_be_one(changes: dict[str, Any], problem: str) -> None:
    """Of that instrument, with an action that there is, and amounts that are amounts."""
    found = problem_with(replace(GOOD, **changes), VIEW)

    assert (problem in found) if problem else found == ""


@pytest.mark.parametrize("answer", [None, "enter", ("enter", BTC)])
def test_anything_else_is_none(answer: object) -> None:
    """And is named by its type."""
    assert "and no decision" in problem_with(answer, VIEW)
