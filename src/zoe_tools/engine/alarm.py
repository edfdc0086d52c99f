"""SIGUSR1 to a running loop: stop trading now, and latch it.

Entries are kept back from the first moment on, whatever becomes of the store; where that is away,
the level waits in the emergency file, and whoever has the store next latches it. A second signal
escalates. Nothing is sold.
"""

from __future__ import annotations

import asyncio
import logging

from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.latching import latch_for
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError

_LOG = logging.getLogger(__name__)

ALARM = "SIGUSR1"
"""The watch's name among those that keep entries back."""

_REASON = KillReason.MANUAL.worded("SIGUSR1 to the loop")


async def watch_alarm(alarm: asyncio.Event, loop: TradingLoop, parts: LoopParts) -> None:
    """Stop trading whenever the alarm is set, until cancelled."""
    while True:
        await alarm.wait()
        alarm.clear()
        loop.stand(ALARM, ("SIGUSR1: trading is stopped",))
        if parts.is_shadow:
            continue  # it sends nothing, and the account is not its own to stop
        level = _next_level(loop)
        is_noted = False
        while not (is_noted or await latch_for(loop, parts, level, _REASON)):
            is_noted = _is_noted(parts, level)
            await parts.clock.sleep(parts.cadence.state_poll_s)
        while parts.gate.is_store_away or loop.books.trading_state.level < level:
            await parts.clock.sleep(parts.cadence.state_poll_s)
        loop.stand(ALARM, ())


def _is_noted(parts: LoopParts, level: KillLevel) -> bool:
    """Whether it is on the disk for a store that is away, however this run ends."""
    if not parts.gate.is_store_away:
        return False
    try:
        parts.gate.latch_for_later(level, _REASON)
    except StoreError as error:
        _LOG.error("The kill level cannot be noted: %s", error.message)
        return False
    return True


def _next_level(loop: TradingLoop) -> KillLevel:
    """Cancel what could still buy; where that is in force already, reduce only."""
    is_first = loop.books.trading_state.level < KillLevel.CANCEL_OPEN
    return KillLevel.CANCEL_OPEN if is_first else KillLevel.REDUCE_ONLY
