"""When the loop looks again, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from builders import BTC, ETH, NOON
from zoe_tools.engine.pace import Pace
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

Story = Callable[[Pace, VirtualClock, asyncio.Event], Awaitable[None]]


def paced(story: Story) -> None:
    """A pace of one second, while the story goes on."""

    async def main() -> None:
        clock, stop = VirtualClock(NOON), asyncio.Event()
        pace = Pace(clock, 1.0)
        async with pace.ticking(stop):
            await story(pace, clock, stop)

    run_virtual(main())


def test_a_turn_is_due_a_cycle_after_the_last_one() -> None:
    """However quiet the market is, and not before, however long ago the loop was woken."""

    async def story(pace: Pace, clock: VirtualClock, _: asyncio.Event) -> None:
        await clock.sleep(0.4)
        pace.wake()
        assert await pace.next() is None
        assert await pace.next() is None
        assert (clock.now() - NOON).total_seconds() == 1.4

    paced(story)


def test_prices_ask_for_a_look_and_news_for_a_turn() -> None:
    """What came together is told together; a turn looks at everything."""

    async def story(pace: Pace, clock: VirtualClock, _: asyncio.Event) -> None:
        pace.price(BTC)
        pace.price(ETH)
        pace.price(BTC)
        assert await pace.next() == frozenset({BTC, ETH})
        pace.price(BTC)
        pace.wake()
        assert await pace.next() is None
        assert clock.now() == NOON

    paced(story)


def test_prices_delay_no_turn() -> None:
    """A market that moves all the time does not keep the loop from its cycle."""

    async def story(pace: Pace, clock: VirtualClock, _: asyncio.Event) -> None:
        async def move() -> None:
            while True:
                pace.price(BTC)
                await clock.sleep(0.3)

        moving = asyncio.create_task(move())
        told = [await pace.next() for _ in range(5)]
        moving.cancel()
        assert told == [*[frozenset({BTC})] * 4, None]

    paced(story)


def test_who_is_told_to_stop_waits_for_nothing() -> None:
    """Not even for the rest of the cycle."""

    async def story(pace: Pace, clock: VirtualClock, stop: asyncio.Event) -> None:
        stop.set()
        assert await pace.next() == frozenset()
        assert clock.now() == NOON

    paced(story)
