"""The three clocks: aware UTC, the right pace, and waiting in the venue's seconds."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock, SystemClock, VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def test_every_clock_meets_the_port() -> None:
    """The three are interchangeable wherever a Clock is asked for."""
    clocks: list[Clock] = [
        SystemClock(),
        ScaledClock(epoch=EPOCH, speed=1),
        VirtualClock(EPOCH),
    ]

    assert len(clocks) == 3


def test_virtual_time_counts_from_the_epoch() -> None:
    """What the loop slept is what the clock shows, to the microsecond."""

    async def look() -> tuple[datetime, datetime]:
        clock = VirtualClock(EPOCH)
        before = clock.now()
        await clock.sleep(90.000001)
        return before, clock.now()

    assert run_virtual(look()) == (EPOCH, EPOCH + timedelta(seconds=90, microseconds=1))


def test_two_virtual_clocks_in_one_loop_agree() -> None:
    """The time belongs to the loop: venue and client cannot drift apart."""

    async def look() -> bool:
        ours, theirs = VirtualClock(EPOCH), VirtualClock(EPOCH)
        await ours.sleep(5)
        return ours.now() == theirs.now()

    assert run_virtual(look())


def test_virtual_time_needs_the_running_loop() -> None:
    """Outside a run there is no virtual time, and none is made up."""
    with pytest.raises(RuntimeError):
        VirtualClock(EPOCH).now()


@pytest.mark.parametrize("offset_s", [-300, 0, 45])
def test_the_system_clock_carries_the_measured_offset(offset_s: int) -> None:
    """A host whose clock is wrong still shows the venue's time."""
    plain = SystemClock()
    corrected = SystemClock(timedelta(seconds=offset_s))

    difference = (corrected.now() - plain.now()).total_seconds()

    assert difference == pytest.approx(offset_s, abs=1.0)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    """No naive time ever leaves a clock."""
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_scaled_time_starts_at_its_epoch_and_runs_at_its_speed() -> None:
    """One wall second is `speed` seconds at the exchange."""
    clock = ScaledClock(epoch=EPOCH, speed=3_600)
    wall_before = time.monotonic()
    first = clock.now()

    asyncio.run(clock.sleep(72))

    passed = (clock.now() - first).total_seconds()
    wall = time.monotonic() - wall_before
    assert first >= EPOCH
    assert 72 <= passed <= wall * 3_600 + 1
    assert clock.speed == 3_600


def test_a_scaled_sleep_is_short_on_the_wall() -> None:
    """An hour at the exchange, a hundred thousand times as fast, is a blink here."""
    clock = ScaledClock(epoch=EPOCH, speed=100_000)
    started = time.monotonic()

    asyncio.run(clock.sleep(3_600))

    assert 0.03 <= time.monotonic() - started < 5.0
