"""One trading loop per account on this machine: a file lock that dies with its process.

The lease in the store names the holder for the operator; this lock is what a `kill -9` frees.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from zoe_tools.domain.account import Account
from zoe_tools.domain.observation import Lease
from zoe_tools.errors import AccountBusy, ConfigError

PROCESS = secrets.token_hex(4)
"""A word of this process that no other one has, whatever host or process id they share."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_PROCESSES = Path("/proc")
_ENDED = ("Z", "X", "x")
"""The states of a process that is over, and that nobody has asked how it ended."""
_STATE, _BEGUN = 0, 19
"""Where the kernel tells them, counted from behind the name: proc(5), fields 3 and 22."""


class AccountLock:
    """The account's lock on this host: taken, waited for, and let go with the block.

    Raises:
        ConfigError: on entering; the lock file cannot be made.
    """

    def __init__(self, home: Path, account: Account) -> None:
        self._path = home / f"loop-{account.account_id}.lock"
        self._account = account
        self._descriptor = -1
        self._is_ours = False

    def __enter__(self) -> Self:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(
                f"The loop's lock {self._path} cannot be made: {error.strerror}.",
                hint="Make ZOE_HOME writable, or run `zoe init`.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def holder(self) -> str:
        """The pid that the holder wrote down."""
        return os.pread(self._descriptor, 32, 0).decode(errors="replace") or "unknown"

    def try_take(self) -> bool:
        """Take it, if nobody else has it; what is ours stays ours."""
        if self._is_ours:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._is_ours = True
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return True

    def take(self) -> None:
        """Take it.

        Raises:
            AccountBusy: another process holds it; the sentence names its pid.
        """
        if self.try_take():
            return
        here = f"pid {self.holder} on this host ({os.uname().nodename})"
        raise AccountBusy(
            f"A loop runs on {self._account.title}: {here}.",
            hint="Stop it with SIGTERM, wait for it with --standby, or look: `zoe status`.",
        )


@contextlib.contextmanager
def hold_account(home: Path, account: Account) -> Iterator[None]:
    """Hold the account's lock for the block.

    Raises:
        AccountBusy: another process holds it; the sentence names its pid.
        ConfigError: the lock file cannot be made.
    """
    with AccountLock(home, account) as lock:
        lock.take()
        yield


def this_machine() -> str:
    """Within what a process id names one process: the running kernel and its namespace of ids.

    A host's name does not: two containers may share one, and each has a process 1. Empty where the
    system does not tell; then nobody is known to be gone, and a lease is waited for.
    """
    try:
        boot = _BOOT_ID.read_text("ascii").strip()
        return f"{boot} {_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""


def this_process() -> str:
    """The machine, and when this process began by the kernel's count: no other one has both.

    A number of a process is given again to another one; when it began tells the two apart.
    """
    here, told = this_machine(), _told_of(os.getpid())
    return f"{here} {told[1]}" if here and told is not None else here


def is_gone(lease: Lease) -> bool:
    """Whether the holder ran where we run, and its process is no more, or only waits for its end.

    A lease of a zoe that did not note when its process began is taken for any process's. Our own
    number is no exception: in a container that starts anew, the next process often has it again.
    """
    if not _is_of_here(lease):
        return False
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    told = _told_of(lease.pid)
    if told is None:
        return False
    state, begun = told
    return state in _ENDED or _begun_of(lease) not in ("", begun)


def _is_of_here(lease: Lease) -> bool:
    here = this_machine()
    return bool(here) and lease.machine.split()[:2] == here.split()


def _begun_of(lease: Lease) -> str:
    """When the process of a lease began; empty where that is not noted."""
    return next(iter(lease.machine.split()[2:]), "")


def _told_of(pid: int) -> tuple[str, str] | None:
    """State and beginning of a process; None where the system does not tell, or not of ours."""
    own, same = _stat(os.getpid()), _stat("self")
    if own is None or same is None or own[1] != same[1]:
        return None  # it tells of the processes of another namespace
    return own if pid == os.getpid() else _stat(pid)


def _stat(process: int | str) -> tuple[str, str] | None:
    try:
        told = (_PROCESSES / str(process) / "stat").read_text("utf-8", "replace")
        fields = told.rpartition(")")[2].split()  # its name may hold anything
        return fields[_STATE], fields[_BEGUN]
    except (OSError, IndexError):
        return None


def is_running(lease: Lease | None, now: datetime) -> bool:
    """Whether the lease stands for a loop that can still act; a killed one leaves its lease."""
    return lease is not None and lease.expires_at > now and not is_gone(lease)


def is_silent(lease: Lease | None, now: datetime) -> bool:
    """Whether the lease ran out and its holder's process lives here: it hangs, or cannot write."""
    if lease is None or lease.expires_at > now:
        return False
    return _is_of_here(lease) and not is_gone(lease)
