"""Whether the account keeps within its limits, and what follows where it does not.

A violation warns or is critical. Two warnings degrade, one critical halts, two are an emergency.
The reason a kill is latched with follows from the violation alone: a drawdown is never told as
margin, which is the one cause that may pass by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from zoe_tools.domain.invariants import InvariantLimits, Measured, SafetyState, Violation
from zoe_tools.domain.money import round_half_up, short
from zoe_tools.domain.trading_state import KillLevel, KillReason

_BROKEN, _DATA = KillReason.INVARIANT_VIOLATION, KillReason.DATA_FAILURE
_API, _BOOKS = KillReason.API_ERROR, KillReason.RECONCILIATION_FAILURE
_MARGIN, _LIQUIDATION = KillReason.MARGIN_CRITICAL, KillReason.LIQUIDATION_BREACH
_ENOUGH_WARNINGS = 2
_DIGITS = 2
"""Of a measured value, which may be a quotient or have microseconds."""

_EMERGENCY = 2

_Row = tuple[str, Decimal | int | None, Decimal | None, Decimal | None, KillReason]
"""Name, value, the limit that warns, the critical one, the cause."""


def violations_of(measured: Measured, limits: InvariantLimits) -> tuple[Violation, ...]:
    """Every invariant that does not hold, at its worst; a limit that is reached does not hold."""
    found = [_judged(*row) for row in _rows(measured, limits)]
    found.append(_below_floor(measured, limits))
    return tuple(each for each in found if each is not None)


def state_of(violations: Sequence[Violation]) -> SafetyState:
    """What so many warnings and criticals make of the account."""
    critical = sum(each.is_critical for each in violations)
    if critical >= _EMERGENCY:
        return SafetyState.EMERGENCY
    if critical:
        return SafetyState.HALTED
    is_degraded = len(violations) >= _ENOUGH_WARNINGS
    return SafetyState.DEGRADED if is_degraded else SafetyState.ACTIVE


def level_for(state: SafetyState, limits: InvariantLimits) -> KillLevel:
    """The level that the state latches; none below HALTED."""
    if state is SafetyState.EMERGENCY:
        return max(limits.emergency_level, limits.halt_level)
    return limits.halt_level if state is SafetyState.HALTED else KillLevel.NONE


def cause_of(violations: Sequence[Violation]) -> KillReason:
    """What the kill is latched with: of several criticals what the venue would end goes first.

    Then the account's own limits. Margin goes last: it is told only where there is nothing else.
    """
    causes = {each.cause for each in violations if each.is_critical}
    ranked = (_LIQUIDATION, _BROKEN, _BOOKS, _API, _DATA, _MARGIN)
    return next((each for each in ranked if each in causes), _BROKEN)


def told_value(violation: Violation) -> str:
    """What was measured, in as many digits as a person needs."""
    return short(round_half_up(violation.value, _DIGITS))


def sentence_of(violation: Violation) -> str:
    """The violation without its value: it is the same from one look to the next."""
    word = "critical" if violation.is_critical else "warning"
    return f"{violation.invariant} is beyond {short(violation.limit)} ({word})"


def _rows(measured: Measured, limits: InvariantLimits) -> Iterator[_Row]:
    m, at = measured, limits
    yield "drawdown_pct", m.drawdown_pct, at.drawdown_warn_pct, at.drawdown_crit_pct, _BROKEN
    yield "open_notional", m.open_notional, None, at.open_notional_crit, _BROKEN
    yield "positions", m.positions, at.positions_warn, at.positions_crit, _BROKEN
    yield "position_pct", m.largest_position_pct, at.position_warn_pct, None, _BROKEN
    yield "rejects_per_minute", m.rejects, at.rejects_warn, None, _API
    yield "api_errors_per_minute", m.api_errors, None, at.api_errors_crit, _API
    yield "clock_skew_s", m.clock_skew_s, at.clock_skew_warn_s, at.clock_skew_crit_s, _DATA
    yield "candle_age_s", m.candle_age_s, at.candle_age_warn_s, None, _DATA
    yield "blind_s", m.blind_s, None, at.blind_crit_s, _DATA
    yield "naked_s", m.naked_s, None, at.naked_crit_s, _BOOKS
    yield "unreconciled_s", m.unreconciled_s, None, at.unreconciled_crit_s, _BOOKS
    yield "margin_pct", m.margin_pct, at.margin_warn_pct, at.margin_crit_pct, _MARGIN
    yield "liquidation_pct", m.margin_pct, None, at.liquidation_crit_pct, _LIQUIDATION


def _judged(
    name: str,
    value: Decimal | int | None,
    warn: Decimal | None,
    critical: Decimal | None,
    cause: KillReason,
) -> Violation | None:
    if value is None:
        return None
    for limit, is_critical in ((critical, True), (warn, False)):
        if limit is not None and value >= limit:
            return Violation(
                invariant=name,
                is_critical=is_critical,
                value=Decimal(value),
                limit=limit,
                cause=cause,
            )
    return None


def _below_floor(measured: Measured, limits: InvariantLimits) -> Violation | None:
    floor, equity = limits.equity_floor, measured.equity
    if floor is None or equity is None or equity >= floor:
        return None
    return Violation(
        invariant="equity_floor", is_critical=True, value=equity, limit=floor, cause=_BROKEN
    )
