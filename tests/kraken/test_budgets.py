"""The budgets of a key: who waits, who never does, and what all who share the key are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

import kraken_answers as kraken
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderName
from zoe_tools.errors import VenueThrottled, VenueUnavailable
from zoe_tools.kraken import budget_note, limits, wire
from zoe_tools.kraken.budgets import Budgets
from zoe_tools.kraken.limits import CALL, TIERS
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.ports import Claim, Urgency
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

BTC = Symbol("BTC/USD")
OPEN = kraken.success({"open": {}})


def with_budgets(use: Callable[[Budgets, VirtualClock], Awaitable[Any]]) -> Any:
    """What a use of a starter's budgets brings."""

    async def run() -> Any:
        clock = VirtualClock(kraken.EPOCH)
        return await use(Budgets(NonceSource(clock), clock, TIERS["starter"]), clock)

    return run_virtual(run())


async def add(budgets: Budgets, *, is_urgent: bool = False) -> None:
    """Charge a new order."""
    async with budgets.transactions.adding(BTC, ["it"], is_urgent=is_urgent):
        pass


async def level(budgets: Budgets, clock: VirtualClock) -> float:
    """How full the pair's counter is, in calls."""
    standing = await budgets.standing()
    assert standing is not None
    return standing.engine[BTC].level(clock.now()) / CALL


def test_new_risk_waits_where_exits_go_at_once() -> None:
    """A starter's pair holds 60: entries stop at 40, stops and cancels go on."""

    async def use(budgets: Budgets, clock: VirtualClock) -> tuple[list[float], float]:
        times = []
        loop = asyncio.get_running_loop()
        for _ in range(40):
            await add(budgets)
        for is_urgent in (True, False):
            await add(budgets, is_urgent=is_urgent)
            times.append(loop.time())
        return times, await level(budgets, clock)

    assert with_budgets(use) == ([0.0, 2.0], 40.0)


def test_a_cancel_costs_by_the_age_of_its_order() -> None:
    """Placed, amended after 7 s, cancelled 36 s later: the venue's own example."""

    async def use(budgets: Budgets, clock: VirtualClock) -> list[float]:
        taking, order = budgets.transactions, VenueOrderId("O1")
        async with taking.adding(BTC, ["it"], is_urgent=True):
            taking.changed(order, BTC, "it")
        levels = [await level(budgets, clock)]
        await clock.sleep(7)
        async with taking.changing("amend", order, BTC, is_urgent=True):
            taking.changed(order, BTC)
        levels.append(await level(budgets, clock))
        await clock.sleep(36)
        async with taking.cancelling([OrderName(client_order_id=ClientOrderId("it"))]):
            levels.append(await level(budgets, clock))
        return levels

    assert with_budgets(use) == [1.0, 3.0, 4.0]


def test_an_entry_that_would_come_too_late_is_refused_before_it_is_sent() -> None:
    """Its deadline passes before there is room."""

    async def use(budgets: Budgets, clock: VirtualClock) -> VenueThrottled:
        for _ in range(50):
            await add(budgets, is_urgent=True)
        soon = clock.now() + timedelta(seconds=5)
        entry = budgets.transactions.adding(BTC, ["it"], is_urgent=False, deadline=soon)
        with pytest.raises(VenueThrottled, match="nothing was sent") as raised:
            await entry.__aenter__()
        return raised.value

    assert with_budgets(use).retry_after_s == 11.0


@pytest.mark.parametrize(
    ("charged", "reason", "is_sent"), [(0, "halted", True), (41, "halted", False), (41, "", True)]
)
def test_an_entry_that_waited_for_room_is_asked_for_once_more_before_the_wire(
    charged: int, reason: str, *, is_sent: bool
) -> None:
    """Trading may be stopped by then. What is not sent costs nothing; else nobody is asked."""

    async def use(budgets: Budgets, clock: VirtualClock) -> tuple[bool, int, float]:
        asked, sent = 0, False

        async def still() -> str:
            nonlocal asked
            asked += 1
            return reason

        for _ in range(charged):
            await add(budgets, is_urgent=True)
        with suppress(VenueUnavailable):
            async with budgets.transactions.adding(BTC, ["it"], is_urgent=False, still=still):
                sent = True
        return sent, asked, await level(budgets, clock)

    sent, asked, full = with_budgets(use)

    assert (sent, asked) == (is_sent, int(charged > 0))
    assert full == pytest.approx(39 + sent if charged else 1, abs=0.01)


def test_a_repricing_waits_for_no_room() -> None:
    """Its order works, and what that fills needs a stop: it is asked for again."""

    async def use(budgets: Budgets, clock: VirtualClock) -> tuple[float, float]:
        taking, order = budgets.transactions, VenueOrderId("O1")
        async with taking.adding(BTC, ["it"], is_urgent=True):
            taking.changed(order, BTC, "it")
        for _ in range(45):
            await add(budgets, is_urgent=True)
        began = clock.now()
        with pytest.raises(VenueThrottled, match="nothing was sent") as raised:
            await taking.changing("amend", order, BTC, is_urgent=False).__aenter__()
        return (clock.now() - began).total_seconds(), raised.value.retry_after_s

    took_s, more_s = with_budgets(use)

    assert took_s == 0
    assert more_s > 1


def clients(venue: kraken.Script, clock: VirtualClock) -> tuple[RestClient, RestClient]:
    """Two that share a key."""
    shared = NonceSource(clock)
    return (
        kraken.client(venue, clock=clock, coordination=shared, unlimited=False, tier="pro"),
        kraken.client(venue, clock=clock, coordination=shared, unlimited=False, tier="pro"),
    )


async def read(client: RestClient) -> Any:
    """A read."""
    return await client.private("OpenOrders", {}, wire.OpenOrders, is_write=False)


def test_a_throttled_key_is_silent_until_the_time_that_the_venue_named() -> None:
    """Also the client that was not told itself."""
    until = int(kraken.EPOCH.timestamp()) + 7
    venue = kraken.Script(
        OpenOrders=[kraken.failure(f"EService: Throttled: {until}"), OPEN],
    )

    async def run() -> list[float]:
        one, other = clients(venue, VirtualClock(kraken.EPOCH))
        loop = asyncio.get_running_loop()

        async def timed(client: RestClient) -> float:
            await read(client)
            return loop.time()

        first = asyncio.create_task(timed(one))
        await asyncio.sleep(0.1)
        return [await first, await timed(other)]

    assert min(run_virtual(run())) >= 7.0
    assert len(venue.requests) == 3


def test_nobody_asks_while_the_key_is_locked_out() -> None:
    """Asking would prolong it; after a quarter of an hour it is over."""
    venue = kraken.Script(OpenOrders=[kraken.failure("EGeneral:Temporary lockout"), OPEN])

    async def run() -> int:
        clock = VirtualClock(kraken.EPOCH)
        one, other = clients(venue, clock)
        for client in (one, other):
            with pytest.raises(VenueThrottled):
                await read(client)
        sent = len(venue.requests)
        await clock.sleep(901)
        await read(other)
        return sent

    assert run_virtual(run()) == 1


def test_many_invalid_nonces_are_too_few_to_lock_the_key() -> None:
    """Whatever two clients try for an hour, less than 20 fail in a quarter of an hour."""
    times: list[float] = []

    def refuse(_: Any) -> Any:
        times.append(asyncio.get_running_loop().time())
        return kraken.failure("EAPI:Invalid nonce")

    venue = kraken.Script(OpenOrders=refuse)

    async def run() -> None:
        clock = VirtualClock(kraken.EPOCH)
        pair = clients(venue, clock)
        while asyncio.get_running_loop().time() < 3600:
            for client in pair:
                with pytest.raises(Exception, match=r"nonce|wait"):
                    await read(client)
                await clock.sleep(1)

    run_virtual(run())

    most = max(sum(at - 900 < each <= at for each in times) for at in times)
    assert 10 < most < 20


def test_a_refusal_of_the_venue_fills_our_counter() -> None:
    """Somebody else uses the key; the next call waits for room."""
    venue = kraken.Script(OpenOrders=[kraken.failure("EAPI:Rate limit exceeded"), OPEN])

    async def run() -> float:
        one, _ = clients(venue, VirtualClock(kraken.EPOCH))
        await read(one)
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) >= 2.0


def test_who_is_refused_for_a_full_counter_stays_before_those_who_come_later() -> None:
    """A stop's position waits for the answer: a token, as urgent, is asked for a second later."""
    full = kraken.failure("EAPI:Rate limit exceeded")
    token = kraken.success({"token": "t", "expires": 900})
    venue = kraken.Script(QueryOrders=[full, kraken.success({})], GetWebSocketsToken=token)

    async def run() -> list[tuple[str, float]]:
        spot = kraken.spot(venue, unlimited=False, tier="pro")
        await spot.catalogue()
        asked: list[tuple[str, float]] = []

        async def ask(name: str, question: Awaitable[Any], after_s: float = 0.0) -> None:
            await asyncio.sleep(after_s)
            await question
            asked.append((name, round(asyncio.get_running_loop().time(), 1)))

        order = spot.orders([VenueOrderId("O1")])
        await asyncio.gather(ask("order", order), ask("token", spot.websocket_token(), 0.2))
        return asked

    assert run_virtual(run()) == [("order", 1.0), ("token", 2.0)]


HISTORY = 2 * CALL


def test_room_is_given_in_the_order_asked() -> None:
    """A dear call is not passed for ever by cheap ones, and each is told when its turn comes."""

    async def use(budgets: Budgets, clock: VirtualClock) -> list[tuple[str, float]]:
        for _ in range(14):
            assert await budgets.take_call(CALL) == 0.0
        order = []

        async def ask(name: str, cost: int) -> None:
            place = budgets.new_place()
            while (wait_s := await budgets.take_call(cost, place=place)) > 0:
                await clock.sleep(wait_s)
            order.append((name, round(asyncio.get_running_loop().time(), 1)))

        await asyncio.gather(ask("dear", HISTORY), ask("cheap", CALL), ask("last", CALL))
        return order

    # A starter's counter empties by 0.33 a second.
    assert with_budgets(use) == [("dear", 6.1), ("cheap", 9.1), ("last", 12.1)]


def test_who_dies_in_line_for_room_is_passed_over() -> None:
    """His place lapses a few seconds after his turn."""

    async def use(budgets: Budgets, clock: VirtualClock) -> list[float]:
        for _ in range(14):
            await budgets.take_call(CALL)
        waits = [await budgets.take_call(CALL, place="dead")]
        waits.append(await budgets.take_call(CALL, place="alive"))
        await clock.sleep(waits[1] + 5)
        return [*waits, await budgets.take_call(CALL, place="alive")]

    assert with_budgets(use) == pytest.approx([3.03, 6.06, 0.0], abs=0.01)


@pytest.mark.parametrize(("looks", "order_at", "others_at"), [(1, 0.0, 2.0), (9, 1.0, 3.0)])
def test_an_order_asked_for_by_itself_goes_before_other_reads(
    looks: int, order_at: float, others_at: float
) -> None:
    """It may use the margin; and of those who lost patience in line, none has a place in it.

    Of nine such questions the first one is on its way when it is given up, which the others pay.
    """
    venue = kraken.Script(BalanceEx=kraken.success({}), QueryOrders=kraken.success({}))

    async def run() -> list[tuple[str, float]]:
        spot = kraken.spot(venue, unlimited=False, tier="pro")
        await spot.catalogue()
        budgets = spot._rest.budgets
        while not await budgets.take_call(CALL, place="others"):
            pass
        budgets.leave_place("others")
        asked: list[tuple[str, float]] = []

        async def ask(name: str, question: Awaitable[Any]) -> None:
            await question
            asked.append((name, round(asyncio.get_running_loop().time(), 1)))

        other = asyncio.create_task(ask("balances", spot.balances()))
        await asyncio.sleep(0)
        for _each in range(looks - 1):
            look = asyncio.create_task(spot.orders([VenueOrderId("O1")]))
            await asyncio.sleep(0.1)
            look.cancel()
        await asyncio.gather(other, ask("order", spot.orders([VenueOrderId("O1")])))
        return asked

    assert run_virtual(run()) == [("order", order_at), ("balances", others_at)]


def test_a_command_leaves_calls_to_the_loop_beside_it() -> None:
    """A quarter of the counter, besides the one that is always free."""

    async def run() -> dict[Urgency, int]:
        clock = VirtualClock(kraken.EPOCH)
        shared = NonceSource(clock)
        taken = {}
        for urgency in (Urgency.COMMAND, Urgency.LOOP):
            budgets = Budgets(shared, clock, TIERS["pro"], urgency=urgency)
            taken[urgency] = 0
            while not await budgets.take_call(CALL, place=urgency.name):
                taken[urgency] += 1
        return taken

    assert run_virtual(run()) == {Urgency.COMMAND: 14, Urgency.LOOP: 5}


def test_the_loop_goes_before_commands_that_wait_for_room() -> None:
    """However long they have been waiting."""

    async def use(budgets: Budgets, _: VirtualClock) -> list[float]:
        for _each in range(14):
            await budgets.take_call(CALL)
        return [
            await budgets.take_call(CALL, Claim(urgency=urgency), place=urgency.name)
            for urgency in (Urgency.COMMAND, Urgency.LOOP, Urgency.COMMAND)
        ]

    assert with_budgets(use) == pytest.approx([3.03, 3.03, 6.06], abs=0.01)


def test_only_protection_goes_on_in_spite_of_our_own_caution() -> None:
    """After many invalid nonces all are silent for a while; a stop is not."""

    async def use(budgets: Budgets, _: VirtualClock) -> list[bool]:
        for _each in range(6):
            budgets.nonce_refused()
        return [
            await budgets.check_pause(Claim(urgency=urgency)) > 0
            for urgency in (Urgency.PROTECTION, Urgency.LOOP)
        ]

    assert with_budgets(use) == [False, True]


def test_a_clock_that_is_set_back_does_not_stop_the_key() -> None:
    """What a wrong clock wrote for tomorrow is not waited for; what it counted still counts."""
    tomorrow = int(kraken.EPOCH.timestamp()) + 86_400
    venue = kraken.Script(OpenOrders=[kraken.failure(f"EService: Throttled: {tomorrow + 7}"), OPEN])

    async def run() -> tuple[float, float, float]:
        wrong = VirtualClock(kraken.EPOCH + timedelta(days=1))
        keys, loop = NonceSource(wrong), asyncio.get_running_loop()
        options: dict[str, Any] = {"coordination": keys, "unlimited": False, "tier": "starter"}
        client = kraken.client(venue, clock=wrong, **options)
        for _ in range(14):
            await read(client)
        for _ in range(45):
            await add(client.budgets)
        client.budgets.refused(
            VenueThrottled("", code="EService:Throttled: 1", retry_after_s=600.0)
        )
        keys._clock = right = VirtualClock(kraken.EPOCH)
        client = kraken.client(venue, clock=right, **options)
        started = loop.time()
        pause_s = await client.budgets.check_pause()
        await add(client.budgets)
        added_at = loop.time()
        for _ in range(3):
            await read(client)
        return pause_s, added_at - started, loop.time() - added_at

    pause_s, to_add_s, to_read_s = run_virtual(run())

    assert pause_s == 0
    assert 0 < to_add_s <= 2
    assert 0 < to_read_s <= 10


# --- public endpoints


def test_commands_ask_a_public_endpoint_once_a_second_and_leave_a_loop_the_next_one() -> None:
    """Two commands and a loop: the loop never waits, the commands take turns around it."""

    async def run() -> list[tuple[str, float]]:
        clock = VirtualClock(kraken.EPOCH)
        coordination = NonceSource(clock)
        asked: list[tuple[str, float]] = []

        def client(name: str, urgency: Urgency) -> RestClient:
            def answer(_: Any) -> Any:
                asked.append((name, asyncio.get_running_loop().time()))
                return kraken.success({"XXBTZUSD": [], "last": "1"})

            return kraken.client(
                answer, clock=clock, coordination=coordination, urgency=urgency, unlimited=False
            )

        async def ask(who: RestClient, times: int) -> None:
            for _ in range(times):
                await who.public("Trades", {"pair": "XBTUSD"}, wire.Prints)

        one, other = client("one", Urgency.COMMAND), client("other", Urgency.COMMAND)
        loop = client("loop", Urgency.LOOP)

        async def later() -> None:
            await clock.sleep(2.5)
            await ask(loop, 2)

        await asyncio.gather(ask(one, 3), ask(other, 3), later())
        return asked

    asked = run_virtual(run())
    loops = [at for name, at in asked if name == "loop"]
    commands = [at for name, at in asked if name != "loop"]

    assert loops == pytest.approx([2.5, 2.5])
    assert commands == pytest.approx([0, 1, 2, 3.5, 4.5, 5.5])


@pytest.mark.parametrize(("method", "unlimited"), [("Trades", True), ("Time", False)])
def test_what_is_not_limited_is_asked_at_once(method: str, unlimited: bool) -> None:  # noqa: FBT001 - a case
    """Another endpoint, and a venue that limits nothing."""

    async def run() -> float:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(
            lambda _: kraken.success({"unixtime": 1, "rfc1123": ""}),
            clock=clock,
            urgency=Urgency.COMMAND,
            unlimited=unlimited,
        )
        for _ in range(3):
            await rest.public(method, {}, dict)
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == 0.0


def test_a_clock_that_was_set_back_holds_up_no_public_call() -> None:
    """What was written in the future is forgotten."""

    async def use(_: Budgets, clock: VirtualClock) -> float:
        ahead = clock.now() + timedelta(hours=1)
        note = budget_note.Note(public={"Trades": limits.microseconds_of(ahead)})
        return budget_note.note_at(budget_note.encoded(note), clock.now()).public.get("Trades", 0)

    assert with_budgets(use) == 0
