"""SIGUSR1 to a loop, running or standing by: stop trading now, and latch it.

Entries are kept back from the first moment on, whatever becomes of the store; where that is away,
the level waits in the emergency file, and whoever has the store next latches it. A second signal
escalates. Nothing is sold.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from zoe_tools.domain.account import Account
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.latching import latch_for
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import StoreError
from zoe_tools.gate.journal import Author
from zoe_tools.gate.latch import latch_level
from zoe_tools.gather import effective_trading_state
from zoe_tools.ports import Clock, Narrator
from zoe_tools.store.runner import StoreRunner

_LOG = logging.getLogger(__name__)

ALARM = "SIGUSR1"
"""The watch's name among those that keep entries back."""

_REASON = KillReason.MANUAL.worded("SIGUSR1 to the loop")


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyAlarm:
    """What a loop does about the signal that waits for the account of another one.

    It has no part in the trade: it latches the account, and the loop that runs hears of it.
    """

    alarm: asyncio.Event
    store: StoreRunner
    clock: Clock
    account: Account
    policy: Policy
    author: Author
    narrator: Narrator
    is_shadow: bool = False

    async def heed(self) -> None:
        """If the signal came: latch, and tell what came of it, either way."""
        if not self.alarm.is_set():
            return
        self.alarm.clear()
        self._tell(await self._latched())

    async def _latched(self) -> str:
        if self.is_shadow:
            return "SIGUSR1: this is a shadow, and the account is not its own to stop."
        try:
            state = await self.store.read(effective_trading_state)
            level = _next_level(state.level)
            await latch_level(
                store=self.store,
                clock=self.clock,
                account=self.account,
                policy=self.policy,
                level=level,
                reason=_REASON,
                author=replace(self.author, operator=""),
            )
        except StoreError as error:
            _LOG.error("The kill level cannot be latched: %s", error.message)
            return (
                f"SIGUSR1: NOTHING IS STOPPED, the level cannot be latched: {error.message} Signal"
                " the loop that runs, or run `zoe kill --execute`."
            )
        return f"SIGUSR1: trading is stopped at {level.label}; the loop that runs is told."

    def _tell(self, note: str) -> None:
        self.narrator.show_note(self.clock.now(), note)


def standby_alarm_of(parts: LoopParts) -> StandbyAlarm | None:
    """That of a loop that is put together already; None where nobody can signal it."""
    if parts.alarm is None:
        return None
    return StandbyAlarm(
        alarm=parts.alarm,
        store=parts.store,
        clock=parts.clock,
        account=parts.account,
        policy=parts.policy,
        author=parts.gate.author,
        narrator=parts.narrator,
        is_shadow=parts.is_shadow,
    )


async def watch_alarm(alarm: asyncio.Event, loop: TradingLoop, parts: LoopParts) -> None:
    """Stop trading whenever the alarm is set, until cancelled."""
    while True:
        await alarm.wait()
        alarm.clear()
        loop.stand(ALARM, ("SIGUSR1: trading is stopped",))
        if parts.is_shadow:
            continue  # it sends nothing, and the account is not its own to stop
        level = _next_level(loop.books.trading_state.level)
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


def _next_level(level: KillLevel) -> KillLevel:
    """Cancel what could still buy; where that is in force already, reduce only."""
    is_first = level < KillLevel.CANCEL_OPEN
    return KillLevel.CANCEL_OPEN if is_first else KillLevel.REDUCE_ONLY
