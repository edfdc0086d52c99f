"""The venue's dead man's switch: should the loop fall silent, its entries do not rest for long.

One countdown for the account. When it goes off the venue cancels every order, stops too, and so it
is armed only while an entry works: what could still buy is then worth more worry than the seconds
in which a stop is missing. Disarmed before a maintenance, and at an orderly end. One that a killed
predecessor left armed is disarmed at the start, whatever is set for this loop.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from zoe_tools.domain.market import VenueMode
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import PlanRefused, StoreError, VenueError, VenueRejected, ZoeError
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

_PARTS = 3
"""It is set anew when a third of it is over: two calls may fail before it goes off."""

_TRIES = 5
"""So often an end tries to disarm it."""

_PATIENCE_S = 2.0
"""So long a start waits for it, in the loop's seconds: what is held may need a stop."""


async def disarm_predecessors(parts: LoopParts) -> None:
    """Before the venue is looked at: else stops that were just seen, or placed, go with it.

    Tried once; where that fails, `DeadMan` goes on, beside the turns.

    Raises:
        StoreError: the store cannot be read or written.
    """
    seconds = await parts.gate.inherit_countdown()
    if not seconds:
        return
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await parts.gate.count_down(0)
    except (PlanRefused, VenueError, TimeoutError) as error:
        why = error.message if isinstance(error, ZoeError) else f"no answer in {_PATIENCE_S:.0f} s"
        _LOG.warning("The countdown that a loop left armed cannot be disarmed yet: %s", why)
    else:
        event(_LOG, "DEAD_MAN_DISARMED", "warning", seconds=0)


class DeadMan:
    """The countdown as this loop has set it."""

    def __init__(self, seconds: int, loop: TradingLoop, parts: LoopParts) -> None:
        self._seconds = seconds
        self._loop = loop
        self._parts = parts
        self._goes_off: datetime | None = None
        self._at_worst: datetime | None = None
        """When what was sent and not answered goes off, if it arrived."""

    async def run(self) -> None:
        """Arm, set anew and disarm, until cancelled; it is left disarmed."""
        inherited_s = self._parts.gate.countdown_in_doubt_s
        if inherited_s:
            self._at_worst = self._parts.clock.now() + timedelta(seconds=inherited_s)
        try:
            while True:
                await self._look()
                await self._parts.clock.sleep(min(self._parts.cadence.cycle_s, self._pause_s))
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """A countdown that is left running takes the stops away from what nobody looks after."""
        for _ in range(_TRIES):
            if not self._may_be_armed:
                return
            await self._set(0)
            if self._may_be_armed:
                await self._parts.clock.sleep(1.0)
        goes_off = self._goes_off or self._at_worst
        if goes_off is not None:
            event(_LOG, "DEAD_MAN_LEFT_ARMED", "critical", goes_off=goes_off.isoformat())

    @property
    def _may_be_armed(self) -> bool:
        return self._goes_off is not None or self._at_worst is not None

    async def _look(self) -> None:
        now = self._parts.clock.now()
        if self._goes_off is not None and now >= self._goes_off:
            self._goes_off = None
            event(_LOG, "DEAD_MAN_FIRED", "critical", seconds=self._seconds)
            self._loop.wake()  # the turns look for stops that are gone, and place them again
        if self._at_worst is not None and now >= self._at_worst:
            self._at_worst = None
        left_s = 0.0 if self._goes_off is None else (self._goes_off - now).total_seconds()
        if self._is_wanted:
            if left_s <= self._seconds - self._pause_s:
                await self._set(self._seconds)
        elif self._may_be_armed:
            await self._set(0)

    @property
    def _is_wanted(self) -> bool:
        """An entry works, and the venue is there to hear of us."""
        if not self._seconds:
            return False
        entries = any(each.purpose == "entry" for each in self._loop.books.orders)
        return entries and self._loop.view.mode is VenueMode.ONLINE

    @property
    def _pause_s(self) -> float:
        return self._seconds / _PARTS or self._parts.cadence.cycle_s

    async def _set(self, seconds: int) -> None:
        was_armed, before = self._goes_off is not None, self._at_worst
        if seconds:
            # Until somebody answers: an end that comes meanwhile takes it back, too.
            self._at_worst = self._parts.clock.now() + timedelta(seconds=seconds)
        try:
            self._goes_off = await self._parts.gate.count_down(seconds)
        except PlanRefused as error:  # who has the lease has the countdown
            _LOG.warning("%s", error.message)
            self._goes_off = self._at_worst = None
            return
        except (VenueError, StoreError) as error:
            _LOG.warning("The dead man's switch cannot be set: %s", error.message)
            if isinstance(error, VenueRejected | StoreError):
                self._at_worst = before  # it was not set, for sure
            return
        self._at_worst = None
        is_armed = self._goes_off is not None
        was_in_doubt = before is not None and not is_armed
        if was_armed is not is_armed or was_in_doubt:
            name = "DEAD_MAN_ARMED" if is_armed else "DEAD_MAN_DISARMED"
            event(_LOG, name, "info", seconds=seconds)
