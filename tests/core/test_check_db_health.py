"""What was seen of a database becomes a verdict: each fact alone, and at its limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON
from zoe_tools.core.check_db_health import LEAST_FREE, LONG_LOG, SCARCE, assess_db_health
from zoe_tools.core.pre_flight import Check, PreFlightReport, Verdict
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.store_health import (
    ChainEnd,
    LastBackup,
    Offenders,
    RowRule,
    StoreHealth,
    TableSize,
    Triggers,
    Waiting,
    WaitingKind,
)

NONE = Offenders(count=0, named=())
GUARDED = Triggers(count=35, missing=(), changed=(), unknown=())
CHAIN = ChainEnd(account_id="A", head_seq=9, last_seq=9, is_same_hash=True, signed_seq=9)
COPY = LastBackup(age_s=3600.0, path="/backups/zoe.db", is_there=True)
SOUND = StoreHealth(
    taken_at=NOON,
    is_server=False,
    revision="0007",
    integrity=(),
    missing=(),
    offenders=dict.fromkeys(RowRule, NONE),
    triggers=GUARDED,
    open_to_strangers=(),
    waiting=(),
    size=2**20,
    log_size=0,
    free=2 * SCARCE,
    largest=(TableSize(name="crypto_fills", rows=3, size=4096),),
    backup=COPY,
    chains=(CHAIN,),
)
SERVER: dict[str, Any] = {"is_server": True, "log_size": None, "free": None, "has_checksums": True}


def report(hours: int = 36, **changes: Any) -> PreFlightReport:
    """The verdict on a sound database with these changes."""
    seen = replace(SOUND, **changes)
    return assess_db_health(seen, policy=Policy(), backup_max_age_hours=Decimal(hours))


def found(name: str, **changes: Any) -> Check:
    """The one check of that name."""
    [check] = [each for each in report(**changes).checks if each.name == name]
    return check


def waiting(kind: WaitingKind, age_s: float) -> tuple[Waiting, ...]:
    """One row that waits for so long."""
    return (Waiting(kind=kind, name="A x", age_s=age_s),)


def broken(rule: RowRule, count: int = 1) -> dict[RowRule, Offenders]:
    """Every rule is kept but one."""
    named = tuple(f"A {number}" for number in range(min(count, 3)))
    return {**SOUND.offenders, rule: Offenders(count=count, named=named)}


def test_a_sound_database_passes() -> None:
    """Exit 0, and every group is told."""
    told = report()

    assert {each.verdict for each in told.checks} == {Verdict.PASS}
    assert (told.verdict, told.exit_code) == (Verdict.PASS, 0)
    groups = list(dict.fromkeys(each.group for each in told.checks))
    assert groups == [
        "database",
        "rows",
        "duplicates",
        "stale",
        "guards",
        "room",
        "backup",
        "audit",
    ]


@pytest.mark.parametrize(
    ("name", "verdict", "changes"),
    [
        ("integrity", "fail", {"integrity": ("row 3 missing from index x",)}),
        ("integrity", "warn", {**SERVER, "has_checksums": False}),
        ("integrity", "pass", SERVER),
        ("columns", "fail", {"missing": ("config.value",)}),
        ("intents", "pass", {"waiting": waiting(WaitingKind.INTENT, 120.0)}),
        ("intents", "fail", {"waiting": waiting(WaitingKind.INTENT, 120.1)}),
        ("orders", "pass", {"waiting": waiting(WaitingKind.UNCONFIRMED, 125.0)}),
        ("orders", "fail", {"waiting": waiting(WaitingKind.UNCONFIRMED, 125.1)}),
        ("entries", "pass", {"waiting": waiting(WaitingKind.ENTRY, 480.0)}),
        ("entries", "fail", {"waiting": waiting(WaitingKind.ENTRY, 480.1)}),
        ("heartbeats", "pass", {"waiting": waiting(WaitingKind.HEARTBEAT, 60.0)}),
        ("heartbeats", "fail", {"waiting": waiting(WaitingKind.HEARTBEAT, 60.1)}),
        ("leases", "warn", {"waiting": waiting(WaitingKind.LEASE, 0.1)}),
        ("triggers", "fail", {"triggers": replace(GUARDED, missing=("crypto_fills_no_update",))}),
        ("triggers", "fail", {"triggers": replace(GUARDED, changed=("crypto_fills_no_update",))}),
        ("triggers", "fail", {"triggers": replace(GUARDED, unknown=("mine",))}),
        ("strangers", "pass", SERVER),
        ("strangers", "fail", {**SERVER, "open_to_strangers": ("config",)}),
        ("log", "pass", {"log_size": LONG_LOG}),
        ("log", "warn", {"log_size": LONG_LOG + 1}),
        ("disk", "fail", {"free": LEAST_FREE - 1}),
        ("disk", "warn", {"free": LEAST_FREE}),
        ("disk", "warn", {"free": SCARCE - 1}),
        ("disk", "pass", {"free": SCARCE}),
        ("disk", "warn", {"free": 2 * SCARCE, "size": SCARCE + 1}),
        ("age", "pass", {"backup": replace(COPY, age_s=36 * 3600.0)}),
        ("age", "warn", {"backup": replace(COPY, age_s=36 * 3600.0 + 1)}),
        ("age", "warn", {"backup": replace(COPY, is_there=False)}),
        ("age", "warn", {"backup": None}),
        ("age", "pass", {"backup": None, "hours": 0}),
        ("age", "pass", {**SERVER, "backup": None}),
        ("A", "fail", {"chains": (replace(CHAIN, last_seq=8),)}),
        ("A", "fail", {"chains": (replace(CHAIN, last_seq=None, is_same_hash=False),)}),
        ("A", "fail", {"chains": (replace(CHAIN, is_same_hash=False),)}),
        ("A", "warn", {"chains": (replace(CHAIN, signed_seq=-1),)}),
    ],
)
def test_each_fact_has_its_verdict(name: str, verdict: str, changes: dict[str, Any]) -> None:
    """What does not pass says what to do; what fails exits 3."""
    check = found(name, **changes)

    assert check.verdict.value == verdict
    assert bool(check.next_step) == (verdict != "pass")
    assert report(**changes).exit_code == (3 if verdict == "fail" else 0)


@pytest.mark.parametrize("rule", list(RowRule))
def test_each_rule_of_the_rows_is_told_with_the_first_that_break_it(rule: RowRule) -> None:
    """How many, and three by name; fills of others and twins may be right, and only warn."""
    check = found(rule.value, offenders=broken(rule, 1200))

    may_be_right = rule in (RowRule.FOREIGN_FILLS, RowRule.TWIN_FILLS)
    assert check.verdict is (Verdict.WARN if may_be_right else Verdict.FAIL)
    assert "1,200 " in check.detail
    assert check.detail.endswith("A 0, A 1, A 2, ...")
    assert not found(rule.value, offenders=broken(rule)).detail.endswith("...")


def test_the_oldest_are_named_first_and_not_all_of_them() -> None:
    """Five, with their ages."""
    rows = [Waiting(kind=WaitingKind.INTENT, name=f"A {n}", age_s=3600.0 * n) for n in range(1, 9)]
    told = found("intents", waiting=tuple(rows)).detail

    assert told.startswith("8 have no known outcome")
    assert "A 8 (8 h), A 7 (7 h)" in told
    assert told.endswith("and 3 more")


@given(
    rules=st.sets(st.sampled_from(RowRule)),
    ages=st.lists(st.floats(0, 10_000)),
    free=st.integers(0, 4 * SCARCE),
    lost=st.booleans(),
)
def test_it_exits_3_exactly_when_something_fails(
    rules: set[RowRule],
    ages: list[float],
    free: int,
    lost: bool,  # noqa: FBT001 - drawn
) -> None:
    """However the facts come together, the same facts give the same report."""
    changes: dict[str, Any] = {
        "offenders": {each: Offenders(count=each in rules, named=("A x",)) for each in RowRule},
        "waiting": tuple(Waiting(kind=WaitingKind.ENTRY, name="A x", age_s=each) for each in ages),
        "free": free,
        "chains": (replace(CHAIN, is_same_hash=not lost),),
    }
    told = report(**changes)

    has_failed = any(each.verdict is Verdict.FAIL for each in told.checks)
    assert told.exit_code == (3 if has_failed else 0)
    assert told == report(**changes)
