"""Intent groups from decision to end, through the loop, the gate and a venue in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path

import pytest

from builders import BTC, d
from loop_rig import LoopRig, ScriptedFeed, run_loop, sides, with_rig
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.errors import VenueRejected

TARGET = d("0.00041521")
REFUSED = VenueRejected("no", code="EOrder:Amend not allowed")


async def live(rig: LoopRig, seconds: float) -> None:
    """Time passes, and the market is told every five seconds, by quotes and trades."""
    for _ in range(int(seconds // 5)):
        rig.print_trade()
        rig.quote()
        await rig.pass_time(5)


async def groups(rig: LoopRig) -> tuple[IntentGroup, ...]:
    """All that the store has."""
    return await rig.read(lambda tx: tx.groups.since(None))


def buys(rig: LoopRig) -> list[VenueOrder]:
    """Every entry that was ever placed."""
    return [each for each in rig.venue.book_of_orders.values() if each.side is Side.BUY]


def test_defect_2_an_entry_climbs_in_place_and_ends_with_its_fourth_time(tmp_path: Path) -> None:
    """5, 10 and 15 bps by amendments, each a minute after the last ack; nothing is replaced."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        limits = [rig.venue.resting[0].limit_price]
        for _ in range(3):
            await live(rig, 60)
            limits.append(rig.venue.resting[0].limit_price)
        await live(rig, 60)

        assert limits == [d("60029.8"), d("60060.4"), d("60121.6"), d("60209.8")]
        assert rig.writes == ["place", "amend", "amend", "amend", "cancel"]
        (group,) = await groups(rig)
        assert group.ending is GroupEnd.EXHAUSTED
        assert group.ended_at is not None
        (order,) = await rig.read(lambda tx: tx.groups.orders_of((group.group_id,)))
        assert (order.replace_count, order.ttl_s) == (3, d("60"))

    run_loop(tmp_path, story)


def test_the_liquidity_guard_takes_an_entry_away_when_its_time_is_over(tmp_path: Path) -> None:
    """Vector 2's guard case, through the loop: 0.6 % wide."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        rig.move("61000.0", "61367.0")
        await live(rig, 60)

        assert rig.writes == ["place", "cancel"]
        (group,) = await groups(rig)
        assert group.ending is GroupEnd.LIQUIDITY_GUARD

    run_loop(tmp_path, story)


def test_defect_3_a_venue_that_refuses_amendments_gets_the_rest_alone(tmp_path: Path) -> None:
    """Vector 3: what filled until the cancel was proved is not bought a second time."""

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("amend", REFUSED, times=9)
        await rig.enter(rests=True)
        (first,) = rig.venue.resting
        await live(rig, 50)
        rig.fill(first, "0.0001")
        await live(rig, 15)

        entries = buys(rig)
        assert [each.status for each in entries] == [OrderStatus.CANCELED, OrderStatus.OPEN]
        assert entries[1].quantity == TARGET - d("0.0001")
        assert entries[1].limit_price == d("60060.4")
        assert entries[0].client_order_id != entries[1].client_order_id
        (group,) = await groups(rig)
        assert group.ending is None
        # A fill that the venue tells late: the rest is too much now, and is placed anew.
        rig.venue.trade(first.venue_order_id, d("0.0001"))
        rig.venue.end(first.venue_order_id, OrderStatus.CANCELED)
        rig.tell_orders()
        await live(rig, 10)
        filled = sum((each.filled_quantity for each in buys(rig)), d("0"))
        working = [each for each in buys(rig) if not each.status.is_terminal]
        assert [each.quantity for each in working] == [TARGET - d("0.0002")]
        assert filled + working[0].remaining_quantity == TARGET

    run_loop(tmp_path, story)


def test_what_somebody_cancels_at_the_venue_is_not_placed_again(tmp_path: Path) -> None:
    """Only the desk's own cancels make room for another order."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        rig.venue.end(rig.venue.resting[0].venue_order_id, OrderStatus.CANCELED, "User requested")
        rig.tell_orders()
        await live(rig, 70)

        assert rig.writes == ["place"]
        assert [each.ending for each in await groups(rig)] == [GroupEnd.STOPPED]

    run_loop(tmp_path, story)


async def killed(rig: LoopRig, story: Awaitable[None]) -> None:
    """A loop that is gone in the middle of what the story has it do."""
    running = asyncio.create_task(rig.supervised())
    rig.venue.on_change = rig.tell_orders
    rig.come_up()
    rig.quote()
    await rig.pass_time(1)
    telling = asyncio.ensure_future(story)
    await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    with contextlib.suppress(BaseException):
        await running
    telling.cancel()
    with contextlib.suppress(BaseException):
        await telling


async def started_again(rig: LoopRig) -> asyncio.Task[object]:
    """The next one, on the same books."""
    rig.feed = ScriptedFeed()
    rig.venue.on_change = rig.tell_orders
    running: asyncio.Task[object] = asyncio.create_task(
        rig.supervised(run_id="run-2", is_gone=lambda _: True)
    )
    rig.come_up()
    rig.quote()
    await rig.pass_time(3)
    return running


@pytest.mark.parametrize("dies_after", ["cancel", "amend"])
def test_vector_9_after_a_crash_between_two_orders_one_of_a_group_lives(
    tmp_path: Path, dies_after: str
) -> None:
    """Killed when the venue has cancelled, or amended, and nobody has written that down."""

    async def story(rig: LoopRig) -> None:
        if dies_after == "cancel":
            rig.venue.cue("amend", REFUSED, times=9)

        async def until_it_dies() -> None:
            dead = asyncio.Event()

            def on_change() -> None:
                if rig.writes[-1] == dies_after:
                    dead.set()  # and what the venue did is told to nobody
                else:
                    rig.tell_orders()

            await rig.enter(rests=True)
            rig.venue.on_change = on_change
            await asyncio.wait(
                {asyncio.ensure_future(live(rig, 90)), asyncio.ensure_future(dead.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert dead.is_set()

        await killed(rig, until_it_dies())
        running = await started_again(rig)
        await live(rig, 100)

        assert [each.quantity for each in rig.resting(Side.BUY)] == [TARGET]
        assert len(await groups(rig)) == 1
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_the_time_to_the_next_action_survives_a_restart(tmp_path: Path) -> None:
    """Forty seconds before the crash and twenty after it make one time to live, not two."""

    async def story(rig: LoopRig) -> None:
        async def forty_seconds() -> None:
            await rig.enter(rests=True)
            await live(rig, 40)

        await killed(rig, forty_seconds())
        assert rig.writes == ["place"]
        running = await started_again(rig)
        await live(rig, 5)
        assert rig.writes == ["place"]
        await live(rig, 15)
        assert rig.writes == ["place", "amend"]
        await live(rig, 50)
        assert rig.writes == ["place", "amend"]
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_defect_4_an_exit_that_nobody_fills_goes_to_the_market(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ladder, marketable in the collar, market with an alarm; it was never booked as closed."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.strategy.wanted[BTC] = "exit"
        bid, ask = rig.venue.prices[BTC]
        await rig.close_candle(BTC, is_quoted=True)
        rig.venue.prices[BTC] = (bid, ask)
        sales = [each for each in rig.venue.book_of_orders.values() if each.side is Side.SELL]
        assert [each.order_type for each in sales] == [OrderType.STOP_LOSS, OrderType.LIMIT]
        assert sales[1].status is OrderStatus.FILLED
        (entry, leaving) = await groups(rig)
        assert (entry.ending, leaving.ending) == (GroupEnd.FILLED, GroupEnd.FILLED)
        assert leaving.purpose == "exit"

    run_loop(tmp_path, story)
    assert not any("EXIT_ESCALATED" in each for each in caplog.messages)


def test_a_thin_market_is_left_by_every_stage(tmp_path: Path) -> None:
    """Two steps, a third that would go no further, the edge of the collar, the market."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.strategy.wanted[BTC] = "exit"
        told = rig.venue.prices[BTC]
        rig.print_trade(BTC)
        await rig.clock.sleep(60 - rig._second())
        rig.quote()
        # Where the venue's own prices are below all limits nothing of the desk's trades.
        rig.venue.prices[BTC] = (d("50000"), d("50000.1"))
        await rig.pass_time(5)
        (resting,) = rig.resting(Side.SELL)
        assert resting.order_type is OrderType.LIMIT
        for _ in range(32):
            rig.feed.tell(rig.quoted(told))
            await rig.pass_time(5)

        assert rig.venue.resting == []
        sales = [each for each in rig.venue.book_of_orders.values() if each.side is Side.SELL]
        assert [each.order_type for each in sales[1:]] == [OrderType.LIMIT, OrderType.MARKET]
        assert rig.writes[3:] == ["place", "amend", "amend", "amend", "cancel", "place"]
        assert (await groups(rig))[-1].ending is GroupEnd.FILLED

    run_loop(tmp_path, story)


def test_an_orderly_stop_leaves_no_sale_behind(tmp_path: Path) -> None:
    """What is on its way out goes out: without it the coins would lie there without a stop."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.strategy.wanted[BTC] = "exit"
        rig.print_trade(BTC)
        await rig.clock.sleep(60 - rig._second())
        rig.quote()
        rig.venue.prices[BTC] = (d("50000"), d("50000.1"))
        await rig.pass_time(5)
        assert sides(rig.venue.resting) == [("sell", "limit")]

    rig, _ = run_loop(tmp_path, story)
    assert rig.venue.resting == []
    assert rig.venue.totals["BTC"] == 0
