"""Who runs the account's loop: the lease is taken, waited for, and renewed while the loop lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.domain.observation import Lease
from zoe_tools.engine.alarm import standby_alarm_of
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import AccountBusy
from zoe_tools.store.store import Transaction

LEASE_BEATS = 6
"""The lease lasts so many health periods, so that a few late beats do not lose the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who runs the loop."""

    run_id: str
    host: str
    pid: int
    machine: str = ""


IsGone = Callable[[Lease], bool]
"""Whether a lease's holder is known to be dead, so that its lease need not run out first."""


async def take_account(
    parts: LoopParts, holder: Holder, is_gone: IsGone, stop: asyncio.Event | None
) -> Lease | None:
    """The account's lease; with `stop` one waits for it, and gets None when told to stop first.

    Raises:
        AccountBusy: another loop holds it, and one does not wait.
    """
    told: Lease | None = None
    alarm = standby_alarm_of(parts)
    while True:
        asked_at = parts.clock.now()
        lease = await _take_lease(parts, holder, is_gone)
        if lease.holder == holder.run_id:
            remember_lease(parts, asked_at)
            return lease
        if stop is None:
            raise AccountBusy(
                f"A loop runs on this account: {_described(parts, lease)}.",
                hint="Stop it with SIGTERM, wait for it with --standby, or look: `zoe status`.",
            )
        if stop.is_set():
            return None
        if told is None or told.token != lease.token:
            told = lease
            note = f"Standing by: a loop runs on this account, {_described(parts, lease)}."
            parts.narrator.show_note(parts.clock.now(), note)
        if alarm is not None:
            await alarm.heed()
        await parts.clock.sleep(parts.cadence.state_poll_s)


def _described(parts: LoopParts, lease: Lease) -> str:
    age_s = (parts.clock.now() - lease.acquired_at).total_seconds()
    return f"host {lease.host}, pid {lease.pid}, for {age_s:.0f} s"


async def _take_lease(parts: LoopParts, holder: Holder, is_gone: IsGone) -> Lease:
    """The lease as it then stands, ours or not.

    One that ran out is not taken while an order sent under it may still reach the venue.
    """
    now = parts.clock.now()
    ttl_s = parts.cadence.health_s * LEASE_BEATS

    def take(transaction: Transaction) -> Lease:
        standing = transaction.lease(pinned=True)
        if standing is not None and is_gone(standing):
            transaction.release_lease(standing.holder)
        elif standing is not None and any(
            intent.deadline > now for intent in transaction.unresolved_intents()
        ):
            return standing
        return transaction.acquire_lease(
            holder.run_id, holder.host, holder.pid, now, ttl_s, holder.machine
        )

    return await parts.store.run(take)


def renew_lease(parts: LoopParts, holder: Holder, now: datetime, transaction: Transaction) -> None:
    """Prolong the lease.

    Raises:
        AccountBusy: somebody else has it.
    """
    if not transaction.renew_lease(holder.run_id, now, parts.cadence.health_s * LEASE_BEATS):
        raise AccountBusy(
            "Another loop took this account's lease; this one stops.",
            hint="Look at `zoe status`: two hosts may be configured for one account.",
        )


def remember_lease(parts: LoopParts, asked_at: datetime) -> None:
    """Note until when nobody else can have the account; what the copy renewed counts for nothing.

    From before the store was asked: its own clock made the lease end later, if anything.
    """
    if parts.shares_store and not parts.gate.is_store_away:
        ttl = timedelta(seconds=parts.cadence.health_s * LEASE_BEATS)
        parts.gate.lease.until = asked_at + ttl
