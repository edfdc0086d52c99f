"""SIGUSR1 to a running loop: stop trading now, and latch it.

Entries are kept back from the first moment on, whatever becomes of the store; the level is latched
as soon as there is one to latch it in. A second signal escalates. Nothing is sold.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError
from zoe_tools.gate.latch import latch_level

_LOG = logging.getLogger(__name__)

ALARM = "SIGUSR1"
"""The watch's name among those that keep entries back."""


async def watch_alarm(alarm: asyncio.Event, loop: TradingLoop, parts: LoopParts) -> None:
    """Stop trading whenever the alarm is set, until cancelled."""
    while True:
        await alarm.wait()
        alarm.clear()
        loop.stand(ALARM, ("SIGUSR1: trading is stopped",))
        if parts.is_shadow:
            continue  # it sends nothing, and the account is not its own to stop
        level = _next_level(loop)
        while not await _is_latched(loop, parts, level):
            await parts.clock.sleep(parts.cadence.state_poll_s)
        loop.stand(ALARM, ())


def _next_level(loop: TradingLoop) -> KillLevel:
    """Cancel what could still buy; where that is in force already, reduce only."""
    is_first = loop.books.trading_state.level < KillLevel.CANCEL_OPEN
    return KillLevel.CANCEL_OPEN if is_first else KillLevel.REDUCE_ONLY


async def _is_latched(loop: TradingLoop, parts: LoopParts, level: KillLevel) -> bool:
    if parts.gate.is_store_away:
        return False
    try:
        await latch_level(
            store=parts.store,
            clock=parts.clock,
            account=parts.account,
            policy=parts.policy,
            level=level,
            reason=KillReason.MANUAL.worded("SIGUSR1 to the loop"),
            author=replace(parts.gate.author, operator=""),
        )
        await loop.books.refresh_trading_state(parts.clock.now())
        loop.books.note_told()
    except StoreError as error:
        _LOG.warning("The level cannot be latched yet: %s", error.message)
        return False
    loop.wake()
    return not parts.gate.is_store_away  # what went into the copy that stands in is forgotten
