"""Orders in bulk: batches, all at once, and the countdown that cancels them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

import kraken_answers as kraken
from builders import d
from paper_venue import PaperVenue, visited
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType, PriceOffset, Side
from zoe_tools.errors import OutcomeUnknown, VenueRejected, VenueThrottled
from zoe_tools.kraken.order_answers import BatchMember
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

BTC = Symbol("BTC/USD")
SOON = timedelta(seconds=5)
AWAY = PriceOffset(distance=d("1"), direction="+")


def bid(number: int, quantity: str = "0.01", symbol: Symbol = BTC) -> Any:
    """A bid far below the market, with its client id."""
    request = OrderRequest(
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=d(quantity),
        limit_price=d("30000"),
    )
    return ClientOrderId(f"11112222-3333-4444-8555-{number:012d}"), request


def test_a_batch_is_placed_in_order_and_each_goes_its_own_way() -> None:
    """One without funds leaves the others alive; one that makes no sense has all refused."""

    async def use(venue: PaperVenue) -> None:
        orders = venue.spot
        first, poor, last = await orders.place_batch(
            [bid(1), bid(2, "90"), bid(3)], deadline=venue.clock.now() + SOON
        )

        resting = {each.client_order_id: each for each in await venue.spot.open_orders()}
        assert resting[bid(1)[0]].venue_order_id == first.venue_order_id
        assert resting[bid(3)[0]].venue_order_id == last.venue_order_id
        assert poor.venue_order_id is None
        assert isinstance(poor.error, VenueRejected)
        assert poor.error.code == "EOrder:Insufficient funds"
        with pytest.raises(VenueRejected, match="minimum"):
            await orders.place_batch(
                [bid(4), bid(5, "0.00000001")], deadline=venue.clock.now() + SOON
            )
        assert len(await venue.spot.open_orders()) == 2
        assert await orders.cancel_all() == 2
        assert await orders.cancel_all() == 0

    visited(use)


def test_the_countdown_cancels_unless_it_is_said_again_or_switched_off() -> None:
    """It is the account's: nothing here needs to stay connected."""

    async def use(venue: PaperVenue) -> None:
        orders = venue.spot
        await orders.place_batch([bid(1), bid(2)], deadline=venue.clock.now() + SOON)
        for seconds in (60, 60, 0):
            await orders.cancel_all_after(seconds)
            await venue.clock.sleep(40)
        await venue.clock.sleep(100)
        assert len(await venue.spot.open_orders()) == 2

        await orders.cancel_all_after(30)
        await venue.clock.sleep(31)
        assert await venue.spot.open_orders() == ()

    visited(use)


def ask(script: kraken.Script, use: Callable[[KrakenSpot], Awaitable[Any]]) -> Any:
    """The answer to one call."""

    async def run() -> Any:
        return await use(kraken.spot(script))

    return run_virtual(run())


AMENDS: list[tuple[dict[str, Any], bool]] = [
    ({"limit_price": d("1")}, False),
    ({"limit_offset": AWAY}, False),
    ({"limit_price": d("1"), "quantity": d("1")}, False),
    ({"quantity": d("1")}, True),
    ({"trigger_price": d("1")}, True),
    ({"trigger_offset": AWAY}, True),
    ({"trigger_offset": AWAY, "limit_offset": AWAY}, True),
]


@pytest.mark.parametrize(("changes", "is_sent"), AMENDS)
def test_only_an_amendment_that_protects_goes_when_the_budget_of_its_pair_is_used_up(
    changes: dict[str, Any], *, is_sent: bool
) -> None:
    """An entry that is priced anew waits; a stop that is moved does not."""
    script = kraken.Script(AmendOrder=kraken.success({"amend_id": "T"}))
    change = OrderAmendment(venue_order_id=VenueOrderId("O1"), symbol=BTC, **changes)

    async def run() -> None:
        clock = VirtualClock(kraken.EPOCH)
        rest = kraken.client(script, clock=clock, unlimited=False)
        for _ in range(60):
            async with rest.budgets.transactions.adding(BTC, ["it"], is_urgent=True):
                pass
        deadline = clock.now() + SOON
        with nullcontext() if is_sent else pytest.raises(VenueThrottled):
            await KrakenSpot(rest, clock).amend(change, deadline=deadline)

    run_virtual(run())

    assert len(script.seen("AmendOrder")) == is_sent


def test_what_the_venue_does_not_tell_of_an_order_is_unknown() -> None:
    """Neither id nor error, a strange error, or fewer orders than were sent."""
    rows = [{"descr": {}}, {"error": "EOrder:Something new"}]
    script = kraken.Script(
        AddOrderBatch=[kraken.success({"orders": rows}), kraken.success({"orders": rows[:1]})]
    )

    async def twice(orders: KrakenSpot) -> tuple[BatchMember, ...]:
        told = await orders.place_batch([bid(1), bid(2)], deadline=kraken.EPOCH + SOON)
        with pytest.raises(OutcomeUnknown, match="1 of the 2"):
            await orders.place_batch([bid(1), bid(2)], deadline=kraken.EPOCH + SOON)
        return told

    members = ask(script, twice)

    assert [each.client_order_id for each in members] == [bid(1)[0], bid(2)[0]]
    assert [type(each.error) for each in members] == [OutcomeUnknown, OutcomeUnknown]


@pytest.mark.parametrize(
    "orders",
    [
        [],
        [bid(1)],
        [bid(number) for number in range(16)],
        [bid(1), bid(2, symbol=Symbol("ETH/USD"))],
    ],
)
def test_what_is_no_batch_is_not_sent(orders: Any) -> None:
    """Two to fifteen orders of one instrument."""
    script = kraken.Script()

    with pytest.raises(ValueError, match="no batch"):
        ask(script, lambda venue: venue.place_batch(orders, deadline=kraken.EPOCH + SOON))
    assert script.requests == []
