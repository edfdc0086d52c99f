"""Clocks that jump over every wait: for commands whose venue does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from zoe_tools.runtime.clocks import ScaledClock, SystemClock


async def _jump(clock: SystemClock, seconds: float) -> None:
    clock.correct(clock._offset + timedelta(seconds=seconds))
    await asyncio.sleep(0)


async def _jump_scaled(clock: ScaledClock, seconds: float) -> None:
    clock._epoch += timedelta(seconds=seconds)
    await asyncio.sleep(0)


@contextmanager
def waiting_in_no_time() -> Iterator[None]:
    """In this process no wait lasts, by the machine's clock or by the exchange's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SystemClock, "sleep", _jump)
        patched.setattr(ScaledClock, "sleep", _jump_scaled)
        yield
