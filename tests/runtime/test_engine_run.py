"""How a run is put together: what is held must not wait for what only entries need."""

from __future__ import annotations

from typing import Any, cast

from builders import NOON
from fakes import FakeVenue
from zoe_tools.domain.snapshot import Missing, Reading
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.engine_run import KEY_PATIENCE_S, _key_of
from zoe_tools.runtime.virtual_loop import run_virtual


def test_what_the_key_may_do_is_waited_for_a_second_at_most() -> None:
    """A private call may wait for the venue's counter; until it is known nothing is entered."""

    async def story() -> None:
        clock = VirtualClock(NOON)
        venue = cast("Any", FakeVenue(clock))
        assert isinstance(await _key_of(venue, clock), Reading)
        answer = venue.key_info

        async def slow() -> object:
            await clock.sleep(60)
            return await answer()

        venue.key_info = slow
        began = clock.now()
        assert isinstance(await _key_of(venue, clock), Missing)
        assert (clock.now() - began).total_seconds() == KEY_PATIENCE_S

    run_virtual(story())
