"""Wakes the loop at a moment of the venue's clock: what waits for a time is not left to chance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Self

from zoe_tools.ports import Clock


class Later:
    """One moment at a time: the earliest that was asked for."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._at: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def wake_at(self, moment: datetime | None) -> None:
        """Wake then; None, and what is past already, ask for nothing."""
        if moment is None or moment <= self._clock.now():
            return
        is_waiting = self._task is not None and not self._task.done()
        if is_waiting and self._at is not None and self._at <= moment:
            return
        self._cancel()
        self._at = moment
        self._task = asyncio.ensure_future(self._wait(moment))

    async def __aenter__(self) -> Self:
        """While it is entered, it may wake."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Nobody need be woken any more."""
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _wait(self, moment: datetime) -> None:
        left_s = (moment - self._clock.now()).total_seconds()
        await self._clock.sleep(max(0.0, left_s))
        self._wake()
