"""One loop per account on a machine: across processes, until the process is gone."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import LIVE, NOON, PAPER
from lock_holder import holder
from zoe_tools.domain.observation import Lease
from zoe_tools.errors import AccountBusy, ConfigError
from zoe_tools.runtime import loop_lock
from zoe_tools.runtime.loop_lock import (
    hold_account,
    is_gone,
    is_running,
    is_silent,
    this_machine,
    this_process,
)
from zoe_tools.runtime.unheard_loops import holder_of

LEASE = Lease(
    holder="run-1",
    host=os.uname().nodename,
    pid=os.getpid(),
    token=1,
    acquired_at=NOON,
    renewed_at=NOON,
    expires_at=NOON + timedelta(seconds=30),
    machine=this_machine(),
)


def test_a_second_process_is_refused_and_told_the_first_one_s_pid(tmp_path: Path) -> None:
    """With what to do about it."""
    with holder(tmp_path) as process:
        with (
            pytest.raises(AccountBusy, match=f"pid {process.pid} on this host") as raised,
            hold_account(tmp_path, PAPER),
        ):
            pass
        assert "SIGTERM" in raised.value.hint


def test_kill_9_frees_it(tmp_path: Path) -> None:
    """The lock dies with its process; nobody has to tidy up."""
    with holder(tmp_path) as process:
        process.kill()
        process.wait(timeout=30)
        with hold_account(tmp_path, PAPER):
            names = [path.name for path in tmp_path.iterdir()]
            held_by = next(tmp_path.iterdir()).read_text()

    assert names == [f"loop-{PAPER.account_id}.lock"]
    assert held_by == str(os.getpid())


def test_it_is_free_again_after_the_loop(tmp_path: Path) -> None:
    """Also when the loop ended with an error."""
    with pytest.raises(ValueError, match="crash"), hold_account(tmp_path, PAPER):
        raise ValueError("crash")
    with hold_account(tmp_path, PAPER):
        pass


def test_another_account_is_not_in_the_way(tmp_path: Path) -> None:
    """Paper and live may run side by side."""
    with holder(tmp_path), hold_account(tmp_path, LIVE):
        pass


def test_a_home_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """The sentence names the file."""
    with (
        pytest.raises(ConfigError, match=r"loop-.*\.lock cannot be made"),
        hold_account(tmp_path / "nowhere", PAPER),
    ):
        pass


def test_a_lease_of_a_dead_process_of_this_host_is_no_running_loop(tmp_path: Path) -> None:
    """A killed loop leaves its lease behind; until it ends it would look alive."""
    with holder(tmp_path) as process:
        lease = replace(LEASE, pid=process.pid)
        before = is_gone(lease), is_running(lease, NOON)
        process.kill()
        process.wait(timeout=30)

        assert before == (False, True)
        assert (is_gone(lease), is_running(lease, NOON)) == (True, False)


def test_a_killed_process_that_nobody_reaped_is_gone(tmp_path: Path) -> None:
    """Its parent has not asked how it ended; the kernel keeps its number, and nothing else."""
    with holder(tmp_path) as process:
        lease = replace(LEASE, pid=process.pid)
        late = LEASE.expires_at
        assert not is_gone(lease)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays

        assert is_gone(lease)
        assert (is_running(lease, NOON), is_silent(lease, late)) == (False, False)
        assert holder_of(tmp_path, PAPER) == ""


def test_a_number_that_another_process_has_by_now_is_no_loop(tmp_path: Path) -> None:
    """It is told by when that one began; a lease that does not say so is believed."""
    with holder(tmp_path) as process:
        lease = replace(LEASE, pid=process.pid)
        begun = loop_lock._told_of(process.pid)
        assert begun is not None
        assert not is_gone(replace(lease, machine=f"{this_machine()} {begun[1]}"))
        assert is_gone(replace(lease, machine=f"{this_machine()} {int(begun[1]) - 1}"))
        assert not is_gone(lease)


def test_a_predecessor_that_had_our_own_number_is_gone() -> None:
    """After a `kill -9` in a container the next zoe gets it again; our own lease stays ours."""
    here, begun = this_process().rsplit(" ", 1)
    ours = replace(LEASE, machine=this_process())
    dead = replace(LEASE, machine=f"{here} {int(begun) - 100}")
    late = LEASE.expires_at

    assert (is_gone(ours), is_running(ours, NOON), is_silent(ours, late)) == (False, True, True)
    assert (is_gone(dead), is_running(dead, NOON), is_silent(dead, late)) == (True, False, False)


def test_a_process_notes_where_and_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells of others than us, only where; and the lease stays as it was."""
    here, begun = this_process().rsplit(" ", 1)
    assert (here, begun.isdecimal()) == (this_machine(), True)
    monkeypatch.setattr(loop_lock, "_PROCESSES", Path("/nowhere"))
    assert this_process() == this_machine()
    assert not is_gone(replace(LEASE, pid=os.getppid(), machine=f"{here} 1"))


@pytest.mark.parametrize(
    "machine",
    [
        "another boot of the kernel pid:[4026531836]",
        f"{this_machine().split()[0]} pid:[1]",
        "",
    ],
    ids=["another host, or before a restart", "another container of this host", "not known"],
)
def test_defect_17_of_a_process_that_cannot_be_seen_from_here_only_the_expiry_tells(
    tmp_path: Path, machine: str
) -> None:
    """Defect 17: two containers may share a host's name, and each has a process 1 and a 7."""
    with holder(tmp_path) as process:
        process.kill()
        process.wait(timeout=30)
        lease = replace(LEASE, pid=process.pid, machine=machine)

    assert not is_gone(lease)
    assert is_running(lease, NOON)
    assert not is_running(lease, NOON + timedelta(seconds=30))


def test_a_system_that_does_not_tell_takes_nobody_for_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside Linux a killed loop's lease is waited for."""
    with holder(tmp_path) as process:
        process.kill()
        process.wait(timeout=30)
    monkeypatch.setattr(loop_lock, "_PID_NAMESPACE", tmp_path / "nowhere")

    assert this_machine() == ""
    assert not is_gone(replace(LEASE, pid=process.pid))
    assert not is_gone(replace(LEASE, pid=process.pid, machine=""))


def test_without_a_lease_nothing_runs() -> None:
    """And one's own process is not gone."""
    assert not is_running(None, NOON)
    assert not is_gone(LEASE)


def test_a_process_that_lives_beyond_its_lease_is_silent_and_not_gone(tmp_path: Path) -> None:
    """A stopped one, or one that cannot write; of one that is gone nothing is to be heard."""
    late = LEASE.expires_at
    with holder(tmp_path) as process:
        lease = replace(LEASE, pid=process.pid)

        assert (is_running(lease, late), is_silent(lease, late)) == (False, True)
        assert not is_silent(lease, NOON)
        assert not is_silent(replace(lease, machine="another one"), late)
        process.kill()
        process.wait(timeout=30)
        assert not is_silent(lease, late)
    assert not is_silent(None, late)
