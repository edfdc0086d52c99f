"""Thresholds over runs that were kept: each line of the table, clearing, and what is degraded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import BTC, NOON, d
from zoe_tools.core.discrepancies import follow
from zoe_tools.core.escalation import REPORT_FIELDS, THRESHOLDS, run_of, state_after
from zoe_tools.core.reconcile import Figures
from zoe_tools.domain.discrepancy import (
    NEVER_COMPARED,
    Discrepancy,
    DiscrepancyState,
    Finding,
    FindingKind,
    Level,
    ReconciliationRun,
    ReconciliationState,
)

FIELDS = (
    "issues_total",
    "orphaned",
    "stale",
    "qty_synced",
    "qty_mismatch",
    "pending_adopted",
    "phantom",
    "state_adjustments_logged",
    "state_adjustments_deduped",
    "actions_taken",
    "exchange_positions",
    "registry_positions",
)


def run_at(minutes: float, **counts: int) -> ReconciliationRun:
    """A run so many minutes after noon with these counts."""
    told = dict.fromkeys(REPORT_FIELDS, 0) | counts
    return ReconciliationRun(
        run_id="R",
        taken_at=NOON + timedelta(minutes=minutes),
        status="ok",
        reason="",
        local_cash=d("0"),
        venue_cash=d("0"),
        local_holdings=(),
        venue_holdings=(),
        counts=tuple(told.items()),
    )


def judged(runs: Sequence[ReconciliationRun], **changes: Any) -> ReconciliationState:
    """The state after the last of these runs; nothing else is active."""
    values: dict[str, Any] = {
        "before": NEVER_COMPARED,
        "active": (orphan(DiscrepancyState.DETECTED),),
        **changes,
    }
    before = values.pop("before")
    return state_after(before, runs, values.pop("active"), now=runs[-1].taken_at, **values)


def orphan(
    state: DiscrepancyState = DiscrepancyState.CONFIRMED,
    kind: FindingKind = FindingKind.ORPHANED,
    at: datetime = NOON,
) -> Discrepancy:
    """A discrepancy of an instrument, in that state."""
    finding = Finding(kind=kind, subject="P1", symbol=BTC, evidence="e", at_stake=d("1"))
    return replace(follow((), (finding,), now=at).seen[0], state=state)


def test_the_report_has_exactly_the_runbooks_fields() -> None:
    """In its order: dashboards read them."""
    followed = follow((), (), now=NOON)
    run = run_of("R", NOON, followed, Figures(registry_positions=2), actions_taken=1)

    assert tuple(name for name, _ in run.counts) == FIELDS
    assert (run.count("registry_positions"), run.count("actions_taken")) == (2, 1)
    assert (run.status, run.reason) == ("ok", "")


def test_a_run_counts_of_each_class_what_is_confirmed() -> None:
    """Three positions and one empty answer of the balances are no incident; two answers are."""
    missing = tuple(
        Finding(kind=FindingKind.ORPHANED, subject=name, symbol=BTC, evidence="e", is_absence=True)
        for name in ("P1", "P2", "P3")
    )
    later = NOON + timedelta(minutes=2)
    once = follow((), missing, now=NOON)
    twice = follow(once.active, missing, now=later)
    first = run_of("R", NOON, once, Figures(), actions_taken=0)
    second = run_of("R", later, twice, Figures(), actions_taken=0)

    assert (first.count("issues_total"), first.count("orphaned")) == (3, 0)
    assert judged([first], active=once.active).level is Level.OK
    assert second.count("orphaned") == 3
    assert judged([first, second], active=twice.active).level is Level.CRIT


CASES: list[tuple[str, list[ReconciliationRun], Level]] = [
    ("nothing", [run_at(0)], Level.OK),
    ("one orphan in a run", [run_at(0, orphaned=1)], Level.WARN),
    (
        "two orphans within 15 minutes",
        [run_at(0, orphaned=1), run_at(14, orphaned=1)],
        Level.WARN,
    ),
    (
        "three orphans within 15 minutes",
        [run_at(0, orphaned=1), run_at(7, orphaned=1), run_at(14, orphaned=1)],
        Level.CRIT,
    ),
    (
        "three orphans within 16 minutes",
        [run_at(0, orphaned=1), run_at(8, orphaned=1), run_at(16, orphaned=1)],
        Level.WARN,
    ),
    ("three orphans at once", [run_at(0, orphaned=3)], Level.CRIT),
    ("one phantom", [run_at(0, phantom=1)], Level.WARN),
    ("three phantoms", [run_at(0, phantom=2), run_at(1, phantom=1)], Level.CRIT),
    ("a quantity that differs", [run_at(0, qty_mismatch=1)], Level.WARN),
    (
        "a quantity that differs three runs in a row, an hour apart",
        [run_at(60 * each, qty_mismatch=1) for each in range(3)],
        Level.CRIT,
    ),
    (
        "a quantity that differs, with an agreement between",
        [run_at(0, qty_mismatch=1), run_at(60), run_at(120, qty_mismatch=1)],
        Level.WARN,
    ),
    ("two synced", [run_at(0, qty_synced=2)], Level.OK),
    ("three synced", [run_at(0, qty_synced=3)], Level.WARN),
    (
        "more synced in the second quarter of an hour than in the first",
        [run_at(0.1, qty_synced=1), run_at(10), run_at(20, qty_synced=1), run_at(30, qty_synced=1)],
        Level.CRIT,
    ),
    (
        "as many synced in the second quarter of an hour",
        [run_at(0.1, qty_synced=1), run_at(10, qty_synced=1), run_at(20, qty_synced=1)],
        Level.OK,
    ),
    (
        "the same old trouble for half an hour and more",
        [run_at(each, state_adjustments_deduped=1) for each in (0, 10, 20, 31)],
        Level.WARN,
    ),
    (
        "the same old trouble for less than half an hour",
        [run_at(each, state_adjustments_deduped=1) for each in (0, 10, 20, 29)],
        Level.OK,
    ),
    (
        "new trouble among the old",
        [
            run_at(each, state_adjustments_deduped=1, state_adjustments_logged=each // 20)
            for each in (0, 10, 20, 31)
        ],
        Level.OK,
    ),
]


@pytest.mark.parametrize(
    ("runs", "level"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_line_of_the_table_at_its_edge(runs: list[ReconciliationRun], level: Level) -> None:
    """Reached, and just not reached."""
    assert judged(runs).level is level


def test_every_line_of_the_table_is_reached_by_a_case() -> None:
    """A threshold that nothing can reach would be prose."""
    reached = {
        each.name
        for _, runs, _ in CASES
        for each in THRESHOLDS
        if each.is_reached(runs, runs[-1].taken_at)
    }

    assert reached == {each.name for each in THRESHOLDS}


def test_a_level_falls_after_so_many_clean_runs_and_not_before() -> None:
    """Three by default; a finding between starts the count anew."""
    state = judged([run_at(0, orphaned=3)])
    levels = []
    for minutes, active in ((1, ()), (2, (orphan(),)), (3, ()), (4, ()), (5, ())):
        state = judged([run_at(minutes)], before=state, active=active)
        levels.append(state.level)

    assert levels == [Level.CRIT, Level.CRIT, Level.CRIT, Level.CRIT, Level.OK]


def test_an_order_of_somebodys_own_holds_no_level_up() -> None:
    """It rests for ever and only pages: what was critical falls to what the order itself is."""
    own = orphan(kind=FindingKind.UNKNOWN_ORDER)
    state = judged([run_at(0, orphaned=3)], active=(orphan(),))
    levels = []
    for minutes in (1, 2, 3, 4):
        state = judged([run_at(0, orphaned=3), run_at(minutes)], before=state, active=(own,))
        levels.append(state.level)

    assert levels == [Level.CRIT, Level.CRIT, Level.WARN, Level.WARN]
    assert not state.pauses_account


def test_what_one_look_saw_holds_no_level_up() -> None:
    """A difference that only the whole history can clear is not the loop's to take back."""
    crit = judged([run_at(0, orphaned=3)])
    seen = orphan(DiscrepancyState.DETECTED, FindingKind.BALANCE_DRIFT)

    assert judged([run_at(1)], before=crit, active=(seen,), clean_runs_needed=1).level is Level.OK


def test_how_many_clean_runs_it_takes_is_the_operators_to_say() -> None:
    """`RECONCILE_CLEAN_RUNS`."""
    crit = judged([run_at(0, orphaned=3)])

    assert judged([run_at(1)], before=crit, active=(), clean_runs_needed=1).level is Level.OK


@pytest.mark.parametrize(
    ("state", "is_degraded"),
    [
        (DiscrepancyState.DETECTED, False),
        (DiscrepancyState.CONFIRMED, True),
        (DiscrepancyState.EXPLAINED, False),
        (DiscrepancyState.WAIVED, False),
    ],
)
@pytest.mark.parametrize(
    "kind", [FindingKind.ORPHANED, FindingKind.QTY_MISMATCH, FindingKind.BALANCE_DRIFT]
)
def test_degraded_is_what_is_confirmed_and_not_explained(
    kind: FindingKind, state: DiscrepancyState, *, is_degraded: bool
) -> None:
    """It ends by explanation or by agreement, and by nothing else."""
    assert judged([run_at(0)], active=(orphan(state, kind),)).is_degraded is is_degraded
    assert not judged([run_at(1)], active=()).is_degraded


def test_what_pauses_an_instrument_names_it() -> None:
    """The others go on."""
    lost = orphan(kind=FindingKind.LOST_ORDER)

    state = judged([run_at(0)], active=(lost,))
    assert (state.paused, state.pauses_account) == ((BTC,), False)


def test_since_is_when_the_state_began() -> None:
    """Not when it was last looked at."""
    first = judged([run_at(0, orphaned=3)])
    later = judged([run_at(5, orphaned=3)], before=first)

    assert later.since == first.since == NOON
