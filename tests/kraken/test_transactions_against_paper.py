"""Call after call over either wire, our counter of a pair is the exchange's, which shares no code.

Kraken-spot section 3.2: adds, batches, amendments, edits, cancels by age, all at once, the switch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from test_stream_against_paper import MARKET, Client

from builders import BTC, d, make_request, make_stop_request
from paper_socket import KEY, SECRET, SocketDesk, at_desk
from zoe_tools.config.settings import Tier
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderName, OrderTerms, OrderType
from zoe_tools.errors import VenueRejected, VenueThrottled
from zoe_tools.kraken.limits import ACCOUNT_WIDE, CALL
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.runtime.venue import in_process_transport

ENTRY = make_request(quantity=d("0.001"), limit_price=d("50000"))
NOTHING = VenueOrderId("OAAAAA-BBBBB-CCCCC1")


class Trader:
    """A client at a limited exchange, by one wire, and both counters of the pair."""

    def __init__(self, client: Client, wire: str, tier: Tier = "pro") -> None:
        self.client, self.clock = client, client.clock
        exchange = client.desk.exchange
        self.rest = RestClient(
            "http://paper",
            api_key=KEY,
            api_secret=SECRET,
            clock=client.clock,
            coordination=NonceSource(client.clock),
            transport=in_process_transport(create_app(exchange, proof_secret=None)),
            tier=tier,
        )
        orders = client.orders if wire == "socket" else None
        self.venue = KrakenSpot(self.rest, client.clock, orders=orders)
        self._count = 0
        self.compared = 0

    @property
    def deadline(self) -> datetime:
        """Five seconds from now."""
        return self.clock.now() + timedelta(seconds=5)

    def called(self) -> ClientOrderId:
        """A new client id."""
        self._count += 1
        return ClientOrderId(f"11112222-3333-4444-8555-{self._count:012d}")

    async def place(self, **changes: Any) -> VenueOrderId:
        """One order."""
        request = make_request(**{"quantity": d("0.001"), "limit_price": d("50000"), **changes})
        name = None if request.terms is not None else self.called()
        placed = await self.venue.place(request, client_order_id=name, deadline=self.deadline)
        await self.agree()
        return placed

    async def agree(self, symbol: Symbol = BTC) -> None:
        """Both counters are the same, to the last digit."""
        desk = self.client.desk
        theirs = int(desk.exchange.rate_count(desk.account_id, symbol) * CALL)
        standing = await self.rest.budgets.standing()
        assert standing is not None
        counter = standing.engine.get(symbol)
        ours = 0 if counter is None else counter.level(self.clock.now())
        assert (self.compared, ours) == (self.compared, theirs)
        self.compared += 1


Story = Callable[[Trader], Awaitable[None]]


def trading(wire: str, story: Story, *, tier: Tier = "pro") -> Trader:
    """Tell a story at a professional's account, or at one of another tier."""

    async def told(desk: SocketDesk) -> Trader:
        desk.hear(MARKET)
        client = Client(desk)
        await asyncio.sleep(0.1)
        trader = Trader(client, wire, tier)
        try:
            await story(trader)
        finally:
            await client.close()
            await trader.rest.aclose()
        return trader

    return at_desk(told, options=ExchangeOptions(tier=tier))


@pytest.fixture(params=["socket", "rest"])
def wire(request: pytest.FixtureRequest) -> str:
    """Both, one after the other."""
    return str(request.param)


@pytest.mark.parametrize("age_s", [1, 6, 12, 20, 60, 200, 301])
def test_changes_and_cancels_cost_by_the_age_of_their_order(wire: str, age_s: int) -> None:
    """Amended, then cancelled at every age of the table; refused: the fixed part."""

    async def story(trader: Trader) -> None:
        order = await trader.place()
        await trader.clock.sleep(age_s)
        change = OrderAmendment(venue_order_id=order, symbol=BTC, limit_price=d("50001"))
        await trader.venue.amend(change, deadline=trader.deadline)
        await trader.agree()
        await trader.clock.sleep(age_s)
        too_much = OrderAmendment(venue_order_id=order, symbol=BTC, quantity=d("90000"))
        with suppress(VenueRejected):
            await trader.venue.amend(too_much, deadline=trader.deadline)
        await trader.agree()
        assert await trader.venue.cancel(order) == 1
        await trader.agree()

    assert trading(wire, story).compared == 4


@pytest.mark.parametrize("age_s", [1, 12, 20, 60, 200])
def test_an_edit_costs_by_age_and_makes_a_new_order(wire: str, age_s: int) -> None:
    """The old order is gone and dear no more; the new one is as young as it is."""

    async def story(trader: Trader) -> None:
        order = await trader.place(terms=OrderTerms(userref=7))
        await trader.clock.sleep(age_s)
        edit = OrderEdit(
            venue_order_id=order, symbol=BTC, order_type=OrderType.LIMIT, limit_price=d("50002")
        )
        edited = await trader.venue.edit(edit, deadline=trader.deadline)
        await trader.agree()
        with pytest.raises(VenueRejected):
            await trader.venue.cancel(order)
        await trader.agree()
        await trader.venue.cancel(edited.venue_order_id)
        await trader.agree()

    assert trading(wire, story).compared == 4


@pytest.mark.parametrize("size", [2, 3, 15])
def test_a_batch_costs_half_a_call_an_order_and_its_cancel_by_age(wire: str, size: int) -> None:
    """Cancelled as a batch, by ids and by client ids; then what is gone costs nothing."""

    async def story(trader: Trader) -> None:
        orders = [(trader.called(), ENTRY) for _ in range(size)]
        members = await trader.venue.place_batch(orders, deadline=trader.deadline)
        await trader.agree()
        await trader.clock.sleep(3)
        names = [OrderName(client_order_id=members[0].client_order_id)]
        names += [OrderName(venue_order_id=each.venue_order_id) for each in members[1:]]
        assert await trader.venue.cancel_batch(names) == size
        await trader.agree()
        assert await trader.venue.cancel_batch(names) == 0
        await trader.agree()

    assert trading(wire, story).compared == 3


def test_several_cancels_cost_what_each_of_them_does(wire: str) -> None:
    """One of three does not exist: it is told, and costs nothing."""

    async def story(trader: Trader) -> None:
        orders = [await trader.place()]
        await trader.clock.sleep(6)
        orders.append(await trader.place())
        results = await trader.venue.cancel_each([*orders, NOTHING])
        assert [each.count for each in results] == [1, 1, 0]
        await trader.agree()

    assert trading(wire, story).compared == 3


def test_all_at_once_costs_a_call_a_pair_and_the_switch_one_of_its_own(wire: str) -> None:
    """Three orders of one pair, then none, which is free; the switch is charged to no pair."""

    async def story(trader: Trader) -> None:
        for _ in range(3):
            await trader.place()
        for expected in (3, 0):
            assert await trader.venue.cancel_all() == expected
            await trader.agree()
        for timeout_s in (60, 0):
            await trader.venue.cancel_all_after(timeout_s)
            await trader.agree(ACCOUNT_WIDE)
            await trader.agree()

    assert trading(wire, story).compared == 9


def test_what_is_refused_costs_what_the_venue_charges(wire: str) -> None:
    """No funds: the fixed part. No such order: nothing."""

    async def story(trader: Trader) -> None:
        with pytest.raises(VenueRejected, match="Insufficient funds"):
            await trader.place(quantity=d("90"))
        await trader.agree()
        change = OrderAmendment(venue_order_id=NOTHING, symbol=BTC, limit_price=d("1"))
        for call in (
            trader.venue.amend(change, deadline=trader.deadline),
            trader.venue.cancel(NOTHING),
        ):
            with pytest.raises(VenueRejected):
                await call
            await trader.agree()

    assert trading(wire, story).compared == 3


def test_a_full_budget_starves_no_stop_and_no_cancel(wire: str) -> None:
    """Entries until they are held back here: stops and cancels go on, and the venue takes them."""

    async def story(trader: Trader) -> None:
        for _ in range(135):
            await trader.place()
        soon = trader.clock.now() + timedelta(seconds=0.1)
        with pytest.raises(VenueThrottled) as held_back:
            await trader.venue.place(ENTRY, client_order_id=trader.called(), deadline=soon)
        assert held_back.value.code == "", "a code is a refusal of the exchange"
        before = trader.clock.now()
        stop = make_stop_request(quantity=d("0.001"), trigger_price=d("40000"))
        placed = await trader.venue.place(
            stop, client_order_id=trader.called(), deadline=trader.deadline
        )
        await trader.agree()
        assert await trader.venue.cancel(placed) == 1
        await trader.agree()
        assert trader.clock.now() - before < timedelta(seconds=0.1)

    trading(wire, story)


def test_a_starter_s_stop_grows_each_second_where_entries_are_held_back(wire: str) -> None:
    """The 20 points that entries leave: a stop and six amendments, and the venue takes them all."""

    async def story(trader: Trader) -> None:
        for _ in range(40):
            await trader.place()
        soon = trader.clock.now() + timedelta(seconds=0.1)
        with pytest.raises(VenueThrottled, match="has room in"):
            await trader.venue.place(ENTRY, client_order_id=trader.called(), deadline=soon)
        stop = make_stop_request(quantity=d("0.001"), trigger_price=d("40000"))
        placed = await trader.venue.place(
            stop, client_order_id=trader.called(), deadline=trader.deadline
        )
        for second in range(2, 8):
            await trader.clock.sleep(1)
            grown = OrderAmendment(venue_order_id=placed, symbol=BTC, quantity=d("0.001") * second)
            await trader.venue.amend(grown, deadline=trader.deadline)
            await trader.agree()

    assert trading(wire, story, tier="starter").compared == 46


def test_a_counter_that_somebody_else_filled_is_learned_from_the_refusal(wire: str) -> None:
    """The venue's words say that it is full: ours is, too, and the next entry waits for it."""

    async def story(trader: Trader) -> None:
        desk = trader.client.desk
        exchange = desk.exchange
        for _ in range(180):
            with exchange._charged(desk.account_id, BTC, fixed=CALL * 1000):
                pass
        with pytest.raises(VenueThrottled, match="Rate limit exceeded"):
            await trader.place()
        standing = await trader.rest.budgets.standing()
        assert standing is not None
        assert 179 * CALL < standing.engine[BTC].level(trader.clock.now()) <= 180 * CALL
        with pytest.raises(VenueThrottled, match="has room in"):
            await trader.place()

    trading(wire, story)
