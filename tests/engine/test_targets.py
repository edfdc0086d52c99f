"""A loop takes profit level by level, and of stop and target one cancels the other."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import d, make_instrument
from loop_rig import LoopRig, ScriptedFeed, run_loop, with_rig
from zoe_tools.core.take_profit import levels_for
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.take_profit import LevelStatus, TargetMode
from zoe_tools.errors import VenueRejected
from zoe_tools.observe.log import event_of

LADDER = Policy(take_profit_levels=((d("50"), d("3")), (d("50"), d("6"))))
ALLOWED = replace(LADDER, allow_targets_without_stop=True)
SPLIT = replace(ALLOWED, take_profit_mode=TargetMode.SPLIT)
RESTING = replace(ALLOWED, take_profit_mode=TargetMode.RESTING)


def sells(rig: LoopRig) -> dict[str, VenueOrder]:
    """What rests at the venue to be sold, by `stop` and by price."""
    return {
        "stop" if each.order_type.is_stop else f"{each.limit_price:f}": each
        for each in rig.resting(Side.SELL)
    }


async def held(rig: LoopRig) -> Position:
    """The one position."""
    (position,) = await rig.read(lambda tx: tx.positions())
    return position


async def enter(rig: LoopRig) -> None:
    """Buy, and let the loop settle what is to rest."""
    await rig.enter()
    await rig.pass_time(5)


def test_a_ladder_sells_its_levels_one_by_one(tmp_path: Path) -> None:
    """At the first a part, and the stop shrinks with it; at the last what is left."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        whole = (await held(rig)).quantity
        assert sells(rig)["stop"].remaining_quantity == whole
        rig.move("62200.0", "62200.1")
        await rig.pass_time(5)
        after = await held(rig)
        assert after.status is PositionStatus.PARTIAL
        assert after.exit_quantity == d("0.0002076")
        assert sells(rig)["stop"].remaining_quantity == after.quantity
        levels = await rig.read(lambda tx: tx.targets())
        assert [each.status for each in levels] == [LevelStatus.FILLED, LevelStatus.WAITING]

        rig.move("64000.0", "64000.1")
        await rig.pass_time(8)
        over = await held(rig)
        assert (over.status, over.exit_reason) == (PositionStatus.CLOSED, "take_profit")
        assert rig.venue.resting == []

    run_loop(tmp_path, story, policy=LADDER)


def test_a_split_position_has_stop_and_target_at_the_venue_and_a_fill_shrinks_it(
    tmp_path: Path,
) -> None:
    """Together they hold all of it and never more; a target that filled leaves its stop fitting."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        whole = (await held(rig)).quantity
        found = sells(rig)
        target = next(each for name, each in found.items() if name != "stop")
        assert found["stop"].remaining_quantity + target.remaining_quantity == whole

        rig.fill(target, "0.0001")
        await rig.pass_time(5)
        part = sum((each.remaining_quantity for each in rig.resting(Side.SELL)), d("0"))
        assert part == whole - d("0.0001") == (await held(rig)).quantity
        rig.fill(target, f"{target.quantity - d('0.0001'):f}")
        await rig.pass_time(5)
        assert sells(rig)["stop"].remaining_quantity == (await held(rig)).quantity
        assert list(sells(rig)) == ["stop"]

    _, tally = run_loop(tmp_path, story, policy=SPLIT)
    assert tally.unprotected_seconds < 5


def test_a_stop_that_fires_takes_the_targets_with_it(tmp_path: Path) -> None:
    """What the target held is sold too: one cancels the other."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        stop = sells(rig)["stop"]
        rig.fill(stop, f"{stop.quantity:f}", "58790.0")
        await rig.pass_time(8)
        over = await held(rig)
        assert over.status is PositionStatus.CLOSED
        assert rig.venue.resting == []

    run_loop(tmp_path, story, policy=SPLIT)


def test_without_leave_the_stop_holds_all_and_the_loop_sells_at_the_target(tmp_path: Path) -> None:
    """`TAKE_PROFIT_MODE=resting` alone never takes a stop away, whatever was set before."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        position = await held(rig)
        levels = levels_for(position, make_instrument(), RESTING, at=rig.clock.now())
        await rig.read(lambda tx: tx.set_targets(position.position_id, levels))
        await rig.pass_time(5)
        assert sells(rig).keys() == {"stop"}
        assert sells(rig)["stop"].remaining_quantity == position.quantity
        assert {each.mode for each in await rig.read(lambda tx: tx.targets())} == {
            TargetMode.MANAGED
        }
        rig.move("64000.0", "64000.1")
        await rig.pass_time(8)
        assert (await held(rig)).exit_reason == "take_profit"

    _, tally = run_loop(tmp_path, story, policy=replace(RESTING, allow_targets_without_stop=False))
    assert tally.unprotected_seconds < 2


def test_targets_that_rest_without_leave_any_more_give_the_stop_its_place_back(
    tmp_path: Path,
) -> None:
    """A loop that begins without the leave finds them at the venue, and protects."""

    async def lived(rig: LoopRig, policy: Policy) -> None:
        rig.policy = policy
        rig.stop.clear()
        rig.feed = ScriptedFeed()
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        if not rig.venue.resting:
            await enter(rig)
        await rig.pass_time(5)
        rig.stop.set()
        await running

    async def story(rig: LoopRig) -> None:
        await lived(rig, RESTING)
        assert len(sells(rig)) == 2
        assert "stop" not in sells(rig)
        await lived(rig, LADDER)
        assert sells(rig).keys() == {"stop"}
        assert sells(rig)["stop"].remaining_quantity == (await held(rig)).quantity

    with_rig(tmp_path, story)


def test_what_targets_hold_on_purpose_alarms_nobody_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The seconds without a stop are told by their cause; the account is not halted for them."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        await rig.pass_time(300)
        assert "stop" not in sells(rig)
        assert rig.loop is not None
        assert rig.loop.books.trading_state.may_enter

    with caplog.at_level(logging.WARNING):
        _, tally = run_loop(tmp_path, story, policy=RESTING)
    assert tally.unprotected_by_cause["targets"] > 290
    told = [event_of(each) for each in caplog.records]
    assert not [each for each in told if each is not None and each[0] == "POSITION_UNPROTECTED"]


def test_where_all_targets_rest_the_loop_minds_the_stop(tmp_path: Path) -> None:
    """At its price they are cancelled and the position is sold."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        assert len(rig.resting(Side.SELL)) == 2
        assert "stop" not in sells(rig)
        rig.move("58000.0", "58000.1")
        await rig.pass_time(8)
        assert (await held(rig)).status is PositionStatus.CLOSED
        assert rig.venue.resting == []

    run_loop(tmp_path, story, policy=RESTING)


@pytest.mark.parametrize("policy", [LADDER, SPLIT, RESTING], ids=["managed", "split", "resting"])
def test_what_rests_is_not_touched_again(tmp_path: Path, policy: Policy) -> None:
    """Once it fits, turn after turn sends nothing."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        before = list(rig.writes)
        await rig.pass_time(30)
        assert rig.writes == before

    run_loop(tmp_path, story, policy=policy)


def test_a_target_that_the_venue_refuses_gives_its_part_back_to_the_stop(tmp_path: Path) -> None:
    """Nothing stays naked because a target could not be placed; and it is tried again."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        whole = (await held(rig)).quantity
        target = next(each for name, each in sells(rig).items() if name != "stop")
        refused = VenueRejected("no", code="EOrder:Insufficient funds")
        rig.venue.cue("place", refused)
        rig.venue.end(target.venue_order_id, OrderStatus.CANCELED, "by hand")
        rig.tell_orders()
        await rig.pass_time(10)
        rests = rig.resting(Side.SELL)
        assert [each.remaining_quantity for each in rests] == [whole]

        await rig.pass_time(60)
        found = sells(rig)
        assert len(found) == 2
        assert sum((each.remaining_quantity for each in found.values()), d("0")) == whole

    _, tally = run_loop(tmp_path, story, policy=SPLIT)
    assert tally.unprotected_seconds < 10


def test_levels_that_a_prompt_wrote_are_not_sold_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of the position would go at once; the story is believed, told once, and put back."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        levels = await rig.read(lambda tx: tx.targets())
        words = "UPDATE take_profit_levels SET price = '1' WHERE level = 1"
        await rig.read(lambda tx: tx._connection.execute(text(words)))
        await rig.pass_time(5)
        assert rig.loop is not None
        await rig.loop.books.refresh(rig.clock.now())
        rig.loop.wake()
        await rig.pass_time(5)
        assert sells(rig).keys() == {"stop"}
        await rig.pass_time(140)
        assert (await held(rig)).exit_quantity == d("0")
        assert await rig.read(lambda tx: tx.targets_retold()) == ()
        assert await rig.read(lambda tx: tx.targets()) == levels

    with caplog.at_level(logging.ERROR):
        run_loop(tmp_path, story, policy=LADDER, compares=True)
    told = [each.message for each in caplog.records if "by hand" in each.message]
    assert len(told) == 1
    assert " at 1 (managed)" in told[0]


@pytest.mark.parametrize("mode", [TargetMode.SPLIT, TargetMode.RESTING, TargetMode.MANAGED])
def test_levels_that_somebody_sets_are_followed_within_a_second(
    tmp_path: Path, mode: TargetMode
) -> None:
    """`zoe repair-tp` tells, the loop does: to any mode and back, and all of it is always held."""
    names = {"split": ["limit", "stop-loss"], "resting": ["limit"], "managed": ["stop-loss"]}

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        position = await held(rig)
        for wanted in (mode, TargetMode.MANAGED, mode):
            policy = Policy(take_profit_mode=wanted, allow_targets_without_stop=True)
            levels = levels_for(position, make_instrument(), policy, at=rig.clock.now())
            await rig.read(lambda tx, levels=levels: tx.set_targets(position.position_id, levels))  # type: ignore[misc]
            await rig.pass_time(3)
            rests = rig.resting(Side.SELL)
            assert sorted(each.order_type.value for each in rests) == names[wanted.value]
            assert sum((each.remaining_quantity for each in rests), d("0")) == position.quantity

    run_loop(tmp_path, story, policy=Policy(allow_targets_without_stop=True))


def test_a_managed_level_is_sold_at_under_a_policy_of_resting_targets(tmp_path: Path) -> None:
    """What `zoe repair-tp --mode managed` set is the loop's to sell, or nobody would."""

    async def story(rig: LoopRig) -> None:
        await enter(rig)
        position = await held(rig)
        levels = levels_for(position, make_instrument(), Policy(), at=rig.clock.now())
        await rig.read(lambda tx: tx.set_targets(position.position_id, levels))
        await rig.pass_time(3)
        rig.move("64000.0", "64000.1")
        await rig.pass_time(8)
        over = await held(rig)
        assert (over.status, over.exit_reason) == (PositionStatus.CLOSED, "take_profit")
        assert rig.venue.resting == []

    policy = Policy(take_profit_mode=TargetMode.RESTING, allow_targets_without_stop=True)
    run_loop(tmp_path, story, policy=policy)
