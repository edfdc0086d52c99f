"""Nonces rise, and signed calls go one at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from typing_extensions import override

from kraken_answers import EPOCH
from zoe_tools.kraken.nonce import HASTE_S, NonceSource
from zoe_tools.ports import Claim, Urgency
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual


def test_nonces_rise_by_one_while_time_stands_still() -> None:
    """Strictly greater, each time, from the clock's microseconds on."""

    async def take() -> list[int]:
        source = NonceSource(VirtualClock(EPOCH))
        found = []
        for _ in range(3):
            async with source.nonce() as number:
                found.append(number)
        await asyncio.sleep(1)
        async with source.nonce() as number:
            found.append(number)
        return found

    first = 1_767_614_400_000_000
    assert run_virtual(take()) == [first, first + 1, first + 2, first + 1_000_000]


def test_a_nonce_is_held_until_the_reply_is_in() -> None:
    """Two calls never overlap: the second could overtake the first on the wire."""
    under_way: list[int] = []
    most = 0

    async def call(source: NonceSource) -> None:
        nonlocal most
        async with source.nonce() as number:
            under_way.append(number)
            most = max(most, len(under_way))
            await asyncio.sleep(1)
            under_way.remove(number)

    async def call_all() -> None:
        source = NonceSource(VirtualClock(EPOCH))
        await asyncio.gather(*(call(source) for _ in range(5)))

    run_virtual(call_all())

    assert most == 1


def test_a_failed_call_gives_its_turn_on() -> None:
    """The lock is released, and the nonce is not used again."""
    found: list[int] = []

    async def lose_the_connection(source: NonceSource) -> None:
        async with source.nonce() as number:
            found.append(number)
            raise ConnectionError

    async def take() -> None:
        source = NonceSource(VirtualClock(EPOCH))
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await lose_the_connection(source)

    run_virtual(take())
    first, second = found

    assert second > first


class _BoundedClock(VirtualClock):
    """Ends a test in which somebody asks without end what time it is."""

    asked = 0

    @override
    def now(self) -> datetime:
        """See `VirtualClock`."""
        self.asked += 1
        assert self.asked < 1_000, "it turns round and round, and no time passes"
        return super().now()


def test_protection_that_is_woken_a_moment_early_waits_on() -> None:
    """Sums of floats are off by a little: at its time the tenth of a second may not be over."""
    begin_s = next(t for t in (n / 1000 for n in range(1, 10_000)) if t + HASTE_S - t < HASTE_S)

    async def hurry() -> float:
        source = NonceSource(_BoundedClock(EPOCH))
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begin_s)
        async with source.nonce(), source.nonce(Claim(urgency=Urgency.PROTECTION)):
            return loop.time() - begin_s

    assert run_virtual(hurry()) == pytest.approx(HASTE_S, abs=0.002)
