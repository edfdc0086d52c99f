"""The loop's sign of life in the store and to the service manager: what it did, and when.

A beat that cannot prove recent turns is written all the same, and read by its ages; the service
manager is told to be patient only while turns are taken.
"""

from __future__ import annotations

import logging
from datetime import datetime

from zoe_tools.core.health import LOOP, STUCK_BEATS
from zoe_tools.domain.observation import Details
from zoe_tools.engine.leasing import Holder, remember_lease, renew_lease
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.engine.vitals import mode_of, reasons_against_entries, shortened, system_state
from zoe_tools.engine.work import STAGES, Phase
from zoe_tools.observe.log import event
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


async def beat_for_ever(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    """Prove work, not presence: what the loop last did, and how old the market is.

    From the start on: to look through a long history outlasts the lease.
    """
    while True:
        await beat(loop, parts, holder)
        await parts.clock.sleep(parts.cadence.health_s)


async def beat(loop: TradingLoop, parts: LoopParts, holder: Holder) -> None:
    """One beat; the lease is renewed with it.

    Raises:
        AccountBusy: another loop took the lease.
    """
    now = parts.clock.now()
    _note_output(parts)
    details = _details(loop, parts, holder)
    status = "ok" if loop.view.is_live else "warning"

    def write(transaction: Transaction) -> None:
        transaction.beat(LOOP, status, now, details)
        renew_lease(parts, holder, now, transaction)

    await parts.store.run(write)
    remember_lease(parts, now)
    _tell_service(loop, parts, now)


def _tell_service(loop: TradingLoop, parts: LoopParts, now: datetime) -> None:
    """Patience is asked for only by a loop that turns, has not begun to, or is about to end."""
    turned = parts.work.done_at.get("turn")
    stuck_s = parts.cadence.health_s * STUCK_BEATS
    is_ending = parts.work.phase is Phase.STOPPING
    if is_ending or turned is None or (now - turned).total_seconds() < stuck_s:
        parts.service.tell("WATCHDOG=1")
    why = shortened(reasons_against_entries(loop, parts))
    told = f"{parts.work.phase.value} {system_state(loop, parts)}, {len(loop.books.positions)} open"
    parts.service.tell(f"STATUS={told}; no entries: {why}" if why else f"STATUS={told}")


def _note_output(parts: LoopParts) -> None:
    """The log is a place of its own: it tells of a terminal, a pipe or a journal that is stuck."""
    told, before = parts.output.trouble(), parts.work.held_up
    parts.work.held_up = told
    if told and not before:
        event(_LOG, "OUTPUT_HELD_UP", "warning", reason=told)


def _details(loop: TradingLoop, parts: LoopParts, holder: Holder) -> Details:
    work, backlog = parts.work, parts.feed.backlog
    stages = {f"{stage}_at": _told(work.done_at.get(stage)) for stage in STAGES}
    wires = {f"{wire}_at": _told(at) for wire, at in work.heard_at.items()}
    return {
        "run_id": holder.run_id,
        "host": holder.host,
        "pid": holder.pid,
        "phase": work.phase.value,
        "state": system_state(loop, parts),
        "mode": mode_of(loop, parts),
        "why": shortened(reasons_against_entries(loop, parts)),
        "safe_mode": shortened(loop.safe_mode.told),
        "cycles": loop.cycles,
        "turn_ms": work.last_turn_ms,
        "open_positions": len(loop.books.positions),
        "open_orders": len(loop.books.orders),
        "unresolved": len(loop.books.unresolved),
        "unprotected_positions": loop.watch.naked,
        "unprotected_long": loop.watch.alarming,
        "unprotected_ms": round(loop.watch.seconds * 1000),
        **loop.watch.fills.times.told(),
        "is_live": int(loop.view.is_live),
        "last_event_at": _told(loop.view.last_event_at),
        "queue_events": backlog.waiting,
        "queue_room": backlog.room,
        "output": work.held_up,
        "lines_lost": parts.output.lines_lost,
        "beat_ms": round(parts.cadence.health_s * 1000),
        **stages,
        **wires,
    }


def _told(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()
