"""The venue's dead man's countdown, set through the gate: under the lease, and in the audit log.

It changes no order by itself, and to set it again does no harm: it needs no intent. But when it
goes off it cancels stops, too; who armed it, and when, must be known afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from zoe_tools.errors import PlanRefused, VenueError, VenueRejected
from zoe_tools.gate.fence import Fence, Withheld, demand_lease
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.order_log import OrderLog

SetCountdown = Callable[[int], Awaitable[datetime | None]]
"""Sets the countdown to whole seconds, or with 0 disarms it; returns when it goes off."""


class Countdown:
    """One gate's way to it."""

    def __init__(self, setter: SetCountdown, keeper: Keeper, log: OrderLog) -> None:
        self._setter = setter
        self._keeper = keeper
        self._log = log
        self._is_armed: bool | None = False  # None: nobody knows

    async def set(self, seconds: int, fence: Fence | None) -> datetime | None:
        """Set it. That it is armed or disarmed is told before and after, its renewal is no news.

        Raises:
            PlanRefused: another loop has the lease, and with it the countdown; nothing was sent.
            StoreError: it could be written nowhere; nothing was sent.
            VenueError: as of any write; set it again.
        """
        await self._demand_lease(fence)
        is_news = self._is_armed is not bool(seconds)
        if is_news:
            await self._log.countdown(seconds, "begun")
        try:
            goes_off = await self._setter(seconds)
        except VenueError as error:
            if is_news:
                if not isinstance(error, VenueRejected):
                    self._is_armed = None
                await self._log.countdown(seconds, f"not known: {error.message}")
            raise
        self._is_armed = goes_off is not None
        if is_news:
            until = "disarmed" if goes_off is None else f"goes off at {goes_off.isoformat()}"
            await self._log.countdown(seconds, until)
        return goes_off

    async def _demand_lease(self, fence: Fence | None) -> None:
        if fence is None:
            return
        try:
            await self._keeper.run(lambda tx: demand_lease(tx, fence), instead=lambda _: None)
        except Withheld as error:
            raise PlanRefused(f"The countdown is not this loop's any more: {error}.") from error
