"""Invariants of the account: what warns, what is critical, and what is latched for which cause."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from builders import d
from zoe_tools.core.invariants import cause_of, level_for, state_of, told_value, violations_of
from zoe_tools.domain.invariants import InvariantLimits, Measured, SafetyState
from zoe_tools.domain.trading_state import KillLevel, KillReason

LIMITS = InvariantLimits(equity_floor=d("100"))


def found(**measured: Any) -> list[tuple[str, bool]]:
    """Name and whether critical, of what does not hold."""
    violations = violations_of(Measured(**measured), LIMITS)
    return [(each.invariant, each.is_critical) for each in violations]


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, []),
        ({"drawdown_pct": d("9.99")}, []),
        ({"drawdown_pct": d("10")}, [("drawdown_pct", False)]),
        ({"drawdown_pct": d("15")}, [("drawdown_pct", True)]),
        ({"equity": d("100")}, []),
        ({"equity": d("99.99")}, [("equity_floor", True)]),
        ({"open_notional": d("499999")}, []),
        ({"open_notional": d("500000")}, [("open_notional", True)]),
        ({"positions": 21}, []),
        ({"positions": 22}, [("positions", False)]),
        ({"positions": 27}, [("positions", True)]),
        ({"largest_position_pct": d("35")}, [("position_pct", False)]),
        ({"rejects": 4}, []),
        ({"rejects": 5}, [("rejects_per_minute", False)]),
        ({"api_errors": 9}, []),
        ({"api_errors": 10}, [("api_errors_per_minute", True)]),
        ({"clock_skew_s": d("30")}, [("clock_skew_s", False)]),
        ({"clock_skew_s": d("300")}, [("clock_skew_s", True)]),
        ({"candle_age_s": d("120")}, [("candle_age_s", False)]),
        ({"blind_s": d("3599"), "naked_s": d("239"), "unreconciled_s": d("1799")}, []),
        ({"blind_s": d("3600")}, [("blind_s", True)]),
        ({"naked_s": d("240")}, [("naked_s", True)]),
        ({"unreconciled_s": d("1800")}, [("unreconciled_s", True)]),
        ({"margin_pct": d("84.9")}, []),
        ({"margin_pct": d("85")}, [("margin_pct", False)]),
        ({"margin_pct": d("92")}, [("margin_pct", True)]),
    ],
)
def test_each_limit_counts_once_it_is_reached(
    measured: dict[str, Any], expected: list[tuple[str, bool]]
) -> None:
    """By the table of the defaults; what cannot be told violates nothing."""
    assert found(**measured) == expected


@pytest.mark.parametrize(
    ("measured", "state", "level"),
    [
        ({}, SafetyState.ACTIVE, KillLevel.NONE),
        ({"positions": 22}, SafetyState.ACTIVE, KillLevel.NONE),
        ({"positions": 22, "rejects": 5}, SafetyState.DEGRADED, KillLevel.NONE),
        ({"positions": 27}, SafetyState.HALTED, KillLevel.CANCEL_OPEN),
        ({"positions": 27, "rejects": 5}, SafetyState.HALTED, KillLevel.CANCEL_OPEN),
        ({"positions": 27, "api_errors": 10}, SafetyState.EMERGENCY, KillLevel.REDUCE_ONLY),
    ],
)
def test_two_warnings_degrade_one_critical_halts_two_are_an_emergency(
    measured: dict[str, Any], state: SafetyState, level: KillLevel
) -> None:
    """One warning is only told; nothing flattens unless somebody has said so."""
    violations = violations_of(Measured(**measured), LIMITS)

    assert state_of(violations) is state
    assert level_for(state, LIMITS) is level


def test_an_emergency_is_never_milder_than_a_halt() -> None:
    """However the two levels are set."""
    odd = InvariantLimits(halt_level=KillLevel.REDUCE_ONLY, emergency_level=KillLevel.PAUSE_ENTRIES)

    assert level_for(SafetyState.EMERGENCY, odd) is KillLevel.REDUCE_ONLY


@pytest.mark.parametrize(
    ("measured", "cause"),
    [
        ({"drawdown_pct": d("15")}, KillReason.INVARIANT_VIOLATION),
        ({"equity": d("1")}, KillReason.INVARIANT_VIOLATION),
        ({"open_notional": d("500000")}, KillReason.INVARIANT_VIOLATION),
        ({"positions": 27}, KillReason.INVARIANT_VIOLATION),
        ({"api_errors": 10}, KillReason.API_ERROR),
        ({"api_errors": 10, "drawdown_pct": d("15")}, KillReason.INVARIANT_VIOLATION),
        ({"api_errors": 10, "clock_skew_s": d("99")}, KillReason.API_ERROR),
    ],
)
def test_defect_12_a_violation_is_latched_with_its_own_reason(
    measured: dict[str, Any], cause: KillReason
) -> None:
    """Nothing but margin is margin_critical: that one alone may ever pass by itself."""
    violations = violations_of(Measured(**measured), LIMITS)

    assert cause_of(violations) is cause
    assert KillReason.MARGIN_CRITICAL not in {each.cause for each in violations}


@pytest.mark.parametrize(
    ("measured", "cause"),
    [
        ({"margin_pct": d("92")}, KillReason.MARGIN_CRITICAL),
        ({"margin_pct": d("92"), "drawdown_pct": d("15")}, KillReason.INVARIANT_VIOLATION),
        ({"margin_pct": d("92"), "naked_s": d("240")}, KillReason.RECONCILIATION_FAILURE),
        ({"margin_pct": d("92"), "blind_s": d("3600")}, KillReason.DATA_FAILURE),
        ({"margin_pct": d("92"), "drawdown_pct": d("14")}, KillReason.MARGIN_CRITICAL),
        ({"margin_pct": d("124.9")}, KillReason.MARGIN_CRITICAL),
        ({"margin_pct": d("125")}, KillReason.LIQUIDATION_BREACH),
        ({"margin_pct": d("125"), "drawdown_pct": d("15")}, KillReason.LIQUIDATION_BREACH),
    ],
)
def test_margin_is_told_only_where_nothing_else_is_critical(
    measured: dict[str, Any], cause: KillReason
) -> None:
    """It is the one cause that may pass by itself, and must not stand for another."""
    assert cause_of(violations_of(Measured(**measured), LIMITS)) is cause


def test_defect_13_every_reason_survives_being_stored() -> None:
    """Written before a colon, read back; a word of somebody's own is `manual`."""
    for reason in KillReason:
        assert KillReason.of(reason.worded("because: of this")) is reason
    for own in ("", "fat finger", "manual", "panic: now", "api_error"):
        assert KillReason.of(own) is KillReason.MANUAL


def test_a_limit_that_is_none_is_none() -> None:
    """Every limit may be switched off."""
    off = InvariantLimits(
        drawdown_warn_pct=None,
        drawdown_crit_pct=None,
        open_notional_crit=None,
        positions_warn=None,
        positions_crit=None,
        position_warn_pct=None,
        rejects_warn=None,
        api_errors_crit=None,
        clock_skew_warn_s=None,
        clock_skew_crit_s=None,
        candle_age_warn_s=None,
        blind_crit_s=None,
        naked_crit_s=None,
        unreconciled_crit_s=None,
        margin_warn_pct=None,
        margin_crit_pct=None,
        liquidation_crit_pct=None,
    )
    much = Decimal(10**9)
    worst = Measured(
        drawdown_pct=much,
        equity=-much,
        open_notional=much,
        positions=10**9,
        largest_position_pct=much,
        rejects=10**9,
        api_errors=10**9,
        clock_skew_s=much,
        candle_age_s=much,
        blind_s=much,
        naked_s=much,
        unreconciled_s=much,
        margin_pct=much,
    )

    assert violations_of(worst, off) == ()


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ({"clock_skew_s": d("412.083417")}, "412.08"),
        ({"largest_position_pct": d("100") / 3 * 2}, "66.67"),
        ({"positions": 27}, "27"),
        ({"drawdown_pct": d("15.2")}, "15.2"),
    ],
)
def test_a_value_is_told_in_the_digits_that_a_person_needs(
    measured: dict[str, Any], told: str
) -> None:
    """A quotient has twenty-eight digits, and a clock microseconds."""
    (violation,) = violations_of(Measured(**measured), LIMITS)

    assert told_value(violation) == told
