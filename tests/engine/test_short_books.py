"""The venue says that an order executed, and shows its trades later: it stays protected."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, d, make_order, make_position
from loop_rig import LoopRig, run_loop
from zoe_tools.core.executed import not_sold
from zoe_tools.core.run import plan_run
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.plan import CancelOrder
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import VenueRejected
from zoe_tools.observe.log import event_of

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


# --- sales that are shown late -------------------------------------------------------------------

LATE_S = 300
"""Longer than a position may stand bare before trading is stopped."""

FALSE = ("EXIT_STUCK", "POSITION_UNPROTECTED", "SELF_HEAL", "KILL_SWITCH_ACTIVATED")


async def shown_late(rig: LoopRig) -> None:
    """The trades come after so long; nothing is sold or stopped a second time until then."""
    assert rig.loop is not None
    written = list(rig.writes)
    for _ in range(LATE_S):
        rig.quote()
        await rig.pass_time(1)
    assert [each.quantity for each in rig.loop.books.positions] == [d("0.00041521")]
    assert rig.loop.left.is_empty
    assert rig.writes == written


async def ended(rig: LoopRig) -> None:
    """With its trades, and no level was latched."""
    await rig.pass_time(10)
    (position,) = await rig.read(lambda tx: tx.positions())
    assert position.status is PositionStatus.CLOSED
    assert (await rig.read(lambda tx: tx.trading_state())).level is KillLevel.NONE


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Which of the words that would be false."""
    events = [each for record in caplog.records if (each := event_of(record)) is not None]
    return [name for name, _ in events if name in FALSE]


def test_a_sale_that_filled_is_not_stuck(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The records show its order as filled."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(3)
        rig.is_deaf = True
        with LateTrades(rig):
            rig.strategy.wanted[BTC] = "exit"
            await rig.close_candle()
            rig.is_deaf = False
            gap(rig)
            await rig.pass_time(2)
            await shown_late(rig)
        await ended(rig)

    with caplog.at_level(logging.INFO, "zoe_tools"):
        _, tally = run_loop(tmp_path, story)
    assert told(caplog) == []
    assert tally.unprotected_by_cause["unsold"] == 0


@pytest.mark.parametrize("rested_s", [3, 4_000])
def test_a_stop_that_fired_leaves_nothing_bare(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rested_s: int
) -> None:
    """However old its order is."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(rested_s)
        (stop,) = stops(rig)
        rig.is_deaf = True
        with LateTrades(rig):
            rig.fill(stop, f"{stop.quantity:f}")
            rig.is_deaf = False
            gap(rig)
            await rig.pass_time(2)
            await shown_late(rig)
        await ended(rig)

    with caplog.at_level(logging.INFO, "zoe_tools"):
        _, tally = run_loop(tmp_path, story)
    assert told(caplog) == []
    assert tally.unprotected_seconds < 2


@pytest.mark.parametrize(
    ("sold", "side", "owner", "left"),
    [
        ("0", Side.SELL, "P1", ["0.0004"]),
        ("0.0001", Side.SELL, "P1", ["0.0003"]),
        ("0.0004", Side.SELL, "P1", []),
        ("0.0005", Side.SELL, "P1", []),
        ("0.0004", Side.SELL, "P2", ["0.0004"]),
        ("0.0004", Side.BUY, "P1", ["0.0004"]),
    ],
)
def test_what_was_sold_and_not_booked_is_not_held(
    sold: str, side: Side, owner: str, left: list[str]
) -> None:
    """Counted once, though the order is told twice; of another position it takes nothing."""
    order = make_order(
        side=side,
        purpose="exit",
        position_id=PositionId(owner),
        status=OrderStatus.FILLED,
        filled_quantity=d(sold),
        quantity=d("0.0005"),
    )
    found = not_sold([make_position()], [order, order], [])

    assert [f"{each.quantity:f}" for each in found] == left
