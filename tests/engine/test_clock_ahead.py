"""Our clock is set forward while a loop runs, the venue's is not: no clock says what is booked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOON, d
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.order import Side
from zoe_tools.runtime.clocks import VirtualClock

ENTRY = d("0.00041521")
AHEAD_S = [0, 4, 6, 20]


def with_a_clock_of_its_own(rig: LoopRig) -> None:
    """The venue goes on by its own."""
    rig.venue._clock = VirtualClock(NOON)


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_what_is_bought_after_the_clock_was_set_is_stopped_once(
    tmp_path: Path, ahead_s: int
) -> None:
    """A trade that is stamped before its order was made is booked all the same."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(10)
        rig.clock.set_by = timedelta(seconds=ahead_s)
        await rig.enter()
        await rig.pass_time(10)
        assert rig.loop is not None
        assert [each.quantity for each in rig.loop.books.positions] == [ENTRY]
        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]

    _, tally = run_loop(tmp_path, story, prepare=with_a_clock_of_its_own)
    assert tally.unprotected_seconds == 0


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_what_was_missed_after_the_clock_was_set_is_found_in_the_records(
    tmp_path: Path, ahead_s: int
) -> None:
    """Trades are asked for since the order was opened, by the venue's clock."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(10)
        rig.clock.set_by = timedelta(seconds=ahead_s)
        await rig.enter(rests=True)
        (entry,) = rig.venue.resting
        rig.go_down("private")
        rig.is_deaf = True
        rig.fill(entry, f"{ENTRY:f}")
        await rig.pass_time(10)
        (held,) = await rig.read(lambda tx: tx.positions(open_only=True))
        assert held.quantity == ENTRY
        assert [each.quantity for each in rig.resting(Side.SELL)] == [ENTRY]

    run_loop(tmp_path, story, prepare=with_a_clock_of_its_own)
