"""The venue's dead man's countdown, set through the gate: under the lease, and in the audit log.

It is no step of a plan (ADR 28): no record of the venue's proves it, and to set it again does no
harm. But when it goes off it cancels stops, too: who armed it, and when, must be known afterwards,
and that it may be armed must outlive whoever armed it. The store never says less than is true.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from zoe_tools.errors import PlanRefused, VenueError, VenueRejected
from zoe_tools.gate.fence import Fence, Withheld, demand_lease
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.order_log import BEGUN, OrderLog
from zoe_tools.gather import countdown_at_stake

SetCountdown = Callable[[int], Awaitable[datetime | None]]
"""Sets the countdown to whole seconds, or with 0 disarms it; returns when it goes off."""


class Countdown:
    """One gate's way to it."""

    def __init__(self, setter: SetCountdown, keeper: Keeper, log: OrderLog) -> None:
        self._setter = setter
        self._keeper = keeper
        self._log = log
        self._is_armed: bool | None = False  # None: nobody knows
        self._at_stake_s = 0

    @property
    def in_doubt_s(self) -> int:
        """How long it runs at most, where nobody knows whether it is armed; else 0."""
        return self._at_stake_s if self._is_armed is None else 0

    async def inherit(self) -> int:
        """The seconds of a countdown that somebody who was killed may have left armed; 0: none.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._is_armed is False:
            self._at_stake_s = await self._keeper.run(countdown_at_stake)
            self._is_armed = None if self._at_stake_s else False
        return self.in_doubt_s

    async def set(self, seconds: int, fence: Fence | None) -> datetime | None:
        """Set it. That it is armed or disarmed is told before and after, its renewal is no news.

        Raises:
            PlanRefused: another loop has the lease, and with it the countdown; nothing was sent.
            StoreError: it could be written nowhere, an arming not in the store; nothing was sent.
            VenueError: as of any write; set it again.
        """
        await self._demand_lease(fence)
        before = self._is_armed, self._at_stake_s
        longest_s = max(seconds, self._at_stake_s)
        is_news = self._is_armed is not bool(seconds) or seconds > self._at_stake_s
        if is_news:
            await self._log.countdown(seconds, BEGUN, at_stake_s=longest_s)
            # Whoever cancels this call leaves it so: in doubt until somebody answers.
            self._is_armed, self._at_stake_s = None, longest_s
        try:
            goes_off = await self._setter(seconds)
        except VenueError as error:
            if is_news:
                if isinstance(error, VenueRejected):
                    self._is_armed, self._at_stake_s = before
                words = f"not known: {error.message}"
                await self._log.countdown(seconds, words, at_stake_s=self._at_stake_s)
            raise
        self._is_armed = goes_off is not None
        self._at_stake_s = seconds
        if is_news:
            until = "disarmed" if goes_off is None else f"goes off at {goes_off.isoformat()}"
            await self._log.countdown(seconds, until, at_stake_s=seconds)
        return goes_off

    async def _demand_lease(self, fence: Fence | None) -> None:
        if fence is None:
            return
        try:
            await self._keeper.run(lambda tx: demand_lease(tx, fence), instead=lambda _: None)
        except Withheld as error:
            raise PlanRefused(f"The countdown is not this loop's any more: {error}.") from error
