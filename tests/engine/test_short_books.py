"""The venue says that an order executed, and shows its trades later: it stays protected."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, d
from loop_rig import LoopRig, run_loop
from zoe_tools.core.run import plan_run
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.plan import CancelOrder
from zoe_tools.domain.position import PositionStatus
from zoe_tools.errors import VenueRejected

NO = VenueRejected("no", code="EGeneral:Permission denied")


class LateTrades:
    """While it is entered, the venue shows no trades; its orders it shows as they are."""

    def __init__(self, rig: LoopRig) -> None:
        self._venue = rig.venue
        self._tells = rig.venue.fills

    async def _nothing(self, **_: Any) -> tuple[Fill, ...]:
        return ()

    def __enter__(self) -> None:
        self._venue.fills = self._nothing  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        self._venue.fills = self._tells  # type: ignore[method-assign]


async def statuses(rig: LoopRig) -> list[PositionStatus]:
    """Of the positions in the store."""
    return [each.status for each in await rig.read(lambda tx: tx.positions())]


def stops(rig: LoopRig) -> list[VenueOrder]:
    """What rests to sell."""
    return rig.resting(Side.SELL)


def test_a_stop_that_was_placed_without_the_store_outlasts_trades_that_are_late(
    tmp_path: Path,
) -> None:
    """The store returns, and the records know the entry's order before its trades."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(rests=True)
        (entry,) = rig.resting(Side.BUY)
        rig.disk.is_away = True
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(3)
        (placed,) = stops(rig)
        with LateTrades(rig):
            rig.disk.is_away = False
            for _ in range(12):
                await rig.pass_time(1)
                assert stops(rig) == [placed]
                assert [each.quantity for each in rig.loop.books.positions] == [entry.quantity]
            assert rig.loop.following.records.is_behind
            assert await statuses(rig) == [PositionStatus.PENDING]
        await rig.pass_time(8)
        assert stops(rig) == [placed]
        assert await statuses(rig) == [PositionStatus.PROTECTED]
        assert not rig.loop.following.records.is_behind

    rig, tally = run_loop(tmp_path, story, has_spare=True)

    assert "cancel" not in rig.writes
    assert tally.unprotected_seconds < 2


def gap(rig: LoopRig) -> None:
    """The private wire goes, and comes again; it told nothing of what happened meanwhile."""
    rig.go_down("private")
    rig.come_up("private")


@pytest.mark.parametrize("is_in_part", [False, True])
def test_what_an_entry_bought_unheard_of_is_stopped_before_its_trades_are_shown(
    tmp_path: Path,
    is_in_part: bool,  # noqa: FBT001 - a table of two
) -> None:
    """All of it, or one more part of it; once they are shown nothing is changed again."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(rests=True)
        (entry,) = rig.resting(Side.BUY)
        rest = entry.quantity
        if is_in_part:
            rig.fill(entry, "0.0002")
            rest -= d("0.0002")
            await rig.pass_time(3)
            assert [each.quantity for each in stops(rig)] == [d("0.0002")]
        rig.is_deaf = True
        with LateTrades(rig):
            rig.fill(entry, str(rest))
            rig.is_deaf = False
            gap(rig)
            await rig.pass_time(6)
            assert rig.loop.following.records.is_behind
            assert sum(each.quantity for each in stops(rig)) == entry.quantity
            assert rig.loop.watch.naked == 0
            writes = len(rig.writes)
        await rig.pass_time(10)
        assert sum(each.quantity for each in stops(rig)) == entry.quantity
        assert len(rig.writes) == writes
        assert await statuses(rig) == [PositionStatus.PROTECTED]

    run_loop(tmp_path, story)


def test_what_cannot_be_stopped_counts_as_bare_from_when_its_order_is_known(
    tmp_path: Path,
) -> None:
    """The venue refuses stops: naked says so, though no trade is booked."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(rests=True)
        (entry,) = rig.resting(Side.BUY)
        with LateTrades(rig):
            rig.is_deaf = True
            rig.fill(entry, str(entry.quantity))
            rig.is_deaf = False
            rig.venue.cue("place", NO, times=1_000)
            gap(rig)
            await rig.pass_time(20)
            assert stops(rig) == []
            assert rig.loop.watch.naked == 1
            assert rig.loop.watch.alarming == 1
            assert rig.loop.watch.naked_s(rig.clock.now()) > 10
        await rig.pass_time(10)
        assert stops(rig) == []

    _, tally = run_loop(tmp_path, story)

    assert tally.unprotected_by_cause["opening"] > 10


def test_a_turn_knows_whether_the_venue_may_have_executed_what_nobody_told(tmp_path: Path) -> None:
    """Until the records have told: nothing is taken back as over, and who leaves goes on."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        (stop,) = stops(rig)
        loop, now = rig.loop, rig.clock.now()
        (position,) = loop.books.positions
        loop.leaving.note_decisions(
            (position,), (Decision(symbol=BTC, action="exit", reason="test"),)
        )
        for may_lack in (False, True):
            if may_lack:
                loop.following.records.missed.note()
            seen, _ = loop.planner.of_all(now, loop.key, ())
            lost = replace(seen, positions=(), recent_orders=())
            steps = plan_run(lost, (), frozenset()).steps
            reasons = [] if may_lack else ["its position is over"]
            assert [each.reason for each in steps if isinstance(each, CancelOrder)] == reasons
        loop.leaving.note_books((), (), is_stopping=False, may_lack=True)
        assert loop.leaving.exiting == {position.position_id}
        loop.leaving.note_books((), (), is_stopping=False)
        assert loop.leaving.exiting == frozenset()
        assert stops(rig) == [stop]

    run_loop(tmp_path, story)


def test_a_row_that_shows_too_much_by_hand_leaves_nothing_without_a_stop(tmp_path: Path) -> None:
    """What an order executed is asked of its own events, in the loop as in the gate."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, "0.0002")
        await rig.pass_time(3)
        with closing(sqlite3.connect(tmp_path / "zoe.db")) as prompt, prompt:
            prompt.execute(
                "UPDATE crypto_orders SET filled_quantity = '0.0004' WHERE purpose = 'entry'"
            )
        rig.fill(entry, "0.0001")
        await rig.pass_time(10)
        assert [each.quantity for each in stops(rig)] == [d("0.0003")]

    _, tally = run_loop(tmp_path, story)
    assert tally.unprotected_seconds == 0
