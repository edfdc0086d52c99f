"""A loop lets a stop gather what is bought in one moment, and wakes in time to let it grow."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from builders import BTC, d
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.order import Side
from zoe_tools.observe.log import event_of


async def entered(rig: LoopRig) -> None:
    """An entry works."""
    rig.strategy.wanted[BTC] = "enter"
    await rig.close_candle(runs_away=True)


async def bought(rig: LoopRig, *seconds: float) -> None:
    """A small part of it fills, and so long later another one, and so on."""
    for pause in seconds:
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, "0.00005")
        await rig.pass_time(pause)


def test_a_burst_of_fills_amends_the_stop_once_and_within_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stop grows at once for the first of a burst, and once more for all the others."""

    async def story(rig: LoopRig) -> None:
        await entered(rig)
        await bought(rig, 0.05, 5)
        assert rig.writes == ["place", "place"]
        await bought(rig, 0.1, 0.1, 0.1)
        assert rig.writes == ["place", "place", "amend"]
        await rig.pass_time(2)
        assert rig.writes == ["place", "place", "amend", "amend"]
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == d("0.00025")

    with caplog.at_level(logging.INFO, "zoe_tools"):
        run_loop(tmp_path, story)
    told = [each for record in caplog.records if (each := event_of(record)) is not None]
    took = [fields["took_ms"] for name, fields in told if name == "FILL_PROTECTED"]
    assert len(took) == 5
    assert all(isinstance(each, int) and each <= 1000 for each in took)


def test_an_orderly_end_waits_for_no_more_fills(tmp_path: Path) -> None:
    """The stop grows before the loop goes."""

    async def story(rig: LoopRig) -> None:
        await entered(rig)
        await bought(rig, 0.05, 5, 0.1, 0.05)
        assert rig.writes == ["place", "place", "amend"]

    rig, tally = run_loop(tmp_path, story)
    assert rig.writes.count("amend") == 2
    (stop,) = rig.resting(Side.SELL)
    assert stop.quantity == d("0.0002")
    assert 0 < tally.unprotected_by_cause["growing"] < 0.5
    assert tally.unprotected_by_cause["lost"] == 0
