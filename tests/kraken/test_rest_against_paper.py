"""The REST client and the paper exchange, two readings of one dialect that share no code, agree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import d
from paper_venue import visited
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.money import plain
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderStatus, OrderType, Side
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock

BTC = Symbol("BTC/USD")


def traded(use: Callable[[KrakenSpot, VirtualClock], Awaitable[Any]]) -> Any:
    """What a use of the venue port brings."""
    return visited(lambda venue: use(venue.spot, venue.clock))


def order(kind: OrderType, limit_price: Decimal | None = None) -> OrderRequest:
    """A buy of 0.01 BTC."""
    return OrderRequest(
        symbol=BTC, side=Side.BUY, order_type=kind, quantity=d("0.01"), limit_price=limit_price
    )


def client_id(number: int) -> ClientOrderId:
    """A client id."""
    return ClientOrderId(f"11112222-3333-4444-8555-{number:012d}")


def test_the_public_market_is_read() -> None:
    """Every public method is understood, and the parts fit together."""

    async def use(venue: KrakenSpot, clock: VirtualClock) -> None:
        instrument = (await venue.catalogue()).resolve("xbtusd")
        (quote,) = await venue.quotes([BTC])
        book = await venue.book(BTC)
        candles = await venue.candles(BTC, Timeframe.M1)
        trades, last = await venue.trades(BTC)

        assert await venue.server_time() == clock.now()
        assert await venue.mode() is VenueMode.ONLINE
        assert (book.bids[0].price, book.asks[0].price) == (quote.bid, quote.ask)
        assert instrument.is_on_tick(quote.bid)
        assert [each.is_final for each in candles].count(False) == 1
        assert trades[-1].price == quote.last
        assert (await venue.trades(BTC, last))[0] == ()

    traded(use)


def test_a_round_trip_is_told_alike_by_orders_fills_ledger_and_balances() -> None:
    """Bought at the market: four answers, one story, to the last digit."""

    async def use(venue: KrakenSpot, clock: VirtualClock) -> None:
        deadline = clock.now() + timedelta(seconds=5)
        buy = order(OrderType.MARKET)
        placed = await venue.place(buy, client_order_id=client_id(1), deadline=deadline)
        await clock.sleep(5)

        (closed,) = await venue.closed_orders(client_order_id=client_id(1))
        fills = await venue.fills()
        entries = await venue.ledger()
        totals = {each.asset: each.total for each in await venue.balances()}

        assert (closed.venue_order_id, closed.status) == (placed, OrderStatus.FILLED)
        assert {each.venue_order_id for each in fills} == {placed}
        assert closed.filled_quantity == sum(each.quantity for each in fills) == d("0.01")
        assert closed.cost == sum(each.cost for each in fills)
        assert closed.fee == sum(each.fee for each in fills) > 0
        spent = [each for each in entries if each.kind == "trade" and each.asset == "USD"]
        assert {each.refid for each in spent} == {each.fill_id for each in fills}
        assert plain(totals["USD"]) == plain(spent[0].balance)
        assert totals["BTC"] == d("0.01")

    traded(use)


def test_an_order_is_amended_in_place_and_cancelled_once() -> None:
    """The id stays; a second cancel is a definite no; validation leaves nothing behind."""

    async def use(venue: KrakenSpot, clock: VirtualClock) -> None:
        deadline = clock.now() + timedelta(seconds=5)
        bid = order(OrderType.LIMIT, limit_price=d("30000"))
        assert await venue.validate(bid) == "buy 0.01000000 XBTUSD @ limit 30000.0"
        assert await venue.open_orders() == ()

        placed = await venue.place(bid, client_order_id=client_id(1), deadline=deadline)
        change = OrderAmendment(venue_order_id=placed, symbol=BTC, limit_price=d("31000"))
        await venue.amend(change, deadline=deadline)

        (resting,) = await venue.open_orders(client_id(1))
        assert (resting.venue_order_id, resting.limit_price) == (placed, d("31000"))
        assert await venue.cancel(placed) == 1
        with pytest.raises(VenueRejected, match="EOrder"):
            await venue.cancel(placed)
        (gone,) = await venue.orders([placed])
        assert gone.status is OrderStatus.CANCELED

    traded(use)


def test_a_history_longer_than_a_page_is_whole() -> None:
    """Sixty orders, each cancelled: sixty in the history, none twice."""

    async def use(venue: KrakenSpot, clock: VirtualClock) -> int:
        bid = order(OrderType.LIMIT, limit_price=d("30000"))
        for number in range(60):
            deadline = clock.now() + timedelta(seconds=5)
            placed = await venue.place(bid, client_order_id=client_id(number), deadline=deadline)
            await venue.cancel(placed)
        return len({each.client_order_id for each in await venue.closed_orders()})

    assert traded(use) == 60
