"""A loop lets a stop gather what is bought in one moment, and wakes in time to let it grow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from pathlib import Path

import pytest

from builders import BTC, d
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.errors import VenueRejected, VenueUnavailable
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


def test_an_orderly_end_waits_for_a_stop_that_could_not_grow_at_once(tmp_path: Path) -> None:
    """The venue says no for a moment: nobody leaves a position behind that is covered in part."""

    async def story(rig: LoopRig) -> None:
        await entered(rig)
        await bought(rig, 0.05, 5)
        busy = VenueRejected("no", code="EGeneral:Temporary", is_passing=True)
        rig.venue.cue("amend", busy, times=2)
        await bought(rig, 0.05)

    rig, _ = run_loop(tmp_path, story)
    (stop,) = rig.resting(Side.SELL)
    assert stop.quantity == d("0.00015")
    assert rig.writes.count("amend") == 3


@pytest.mark.parametrize("has_stop", [True, False])
def test_what_was_bought_is_covered_though_no_records_tell_what_else_was(
    tmp_path: Path,
    has_stop: bool,  # noqa: FBT001 - a table
) -> None:
    """The wire goes right after a fill, the records are silent, and the entry may buy more."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await entered(rig)
        if has_stop:
            await bought(rig, 0.05, 5)
        (entry,) = rig.resting(Side.BUY)
        for question in ("orders", "open_orders", "closed_orders", "fills"):
            rig.venue.cue(question, VenueUnavailable("down"), times=20)
        rig.fill(entry, "0.0002")
        rig.go_down("private")
        rig.is_deaf = True
        await rig.pass_time(3)
        assert rig.loop.following.is_behind
        assert rig.writes[2:] == (["amend"] if has_stop else [])
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == (d("0.0003") if has_stop else d("0.0002"))

    run_loop(tmp_path, story)


@pytest.mark.parametrize("is_sent", [False, True])
def test_vector_9_a_crash_while_a_stop_grows_leaves_one_stop_that_covers_all(
    tmp_path: Path,
    is_sent: bool,  # noqa: FBT001 - a table
) -> None:
    """Killed while fills are gathered, or with the amendment at the venue and its answer lost."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        first = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await entered(rig)
        await bought(rig, 0.05, 5, 0.1)
        amend = rig.venue.amend

        async def without_answer(amendment: OrderAmendment, *, deadline: datetime) -> str:
            rig.is_deaf = True
            await amend(amendment, deadline=deadline)
            await asyncio.Event().wait()
            return ""

        if is_sent:
            rig.venue.amend = without_answer  # type: ignore[method-assign]
        await bought(rig, 2 if is_sent else 0.3)
        assert rig.writes.count("amend") == (2 if is_sent else 1)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        rig.venue.amend = amend  # type: ignore[method-assign]
        rig.is_deaf = False
        rig.reconnect()
        second = asyncio.create_task(
            rig.supervised(run_id="run-2", is_gone=lambda lease: lease.holder != "run-2")
        )
        await rig.pass_time(5)
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == d("0.0002")
        assert rig.writes.count("amend") == 2
        rig.stop.set()
        await second

    with_rig(tmp_path, story)
