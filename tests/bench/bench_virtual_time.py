"""How much a second of the machine is worth under virtual time: timers and frames. Figures only."""

from __future__ import annotations

import asyncio
import sys
import time

from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.virtual_loop import run_virtual

TIMERS = 200_000
FRAMES = 200_000


def bench_timers() -> None:
    """Sleeps of ten tasks, one after another: each is a jump of the clock."""

    async def sleeper(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(1)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(sleeper(TIMERS // 10))

    started = time.perf_counter()
    run_virtual(main())
    took_s = time.perf_counter() - started

    sys.stdout.write(f"\ntimers: {TIMERS / took_s:,.0f} a second")
    assert took_s > 0


def bench_frames() -> None:
    """Frames through a duplex in memory, one reader and one writer."""
    frame = '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD"}]}'

    async def main() -> int:
        left, right = duplex_pair()

        async def write() -> None:
            for _ in range(FRAMES):
                await left.send(frame)

        writing = asyncio.create_task(write())
        received = 0
        for _ in range(FRAMES):
            received += len(await right.receive()) > 0
        await writing
        return received

    started = time.perf_counter()
    received = run_virtual(main())
    took_s = time.perf_counter() - started

    sys.stdout.write(f"\nframes: {FRAMES / took_s:,.0f} a second")
    assert received == FRAMES
