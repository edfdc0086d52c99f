"""A loop whose database was taken away goes on in it; whoever works with another is told."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from builders import PAPER
from command_line import LIVE_KEYS, migrated, write, zoe
from fakes import Desk, at_the_desk, command_io
from lock_holder import holder
from zoe_tools.commands.kill import _kill
from zoe_tools.commands.kill_blindly import _cancel_blindly
from zoe_tools.config import load_settings
from zoe_tools.domain.account import Account
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.context import account_of
from zoe_tools.runtime.killing import Order
from zoe_tools.runtime.loop_lock import hold_account
from zoe_tools.runtime.unheard_loops import PATIENCE_S, holder_of, holders, unheard_loop

STOP = Order(level=KillLevel.CANCEL_OPEN, reason="drill", execute=True)


def live_account(home: Path) -> Account:
    """Whose keys the tests of the command line have."""
    account = load_settings(LIVE_KEYS, home=home).live_account
    assert account is not None
    return account


async def lease(desk: Desk, *, ttl_s: float = 30.0) -> None:
    """As a loop takes it in this store."""
    now = desk.clock.now()
    await desk.read(lambda tx: tx.acquire_lease("a", "mill", 1, now, ttl_s))


def test_a_lock_is_known_by_the_process_that_holds_it(tmp_path: Path) -> None:
    """Of each account; none is held before and after, and none by whoever asks."""
    assert holder_of(tmp_path, PAPER) == ""
    with holder(tmp_path) as process:
        assert holder_of(tmp_path, PAPER) == str(process.pid)
        assert holders(tmp_path) == (str(process.pid),)
    assert (tmp_path / f"loop-{PAPER.account_id}.lock").read_text() == str(process.pid)
    assert holder_of(tmp_path, PAPER) == ""
    with hold_account(tmp_path, PAPER):
        assert holders(tmp_path) == ()


@pytest.mark.parametrize("text", ["", "unknown", "-1", "9" * 30, "{parent}"])
def test_a_lock_that_nobody_holds_names_nobody(tmp_path: Path, text: str) -> None:
    """Whatever was left in it, the id of a process that lives included."""
    left = text.format(parent=os.getppid())
    (tmp_path / f"loop-{PAPER.account_id}.lock").write_text(left)

    assert holder_of(tmp_path, PAPER) == ""


def test_a_loop_without_a_lease_in_this_store_is_unheard(tmp_path: Path) -> None:
    """So is one whose lease ran out; one that stands by for another holder's is not."""

    async def story(desk: Desk) -> None:
        context, _, _ = command_io(desk, "status")
        assert await unheard_loop(context) == ""
        with holder(desk.home, desk.account) as process:
            assert await unheard_loop(context) == str(process.pid)
            await lease(desk)
            assert await unheard_loop(context) == ""
            await desk.clock.sleep(31)
            assert await unheard_loop(context) == str(process.pid)
        assert await unheard_loop(context) == ""

    at_the_desk(tmp_path, story)


def test_a_kill_beside_an_unheard_loop_is_not_proved(tmp_path: Path) -> None:
    """Latched here, and exit 6 with the line that stops it; one that just begins is waited for."""

    async def story(desk: Desk) -> None:
        with holder(desk.home, desk.account) as process:
            began = desk.clock.now()
            context, invocation, out = command_io(desk, "kill")
            assert await _kill(context, invocation, STOP) == 6
            assert f"kill -USR1 {process.pid}" in out.getvalue()
            assert (desk.clock.now() - began) >= timedelta(seconds=PATIENCE_S)
            state = await desk.read(lambda tx: tx.trading_state())
            assert state.level is KillLevel.CANCEL_OPEN

            await lease(desk)
            context, invocation, out = command_io(desk, "kill")
            assert await _kill(context, invocation, STOP) == 0
            assert "USR1" not in out.getvalue()

    at_the_desk(tmp_path, story)


def test_without_a_store_a_kill_names_the_loop_that_goes_on(tmp_path: Path) -> None:
    """`zoe status` would say its pid, and cannot be asked."""

    async def story(desk: Desk) -> None:
        with holder(desk.home, desk.account) as process:
            context, invocation, out = command_io(desk, "kill")
            await _cancel_blindly(context, invocation, STOP)

        assert f"`kill -USR1 {process.pid}` stops its entries" in out.getvalue()

    at_the_desk(tmp_path, story)


def test_without_a_store_and_a_venue_the_loop_is_named_as_well(tmp_path: Path) -> None:
    """It is all that is left to be stopped, and by nothing but a signal."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "zoe.db").write_text("no database")
    account = account_of(load_settings({}, home=home))
    with holder(home, account) as process:
        ran = zoe("kill --execute", home=home)

    assert ran.code == 6
    assert f"`kill -USR1 {process.pid}` stops its entries" in ran.err


def test_health_and_status_tell_an_unheard_loop(tmp_path: Path) -> None:
    """And do not say beside it that none runs."""
    home = migrated(tmp_path)
    with holder(home, live_account(home)) as process:
        checked = zoe("health", LIVE_KEYS, home=home)
        told = zoe("health --json", LIVE_KEYS, home=home).envelope["result"]
        screen = zoe("status", LIVE_KEYS, home=home)
        warned = zoe("status --json", LIVE_KEYS, home=home).envelope["warnings"]
        now = SystemClock().now()
        write(home, lambda tx: tx.acquire_lease("a", "mill", 1, now, 600.0))
        heard = zoe("status", LIVE_KEYS, home=home)

    pid = f"pid {process.pid}"
    assert (checked.code, pid in checked.out, "no loop runs" in checked.out) == (3, True, False)
    assert not told["is_healthy"]
    assert f"{pid} runs here, and THIS STORE HEARS NOTHING OF IT" in screen.out
    assert f"{pid}, and this store hears nothing of it" in warned[0]
    assert "HEARS NOTHING" not in heard.out


@pytest.mark.parametrize("command", ["init", "db upgrade"])
def test_no_new_database_is_made_beside_a_loop_whose_own_is_gone(
    tmp_path: Path, command: str
) -> None:
    """Exit 4, and none is made; with the database there both do what they always do."""
    home = migrated(tmp_path)
    with holder(home, live_account(home)) as process:
        assert zoe(command, LIVE_KEYS, home=home).code == 0
        (home / "zoe.db").unlink()
        refused = zoe(command, LIVE_KEYS, home=home)

        assert refused.code == 4
        assert f"pid {process.pid}" in refused.err
        assert not (home / "zoe.db").exists()
    assert zoe(command, LIVE_KEYS, home=home).code == 0
