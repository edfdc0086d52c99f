"""The short list: what it takes over from pre-flight, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import LIVE, NOON, PAPER, make_catalogue
from zoe_tools.core.check_live_readiness import assess_live_readiness
from zoe_tools.core.pre_flight import (
    REQUIRED_PERMISSIONS,
    ClockFact,
    PreFlightFacts,
    StoreFacts,
    Unread,
    VenueFacts,
    Verdict,
)
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState

ALL = frozenset(REQUIRED_PERMISSIONS)
HALTED = TradingState(level=KillLevel.REDUCE_ONLY, reason="drill", changed_at=NOON)
GONE = Unread(reason="nobody answers", hint="Check the network.", exit_code=5)
NO_STORE = Unread(reason="no store yet", hint="Run `zoe init`.", exit_code=7)
VENUE = VenueFacts(
    clock=ClockFact(skew_s=0.0, round_trip_s=0.1),
    mode=VenueMode.ONLINE,
    catalogue=make_catalogue(),
    quotes=(),
    key=KeyInfo(name="bot", permissions=ALL),
    balances=(),
)
STORE = StoreFacts(revision="0001", trading_state=ARMED, unresolved_intents=0, lease=None)
FACTS = PreFlightFacts(
    taken_at=NOON,
    account=LIVE,
    policy=Policy(),
    symbols=("NO-SUCH",),
    live_consent=False,
    venue=VENUE,
    store=STORE,
)


def key(*tokens: str) -> VenueFacts:
    """A key that may do exactly this."""
    return replace(VENUE, key=KeyInfo(name="bot", permissions=frozenset(tokens)))


def test_a_ready_host_passes_whatever_instruments_and_money_say() -> None:
    """Neither the unknown instrument nor the empty account is asked about here."""
    report = assess_live_readiness(FACTS)

    assert {check.verdict for check in report.checks} == {Verdict.PASS}
    groups = dict.fromkeys(check.group for check in report.checks)
    assert list(groups) == ["account", "api", "key", "store", "engine"]


CASES: list[tuple[dict[str, Any], str, str, int]] = [
    ({"account": PAPER}, "live", "warn", 0),
    ({"venue": VenueFacts.unread(GONE)}, "reachable", "fail", 5),
    ({"venue": VenueFacts.unread(GONE)}, "authentication", "fail", 5),
    ({"venue": replace(VENUE, clock=ClockFact(skew_s=60, round_trip_s=0))}, "clock", "fail", 3),
    ({"venue": replace(VENUE, mode=VenueMode.MAINTENANCE)}, "mode", "fail", 3),
    ({"venue": key("query-funds")}, "permissions", "fail", 3),
    ({"venue": key(*ALL, "withdraw-funds")}, "withdrawal", "fail", 3),
    ({"store": NO_STORE}, "database", "fail", 7),
    ({"store": replace(STORE, trading_state=HALTED)}, "kill state", "fail", 3),
    ({"store": replace(STORE, unresolved_intents=1)}, "intents", "fail", 3),
]


@pytest.mark.parametrize(("change", "name", "verdict", "code"), CASES)
def test_each_part_has_its_verdict_and_its_exit_code(
    change: dict[str, Any], name: str, verdict: str, code: int
) -> None:
    """And a next step wherever it does not pass."""
    report = assess_live_readiness(replace(FACTS, **change))
    (check,) = [each for each in report.checks if each.name == name]

    assert (check.verdict.value, report.exit_code) == (verdict, code)
    assert check.next_step
