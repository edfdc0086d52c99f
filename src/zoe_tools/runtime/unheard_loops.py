"""Loops of this host that the store at hand hears nothing of, and that cannot be told by it.

The lock of a loop is in ZOE_HOME, its lease is in the store. Where somebody holds the one and
nobody renews the other, a loop has only just begun, hangs, or is without the database that it
opened, because that was moved, deleted or replaced. This module looks, and must not take or change
anything.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from datetime import datetime
from functools import partial
from pathlib import Path

from zoe_tools.domain.account import Account
from zoe_tools.errors import AccountBusy
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.store.database import parse_url, sqlite_path
from zoe_tools.store.store import Transaction

POLL_S = 0.25
PATIENCE_S = 3.0
"""A loop that has only just begun has its lease within this, mostly."""


def holder_of(home: Path, account: Account) -> str:
    """The pid of the process that has the account's lock in this home; empty where none has."""
    return _holder(home / f"loop-{account.account_id}.lock")


def holders(home: Path) -> tuple[str, ...]:
    """The same of every account that ever had a loop in this home."""
    found = (_holder(path) for path in sorted(home.glob("loop-*.lock")))
    return tuple(pid for pid in found if pid)


async def unheard_loop(context: Context, *, patience_s: float = 0.0) -> str:
    """The pid of a loop that holds the account here and no lease in this store; empty: none does.

    A live lease is enough, whoever holds it: then the one here stands by. `patience_s` is how long
    one that has only just begun is waited for, in seconds of this machine.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    while pid := holder_of(context.home, context.account):
        if await context.store.run(partial(_is_leased, now=context.clock.now())):
            return ""
        if loop.time() >= until:
            return pid
        await asyncio.sleep(POLL_S)
    return ""


def told_unheard(pid: str) -> str:
    """What to say of it."""
    return (
        f"A loop of this account runs here, pid {pid}, and this store hears nothing of it: it has"
        " only just begun, it hangs, or its database was moved, deleted or put back under it. What"
        f" is latched here may never reach it. `kill -USR1 {pid}` stops its entries, `kill {pid}`"
        " ends it; stops stay at the venue."
    )


def demand_no_loop_without_database(home: Path, database_url: str) -> None:
    """No new database is made beside a loop whose own is gone.

    Raises:
        AccountBusy: there is such a loop; the sentence names its pid.
    """
    path = sqlite_path(parse_url(database_url))
    if path is None or path.exists():
        return
    pids = holders(home)
    if pids:
        raise AccountBusy(
            f"A loop runs here, pid {', '.join(pids)}, and there is no database at {path}: it goes"
            " on with one that was moved or deleted. Nothing that is done with a new one would"
            " reach it.",
            hint=f"Put the database back, or end the loop first: `kill {' '.join(pids)}`; its stops"
            " stay at the venue.",
        )


def _is_leased(transaction: Transaction, *, now: datetime) -> bool:
    return is_running(transaction.lease(), transaction.lease_time(now))


def _holder(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        # Only where it can be held is it tried: a loop that begins must not find it taken.
        return pid if _lives(pid) and _is_taken(descriptor) else ""
    finally:
        os.close(descriptor)


def _lives(pid: str) -> bool:
    if not (pid.isascii() and pid.isdecimal()) or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False  # closing lets go of it
