"""The three clocks: live, scaled and virtual. The only places that look at the machine's time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's own clock, corrected by what was measured against the venue's."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def correct(self, offset: timedelta) -> None:
        """From now on tell the machine's time and so much more."""
        self._offset = offset

    def now(self) -> datetime:
        """Aware UTC at the venue."""
        return datetime.now(UTC) + self._offset  # noqa: TID251 - this is the Clock

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class ScaledClock:
    """Time that the paper exchange hands out, `speed` times as fast as the wall's.

    `epoch` is the venue's time at the moment of construction.
    """

    def __init__(self, *, epoch: datetime, speed: float) -> None:
        self._epoch = epoch
        self._speed = speed
        self._started = time.monotonic()

    @property
    def speed(self) -> float:
        """Venue seconds per wall second."""
        return self._speed

    def now(self) -> datetime:
        """Aware UTC at the exchange."""
        return self._epoch + timedelta(seconds=(time.monotonic() - self._started) * self._speed)

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of the exchange's time."""
        await asyncio.sleep(seconds / self._speed)


class VirtualClock:
    """The time of the running virtual loop, counted from `epoch`."""

    def __init__(self, epoch: datetime) -> None:
        self._epoch = self._told = epoch
        self._told_at = 0.0

    def now(self) -> datetime:
        """Aware UTC; stands still while code runs, and is then one object."""
        at = asyncio.get_running_loop().time()
        if at != self._told_at:
            self._told_at, self._told = at, self._epoch + timedelta(seconds=at)
        return self._told

    async def sleep(self, seconds: float) -> None:
        """Let the loop jump."""
        await asyncio.sleep(seconds)
