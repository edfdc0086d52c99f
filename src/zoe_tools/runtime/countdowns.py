"""Tells of the venue's countdown where the loop that armed it is gone; it sets none."""

from __future__ import annotations

from datetime import datetime, timedelta

from zoe_tools.domain.observation import COUNTDOWN
from zoe_tools.errors import StoreError
from zoe_tools.gather import countdown_at_stake
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LEASE_BEAT = timedelta(seconds=5)
"""So long after the last sign of its lease a loop may have set it once more."""


def left_armed_until(transaction: Transaction, now: datetime) -> datetime | None:
    """When at the latest a countdown goes off that nobody sets anew; None where there is none."""
    seconds = countdown_at_stake(transaction)
    lease, lease_now = transaction.lease(), transaction.lease_time(now)
    if not seconds or is_running(lease, lease_now):
        return None
    (told_at,) = (each.beat_at for each in transaction.heartbeats() if each.component == COUNTDOWN)
    last = told_at if lease is None else max(told_at, now - (lease_now - lease.renewed_at))
    return last + timedelta(seconds=seconds) + _LEASE_BEAT


async def countdown_warning(store: StoreRunner, now: datetime) -> str:
    """A sentence for whoever places or looks for stops meanwhile; empty where none is due.

    Where the store cannot be asked there is none either: what was done before stays done.
    """
    try:
        until = await store.read(lambda transaction: left_armed_until(transaction, now))
    except StoreError:
        return ""
    if until is None or until <= now:
        return ""
    return (
        "The loop that is gone may have left the venue's countdown armed: until"
        f" {until:%H:%M:%SZ} it may cancel all orders, stops too. Run `zoe recover-sl --execute`"
        " after that, or start the loop, which disarms it first."
    )
