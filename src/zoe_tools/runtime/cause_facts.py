"""What `zoe resume` asks because of what stopped trading: nothing else costs a call."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from zoe_tools.core.health import LOOP
from zoe_tools.core.resume import NO_FACTS, CauseFacts
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.snapshot import Missing
from zoe_tools.domain.trading_state import KillReason
from zoe_tools.errors import VenueError
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.runtime.readiness import measure_clock


async def cause_facts(context: Context, cause: KillReason) -> CauseFacts:
    """The facts about that cause, as they are now.

    Raises:
        StoreError: the loop's heartbeat cannot be read.
    """
    match cause:
        case KillReason.API_ERROR if context.wires is not None:
            gate = context.wires.rest.breaker
            return CauseFacts(breaker=None if gate is None else await gate.look())
        case KillReason.MARGIN_CRITICAL | KillReason.LIQUIDATION_BREACH:
            return CauseFacts(margin=await _margin(context))
        case KillReason.DATA_FAILURE:
            return CauseFacts(clock_skew_s=await _skew(context), deaf_s=await _deaf_s(context))
        case _:
            return NO_FACTS


async def _margin(context: Context) -> MarginStanding | Missing:
    if context.wires is None:
        return Missing("the venue was not asked")
    reads = AccountReads(context.wires.rest, context.venue.catalogue)
    try:
        return await reads.margin_standing()
    except VenueError as error:
        return Missing(error.message.rstrip("."))


async def _skew(context: Context) -> Decimal | Missing:
    try:
        measured = await measure_clock(context.venue, context.clock)
    except VenueError as error:
        return Missing(error.message.rstrip("."))
    return Decimal(str(abs(measured.skew_s)))


async def _deaf_s(context: Context) -> int | None:
    """Seconds since a running loop, one of whose wires is down, heard anything; None: all is up."""
    now = context.clock.now()
    lease, beats = await context.store.read(
        lambda tx: ((tx.lease(), tx.lease_time(now)), tx.heartbeats())
    )
    beat = next((each for each in beats if each.component == LOOP), None)
    if not is_running(*lease) or beat is None or beat.details.get("is_live") != 0:
        return None
    told = str(beat.details.get("last_event_at", ""))
    heard_at = datetime.fromisoformat(told) if told else beat.beat_at
    return max(0, round((now - heard_at).total_seconds()))
