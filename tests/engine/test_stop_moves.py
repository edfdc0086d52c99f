"""A loop moves the stops of what it holds with the market, and leaves what it held too long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import BTC, d
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.core.stop_moves import break_even_price
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import STOP_PRICE_SET
from zoe_tools.observe.log import event_of

TRAILING = Policy(trailing_stop_pct=d("2"), take_profit_pct=d("50"))


async def held(rig: LoopRig) -> Position:
    """The one position."""
    (position,) = await rig.read(lambda tx: tx.positions())
    return position


async def goes(rig: LoopRig, bid: str, *, seconds: float = 6) -> Decimal | None:
    """The market moves, and some seconds pass; where the stop rests then."""
    rig.move(bid, f"{d(bid) + d('0.1'):f}")
    await rig.pass_time(seconds)
    stops = rig.resting(Side.SELL)
    return stops[0].trigger_price if stops else None


def test_a_stop_follows_the_market_up_stays_when_it_falls_and_sells_there(tmp_path: Path) -> None:
    """Each move is an amendment, and in the story of the position; there is no moment without."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(5)
        first = (await held(rig)).stop_price
        assert await goes(rig, "62000.0") == d("60760.0")
        assert await goes(rig, "62050.0") == d("60760.0")  # no whole step
        assert await goes(rig, "64000.0") == d("62720.0")
        assert await goes(rig, "63000.0") == d("62720.0")
        assert (await held(rig)).stop_price == d("62720.0")
        (position_id,) = {(await held(rig)).position_id}
        events = await rig.read(lambda tx: tx.position_events(position_id))
        moves = [each.details["after"] for each in events if each.what == STOP_PRICE_SET]
        assert [d(each) for each in moves] == [first, d("60760.0"), d("62720.0")]
        (stop,) = rig.resting(Side.SELL)
        rig.fill(stop, f"{stop.quantity:f}", "62720.0")
        await rig.pass_time(2)
        closed = await held(rig)
        assert (closed.status, closed.exit_reason) == (PositionStatus.CLOSED, "stop_loss")
        assert closed.realised_pnl > 0
        assert rig.writes == ["place", "place", "amend", "amend"]

    _, tally = run_loop(tmp_path, story, policy=TRAILING)
    assert tally.unprotected_seconds <= 1


def test_moves_of_the_price_alone_are_spaced(tmp_path: Path) -> None:
    """A market that runs does not spend the venue's budget: the newest price after the pause."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(10)
        for second in range(20):
            await goes(rig, f"{62000 + 200 * second}.0", seconds=1)
        assert 3 <= rig.writes.count("amend") <= 4

    run_loop(tmp_path, story, policy=TRAILING)


def test_defect_7_a_price_that_stands_still_moves_no_stop(tmp_path: Path) -> None:
    """The feed is silent while the market goes: only what is fresh is believed."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(6)
        rig.move("62000.0", "62000.1")
        (stop,) = rig.resting(Side.SELL)
        await rig.venue.cancel(stop.venue_order_id)
        await rig.pass_time(Policy().quote_stale_s + 1)
        assert rig.loop is not None
        (stop,) = rig.resting(Side.SELL)
        assert stop.trigger_price == d("60760.0")
        rig.venue.set_price(BTC, "70000.0", "70000.1")
        await rig.pass_time(10)
        (stop,) = rig.resting(Side.SELL)
        assert stop.trigger_price == d("60760.0")
        assert await goes(rig, "64000.0") == d("62720.0")

    run_loop(tmp_path, story, policy=TRAILING)


def test_a_profit_that_was_reached_is_not_turned_into_a_loss(tmp_path: Path) -> None:
    """The stop goes to the cost with both fees, once, and stays."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(10)
        position = await held(rig)
        assert rig.loop is not None
        even = break_even_price(position, rig.loop.instruments[BTC])
        assert await goes(rig, "61000.0") == position.stop_price
        assert await goes(rig, "62100.0") == even
        assert await goes(rig, "65000.0") == even

    run_loop(tmp_path, story, policy=Policy(break_even_at_pct=d("3"), take_profit_pct=d("50")))


def test_a_stop_that_somebody_lowered_is_left_there(tmp_path: Path) -> None:
    """The market moves, the stop does not: that is whose hand it was in last."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(10)
        (stop,) = rig.resting(Side.SELL)
        lower = OrderAmendment(
            venue_order_id=stop.venue_order_id, symbol=BTC, trigger_price=d("50000.0")
        )
        await rig.venue.amend(lower, deadline=rig.clock.now() + timedelta(seconds=5))
        await rig.pass_time(2)
        assert await goes(rig, "65000.0") == d("50000.0")

    run_loop(tmp_path, story, policy=TRAILING)


def test_a_restart_goes_on_from_where_the_stop_was(tmp_path: Path) -> None:
    """The stop is the mark; nothing else remembers how far the market had gone."""

    async def story(rig: LoopRig) -> None:
        rig.policy = TRAILING
        rig.come_up()
        rig.quote()
        first = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await rig.enter()
        await rig.pass_time(6)
        assert await goes(rig, "64000.0") == d("62720.0")
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        rig.venue.set_price(BTC, "63000.0", "63000.1")
        rig.reconnect()
        second = asyncio.create_task(
            rig.supervised(run_id="run-2", is_gone=lambda lease: lease.holder != "run-2")
        )
        await rig.pass_time(5)
        assert await goes(rig, "63500.0") == d("62720.0")
        assert await goes(rig, "65000.0") == d("63700.0")
        rig.stop.set()
        await second

    with_rig(tmp_path, story)


def test_a_position_that_is_held_too_long_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Like one that the strategy leaves, told once; not a second before."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        assert (await held(rig)).status is PositionStatus.PROTECTED
        await goes(rig, "60000.0", seconds=10)
        assert (await held(rig)).status is PositionStatus.PROTECTED
        await goes(rig, "60000.0", seconds=12)
        assert (await held(rig)).status is PositionStatus.CLOSED

    with caplog.at_level(logging.INFO, "zoe_tools"):
        run_loop(tmp_path, story, policy=Policy(max_position_age_s=20))
    told = [each for record in caplog.records if (each := event_of(record)) is not None]
    assert [fields["limit_s"] for name, fields in told if name == "TIME_STOP"] == [20]
