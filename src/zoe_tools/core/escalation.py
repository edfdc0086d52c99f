"""When discrepancies become an incident: the runbook's thresholds, over runs that were kept.

`THRESHOLDS` is the table. A level rises at once and falls after so many clean runs. Critical and
degraded keep entries back; nothing here ever keeps back an exit, a stop or a cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.discrepancies import Followed
from zoe_tools.core.reconcile import Figures
from zoe_tools.domain.discrepancy import (
    DEGRADING,
    Discrepancy,
    DiscrepancyState,
    FindingKind,
    Level,
    ReconciliationRun,
    ReconciliationState,
    Response,
    Severity,
)
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.words import few

CLEAN_RUNS = 3
"""So many runs in a row without a confirmed finding that does more than page bring a level back."""

SHORT = timedelta(minutes=15)
LONG = timedelta(minutes=30)

REPORT_FIELDS = (
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
"""The fields of the event RECONCILIATION_REPORT, in its order."""

_COUNTED = {
    "orphaned": FindingKind.ORPHANED,
    "stale": FindingKind.STALE,
    "qty_synced": FindingKind.QTY_SYNCED,
    "qty_mismatch": FindingKind.QTY_MISMATCH,
    "pending_adopted": FindingKind.PENDING_ADOPTED,
    "phantom": FindingKind.PHANTOM,
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line of the table: what is looked at, and the level it leads to."""

    name: str
    level: Level
    is_reached: Callable[[Sequence[ReconciliationRun], datetime], bool]


def _each_run(field: str, at_least: int) -> Callable[..., bool]:
    def reached(runs: Sequence[ReconciliationRun], now: datetime) -> bool:
        return bool(runs) and runs[-1].taken_at == now and runs[-1].count(field) >= at_least

    return reached


def _in_window(field: str, at_least: int, window: timedelta) -> Callable[..., bool]:
    def reached(runs: Sequence[ReconciliationRun], now: datetime) -> bool:
        return sum(each.count(field) for each in _within(runs, now, window)) >= at_least

    return reached


def _in_a_row(field: str, runs_needed: int) -> Callable[..., bool]:
    def reached(runs: Sequence[ReconciliationRun], _now: datetime) -> bool:
        last = runs[-runs_needed:]
        return len(last) == runs_needed and all(each.count(field) for each in last)

    return reached


def _rising(field: str, window: timedelta) -> Callable[..., bool]:
    """More in the second half of the window than in the first, where there was some already."""

    def reached(runs: Sequence[ReconciliationRun], now: datetime) -> bool:
        lately = _within(runs, now, window)
        middle = now - window / 2
        older = [each.count(field) for each in lately if each.taken_at < middle]
        newer = [each.count(field) for each in lately if each.taken_at >= middle]
        if not older or not newer or not sum(older):
            return False
        return Decimal(sum(newer)) / len(newer) > Decimal(sum(older)) / len(older)

    return reached


def _nothing_new(runs: Sequence[ReconciliationRun], now: datetime) -> bool:
    """For longer than the window every run has told more old trouble than new."""
    lately = [each for each in runs if each.taken_at >= now - LONG]
    has_begun = any(each.taken_at < now - LONG for each in runs) or (
        bool(lately) and now - lately[0].taken_at >= LONG
    )
    return has_begun and all(
        each.count("state_adjustments_deduped") > each.count("state_adjustments_logged")
        for each in lately
    )


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("orphaned >= 1 in a run", Level.WARN, _each_run("orphaned", 1)),
    Threshold("orphaned >= 3 in 15 min", Level.CRIT, _in_window("orphaned", 3, SHORT)),
    Threshold("phantom >= 1 in a run", Level.WARN, _each_run("phantom", 1)),
    Threshold("phantom >= 3 in 15 min", Level.CRIT, _in_window("phantom", 3, SHORT)),
    Threshold("qty_mismatch >= 1 in a run", Level.WARN, _each_run("qty_mismatch", 1)),
    Threshold("qty_mismatch in 3 runs in a row", Level.CRIT, _in_a_row("qty_mismatch", 3)),
    Threshold("qty_synced >= 3 in a run", Level.WARN, _each_run("qty_synced", 3)),
    Threshold("qty_synced rising over 30 min", Level.CRIT, _rising("qty_synced", LONG)),
    Threshold("the same trouble, nothing new, for more than 30 min", Level.WARN, _nothing_new),
)
"""Name, level, and when it is reached."""

_WEIGHT = {Level.OK: 0, Level.WARN: 1, Level.CRIT: 2}


def run_of(
    run_id: str,
    taken_at: datetime,
    followed: Followed,
    figures: Figures,
    *,
    actions_taken: int,
) -> ReconciliationRun:
    """The row of a run: `degraded` where cash or quantity differ beyond the tolerance.

    `issues_total` counts what waits for somebody; what was explained or waived does not. The
    classes, which thresholds go by, count what is confirmed: one look at a short answer of the
    venue's changes no state.
    """
    reasons = degraded_reasons(followed.active)
    sure = [each for each in followed.seen if each.state is DiscrepancyState.CONFIRMED]
    told = {
        "issues_total": sum(each.is_open for each in followed.seen),
        **{name: sum(each.kind is kind for each in sure) for name, kind in _COUNTED.items()},
        "state_adjustments_logged": followed.new,
        "state_adjustments_deduped": len(followed.seen) - followed.new,
        "actions_taken": actions_taken,
        "exchange_positions": figures.exchange_positions,
        "registry_positions": figures.registry_positions,
    }
    return ReconciliationRun(
        run_id=run_id,
        taken_at=taken_at,
        status="degraded" if reasons else "ok",
        reason="; ".join(reasons),
        local_cash=figures.local_cash,
        venue_cash=figures.venue_cash,
        local_holdings=figures.local_holdings,
        venue_holdings=figures.venue_holdings,
        counts=tuple((name, told[name]) for name in REPORT_FIELDS),
    )


def degraded_reasons(active: Sequence[Discrepancy]) -> tuple[str, ...]:
    """What cash or quantity differs, confirmed and by nobody explained; a sentence each."""
    return tuple(
        f"{_word(each)} ({each.discrepancy_id}): {each.evidence}"
        for each in active
        if each.kind in DEGRADING and each.state is DiscrepancyState.CONFIRMED
    )


def state_after(
    before: ReconciliationState,
    runs: Sequence[ReconciliationRun],
    active: Sequence[Discrepancy],
    *,
    now: datetime,
    clean_runs_needed: int = CLEAN_RUNS,
) -> ReconciliationState:
    """Where the account stands after the last of `runs`, which are oldest first."""
    degraded = degraded_reasons(active)
    is_clean = not any(_holds_level(each) for each in active)
    clean = before.clean_runs + 1 if is_clean else 0
    has_calmed = is_clean and clean >= clean_runs_needed
    reached = [*(() if has_calmed else _by_table(runs, now)), *_by_each(active)]
    level = max((each for each, _ in reached), key=_WEIGHT.__getitem__, default=Level.OK)
    if not has_calmed and _WEIGHT[before.level] > _WEIGHT[level]:
        level = before.level
    reasons = degraded or tuple(why for each, why in reached if each is level)
    is_same = (level, bool(degraded)) == (before.level, before.is_degraded)
    kept = before.reason if level is not Level.OK else ""
    return ReconciliationState(
        level=level,
        is_degraded=bool(degraded),
        reason=few(tuple(dict.fromkeys(reasons)), "; ") or kept,
        since=before.since if is_same and before.since is not None else now,
        clean_runs=clean,
        last_run_at=now,
        paused=paused_by(active),
    )


def paused_by(active: Sequence[Discrepancy]) -> tuple[Symbol, ...]:
    """The instruments on which a confirmed discrepancy keeps entries back."""
    return tuple(
        sorted(
            {
                Symbol(each.symbol)
                for each in active
                if each.symbol
                and each.state is DiscrepancyState.CONFIRMED
                and each.policy is Response.PAUSE_INSTRUMENT
            }
        )
    )


def _holds_level(each: Discrepancy) -> bool:
    """What only pages keeps no entry back: a person's own order may rest for ever.

    Nor does what is not confirmed, which a loop cannot always clear.
    """
    return each.state is DiscrepancyState.CONFIRMED and each.policy is not Response.PAGE


def _by_table(runs: Sequence[ReconciliationRun], now: datetime) -> Iterator[tuple[Level, str]]:
    for each in THRESHOLDS:
        if each.is_reached(runs, now):
            yield each.level, each.name


def _by_each(active: Sequence[Discrepancy]) -> Iterator[tuple[Level, str]]:
    for known in active:
        if known.state is not DiscrepancyState.CONFIRMED:
            continue
        about = f"{known.kind.value} of {known.subject} ({known.discrepancy_id})"
        pauses = known.policy in (Response.PAUSE_INSTRUMENT, Response.PAUSE_ACCOUNT)
        if pauses and known.severity is Severity.CRITICAL:
            yield Level.CRIT, f"{about}, seen {known.times_seen} times"
        else:
            yield Level.WARN, about


def _within(
    runs: Sequence[ReconciliationRun], now: datetime, window: timedelta
) -> list[ReconciliationRun]:
    return [each for each in runs if now - window < each.taken_at <= now]


def _word(each: Discrepancy) -> str:
    is_cash = each.kind is FindingKind.BALANCE_DRIFT and each.at_stake != ZERO
    return "cash mismatch" if is_cash else "holdings mismatch"
