"""The one rule that takes a level back: each of its bounds, and nothing but margin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOON, d, plan_with, snapshot_with
from zoe_tools.core.margin_rule import MARGIN_RULE, is_margins, plan_take_back, still_holds
from zoe_tools.core.risk import veto
from zoe_tools.domain.invariants import InvariantLimits, Measured, Violation
from zoe_tools.domain.plan import SetTradingState
from zoe_tools.domain.trading_state import KillLevel, KillReason, TradingState

MARGINS = TradingState(
    level=KillLevel.CANCEL_OPEN,
    reason=KillReason.MARGIN_CRITICAL.worded("margin_pct 93 is beyond 92"),
    changed_at=NOON - timedelta(seconds=300),
    changed_by="run",
)
DRAWDOWN = replace(MARGINS, reason=KillReason.INVARIANT_VIOLATION.worded("drawdown_pct 16"))
BROKEN = Violation(
    invariant="drawdown_pct",
    is_critical=True,
    value=d("16"),
    limit=d("15"),
    cause=KillReason.INVARIANT_VIOLATION,
)


@pytest.mark.parametrize(
    ("changes", "is_so"),
    [
        ({}, True),
        ({"reason": DRAWDOWN.reason}, False),
        ({"reason": "margin was critical, I stop"}, False),
        ({"changed_by": "ada"}, False),
        ({"level": KillLevel.FLATTEN}, False),
        ({"level": KillLevel.NONE}, False),
    ],
)
def test_vector_10_only_what_the_loop_latched_for_margin_is_margin_s(
    changes: dict[str, Any], *, is_so: bool
) -> None:
    """A drawdown never clears by itself, nor what a person ordered in whatever words."""
    assert is_margins(replace(MARGINS, **changes), "run") is is_so


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"measured": Measured(margin_pct=d("85"))}, "85 % of equity are in use as margin"),
        ({"measured": Measured()}, "how much margin is in use cannot be told"),
        ({"violations": (BROKEN,)}, "drawdown_pct is critical"),
        ({"now": NOON - timedelta(seconds=1)}, "it was latched a moment ago"),
        (
            {"acted_at": (NOON - timedelta(hours=23), NOON - timedelta(hours=1))},
            "it was taken back too often within a day",
        ),
        ({"acted_at": (NOON - timedelta(hours=24), NOON - timedelta(hours=1))}, ""),
        ({"limits": InvariantLimits(margin_rearms_per_day=0)}, "it was taken back too often"),
    ],
)
def test_vector_10_margin_s_level_is_taken_back_within_its_bounds(
    changes: dict[str, Any], why: str
) -> None:
    """Below 85 %, five minutes after, twice within a day, and only if nothing else is critical."""
    values: dict[str, Any] = {
        "measured": Measured(margin_pct=d("84.9")),
        "violations": (),
        "limits": InvariantLimits(),
        "acted_at": (),
        "now": NOON,
        **changes,
    }
    held = still_holds(MARGINS, **values)

    assert held.startswith(why)
    assert bool(held) is bool(why)


def test_the_gate_lets_the_rule_lower_margin_s_level_and_no_other() -> None:
    """Its plan is one; the same step by another command is refused, and so is another cause."""
    snapshot = snapshot_with(trading_state=MARGINS)
    plan = plan_take_back(snapshot, "over")
    lower = SetTradingState(level=KillLevel.NONE, reason="over")

    assert (plan.command, veto(plan, snapshot)) == (MARGIN_RULE, ())
    for state, command in ((MARGINS, "run"), (DRAWDOWN, MARGIN_RULE)):
        refused = veto(plan_with(lower, command=command), snapshot_with(trading_state=state))
        assert [each.code for each in refused] == ["DE_ESCALATION"]
