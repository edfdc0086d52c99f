"""Whether the live account could be traded from here now: the short list of pre-flight's checks.

What may be traded, at which limits and with how much money is pre-flight's business.
"""

from __future__ import annotations

from zoe_tools.core.pre_flight import (
    Check,
    PreFlightFacts,
    PreFlightReport,
    Verdict,
    assess_pre_flight,
)

_ASKED = {
    ("venue", "reachable"): "api",
    ("venue", "clock"): "api",
    ("venue", "mode"): "api",
    ("key", "authentication"): "key",
    ("key", "permissions"): "key",
    ("key", "withdrawal"): "key",
    ("key", "expiry"): "key",
    ("store", "database"): "store",
    ("trading", "kill state"): "engine",
    ("trading", "intents"): "engine",
    ("trading", "loop"): "engine",
}
"""Pre-flight's group and name -> the group here."""


def assess_live_readiness(facts: PreFlightFacts) -> PreFlightReport:
    """The report, grouped; the same facts give the same report."""
    found = assess_pre_flight(facts).checks
    chosen = [
        Check(
            group=_ASKED[each.group, each.name],
            name=each.name,
            verdict=each.verdict,
            detail=each.detail,
            next_step=each.next_step,
            exit_code=each.exit_code,
        )
        for each in found
        if (each.group, each.name) in _ASKED
    ]
    return PreFlightReport(checks=(_account(facts), *chosen))


def _account(facts: PreFlightFacts) -> Check:
    if facts.account.mode == "live":
        return Check(
            group="account",
            name="live",
            verdict=Verdict.PASS,
            detail=f"{facts.account.title}: its key is configured",
        )
    return Check(
        group="account",
        name="live",
        verdict=Verdict.WARN,
        detail="this is the paper account: no live key is configured, or paper was named",
        next_step="Set KRAKEN_API_KEY and KRAKEN_API_SECRET (or their *_FILE).",
    )
