"""Perpetual funding beside the turns: what was last told, and when by the source's own time."""

from __future__ import annotations

import asyncio

from builders import BTC, ETH, NOON, d
from zoe_tools.domain.funding_rate import FundingRate
from zoe_tools.engine.funding_watch import FundingWatch
from zoe_tools.errors import VenueUnavailable
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

RATE = FundingRate(symbol=BTC, rate_8h=d("0.0001"), as_of=NOON)


class Source:
    """Tells what a test put in, one a call; counts the calls."""

    name = "a test"

    def __init__(self, *answers: tuple[FundingRate, ...] | None) -> None:
        self.answers = list(answers)
        self.asked_at: list[float] = []
        self.clock: VirtualClock | None = None

    async def rates(self) -> tuple[FundingRate, ...]:
        """The next one; None is a failure."""
        if self.clock is not None:
            self.asked_at.append((self.clock.now() - NOON).total_seconds())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise VenueUnavailable("HTTP 502")
        return answer


def test_before_the_first_answer_nothing_is_known() -> None:
    """It is not zero."""
    view = FundingWatch(Source((RATE,)), VirtualClock(NOON), poll_s=300).view(BTC)

    assert (view.rate_8h, view.as_of) == (None, None)
    assert view.note


def test_what_was_told_keeps_the_source_s_time_through_a_failure() -> None:
    """It grows old by itself: whoever reads it judges."""

    async def main() -> None:
        watch = FundingWatch(Source((RATE,), None), VirtualClock(NOON), poll_s=300)
        await watch.look()
        await watch.look()
        view = watch.view(BTC)

        assert (view.rate_8h, view.as_of, view.source) == (d("0.0001"), NOON, "a test")
        assert watch.view(ETH).note == "HTTP 502"

    run_virtual(main())


def test_an_instrument_without_a_perpetual_says_so() -> None:
    """Which is no failure of the source."""

    async def main() -> None:
        watch = FundingWatch(Source((RATE,)), VirtualClock(NOON), poll_s=300)
        await watch.look()
        assert watch.view(ETH).note == "there is no perpetual on ETH/USD"

    run_virtual(main())


def test_a_source_that_failed_is_asked_again_soon() -> None:
    """After thirty seconds; else every five minutes."""
    source = Source((RATE,), None, None, (RATE,))

    async def main() -> None:

        clock = VirtualClock(NOON)
        source.clock = clock
        running = asyncio.create_task(FundingWatch(source, clock, poll_s=300).run())
        await clock.sleep(700)
        running.cancel()

    run_virtual(main())
    assert source.asked_at == [0, 300, 330, 360, 660]
