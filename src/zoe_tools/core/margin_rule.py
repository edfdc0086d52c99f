"""The one rule that takes a kill level back without a person: margin that has come down again.

Narrow on purpose. It is for what a loop latched for margin and for nothing else; whatever else is
critical, whatever a person did since, and the third time within a day keep the level for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from zoe_tools.domain.invariants import InvariantLimits, Measured, Violation
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import Plan, SetTradingState
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel, KillReason, TradingState

MARGIN_RULE = "margin rule"
"""The command of its plan, and the name under which it is remembered how often it acted."""

_DAY = timedelta(days=1)


def is_margins(state: TradingState, loop: str) -> bool:
    """Whether a level is in force that a `loop` of that name latched for margin alone."""
    return (
        KillLevel.NONE < state.level < KillLevel.FLATTEN
        and state.cause is KillReason.MARGIN_CRITICAL
        and state.changed_by == loop
    )


def still_holds(
    state: TradingState,
    measured: Measured,
    violations: Sequence[Violation],
    limits: InvariantLimits,
    *,
    acted_at: Sequence[datetime],
    now: datetime,
) -> str:
    """Why a level that is margin's own stays; empty once it may be taken back.

    `acted_at`: when the rule took one back before.
    """
    critical = [each.invariant for each in violations if each.is_critical]
    if critical:
        return f"{critical[0]} is critical"
    if measured.margin_pct is None:
        return "how much margin is in use cannot be told"
    bound = limits.margin_warn_pct
    if bound is None or measured.margin_pct >= bound:
        return f"{short(measured.margin_pct)} % of equity are in use as margin"
    age = timedelta() if state.changed_at is None else now - state.changed_at
    if age < timedelta(seconds=float(limits.margin_rearm_after_s)):
        return "it was latched a moment ago"
    if len(lately(acted_at, now)) >= limits.margin_rearms_per_day:
        return "it was taken back too often within a day"
    return ""


def lately(acted_at: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those within the last day; a clock that was set back forgives none."""
    return tuple(each for each in acted_at if now - each < _DAY)


def plan_take_back(snapshot: Snapshot, reason: str) -> Plan:
    """Arm the account again."""
    state = snapshot.trading_state
    step = SetTradingState(
        level=KillLevel.NONE,
        reason=reason,
        before=state.level,
        stopped_at=state.changed_at,
        times_stopped=dict(snapshot.times_stopped).get(None, 0),
    )
    return Plan(
        command=MARGIN_RULE,
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=(step,),
    )
