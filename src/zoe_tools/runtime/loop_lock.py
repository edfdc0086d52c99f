"""One trading loop per account on this machine: a file lock that dies with its process.

The lease in the store names the holder for the operator; this lock is what a `kill -9` frees.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from zoe_tools.domain.account import Account
from zoe_tools.domain.observation import Lease
from zoe_tools.errors import AccountBusy, ConfigError


@contextlib.contextmanager
def hold_account(home: Path, account: Account) -> Iterator[None]:
    """Hold the account's lock while the loop runs.

    Raises:
        AccountBusy: another process holds it; the sentence names its pid.
        ConfigError: the lock file cannot be made.
    """
    path = home / f"loop-{account.account_id}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The loop's lock {path} cannot be made: {error.strerror}.",
            hint="Make ZOE_HOME writable, or run `zoe init`.",
        ) from error
    try:
        _lock(descriptor, account)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_gone(lease: Lease) -> bool:
    """Whether the holder ran on this host and its process is no more."""
    if lease.host != os.uname().nodename or lease.pid == os.getpid():
        return False
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def is_running(lease: Lease | None, now: datetime) -> bool:
    """Whether the lease stands for a loop that can still act; a killed one leaves its lease."""
    return lease is not None and lease.expires_at > now and not is_gone(lease)


def _lock(descriptor: int, account: Account) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
        raise AccountBusy(
            f"A loop runs on {account.title}: pid {holder} on this host ({os.uname().nodename}).",
            hint="Stop it with SIGTERM, or watch it with `zoe status`.",
        ) from error
