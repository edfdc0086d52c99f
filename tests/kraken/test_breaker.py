"""The circuit breaker on the client's calls: what it holds back, what never waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

import kraken_answers as kraken
from builders import BTC, NOON, d
from zoe_tools.domain.breaker import Breaker, BreakerState
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.errors import CircuitOpen, OutcomeUnknown, VenueError, VenueUnavailable
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import SystemClock, VirtualClock
from zoe_tools.runtime.coordination import shared_coordination
from zoe_tools.runtime.virtual_loop import run_virtual

BAD = httpx.Response(502, text="Bad gateway")
GOOD = kraken.success({"api_key_name": "k", "permissions": []})
PLACED = kraken.success({"descr": {"order": "x"}, "txid": ["OAAAAA-BBBBB-CCCCC4"]})
CALLS = 20


class Slow(httpx.AsyncBaseTransport):
    """A venue that answers from a script after a second, so that calls overlap."""

    def __init__(self, script: kraken.Script) -> None:
        self.script = script

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        await request.aread()
        await asyncio.sleep(1)
        return self.script(request)


class Rig:
    """A client with a breaker, on a scripted venue."""

    def __init__(self, **answers: Any) -> None:
        self.clock = VirtualClock(NOON)
        self.script = kraken.Script(**answers)
        coordination = NonceSource(self.clock)
        self.breaker = CircuitBreaker(coordination, self.clock)
        self.rest = RestClient(
            "http://venue.test",
            api_key="key",
            api_secret=kraken.SECRET,
            clock=self.clock,
            coordination=coordination,
            transport=Slow(self.script),
            unlimited=True,
            breaker=self.breaker,
        )
        self.spot = KrakenSpot(self.rest, self.clock)

    async def ask(self) -> object:
        """An ordinary write: it is sent once, and its answer shows."""
        return await self.rest.private("GetApiKeyInfo", {}, dict[str, Any], is_write=True)

    async def fail(self, times: int) -> None:
        """So many calls get no proper answer."""
        for _ in range(times):
            with pytest.raises(VenueError):
                await self.ask()

    async def at_once(self, calls: int) -> list[object]:
        """How so many calls end that are made together."""
        return await asyncio.gather(*(self.ask() for _ in range(calls)), return_exceptions=True)

    def sent(self, method: str) -> int:
        """How many calls of a method reached the venue."""
        return len(self.script.seen(method))

    async def place(self, side: Side, kind: OrderType) -> VenueOrderId:
        """An order; at a price where it needs one."""
        price = d("50000") if kind is not OrderType.MARKET else None
        request = OrderRequest(
            symbol=BTC,
            side=side,
            order_type=kind,
            quantity=d("0.01"),
            limit_price=price if kind is OrderType.LIMIT else None,
            trigger_price=price if kind is OrderType.STOP_LOSS else None,
            purpose="entry" if side is Side.BUY else "exit",
        )
        name = ClientOrderId("11112222-3333-4444-8555-666677778888")
        deadline = self.clock.now() + timedelta(seconds=5)
        return await self.spot.place(request, client_order_id=name, deadline=deadline)


def lived(rig: Rig, story: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Run the story in virtual time."""
    run_virtual(story(rig))


def test_vector_11_one_probe_of_twenty_calls_and_a_second_wait_of_120_s() -> None:
    """5 failures open it; at 60 s one probe passes and 19 are refused; then it waits 120 s."""
    rig = Rig(GetApiKeyInfo=[BAD], CancelOrder=kraken.success({"count": 1}))

    async def story(rig: Rig) -> None:
        await rig.fail(5)
        opened_at = rig.clock.now()
        assert (await rig.breaker.look()).state is BreakerState.OPEN
        assert [type(each) for each in await rig.at_once(CALLS)] == [CircuitOpen] * CALLS
        assert rig.sent("GetApiKeyInfo") == 5

        await rig.clock.sleep((opened_at + timedelta(seconds=60) - rig.clock.now()).total_seconds())
        ended = [type(each) for each in await rig.at_once(CALLS)]
        assert (ended.count(CircuitOpen), ended.count(OutcomeUnknown)) == (CALLS - 1, 1)
        assert rig.sent("GetApiKeyInfo") == 6
        assert await rig.spot.cancel(VenueOrderId("OAAAAA-BBBBB-CCCCC4")) == 1

        reopened = await rig.breaker.look()
        assert (reopened.state, reopened.wait_s) == (BreakerState.OPEN, 120)
        rig.script._answers["GetApiKeyInfo"] = [GOOD]
        assert reopened.opened_at is not None
        left = reopened.opened_at + timedelta(seconds=119) - rig.clock.now()
        await rig.clock.sleep(left.total_seconds())
        assert [type(each) for each in await rig.at_once(CALLS)] == [CircuitOpen] * CALLS
        await rig.clock.sleep(1)
        ended = [type(each) for each in await rig.at_once(CALLS)]
        assert (ended.count(CircuitOpen), ended.count(dict)) == (CALLS - 1, 1)
        assert await rig.breaker.look() == Breaker()

    lived(rig, story)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (kraken.failure("EOrder:Insufficient funds"), "closed"),
        (kraken.failure("EGeneral:Permission denied"), "closed"),
        (kraken.failure("EAPI:Invalid key"), "closed"),
        (kraken.failure("EOrder:Something new"), "closed"),
        (kraken.failure("EService:Unavailable"), "open"),
        (kraken.failure("EAPI:Rate limit exceeded"), "open"),
        (httpx.Response(200, text="<html>"), "open"),
        (httpx.ConnectError("refused"), "open"),
    ],
)
def test_only_what_says_that_the_api_is_ill_counts(answer: Any, state: str) -> None:
    """A definite no to the order or the key is an answer like any other."""

    async def story(rig: Rig) -> None:
        await rig.fail(6)
        assert (await rig.breaker.look()).state == state

    lived(Rig(GetApiKeyInfo=[answer]), story)


def test_what_reduces_risk_and_what_proves_it_never_waits_for_the_breaker() -> None:
    """Cancels, stops, sales and reads of orders go out; entries and long reads stay at home."""
    rig = Rig(
        AddOrder=PLACED,
        CancelOrder=kraken.success({"count": 1}),
        OpenOrders=kraken.success({"open": {}}),
        BalanceEx=kraken.success({}),
        OHLC=kraken.success({}),
    )

    async def story(rig: Rig) -> None:
        await rig.breaker.force(is_open=True)
        await rig.place(Side.SELL, OrderType.STOP_LOSS)
        await rig.place(Side.SELL, OrderType.MARKET)
        assert await rig.spot.cancel(VenueOrderId("OAAAAA-BBBBB-CCCCC4")) == 1
        assert await rig.spot.open_orders() == ()
        assert await rig.spot.balances() == ()
        with pytest.raises(CircuitOpen, match="not sent"):
            await rig.place(Side.BUY, OrderType.LIMIT)
        with pytest.raises(CircuitOpen):
            await rig.rest.public("OHLC", {}, dict[str, Any])
        assert (rig.sent("AddOrder"), rig.sent("OHLC")) == (2, 0)

    lived(rig, story)


def test_failures_of_the_protective_lane_count_as_well() -> None:
    """Whoever cannot cancel has no better connection for an entry."""

    async def story(rig: Rig) -> None:
        for _ in range(5):
            with pytest.raises(OutcomeUnknown):
                await rig.spot.cancel(VenueOrderId("OAAAAA-BBBBB-CCCCC4"))
        assert (await rig.breaker.look()).reason == "consecutive_failures"

    lived(Rig(CancelOrder=[BAD]), story)


def test_a_probe_that_is_given_up_frees_its_place() -> None:
    """A cancelled task is no verdict on the venue."""

    async def story(rig: Rig) -> None:
        await rig.fail(5)
        await rig.clock.sleep(60)
        probe = asyncio.create_task(rig.ask())
        await rig.clock.sleep(0.5)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await rig.breaker.look()).state is BreakerState.HALF_OPEN
        assert (await rig.breaker.look()).is_due(rig.clock.now())

    lived(Rig(GetApiKeyInfo=[BAD]), story)


def test_each_change_is_an_event_of_the_catalogue(caplog: pytest.LogCaptureFixture) -> None:
    """Opened with reason and counts, half-open, closed."""

    async def story(rig: Rig) -> None:
        await rig.fail(5)
        rig.script._answers["GetApiKeyInfo"] = [GOOD]
        await rig.clock.sleep(60)
        await rig.ask()
        await rig.breaker.look()

    with caplog.at_level(logging.INFO, logger="zoe_tools.kraken.breaker"):
        lived(Rig(GetApiKeyInfo=[BAD]), story)
    assert caplog.messages == [
        "API circuit breaker OPENED: consecutive_failures (5 failures, 0 rate limits), for 60 s",
        "API circuit breaker half-open: one call goes as the probe",
        "API circuit breaker closed: ordinary calls go again",
    ]


def test_it_outlives_the_process_and_is_shared_by_all_with_the_key(tmp_path: Path) -> None:
    """What one opened another finds open, and so does whoever starts after both."""

    async def story() -> None:
        clock = SystemClock()

        async def sharing(work: Callable[[CircuitBreaker], Awaitable[None]]) -> None:
            async with shared_coordination(
                tmp_path, f"sqlite:///{tmp_path}/zoe.db", "key", clock, is_scaled=True
            ) as shared:
                await work(CircuitBreaker(shared, clock))

        async def opens(breaker: CircuitBreaker) -> None:
            async def meets_it_open(other: CircuitBreaker) -> None:
                assert (await other.look()).is_closed
                await breaker.force(is_open=True)
                assert (await other.look()).state is BreakerState.OPEN

            await sharing(meets_it_open)

        async def finds_it(breaker: CircuitBreaker) -> None:
            assert (await breaker.look()).reason == "forced"

        await sharing(opens)
        await sharing(finds_it)

    asyncio.run(story())


def test_a_refusal_is_no_reason_to_ask_again() -> None:
    """A read is asked three times where it fails, and not at all where it is kept back."""

    async def story(rig: Rig) -> None:
        await rig.breaker.force(is_open=True)
        began = rig.clock.now()
        with pytest.raises(VenueUnavailable):
            await rig.spot.key_info()
        assert rig.clock.now() == began

    lived(Rig(), story)
