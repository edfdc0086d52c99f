"""`zoe status`: the books on one screen, with ages, and no word from the venue."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from builders import NOON, d, make_discrepancy, make_intent, make_order, make_position
from command_line import LIVE_KEYS, Ran, migrated, write, zoe
from zoe_tools.config import load_settings
from zoe_tools.core.protection_times import ProtectionTimes
from zoe_tools.domain.discrepancy import DiscrepancyId, DiscrepancyState, ReconciliationState
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.observation import COUNTDOWN, Details
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.runtime.loop_lock import this_machine
from zoe_tools.store.store import Transaction


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A migrated home."""
    return migrated(tmp_path / "home")


def status(home: Path, options: str = "") -> Ran:
    """Run it."""
    return zoe(f"status {options}", LIVE_KEYS, home=home)


def test_a_quiet_account_says_so(home: Path) -> None:
    """The account first."""
    ran = status(home)

    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0].startswith("LIVE kraken ")
    assert lines[1:] == [
        "trading armed",
        "loop not running",
        "positions 0 open",
        "orders 0 working",
        "intents none unresolved",
        "reconcile never, 0 open findings",
    ]


def test_positions_show_their_stop_or_that_there_is_none(home: Path) -> None:
    """An unprotected position is shouted."""
    write(home, lambda t: t.record_position(make_position(quantity=d("0.5"))))

    assert "BTC/USD  0.5 at" in status(home).out
    result = status(home, "--json").envelope["result"]
    assert [each["quantity"] for each in result["positions"]] == ["0.5"]


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ((), "NO STOP"),
        (("0.5 stop",), "stop 58800"),
        (("0.2 stop",), "stop 58800, ONLY 0.2 HELD"),
        (("0.2 stop", "0.3 take_profit"), "stop 58800"),
        (("0.5 take_profit",), "NO STOP, targets hold it"),
    ],
)
def test_a_price_that_was_meant_is_told_as_no_stop(
    home: Path, orders: tuple[str, ...], told: str
) -> None:
    """Somebody cancelled it: the row still has the price. What rests is what counts."""

    def work(transaction: Transaction) -> None:
        held = make_position(quantity=d("0.5"), stop_price=d("58800"))
        transaction.record_position(held)
        for each in orders:
            quantity, _, purpose = each.partition(" ")
            order = make_order(
                client_order_id=ClientOrderId(purpose),
                venue_order_id=VenueOrderId(purpose),
                side=Side.SELL,
                order_type=OrderType.STOP_LOSS if purpose == "stop" else OrderType.LIMIT,
                purpose=purpose,
                quantity=d(quantity),
                trigger_price=d("58800") if purpose == "stop" else None,
                position_id=held.position_id,
                intent_id=None,
            )
            transaction.record_order(order)

    write(home, work)
    (line,) = [each for each in status(home).out.splitlines() if "  position  " in each]
    assert f"at 60000  {told}  " in line


def test_a_latched_kill_shows_level_and_reason(home: Path) -> None:
    """Also the runbooks' global switch."""
    state = TradingState(level=KillLevel.CANCEL_OPEN, reason="drill", changed_at=NOON)
    write(home, lambda t: t.latch(state))
    assert "HALTED at cancel-open: drill" in status(home).out

    write(home, lambda t: t.set_config("kill_switch", "true", NOON))
    assert "HALTED at reduce-only: kill_switch" in status(home).out


def test_an_unknown_outcome_names_the_command_that_resolves_it(home: Path) -> None:
    """Before anything else."""
    account = load_settings(LIVE_KEYS, home=home).live_account
    assert account is not None
    intent = make_intent(account_id=account.account_id, state=IntentState.JOURNALED)

    def work(transaction: Transaction) -> None:
        transaction.record_intent(intent)
        for state in (IntentState.SENT, IntentState.UNKNOWN):
            transaction.advance_intent(intent.intent_id, state, at=NOON, evidence="lost")

    write(home, work)

    shown = status(home).out
    assert "1 UNRESOLVED: run `zoe reconcile --execute` (the oldest is " in shown


def test_a_loop_that_was_killed_is_not_running(home: Path) -> None:
    """It could not give its lease back; its process is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(timeout=60)
    now = NOON.replace(year=2999)
    here = this_machine()
    write(home, lambda t: t.acquire_lease("a", os.uname().nodename, ended.pid, now, 600.0, here))

    ran = status(home)

    assert f"not running; last seen on {os.uname().nodename}, pid {ended.pid}" in ran.out
    assert status(home, "--json").envelope["result"]["is_loop_running"] is False


def test_an_audit_key_that_cannot_be_read_is_told(home: Path) -> None:
    """On stderr, and in the envelope; the screen is the same."""
    before = status(home)
    (home / "audit").mkdir()
    (home / "audit" / "key").write_text("nonsense")
    ran, told = status(home), status(home, "--json").envelope

    assert (ran.code, ran.out, before.err) == (0, before.out, "")
    assert "nothing is signed" in ran.err
    assert "zoe audit init" in ran.err
    assert told["warnings"] == [ran.err.removeprefix("warning: ").strip()]


def test_a_folder_that_keeps_us_out_may_hold_a_key(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not read as no key, and no command ends with a traceback."""
    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent == home / "audit":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    ran = status(home)

    assert (ran.code, "nothing is signed" in ran.err) == (0, True)


def test_an_average_cost_is_not_told_to_thirty_digits(home: Path) -> None:
    """It is a quotient; the books keep them all."""
    cost = d("64249.37144029965621632715891")
    write(home, lambda t: t.record_position(make_position(average_cost=cost)))

    assert "at 64249.3714403  " in status(home).out


def test_the_loop_is_told_by_its_lease(home: Path) -> None:
    """An expired lease is a loop that is gone."""
    write(home, lambda t: t.acquire_lease("a", "mill", 42, NOON, 5.0))
    ran = status(home)
    assert "not running; last seen on mill, pid 42" in ran.out

    later = NOON + timedelta(days=36_500)
    write(home, lambda t: t.acquire_lease("b", "mill", 43, later, 5.0))
    assert "running on mill, pid 43" in status(home).out
    assert status(home, "--json").envelope["result"]["is_loop_running"] is True


def test_signs_of_life_carry_their_age(home: Path) -> None:
    """Stale is visible."""
    write(home, lambda t: t.beat("feeds", "online", NOON, {}))

    out = status(home).out
    assert "signs of life" in out
    assert "feeds" in out
    assert " ago" in out


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("nobody reads stdout: 512 lines are not shown",) * 2,
        ("", "512 lines were not shown"),
    ],
)
def test_a_loop_that_runs_tells_its_work_and_why_it_enters_nothing(
    home: Path, output: str, expected: str
) -> None:
    """From its heartbeat; of one that is gone nothing of it counts."""
    details: Details = {
        "phase": "READY",
        "state": "DEGRADED",
        "queue_events": 3,
        "why": "safe mode",
        "output": output,
        "lines_lost": 512,
        "turn_at": NOON.isoformat(),
        "unprotected_positions": 1,
        "unprotected_ms": 3250,
        **ProtectionTimes().with_one(7).with_one(42).told(),
    }

    def work(transaction: Transaction) -> None:
        transaction.beat("loop", "ok", NOON, details)
        transaction.acquire_lease("a", "mill", 42, NOON + timedelta(days=36_500), 5.0)

    write(home, work)
    lines = [" ".join(line.split()) for line in status(home).out.splitlines()]
    assert "state READY DEGRADED, 3 events waiting" in lines
    assert "no entries safe mode" in lines
    assert f"output {expected}" in lines
    assert "1 WITHOUT A COVERING STOP; 2 fills, half of them within 10 ms" in " ".join(lines)
    assert "the slowest 42 ms; 3.25 s unprotected in all" in " ".join(lines)
    assert any(line.startswith("last work turn ") for line in lines)

    write(home, lambda t: t.release_lease("a"))
    assert "no entries" not in status(home).out


def test_findings_are_those_that_nobody_has_explained(home: Path) -> None:
    """What is over, explained or waived is history."""

    def work(transaction: Transaction) -> None:
        for state in DiscrepancyState:
            name = DiscrepancyId(f"D-{state.value}")
            found = make_discrepancy(discrepancy_id=name, state=state)
            transaction.reconciliation.record((found,))

    write(home, work)

    assert "2 open findings" in status(home).out


def test_a_degraded_account_says_why(home: Path) -> None:
    """In the line that everybody reads."""
    state = ReconciliationState(is_degraded=True, reason="cash mismatch", since=NOON)
    write(home, lambda t: t.reconciliation.set_state(state, NOON))

    assert "DEGRADED, no entries: cash mismatch" in " ".join(status(home).out.split())


def test_unknown_settings_only_warn(home: Path) -> None:
    """It must answer when the configuration is broken."""
    ran = zoe("status", LIVE_KEYS | {"ZOE_NONSENSE": "1"}, home=home)

    assert ran.code == 0
    assert "warning: ZOE_NONSENSE" in ran.err


def test_no_store_exits_7_with_the_way_out(tmp_path: Path) -> None:
    """And makes none."""
    ran = zoe("status", LIVE_KEYS, home=tmp_path)

    assert ran.code == 7
    assert "zoe init" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ({"compare": 0}, r"reconcile  live \d+ d ago, in full never,"),
        ({"compare": 1, "reconcile": 0}, r"reconcile  live \d+ d ago, in full \d+ d ago,"),
        ({"compare": 0, "reconcile": 1}, r"reconcile  \d+ d ago,"),
    ],
)
def test_what_a_loop_compares_is_told_beside_what_reconcile_does(
    home: Path, looks: dict[str, int], told: str
) -> None:
    """It never was said of an account that a loop had compared a minute before."""

    def work(transaction: Transaction) -> None:
        for name, hours in looks.items():
            transaction.beat(name, "ok", NOON + timedelta(hours=hours), {})

    write(home, work)
    assert re.search(told, status(home).out)
    assert status(home, "--json").envelope["result"]["last_compare"]["component"] == "compare"


def test_a_countdown_that_may_be_armed_is_a_row_and_no_sign_of_life(home: Path) -> None:
    """Whoever finds no loop must know that stops may go; once it is disarmed there is no row."""
    beat = partial(_beat_countdown, status="warning", seconds=60)
    write(home, beat)
    text = " ".join(status(home).out.split())
    assert "countdown may have gone off by 2026-01-05 12:01:05Z, with all orders: run" in text
    assert "signs of life" not in text

    write(home, partial(_beat_countdown, status="ok", seconds=0))
    assert "countdown" not in status(home).out


def _beat_countdown(transaction: Transaction, *, status: str, seconds: int) -> None:
    transaction.beat(COUNTDOWN, status, NOON, {"seconds": seconds})
