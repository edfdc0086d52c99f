"""A loop changes stops without a gap where it can, and sells where no stop can be had."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import d
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.domain.order import OrderType, Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.errors import VenueRejected
from zoe_tools.store.store import Transaction

NO = VenueRejected("no", code="EOrder:Invalid price")
FOR_NOW = VenueRejected("no", code="EService:Market in cancel_only mode", is_passing=True)
PERIOD_S = 140


def sql(words: str) -> Callable[[Transaction], object]:
    """What a person types at a database prompt."""
    return lambda tx: tx._connection.execute(text(words))


async def held(rig: LoopRig) -> Position:
    """The one position."""
    (position,) = await rig.read(lambda tx: tx.positions())
    return position


async def stopped(rig: LoopRig) -> VenueOrder:
    """Bought, and its stop rests."""
    await rig.enter()
    await rig.pass_time(5)
    (stop,) = rig.resting(Side.SELL)
    return stop


async def looks_again(rig: LoopRig) -> None:
    """The loop reads its books, and goes on for a while."""
    assert rig.loop is not None
    await rig.loop.books.refresh(rig.clock.now())
    rig.loop.wake()
    await rig.pass_time(5)


async def lose_the_stop(rig: LoopRig, stop: VenueOrder) -> None:
    """Somebody cancels it at the venue."""
    await rig.venue.cancel(stop.venue_order_id)
    await rig.pass_time(5)


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE crypto_positions SET stop_price = '70000'",
        "UPDATE crypto_positions SET stop_price = '1'",
        "UPDATE crypto_positions SET stop_price = NULL",
    ],
)
def test_a_stop_price_that_a_prompt_wrote_is_neither_placed_nor_sold_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    """Above the market it would sell at once; the story of the position tells the right one."""

    async def story(rig: LoopRig) -> None:
        stop = await stopped(rig)
        await rig.read(sql(words))
        await looks_again(rig)
        await lose_the_stop(rig, stop)

        (again,) = rig.resting(Side.SELL)
        assert again.trigger_price == stop.trigger_price
        await rig.pass_time(PERIOD_S)
        position = await held(rig)
        assert (position.status, position.stop_price) == (
            PositionStatus.PROTECTED,
            stop.trigger_price,
        )
        assert rig.writes == ["place", "place", "cancel", "place"]

    with caplog.at_level(logging.ERROR):
        run_loop(tmp_path, story, compares=True)
    assert sum("was changed by hand" in each.message for each in caplog.records) == 1


def test_a_stop_that_was_passed_while_none_rested_is_an_exit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No stop is placed into the market; the sale crosses the spread, and somebody is told."""

    async def story(rig: LoopRig) -> None:
        stop = await stopped(rig)
        rig.venue.set_price(stop.symbol, "58000.0", "58000.1")
        rig.quote(stop.symbol)
        await lose_the_stop(rig, stop)

        assert (await held(rig)).status is PositionStatus.CLOSED
        sales = [each for each in rig.venue.book_of_orders.values() if each.side is Side.SELL]
        assert [each.order_type for each in sales] == [OrderType.STOP_LOSS, OrderType.LIMIT]

    run_loop(tmp_path, story)
    assert any("INVARIANT_VIOLATION BTC/USD: the market passed" in each for each in caplog.messages)


def test_without_a_fresh_quote_a_lost_stop_is_placed_and_nothing_is_sold(tmp_path: Path) -> None:
    """Defect 7: a price that stands still decides nothing; the venue knows the market."""

    async def story(rig: LoopRig) -> None:
        stop = await stopped(rig)
        rig.move("58000.0", "58000.1")
        await rig.pass_time(Policy().quote_stale_s + 5)
        await lose_the_stop(rig, stop)
        (again,) = rig.resting(Side.SELL)
        assert again.order_type is OrderType.STOP_LOSS

    run_loop(tmp_path, story)


@pytest.mark.parametrize(
    ("refusal", "policy", "is_sold"),
    [
        (NO, Policy(), True),
        (FOR_NOW, Policy(), False),
        (NO, Policy(stop_refusals_until_sale=0), False),
    ],
)
def test_a_position_whose_stop_is_refused_for_good_is_sold(
    tmp_path: Path,
    refusal: VenueRejected,
    policy: Policy,
    is_sold: bool,  # noqa: FBT001 - a table
) -> None:
    """After three definite refusals, unless the cause passes or the operator wants none of it."""

    async def story(rig: LoopRig) -> None:
        stop = await stopped(rig)
        rig.venue.cue("place", refusal, times=3)
        await rig.venue.cancel(stop.venue_order_id)
        for _ in range(8):
            rig.quote(stop.symbol)
            await rig.pass_time(2)
        status = (await held(rig)).status
        assert status is (PositionStatus.CLOSED if is_sold else PositionStatus.PROTECTED)

    run_loop(tmp_path, story, policy=policy)


def test_a_stop_that_the_venue_does_not_amend_is_replaced(tmp_path: Path) -> None:
    """Cancelled, proved, placed anew for all of it; the gap is counted under its own name."""

    async def story(rig: LoopRig) -> None:
        rig.strategy.wanted["BTC/USD"] = "enter"  # type: ignore[index]
        await rig.close_candle(runs_away=True)
        (entry,) = rig.resting(Side.BUY)
        half = d("0.0002")
        rig.fill(entry, f"{half:f}")
        await rig.pass_time(5)
        rig.venue.cue("amend", NO)
        rig.fill(entry, f"{entry.quantity - half:f}")
        for _ in range(6):
            rig.quote()
            await rig.pass_time(2)
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == (await held(rig)).quantity == entry.quantity
        assert rig.writes == ["place", "place", "amend", "cancel", "place"]

    _, tally = run_loop(tmp_path, story)
    assert tally.unprotected_by_cause["replacing"] < 5


def test_vector_9_a_replacement_that_a_kill_cut_in_two_is_finished_by_the_next_start(
    tmp_path: Path,
) -> None:
    """The old stop is cancelled, the new one was never sent: the next loop places it, once."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        first = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        stop = await stopped(rig)
        await rig.read(
            sql("UPDATE crypto_orders SET order_type = 'stop-loss-limit' WHERE purpose = 'stop'")
        )

        async def killed() -> None:
            await asyncio.Event().wait()

        rig.venue.before_place = killed
        rig.quote()
        await looks_again(rig)
        assert rig.writes == ["place", "place", "cancel"]
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        rig.venue.before_place = None

        rig.feed = type(rig.feed)()
        rig.come_up()
        rig.quote()
        second = asyncio.create_task(
            rig.supervised(run_id="run-2", is_gone=lambda lease: lease.holder != "run-2")
        )
        for _ in range(60):
            rig.quote()
            await rig.pass_time(2)
        (again,) = rig.resting(Side.SELL)
        assert again.venue_order_id != stop.venue_order_id
        assert (again.order_type, again.quantity) == (OrderType.STOP_LOSS, stop.quantity)
        rig.stop.set()
        await second

    with_rig(tmp_path, story)
