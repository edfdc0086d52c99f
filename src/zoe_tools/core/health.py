"""Is the loop well: judged from what it last said of itself, the latch, and the books alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.domain.account import Account
from zoe_tools.domain.ages import lasted
from zoe_tools.domain.discrepancy import ReconciliationState
from zoe_tools.domain.observation import Boot, Details, Heartbeat, Lease
from zoe_tools.domain.trading_state import TradingState

LOOP = "loop"
"""The loop's name among the heartbeats."""

LATE_BEATS = 3
"""A heartbeat older than so many of its periods is stale."""

USUAL_BEAT = timedelta(seconds=5)
"""The period where the heartbeat does not tell its own."""

STUCK_BEATS = 24
"""No turn for so many periods (two minutes): the loop lives, and does nothing."""

STOPPED = "STOPPED"
UNKNOWN = "UNKNOWN"
"""The phase where no loop runs, and a state that no loop has told."""

_PHASES = {"FAILED": "the start FAILED", "STOPPING": "it is stopping"}

_ENDINGS = {"error": "ended with an error", "unsettled": "was stopped and left something"}

STAGES = ("turn", "protection", "follow", "decide", "reconcile", "worth")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """What the store says; `now` is the venue's time. `is_wanted`: a loop is to run here.

    `silent`: the lease that ran out, of a process that lives, with its age in seconds.
    """

    now: datetime
    account: Account
    is_wanted: bool
    is_running: bool
    beat: Heartbeat | None
    last_boot: Boot | None
    trading_state: TradingState
    reconciliation: ReconciliationState
    unresolved: int
    naked: int
    silent: tuple[Lease, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer: healthy if there is no finding; ages in whole seconds, None where never.

    `mode` is SHADOW, PAPER or LIVE; `phase` that of the start; `why_no_entries` as the loop told.
    """

    account: str
    mode: str
    phase: str
    state: str
    findings: tuple[str, ...]
    why_no_entries: str
    last_stage: str
    work_age_s: int | None
    beat_age_s: int | None
    stage_ages_s: tuple[tuple[str, int], ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nobody need look."""
        return not self.findings

    @property
    def line(self) -> str:
        """All of it in one line for a person or a log."""
        verdict = "healthy" if self.is_healthy else "FINDINGS"
        work = "" if self.phase == STOPPED else ", no work yet"
        if self.work_age_s is not None:
            work = f", {self.last_stage} {self.work_age_s} s ago"
        told = "; ".join(self.findings) or "nothing to look at"
        if self.is_healthy and self.work_age_s is not None:
            told = "entries allowed"
        who = self.account if self.account.startswith(self.mode) else f"{self.account} SHADOW"
        how = self.phase if self.state == UNKNOWN else f"{self.phase} {self.state}"
        return f"{who}: {verdict}, {how}{work}, {told}"


def assess_health(facts: HealthFacts) -> Health:
    """Judge; with the loop away nothing that it once said counts."""
    beat = facts.beat if facts.is_running else None
    details: Details = beat.details if beat is not None else {}
    ages = ages_of(details, facts.now)
    last = min(ages, key=lambda each: each[1], default=None)
    shadow = "SHADOW" if details.get("mode") == "shadow" else facts.account.mode.upper()
    return Health(
        account=facts.account.title,
        mode=shadow,
        phase=_text(details, "phase") or ("STARTING" if facts.is_running else STOPPED),
        state=_state(facts, details),
        findings=tuple(_findings(facts, details, dict(ages))),
        why_no_entries=_text(details, "why"),
        last_stage=last[0] if last else "",
        work_age_s=last[1] if last else None,
        beat_age_s=None if beat is None else _age_s(facts.now, beat.beat_at),
        stage_ages_s=ages,
    )


def _state(facts: HealthFacts, details: Details) -> str:
    """The latch in the store is newer than what the loop last said of it; violations it knows."""
    told = _text(details, "state")
    if told in {"HALTED", "EMERGENCY"}:
        return told
    if not facts.trading_state.may_enter:
        return "KILL_SWITCH"
    return "NORMAL" if told == "KILL_SWITCH" else told or UNKNOWN


def _findings(facts: HealthFacts, details: Details, ages: dict[str, int]) -> Iterator[str]:
    state = facts.trading_state
    if not state.may_enter:
        yield f"halted at {state.level.label}: {state.reason or '-'}"
    for name, each in state.stopped:
        yield f"{name} halted at {each.level.label}: {each.reason or '-'}"
    if facts.is_running:
        yield from _of_running(facts, details, ages)
    elif facts.silent is not None:
        lease, age_s = facts.silent
        yield (
            f"the loop has told nothing for {lasted(age_s)}, and its pid {lease.pid} lives: it"
            " hangs, or its store is away"
        )
    elif facts.is_wanted:
        yield f"no loop runs{_ended(facts)}"
    if facts.reconciliation.is_degraded:
        yield f"DEGRADED by reconciliation: {facts.reconciliation.reason}"
    if facts.unresolved:
        yield f"{facts.unresolved} unknown outcomes: run zoe reconcile --execute"
    if facts.naked and not facts.is_running:
        yield f"{facts.naked} positions without a stop, and nobody looks after them"


def _of_running(facts: HealthFacts, details: Details, ages: dict[str, int]) -> Iterator[str]:
    if facts.beat is None:
        yield "the loop has not told anything yet"
        return
    exposed = int(details.get("unprotected_long", 0))
    if exposed:
        yield f"{exposed} positions without a covering stop for too long: zoe status"
    period = _period(details)
    age = facts.now - facts.beat.beat_at
    if abs(age) > period * LATE_BEATS:
        yield f"stale heartbeat: {_age_s(facts.now, facts.beat.beat_at)} s old"
        return
    phase = _text(details, "phase")
    if phase and phase != "READY":
        yield _PHASES.get(phase, f"the start has come to {phase}")
    turned = ages.get("turn")
    if turned is not None and turned > (period * STUCK_BEATS).total_seconds():
        yield f"no turn for {turned} s"
    held_up = _text(details, "output")
    if held_up:
        yield held_up
    why = _text(details, "why")
    if why and facts.trading_state.may_enter:
        yield f"no entries: {why}"


def _ended(facts: HealthFacts) -> str:
    boot = facts.last_boot
    if boot is None:
        return "; none ever did"
    if boot.finished_at is None:
        return "; the last one was killed"
    how = _ENDINGS.get(boot.status, "ended in order")
    told = f"; the last one {how} {lasted(_age_s(facts.now, boot.finished_at))} ago"
    return f"{told}: {_text(boot.details, 'reason')}" if boot.status == "unsettled" else told


def ages_of(details: Details, now: datetime) -> tuple[tuple[str, int], ...]:
    """How many seconds ago each stage was done, of those that ever were."""
    found = []
    for stage in STAGES:
        told = _text(details, f"{stage}_at")
        if told:
            found.append((stage, _age_s(now, datetime.fromisoformat(told))))
    return tuple(found)


def _period(details: Details) -> timedelta:
    told = details.get("beat_ms")
    return timedelta(milliseconds=told) if isinstance(told, int) else USUAL_BEAT


def _age_s(now: datetime, then: datetime) -> int:
    return max(0, round((now - then).total_seconds()))


def _text(details: Details, name: str) -> str:
    return str(details.get(name, ""))
