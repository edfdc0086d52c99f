"""A local clock that is 30 s wrong either way: every order carries a deadline in the venue's time.

Kraken-spot section 8.1: a deadline lies 2 to 60 s ahead of the venue's clock.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_stream_against_paper import MARKET, Client
from test_transactions_against_paper import ENTRY, Trader

from builders import BTC, PAPER, d, make_stop_request
from paper_socket import SocketDesk, at_desk
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderTerms, OrderType
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import VenueError
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.runtime.engine_run import RunPlan, _assemble
from zoe_tools.runtime.first_answers import CATALOGUE_S, TIME_S
from zoe_tools.runtime.venue import Wires

NS = 10**9


class Judge:
    """What deadlines the exchange was given, in seconds ahead of the clock that it tells."""

    def __init__(self, desk: SocketDesk, skew_s: float) -> None:
        self.ahead_s: list[float | None] = []
        exchange = desk.exchange
        exchange.arm_fault(FaultRule(name="clock-skew", times=None, delay_s=skew_s))
        judged = exchange._in_own_time

        def judge(deadline: int | None) -> int | None:
            told = None if deadline is None else (deadline - exchange.told_now()) / NS
            self.ahead_s.append(told)
            return judged(deadline)

        exchange._in_own_time = judge  # type: ignore[method-assign]


@pytest.mark.parametrize("wire", ["socket", "rest"])
@pytest.mark.parametrize("skew_s", [30.0, -30.0])
def test_every_order_carries_a_deadline_by_the_clock_of_the_venue(skew_s: float, wire: str) -> None:
    """Placed, a stop too, in a batch, amended, edited: five seconds, to what Time tells."""

    async def told(desk: SocketDesk) -> list[float | None]:
        desk.hear(MARKET)
        judge = Judge(desk, skew_s)
        client = Client(desk)
        await asyncio.sleep(0.1)
        trader = Trader(client, wire)
        await trader.venue.server_time()
        await send_everything(trader)
        await client.close()
        await trader.rest.aclose()
        return judge.ahead_s

    ahead_s = at_desk(told)

    assert len(ahead_s) == 7, "two of them of the batch"
    assert [each for each in ahead_s if each is None or not 4.4 <= each <= 5.6] == []


async def send_everything(trader: Trader) -> None:
    """Every method that carries a deadline."""
    venue = trader.venue

    async def place(request: Any) -> Any:
        name = None if request.terms is not None else trader.called()
        return await venue.place(request, client_order_id=name, deadline=trader.deadline)

    order = await place(ENTRY)
    await place(make_stop_request(quantity=d("0.001"), trigger_price=d("40000")))
    change = OrderAmendment(venue_order_id=order, symbol=BTC, limit_price=d("50001"))
    await venue.amend(change, deadline=trader.deadline)
    batch = [(trader.called(), ENTRY), (trader.called(), ENTRY)]
    assert all(
        each.venue_order_id for each in await venue.place_batch(batch, deadline=trader.deadline)
    )
    named = replace(ENTRY, terms=OrderTerms(userref=7))
    edit = OrderEdit(
        venue_order_id=await place(named),
        symbol=BTC,
        order_type=OrderType.LIMIT,
        limit_price=d("50002"),
    )
    await venue.edit(edit, deadline=trader.deadline)


def plan_of(client: Client, trader: Trader) -> RunPlan:
    """A run of one instrument, as far as it must be known to be put together."""
    return RunPlan(
        account=PAPER,
        policy=Policy(),
        strategy=cast("Any", SimpleNamespace(stop_loss_pct=None, take_profit_pct=None)),
        spellings=["BTC/USD"],
        cadence=Cadence(),
        clock=client.clock,
        wires=Wires(public_url="public", private_url="private", rest=trader.rest),
        connect=client._connect,
        store=cast("Any", None),
        narrator=cast("Any", None),
        run_id="run-1",
        seed=1,
    )


@pytest.mark.parametrize("skew_s", [30.0, -30.0])
def test_a_run_asks_for_the_time_before_anything_else(skew_s: float) -> None:
    """One measurement, which the orders of both wires go by; the streams narrow it down later."""

    async def told(desk: SocketDesk) -> tuple[float, bool]:
        desk.hear(MARKET)
        Judge(desk, skew_s)
        client = Client(desk)
        trader = Trader(client, "rest")
        plan = plan_of(client, trader)
        parts = await _assemble(plan)
        venue, feed = cast("KrakenSpot", parts.venue), cast("Any", parts.feed)
        await client.close()
        await trader.rest.aclose()
        return venue.time.offset.total_seconds(), feed._feed.server_time is venue.time

    offset_s, is_shared = at_desk(told)

    assert is_shared
    assert abs(offset_s - skew_s) <= 0.6


@pytest.mark.parametrize(("call", "within_s"), [("Time", TIME_S), ("AssetPairs", CATALOGUE_S)])
def test_a_first_question_that_hangs_costs_a_start_a_few_seconds(
    call: str, within_s: float
) -> None:
    """What is held waits for the start: a client would give the answer ten seconds."""

    async def took_s(desk: SocketDesk) -> float:
        desk.hear(MARKET)
        client = Client(desk)
        trader = Trader(client, "rest")
        desk.exchange.arm_fault(FaultRule(name="hang", where=call, times=1, delay_s=60.0))
        began = client.clock.now()
        await _assemble(plan_of(client, trader))
        took = client.clock.now() - began
        await client.close()
        await trader.rest.aclose()
        return took.total_seconds()

    assert within_s <= at_desk(took_s) < within_s + 1


def test_the_instruments_are_read_once_for_a_start() -> None:
    """A second reading would be one more answer that what is held waits for."""

    async def told(desk: SocketDesk) -> None:
        desk.hear(MARKET)
        client = Client(desk)
        trader = Trader(client, "rest")
        parts = await _assemble(plan_of(client, trader))
        desk.exchange.arm_fault(FaultRule(name="http-520", where="AssetPairs", times=None))
        assert (await cast("KrakenSpot", parts.venue).catalogue()).find(BTC) is not None
        await client.close()
        await trader.rest.aclose()

    at_desk(told)


def test_without_the_measurement_a_slow_clock_would_have_every_order_refused() -> None:
    """What the tests above would miss if the exchange did not look at deadlines."""

    async def told(desk: SocketDesk) -> None:
        desk.hear(MARKET)
        Judge(desk, 30.0)
        client = Client(desk)
        trader = Trader(client, "rest")
        try:
            await trader.place()
        finally:
            await client.close()
            await trader.rest.aclose()

    with pytest.raises(VenueError, match=r"[Dd]eadline"):
        at_desk(told)
