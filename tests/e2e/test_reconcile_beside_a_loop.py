"""`zoe reconcile` beside a trading loop, on one paper exchange: neither undoes the other's work.

The loop is the real one, over the exchange's own streams, in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from builders import BTC, ETH, d, make_position
from loop_rig import RecordingNarrator
from reconcile_rig import POLICY, Story, World, told_by
from zoe_tools.core.strategy.registry import strategy_named
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import AdoptPosition
from zoe_tools.domain.position import PositionStatus
from zoe_tools.paper.engine.funding import Transfer
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.engine_run import RunPlan, run_engine
from zoe_tools.runtime.venue import Wires

PERIOD_S = 130
"""A comparison of the loop's, with its second look."""


@asynccontextmanager
async def looping(world: World) -> AsyncIterator[asyncio.Task[Any]]:
    """A loop that enters nothing and protects what is held; it must outlive the story."""
    stop = asyncio.Event()
    sockets = InProcessSockets(world.floor.exchange, duplex_pair)
    plan = RunPlan(
        account=world.desk.account,
        policy=POLICY,
        strategy=strategy_named("hold"),
        spellings=[BTC, ETH],
        cadence=Cadence(),
        clock=world.clock,
        wires=Wires(
            public_url="ws://paper/v2", private_url="ws://paper/v2/private", rest=world.rest
        ),
        connect=sockets,
        store=world.desk.store,
        narrator=RecordingNarrator(),
        run_id="run-beside",
        seed=7,
        compares=True,
    )
    running = asyncio.create_task(run_engine(plan, stop))
    try:
        await world.clock.sleep(10)
        yield running
        assert not running.done()
        stop.set()
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sockets.close()


async def stops(world: World) -> list[tuple[str, Decimal]]:
    """The stops that rest at the venue."""
    return [
        (each.symbol, each.quantity)
        for each in await world.spot.open_orders()
        if each.order_type.is_stop
    ]


async def mended_while_it_runs(world: World) -> None:
    """Rows of orders and of the position changed by hand, and an order of somebody else."""
    async with looping(world):
        await world.enter()
        await world.clock.sleep(10)
        assert await stops(world) == [(BTC, d("0.0004"))]
        money = world.money()
        placed = len(await world.read(lambda tx: tx.orders()))
        await world.sql(
            "UPDATE crypto_orders SET status = 'canceled'"
            " WHERE account_id = :me AND purpose = 'stop'"
        )
        await world.sql("UPDATE crypto_positions SET quantity = '0.0008' WHERE account_id = :me")
        await world.place_by_hand()
        told = await world.reconcile(execute=True)
        assert told.kinds == ("UNKNOWN_ORDER",)
        await world.clock.sleep(PERIOD_S)

        assert await stops(world) == [(BTC, d("0.0004"))]
        assert len(await world.read(lambda tx: tx.orders())) == placed
        assert await world.managed() == d("0.0004")
        assert world.money() == money
        assert (await world.reconcile()).kinds == ("UNKNOWN_ORDER",)


async def sold_while_it_is_mended(world: World) -> None:
    """The market goes through the stop in the very moment in which a doubled row is mended."""
    await sold_with_a_doubled_row(world, meanwhile=True)


async def sold_before_it_is_mended(world: World) -> None:
    """The loop is alone with a row of twice as many coins; the account holds enough of them."""
    await sold_with_a_doubled_row(world, meanwhile=False)


async def sold_with_a_doubled_row(world: World, *, meanwhile: bool) -> None:
    """What only the row says is sold by nobody."""
    async with looping(world):
        await world.enter()
        await world.clock.sleep(10)
        await world.sql("UPDATE crypto_positions SET quantity = '0.0008' WHERE account_id = :me")
        mended = (world.reconcile(execute=True),) if meanwhile else ()
        await asyncio.gather(world.market("68000.0", "68000.1"), *mended)
        await world.clock.sleep(PERIOD_S)
        await world.reconcile(execute=True)

        fills = await world.spot.fills()
        booked = await world.read(lambda tx: tx.fills())
        assert sorted(each.fill_id for each in booked) == sorted(each.fill_id for each in fills)
        assert [each.side for each in fills].count(Side.SELL) == 1
        (over,) = await world.read(lambda tx: tx.positions())
        assert over.status is PositionStatus.CLOSED
        signs = {Side.BUY: -1, Side.SELL: 1}
        real = sum((signs[each.side] * each.cost - each.fee for each in fills), d("0"))
        assert over.realised_pnl == real
        assert world.money()["BTC"] == d("2")
        assert (await world.reconcile()).kinds == ()


async def restarted_on_a_corrupted_row(world: World) -> None:
    """One row contradicts itself; the loop puts it back to its executions, and protects both."""
    await world.enter()
    await world.protect()
    ether = make_position(
        position_id=PositionId("P-ETH"),
        symbol=ETH,
        quantity=d("1"),
        average_cost=d("3000"),
        initial_price=d("3000"),
        origin="adopted",
    )
    await world.desk.do(AdoptPosition(position=ether, reason="test"))
    await world.sql(
        "UPDATE crypto_positions SET exit_quantity = '9'"
        " WHERE account_id = :me AND symbol = 'BTC/USD'"
    )
    async with looping(world):
        await world.clock.sleep(PERIOD_S * 2)
        rows = {each.symbol: each for each in await world.read(lambda tx: tx.positions())}
        assert rows[BTC].status is PositionStatus.PROTECTED
        assert (rows[BTC].quantity, rows[BTC].exit_quantity) == (d("0.0004"), d("0"))
        assert rows[ETH].status is PositionStatus.PROTECTED
        assert sorted(await stops(world)) == [(BTC, d("0.0004")), (ETH, d("1"))]
        assert await world.read(lambda tx: tx.reconciliation.active()) == ()
    assert (await world.reconcile()).kinds == ()


def stake(world: World, asset: str, target: str, amount: str) -> None:
    """Coins go to a wallet that earns."""
    order = Transfer(asset=asset, amount=d(amount), target=target)
    world.floor.exchange.transfer(world.account_id, order)


async def coins_that_stake(world: World) -> None:
    """Some of them earn elsewhere: no drift, neither in the command nor in the loop."""
    stake(world, "ETH", ".S", "4")
    stake(world, "ETH", ".F", "0.5")
    stake(world, "BTC", ".M", "0.25")
    await world.learn_the_ledger()
    await world.enter()
    async with looping(world):
        stake(world, "ETH", ".S", "0.5")
        await world.clock.sleep(PERIOD_S * 3)
        for _ in range(2):
            assert (await world.reconcile()).kinds == ()
        runs = await world.read(lambda tx: tx.reconciliation.runs())
        assert {each.status for each in runs} == {"ok"}
        assert await world.read(lambda tx: tx.reconciliation.active()) == ()
        assert not (await world.read(lambda tx: tx.reconciliation.state())).pauses_account


STORIES: dict[str, Story] = {
    each.__name__: each
    for each in (
        mended_while_it_runs,
        sold_while_it_is_mended,
        sold_before_it_is_mended,
        restarted_on_a_corrupted_row,
        coins_that_stake,
    )
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All stories, played once, on one exchange."""
    return told_by(tmp_path_factory.mktemp("floor"), STORIES)


@pytest.mark.parametrize("name", STORIES)
def test_loop_and_command_together_double_nothing_and_move_no_money(
    told: dict[str, Any], name: str
) -> None:
    """See each story."""
    if isinstance(told[name], Exception):
        raise told[name]
