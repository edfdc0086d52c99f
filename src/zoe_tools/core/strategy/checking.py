"""Whether what a strategy answered is a decision at all: somebody else's code may say anything."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from zoe_tools.core.strategy.protocol import Action, Decision, MarketView, Urgency
from zoe_tools.domain.money import ONE, ZERO

_ACTIONS = get_args(Action)
_URGENCIES = get_args(Urgency)


def problem_with(answer: object, view: MarketView) -> str:
    """Why the answer to that view cannot be acted on; empty where it can."""
    if not isinstance(answer, Decision):
        return f"it answered a {type(answer).__name__}, and no decision"
    if answer.symbol != view.symbol:
        return f"it was asked about {view.symbol}, and decided on {answer.symbol}"
    if answer.action not in _ACTIONS:
        return f"{answer.action!r} is no action"
    if answer.urgency not in _URGENCIES:
        return f"{answer.urgency!r} is no urgency"
    if not _is_text(answer.reason):
        return f"a reason of {answer.reason!r} is no text"
    if not (_is_amount(answer.strength) and ZERO <= answer.strength <= ONE):
        return f"a strength of {answer.strength} is not between 0 and 1"
    if answer.notional is not None and not (
        _is_amount(answer.notional) and answer.notional >= ZERO
    ):
        return f"a notional of {answer.notional} is no amount"
    return ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()
