"""The verdict of `zoe pre-flight` on facts, one at a time gone wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import LIVE, NOON, PAPER, d, make_catalogue, make_instrument, make_quote
from zoe_tools.core.pre_flight import (
    FORBIDDEN_PERMISSIONS,
    REQUIRED_PERMISSIONS,
    Check,
    ClockFact,
    PreFlightFacts,
    StoreFacts,
    Unread,
    VenueFacts,
    Verdict,
    assess_pre_flight,
)
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState

GONE = Unread(reason="nobody answers", hint="Check the network.", exit_code=5)
NO_STORE = Unread(reason="no store yet", hint="Run `zoe init`.", exit_code=7)
ALL = frozenset(REQUIRED_PERMISSIONS)


def venue(**changes: Any) -> VenueFacts:
    """A healthy venue."""
    values: dict[str, Any] = {
        "clock": ClockFact(skew_s=0.02, round_trip_s=0.1),
        "mode": VenueMode.ONLINE,
        "catalogue": make_catalogue(),
        "quotes": (make_quote(), make_quote(Symbol("ETH/USD"), ask=d("3000"), bid=d("2999"))),
        "key": KeyInfo(name="bot", permissions=ALL),
        "balances": (Balance(asset="USD", total=d("1000"), hold=d("100")),),
    }
    return VenueFacts(**{**values, **changes})


def store(**changes: Any) -> StoreFacts:
    """A healthy store."""
    values: dict[str, Any] = {
        "revision": "0001",
        "trading_state": ARMED,
        "unresolved_intents": 0,
        "lease": None,
    }
    return StoreFacts(**{**values, **changes})


def facts(**changes: Any) -> PreFlightFacts:
    """A healthy paper account that trades two pairs."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "symbols": ("BTC-USD", "ETH-USD"),
        "live_consent": False,
        "venue": venue(),
        "store": store(),
    }
    return PreFlightFacts(**{**values, **changes})


CAN_WITHDRAW = KeyInfo(name="bot", permissions=ALL | {"withdraw-funds"})
OPEN_HANDED = Policy(allow_withdrawal_key=True)
MAY_REST = Policy(allow_targets_without_stop=True)


def expiring(*, days: int) -> KeyInfo:
    """A key that lives so long."""
    return KeyInfo(name="bot", permissions=ALL, valid_until=NOON + timedelta(days=days))


def found(judged: PreFlightFacts, group: str, name: str) -> Check:
    """The one check of that name."""
    [check] = [
        each
        for each in assess_pre_flight(judged).checks
        if (each.group, each.name) == (group, name)
    ]
    return check


def test_a_healthy_account_passes() -> None:
    """Exit 0, and every group is there."""
    report = assess_pre_flight(facts())

    assert {check.verdict for check in report.checks} == {Verdict.PASS}
    assert (report.verdict, report.exit_code) == (Verdict.PASS, 0)
    groups = list(dict.fromkeys(check.group for check in report.checks))
    assert groups == [
        "configuration",
        "venue",
        "key",
        "instruments",
        "balances",
        "limits",
        "store",
        "trading",
    ]


@pytest.mark.parametrize(
    ("group", "name", "verdict", "judged"),
    [
        ("configuration", "settings", "warn", facts(warnings=("odd",))),
        ("configuration", "consent", "warn", facts(account=LIVE)),
        ("configuration", "consent", "pass", facts(account=LIVE, live_consent=True)),
        ("configuration", "funding", "pass", facts(absent={"funding": "A_SETTING"})),
        ("venue", "mode", "warn", facts(venue=venue(mode=VenueMode.POST_ONLY))),
        ("venue", "mode", "warn", facts(venue=venue(mode=VenueMode.LIMIT_ONLY))),
        ("venue", "mode", "fail", facts(venue=venue(mode=VenueMode.CANCEL_ONLY))),
        ("venue", "mode", "fail", facts(venue=venue(mode=VenueMode.MAINTENANCE))),
        ("venue", "mode", "fail", facts(venue=venue(mode=VenueMode.UNKNOWN))),
        ("instruments", "DOGE-USD", "fail", facts(symbols=("DOGE-USD",))),
        ("instruments", "BTC/USD", "warn", facts(venue=venue(quotes=()))),
        ("instruments", "BTC/USD", "warn", facts(policy=Policy(max_notional_per_trade=d("0")))),
        ("balances", "USD", "warn", facts(policy=Policy(max_notional_per_trade=d("900.01")))),
        ("balances", "USD", "pass", facts(policy=Policy(max_notional_per_trade=d("900")))),
        ("balances", "USD", "warn", facts(venue=venue(balances=()))),
        ("trading", "intents", "fail", facts(store=store(unresolved_intents=1))),
        ("trading", "stops", "warn", facts(store=store(unprotected=("BTC/USD",)))),
        ("limits", "today", "warn", facts(store=store(daily_notional=d("50")))),
        ("limits", "today", "pass", facts(store=store(daily_notional=d("49.99")))),
        ("limits", "tightened", "pass", facts(store=store(limits={"MAX_OPEN_ORDERS": "2"}))),
        ("instruments", "BTC/USD", "fail", facts(policy=Policy(allowed_symbols=("ETH-USD",)))),
        ("store", "audit key", "warn", facts(audit_key=("nobody can read it", "Restore it."))),
        ("key", "withdrawal", "warn", facts(policy=OPEN_HANDED, venue=venue(key=CAN_WITHDRAW))),
        ("configuration", "targets", "warn", facts(policy=MAY_REST)),
        ("key", "expiry", "fail", facts(venue=venue(key=expiring(days=1)))),
        ("key", "expiry", "warn", facts(venue=venue(key=expiring(days=7)))),
        ("key", "expiry", "pass", facts(venue=venue(key=expiring(days=8)))),
    ],
)
def test_each_fact_has_its_verdict(
    group: str, name: str, verdict: str, judged: PreFlightFacts
) -> None:
    """And whatever does not pass says what to do."""
    check = found(judged, group, name)

    assert check.verdict.value == verdict
    assert bool(check.next_step) == (verdict != "pass")


@pytest.mark.parametrize(
    ("skew_s", "round_trip_s", "verdict"),
    [
        (0.0, 0.1, "pass"),
        (1.5, 0.0, "pass"),
        (1.51, 0.0, "warn"),
        (-1.51, 0.0, "warn"),
        (1.9, 1.0, "pass"),
        (5.49, 0.0, "warn"),
        (5.5, 0.0, "fail"),
        (-60.0, 0.1, "fail"),
    ],
)
def test_clocks_may_differ_by_a_second(skew_s: float, round_trip_s: float, verdict: str) -> None:
    """Beyond half a round trip and half of the venue's second, which are doubts of the measure."""
    clock = ClockFact(skew_s=skew_s, round_trip_s=round_trip_s)

    assert found(facts(venue=venue(clock=clock)), "venue", "clock").verdict.value == verdict


@pytest.mark.parametrize("token", sorted(REQUIRED_PERMISSIONS))
def test_each_permission_that_zoe_needs_is_demanded(token: str) -> None:
    """By the name that the key's page shows."""
    key = KeyInfo(name="bot", permissions=ALL - {token})
    judged = facts(venue=venue(key=key))

    check = found(judged, "key", "permissions")

    assert check.verdict is Verdict.FAIL
    assert REQUIRED_PERMISSIONS[token] in check.detail
    assert assess_pre_flight(judged).exit_code == 3


@pytest.mark.parametrize("token", sorted(FORBIDDEN_PERMISSIONS))
def test_a_key_that_can_move_money_out_fails(token: str) -> None:
    """A stolen trading key must not be a stolen account."""
    key = KeyInfo(name="bot", permissions=ALL | {token})

    assert found(facts(venue=venue(key=key)), "key", "withdrawal").verdict is Verdict.FAIL


def test_the_smallest_order_must_fit_under_the_cap() -> None:
    """0.0004 BTC at 62500.1 costs 25.00004: a cent too much for 25."""
    dear = make_instrument(min_quantity=d("0.0004"))
    quotes = (make_quote(ask=d("62500.1")),)
    judged = facts(symbols=("BTC-USD",), venue=venue(catalogue=make_catalogue(dear), quotes=quotes))

    check = found(judged, "instruments", "BTC/USD")

    assert check.verdict is Verdict.FAIL
    assert "25.00004 USD" in check.detail


@pytest.mark.parametrize("status", [each for each in InstrumentStatus if each.value != "online"])
def test_an_instrument_that_is_not_online_fails(status: InstrumentStatus) -> None:
    """Entries on it would be refused."""
    catalogue = make_catalogue(make_instrument(status=status))
    judged = facts(symbols=("BTC-USD",), venue=venue(catalogue=catalogue))

    assert found(judged, "instruments", "BTC/USD").verdict is Verdict.FAIL


def test_a_latched_kill_fails_and_says_why() -> None:
    """Only an operator re-arms."""
    state = TradingState(level=KillLevel.REDUCE_ONLY, reason="strange fills", changed_at=NOON)

    check = found(facts(store=store(trading_state=state)), "trading", "kill state")

    assert (check.verdict, check.detail) == (Verdict.FAIL, "reduce-only: strange fills")
    assert "zoe resume" in check.next_step


def test_a_running_loop_is_named() -> None:
    """Host and pid, so that the operator finds it."""
    lease = Lease(
        holder="a",
        host="mill",
        pid=42,
        token=1,
        acquired_at=NOON - timedelta(seconds=90),
        renewed_at=NOON,
        expires_at=NOON + timedelta(seconds=5),
    )

    check = found(facts(store=store(lease=lease)), "trading", "loop")

    assert check.verdict is Verdict.WARN
    assert check.detail == "a loop runs on mill, pid 42, since 90 s"


@pytest.mark.parametrize(
    ("judged", "code"),
    [
        (facts(venue=VenueFacts.unread(GONE)), 5),
        (facts(store=NO_STORE), 7),
        (facts(venue=VenueFacts.unread(GONE), store=NO_STORE), 7),
        (facts(venue=VenueFacts.unread(GONE), symbols=()), 5),
        (facts(symbols=("DOGE-USD",)), 3),
        (facts(symbols=("DOGE-USD",), venue=replace(venue(), key=GONE)), 5),
        (facts(warnings=("odd",)), 0),
    ],
)
def test_the_strongest_failure_gives_the_exit_code(judged: PreFlightFacts, code: int) -> None:
    """The store before the venue, the venue before findings; warnings are no failure."""
    assert assess_pre_flight(judged).exit_code == code


def test_defect_21_what_could_not_be_read_is_a_failure_and_never_a_pass() -> None:
    """Nothing is assumed of a venue that is silent."""
    report = assess_pre_flight(facts(venue=VenueFacts.unread(GONE)))
    told = {check.group: check.verdict for check in report.checks}

    for group in ("venue", "key", "instruments", "balances"):
        assert told[group] is Verdict.FAIL
