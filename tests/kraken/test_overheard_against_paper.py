"""Others trade on the account: what the stream and OpenOrders tell of them moves our counters.

Kraken-spot sections 3.2 and 11.1; the exchange's own counter is the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from test_stream_against_paper import MARKET, Client
from test_transactions_against_paper import Trader

from builders import BTC, d
from paper_desk import ask_for
from paper_socket import SocketDesk, at_desk, settle
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderTerms, OrderType
from zoe_tools.kraken.limits import CALL
from zoe_tools.kraken.stream import KrakenFeed
from zoe_tools.paper.exchange.exchange import ExchangeOptions
from zoe_tools.paper.values.order import AmendOrder
from zoe_tools.paper.values.quirks import Quirks


class Neighbour:
    """Somebody who trades on the same account and shares nothing with us."""

    def __init__(self, desk: SocketDesk) -> None:
        self._exchange, self._account = desk.exchange, desk.account_id

    def place(self) -> str:
        """An order that rests."""
        asked = ask_for("buy", "0.001", "50000.0")
        return str(self._exchange.add_order(self._account, asked).order_id)

    def amend(self, order_id: str) -> None:
        """Its price."""
        change = AmendOrder(order_id=order_id, limit_price=d("50001"))
        self._exchange.amend_order(self._account, change)

    def cancel(self, order_id: str) -> None:
        """One of his, or of ours."""
        self._exchange.cancel_order(self._account, order_id=order_id)


Story = Callable[[Trader, Neighbour], Awaitable[None]]


def beside(
    story: Story, *, wire: str = "socket", listens: bool = True, field: str = "ratecount"
) -> None:
    """Tell a story at an account on which somebody else trades."""

    async def told(desk: SocketDesk) -> None:
        desk.hear(MARKET)
        client = Client(desk)
        await asyncio.sleep(0.1)
        trader = Trader(client, wire)
        if listens:
            _listen(client.feed, trader)
        await story(trader, Neighbour(desk))
        await client.close()
        await trader.rest.aclose()

    quirks = Quirks(rate_count_field=field)
    at_desk(told, options=ExchangeOptions(tier="pro", quirks=quirks))


def _listen(feed: KrakenFeed, trader: Trader) -> None:
    """The feed was there before the client that knows the budgets."""
    private: Any = feed._connections[1]._handler
    channels = private._on_frame.__closure__
    for cell in channels:
        if type(cell.cell_contents).__name__ == "PrivateChannels":
            cell.cell_contents._transactions = trader.rest.budgets.transactions


@pytest.mark.parametrize("field", ["ratecount", "unheard_of"])
@pytest.mark.parametrize("age_s", [1, 7, 20, 60])
def test_orders_of_others_cost_us_what_they_cost_there(age_s: int, field: str) -> None:
    """Placed, amended, cancelled: with the venue's count and without, call after call the same."""

    async def story(trader: Trader, other: Neighbour) -> None:
        order = other.place()
        await settle()
        await trader.agree()
        for step in (other.amend, other.cancel):
            await trader.clock.sleep(age_s)
            step(order)
            await settle()
            await trader.agree()

    beside(story, field=field)


def test_an_order_of_ours_that_others_cancel_costs_its_age() -> None:
    """And is no longer ours to cancel."""

    async def story(trader: Trader, other: Neighbour) -> None:
        order = await trader.place()
        await trader.clock.sleep(6)
        other.cancel(order)
        await settle()
        await trader.agree()

    beside(story)


@pytest.mark.parametrize("wire", ["socket", "rest"])
def test_what_we_do_ourselves_is_not_counted_again_when_it_is_heard(wire: str) -> None:
    """Placed, amended, edited, in a batch, cancelled: the stream tells of all of it."""

    async def story(trader: Trader, _: Neighbour) -> None:
        venue = trader.venue
        order = await trader.place()
        await settle()
        await trader.agree()
        change = OrderAmendment(venue_order_id=order, symbol=BTC, limit_price=d("50001"))
        await venue.amend(change, deadline=trader.deadline)
        await settle()
        await trader.agree()
        named = await trader.place(terms=OrderTerms(userref=7))
        edit = OrderEdit(
            venue_order_id=named, symbol=BTC, order_type=OrderType.LIMIT, limit_price=d("50002")
        )
        edited = await venue.edit(edit, deadline=trader.deadline)
        await settle()
        await trader.agree()
        await venue.cancel_batch([order, edited.venue_order_id])
        await settle()
        await trader.agree()
        await trader.place()
        await venue.cancel_all()
        await settle()
        await trader.agree()

    beside(story, wire=wire)


def test_a_higher_count_of_the_venue_becomes_ours() -> None:
    """Whoever filled the counter, and however: the next report says how full it is."""

    async def story(trader: Trader, other: Neighbour) -> None:
        desk = trader.client.desk
        with desk.exchange._charged(desk.account_id, BTC, fixed=100_000_000_000 * 90):
            pass
        other.place()
        await settle()
        await trader.agree()

    beside(story)


def test_open_orders_tell_of_others_where_nobody_listens() -> None:
    """A fresh order of somebody else's is counted once, and is dear to cancel."""

    async def story(trader: Trader, other: Neighbour) -> None:
        order = other.place()
        (seen,) = await trader.venue.open_orders()
        await trader.agree()
        await trader.venue.open_orders()
        await trader.agree()
        assert seen.venue_order_id == order
        await trader.clock.sleep(3)
        assert await trader.venue.cancel(seen.venue_order_id) == 1
        await trader.agree()
        standing = await trader.rest.budgets.standing()
        assert standing is not None
        assert standing.engine[BTC].level(trader.clock.now()) == 8 * CALL

    beside(story, wire="rest", listens=False)
