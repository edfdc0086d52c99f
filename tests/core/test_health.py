"""Is the loop well: every reason to look, one by one, and none where there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

import builders
from builders import NOON
from zoe_tools.core.health import HealthFacts, assess_health
from zoe_tools.domain.discrepancy import NEVER_COMPARED
from zoe_tools.domain.observation import Boot, Details, Heartbeat, Lease
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState

DETAILS: Details = {
    "phase": "READY",
    "state": "NORMAL",
    "mode": "trading",
    "why": "",
    "beat_ms": 5000,
    "turn_at": (NOON - timedelta(seconds=2)).isoformat(),
    "follow_at": (NOON - timedelta(seconds=1)).isoformat(),
    "decide_at": "",
}
BEAT = Heartbeat(
    component="loop", status="ok", beat_at=NOON - timedelta(seconds=3), details=DETAILS
)
WELL = HealthFacts(
    now=NOON,
    account=builders.PAPER,
    is_wanted=True,
    is_running=True,
    beat=BEAT,
    last_boot=None,
    trading_state=ARMED,
    reconciliation=NEVER_COMPARED,
    unresolved=0,
    naked=0,
)
HALTED = TradingState(level=KillLevel.CANCEL_OPEN, reason="drill", changed_at=NOON)
STOPPED = replace(WELL, is_running=False)
BOOT = Boot(run_id="r", started_at=NOON, finished_at=None, status="running", details={})


def beat(**changed: str | int) -> HealthFacts:
    """The same, but the loop told this."""
    return replace(WELL, beat=replace(BEAT, details={**DETAILS, **changed}))


def test_a_loop_that_works_is_healthy_in_one_line() -> None:
    """Account, phase, state, the last work and its age."""
    answer = assess_health(WELL)

    assert answer.findings == ()
    assert answer.line == (
        f"{builders.PAPER.title}: healthy, READY NORMAL, follow 1 s ago, entries allowed"
    )
    assert (answer.beat_age_s, answer.stage_ages_s) == (3, (("turn", 2), ("follow", 1)))


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (replace(WELL, trading_state=HALTED), "halted at cancel-open: drill"),
        (replace(WELL, now=NOON + timedelta(seconds=13)), "stale heartbeat: 16 s old"),
        (replace(WELL, now=NOON - timedelta(seconds=20)), "stale heartbeat: 0 s old"),
        (replace(WELL, beat=None), "the loop has not told anything yet"),
        (beat(phase="FAILED"), "the start FAILED"),
        (beat(phase="STOPPING"), "it is stopping"),
        (beat(phase="SYNCING"), "the start has come to SYNCING"),
        (beat(turn_at=(NOON - timedelta(seconds=121)).isoformat()), "no turn for 121 s"),
        (beat(why="safe mode"), "no entries: safe mode"),
        (beat(output="nobody reads stdout", lines_lost=7), "nobody reads stdout"),
        (replace(WELL, unresolved=2), "2 unknown outcomes: run zoe reconcile --execute"),
        (
            replace(WELL, reconciliation=replace(NEVER_COMPARED, is_degraded=True, reason="cash")),
            "DEGRADED by reconciliation: cash",
        ),
        (
            beat(unprotected_positions=2, unprotected_long=1),
            "1 positions without a covering stop for too long: zoe status",
        ),
        (STOPPED, "no loop runs; none ever did"),
        (replace(STOPPED, last_boot=BOOT), "no loop runs; the last one was killed"),
        (
            replace(STOPPED, last_boot=replace(BOOT, finished_at=NOON, status="ok")),
            "no loop runs; the last one ended in order 0 s ago",
        ),
        (
            replace(STOPPED, last_boot=replace(BOOT, finished_at=NOON, status="error")),
            "no loop runs; the last one ended with an error 0 s ago",
        ),
        (
            replace(
                STOPPED,
                last_boot=replace(BOOT, finished_at=NOON - timedelta(minutes=25), status="ok"),
            ),
            "no loop runs; the last one ended in order 25 min ago",
        ),
        (
            replace(
                STOPPED,
                last_boot=replace(
                    BOOT, finished_at=NOON, status="unsettled", details={"reason": "1 BTC: NO STOP"}
                ),
            ),
            "no loop runs; the last one was stopped and left something 0 s ago: 1 BTC: NO STOP",
        ),
        (
            replace(STOPPED, last_boot=replace(BOOT, finished_at=NOON, status="halted")),
            "no loop runs; the last one ended in order 0 s ago",
        ),
        (
            replace(STOPPED, is_wanted=False, naked=1),
            "1 positions without a stop, and nobody looks after them",
        ),
    ],
)
def test_each_reason_to_look_is_a_finding(facts: HealthFacts, found: str) -> None:
    """By itself, in the line, and the exit code follows from it."""
    answer = assess_health(facts)

    assert answer.findings == (found,)
    assert answer.line.endswith(found)
    assert "FINDINGS" in answer.line


def test_a_loop_that_nobody_wants_is_not_missed() -> None:
    """`EDGE_FACTORY_MODE=disabled`."""
    assert assess_health(replace(STOPPED, is_wanted=False)).is_healthy


def test_what_a_dead_loop_said_does_not_count() -> None:
    """Its last words were that all is well."""
    answer = assess_health(STOPPED)

    assert (answer.phase, answer.state, answer.work_age_s) == ("STOPPED", "UNKNOWN", None)
    assert answer.line == f"{builders.PAPER.title}: FINDINGS, STOPPED, no loop runs; none ever did"


def test_a_loop_that_lives_and_tells_nothing_is_not_called_dead() -> None:
    """Its process stands still, or cannot reach its store: whoever starts another one errs."""
    lease = Lease(
        holder="r", host="vm", pid=7, token=1, acquired_at=NOON, renewed_at=NOON, expires_at=NOON
    )
    facts = replace(STOPPED, silent=(lease, 40), last_boot=BOOT)
    told = "the loop has told nothing for 40 s, and its pid 7 lives: it hangs, or its store is away"

    assert assess_health(facts).findings == (told,)


def test_the_latch_is_newer_than_the_heartbeat() -> None:
    """Both ways: a kill shows at once, and a resume too."""
    assert assess_health(replace(WELL, trading_state=HALTED)).state == "KILL_SWITCH"
    assert assess_health(beat(state="KILL_SWITCH")).state == "NORMAL"


def test_a_violation_of_the_limits_is_told_though_it_latched_a_level() -> None:
    """`EMERGENCY` says more than that trading is stopped."""
    halted = replace(beat(state="EMERGENCY"), trading_state=HALTED)

    assert assess_health(halted).state == "EMERGENCY"


def test_a_shadow_is_called_by_its_name() -> None:
    """It watches a live account and sends nothing."""
    answer = assess_health(replace(beat(mode="shadow"), account=builders.LIVE))

    assert answer.mode == "SHADOW"
    assert answer.line.startswith(f"{builders.LIVE.title} SHADOW: healthy")


def test_a_stretched_loop_is_judged_by_its_own_period() -> None:
    """On a paper exchange at a thousand times the speed beats are further apart."""
    facts = replace(beat(beat_ms=60_000), now=NOON + timedelta(seconds=100))

    assert assess_health(facts).is_healthy
