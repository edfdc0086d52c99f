"""The life of a run: take the account, recover, start the tasks, stop in order.

Start-up: the lease (one loop an account), then every intent whose outcome is open is resolved
against the venue, then both wires must be up; only then are turns taken. A task that fails ends
the run, and the lease is given back on every way out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from zoe_tools.core.run_report import LoopTally
from zoe_tools.domain.cadence import Cadence
from zoe_tools.engine.loop import LoopParts, TradingLoop
from zoe_tools.errors import AccountBusy, VenueUnavailable
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner

START_TIMEOUT_S = 60.0
"""Seconds of venue time in which both wires must come up."""

LEASE_BEATS = 6
"""The lease lasts so many health periods, so that a few late beats do not lose the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who runs the loop."""

    run_id: str
    host: str
    pid: int


Watcher = Callable[[TradingLoop], Awaitable[None]]
"""Something that looks on while the loop runs, e.g. the live display."""


async def supervise(
    parts: LoopParts, *, holder: Holder, stop: asyncio.Event, watcher: Watcher | None = None
) -> tuple[TradingLoop, LoopTally]:
    """Run until `stop` is set; returns the loop and what it counted.

    Raises:
        AccountBusy: another loop holds the account.
        VenueUnavailable: the streams did not come up in time.
    """
    await _take_lease(parts.store, parts.clock, parts.cadence, holder)
    started = parts.clock.now()
    await parts.store.run(
        lambda tx: tx.record_boot(holder.run_id, started, None, "running", {"host": holder.host})
    )
    status = "error"
    loop = TradingLoop(parts)
    try:
        await parts.gate.recover()
        await loop.books.refresh(parts.clock.now())
        await _run_tasks(loop, parts, holder, stop, watcher)
        status = "ok"
        return loop, loop.tally()
    finally:
        await parts.feed.close()
        ended = parts.clock.now()
        await parts.store.run(
            lambda tx: tx.record_boot(holder.run_id, started, ended, status, {"host": holder.host})
        )
        await parts.store.run(lambda tx: tx.release_lease(holder.run_id))


async def _take_lease(store: StoreRunner, clock: Clock, cadence: Cadence, holder: Holder) -> None:
    now = clock.now()
    lease = await store.run(
        lambda tx: tx.acquire_lease(
            holder.run_id, holder.host, holder.pid, now, cadence.health_s * LEASE_BEATS
        )
    )
    if lease.holder != holder.run_id:
        age = (now - lease.acquired_at).total_seconds()
        raise AccountBusy(
            f"A loop runs on this account: host {lease.host}, pid {lease.pid}, for {age:.0f} s.",
            hint="Stop it with SIGTERM, or watch it with `zoe status`.",
        )


async def _run_tasks(
    loop: TradingLoop,
    parts: LoopParts,
    holder: Holder,
    stop: asyncio.Event,
    watcher: Watcher | None,
) -> None:
    async with asyncio.TaskGroup() as group:
        follower = group.create_task(loop.follow())
        helpers = [
            group.create_task(_beat(loop, parts, holder)),
            group.create_task(_poll_trading_state(loop, parts)),
        ]
        if watcher is not None:
            helpers.append(group.create_task(_ignore_result(watcher(loop))))
        await _until_live(loop, parts, stop)
        await loop.turn_until(stop)
        for helper in helpers:
            helper.cancel()
        await parts.feed.close()
        await follower


async def _ignore_result(awaitable: Awaitable[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await awaitable


async def _until_live(loop: TradingLoop, parts: LoopParts, stop: asyncio.Event) -> None:
    step_s = parts.cadence.cycle_s / 10
    waited_s = 0.0
    while not loop.view.is_live and not stop.is_set():
        if waited_s > max(START_TIMEOUT_S, parts.cadence.cycle_s * LEASE_BEATS):
            raise VenueUnavailable("The venue's streams did not come up.")
        await parts.clock.sleep(step_s)
        waited_s += step_s


async def _beat(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    """Prove work, not presence: what the loop last did, and how old the market is."""
    while True:
        now = parts.clock.now()
        details = {
            "run_id": holder.run_id,
            "host": holder.host,
            "pid": holder.pid,
            "cycles": loop.cycles,
            "open_positions": len(loop.books.positions),
            "is_live": int(loop.view.is_live),
            "mode": "shadow" if parts.is_shadow else "trading",
            "last_event_at": loop.view.last_event_at.isoformat() if loop.view.last_event_at else "",
        }
        ttl_s = parts.cadence.health_s * LEASE_BEATS
        status = "ok" if loop.view.is_live else "warning"
        await parts.store.run(lambda tx, at=now, d=details, s=status: tx.beat("loop", s, at, d))
        await parts.store.run(lambda tx, at=now: tx.renew_lease(holder.run_id, at, ttl_s))
        await parts.clock.sleep(parts.cadence.health_s)


async def _poll_trading_state(loop: TradingLoop, parts: LoopParts) -> None:
    """An operator's `kill`, or the runbooks' SQL, is noticed within a second."""
    while True:
        if await loop.books.refresh_trading_state():
            loop.wake()
        await parts.clock.sleep(parts.cadence.state_poll_s)
