"""The names of structured events: a contract with dashboards. Pages: docs/events.md."""

from __future__ import annotations

EVENTS: tuple[str, ...] = (
    "API circuit breaker OPENED",
    "ALERT_FAILED",
    "AUTO_RECOVERY",
    "API circuit breaker closed",
    "API circuit breaker half-open",
    "CLOCK_FAR_OFF",
    "CORRUPTED_POSITION",
    "CYCLE_SUMMARY",
    "CYCLE_SUMMARY_FAILED",
    "DEAD_MAN_ARMED",
    "DEAD_MAN_DISARMED",
    "DEAD_MAN_FIRED",
    "DEAD_MAN_LEFT_ARMED",
    "DECISION_TRACE",
    "DISCREPANCY_CONFIRMED",
    "EMERGENCY_JOURNAL_MERGED",
    "EMERGENCY_JOURNAL_USED",
    "EXIT_ESCALATED",
    "FILL_PROTECTED",
    "INSTRUMENT_STATUS",
    "INVARIANT_VIOLATION",
    "KEY_ALONE",
    "KEY_HELD_UP",
    "KEY_SHARED",
    "KILL_SWITCH_ACTIVATED",
    "LOOP_ENDED",
    "ORDER_REJECTED_BY_VENUE",
    "OUTCOME_UNKNOWN",
    "POSITION_UNPROTECTED",
    "RECONCILIATION_CLEARED",
    "RECONCILIATION_ESCALATED",
    "RECONCILIATION_REPORT",
    "RECOVERY_MERGE_COLLISION",
    "REGISTRY_AUDIT_REPORT",
    "REPEATED_REJECTIONS",
    "STARTUP",
    "SAFE_MODE_ENTERED",
    "SAFE_MODE_LEFT",
    "SELF_HEAL",
    "STORE_AWAY",
    "STORE_BACK",
    "STORE_RESTORED",
    "STUCK_ORDER",
    "STRATEGY_ANSWERS",
    "STRATEGY_FAILED",
    "THRESHOLD_MISMATCH",
    "TIME_STOP",
)


def event_in(message: str) -> str | None:
    """The event that a plain log line begins with: parts that know no events write such lines."""
    return next((name for name in EVENTS if message.startswith(name)), None)
