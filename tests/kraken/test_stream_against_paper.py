"""The feed and the order socket on the paper exchange: two programs that share no code agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from builders import BTC, d, make_instrument, make_request, make_stop_request
from paper_desk import START, change, snapshot, traded
from paper_socket import SocketDesk, at_desk, settle
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType
from zoe_tools.domain.stream import (
    BalancesSnapshot,
    BalanceUpdate,
    BookUpdate,
    CandleUpdate,
    ExecutionReport,
    ExecutionsSnapshot,
    Gap,
    InstrumentsUpdate,
    OrdersBookUpdate,
    QuoteUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.domain.wallet import MAIN
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken import strange
from zoe_tools.kraken.book import DEPTHS
from zoe_tools.kraken.order_socket import OrderSocket
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.paper.ws.connection import serve_socket
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.duplex import MemoryDuplex, duplex_pair

E = TypeVar("E")

INSTRUMENT = make_instrument()
MARKET = snapshot(["59999.9 1.0", "59999.8 2.0"], ["60000.1 1.0", "60000.2 2.0"])


class Client:
    """A feed at a desk of the exchange, and everything it said."""

    def __init__(self, desk: SocketDesk, depth: int = 25) -> None:
        self.desk = desk
        self.events: list[StreamEvent] = []
        self.ends: list[MemoryDuplex] = []
        self._serving: list[asyncio.Task[None]] = []
        self.clock = desk.exchange.clock
        self.feed = KrakenFeed(
            "public",
            "private",
            connect=self._connect,
            token=self._token,
            clock=self.clock,
            cadence=Cadence(),
            instruments={BTC: INSTRUMENT},
            subscriptions=FeedSubscriptions(
                symbols=(BTC,),
                book_depth=depth,
                instruments=True,
                candles=Timeframe.M1,
                level3_depth=10,
            ),
            level3_url="level3",
            rng=random.Random(1),
        )
        self._collecting = asyncio.create_task(self._collect())

    async def _connect(self, url: str) -> FrameDuplex:
        ours, theirs = duplex_pair()
        is_private = url == "private"
        serving = serve_socket(
            theirs, self.desk.exchange, is_private=is_private, is_level3=url == "level3"
        )
        self._serving.append(asyncio.create_task(serving))
        if is_private:
            self.ends.append(theirs)
        return ours

    async def _token(self) -> str:
        return self.desk.exchange.issue_token(self.desk.exchange.principals[0])

    async def _collect(self) -> None:
        async for event in self.feed.events():
            self.events.append(event)

    async def close(self) -> None:
        """End the feed and see the exchange hang up."""
        await self.feed.close()
        await self._collecting
        await asyncio.gather(*self._serving)

    @property
    def orders(self) -> OrderSocket:
        """The order socket."""
        assert self.feed.orders is not None
        return self.feed.orders

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


Story = Callable[[Client], Awaitable[None]]


def at_venue(story: Story, depth: int = 25) -> Client:
    """Run one story on a market of BTC around 60000 in virtual time."""

    async def told(desk: SocketDesk) -> Client:
        desk.hear(MARKET)
        client = Client(desk, depth)
        await asyncio.sleep(0.1)
        try:
            await story(client)
            await settle()
        finally:
            await client.close()
        return client

    return at_desk(told)


def test_every_channel_is_understood() -> None:
    """Both wires come up; snapshots and updates of each subscription become events."""

    async def story(client: Client) -> None:
        for step in range(1, 60):
            size = f"0.{step:08d}"
            client.desk.hear(change(bids=[f"59999.{step % 10} {size}"]))
            client.desk.hear(change(asks=[f"6000{step % 7}.5 {size}"]))
        client.desk.hear(traded("60000.1", "0.5", "buy"))
        await settle()

    client = at_venue(story)
    kinds = {type(event) for event in client.events}

    assert {each.wire for each in client.of(StreamUp)} == {"public", "private", "level3"}
    assert kinds >= {
        QuoteUpdate,
        TradeUpdate,
        BookUpdate,
        CandleUpdate,
        OrdersBookUpdate,
        InstrumentsUpdate,
        VenueModeUpdate,
    }
    assert kinds >= {ExecutionsSnapshot, BalancesSnapshot}
    assert not kinds & {Gap, StreamDown}
    assert client.feed.checksums.failed == 0
    assert client.feed.checksums.verified > 50
    assert ("USD", MAIN, d("100000")) in client.of(BalancesSnapshot)[0].holdings


def test_what_kraken_says_to_every_subscriber_is_not_told_to_the_operator() -> None:
    """Of its deprecated fields, each acknowledgement of each channel."""
    strange.forget()

    async def story(_: Client) -> None:
        await settle()

    client = at_venue(story)

    assert {each.wire for each in client.of(StreamUp)} == {"public", "private", "level3"}
    assert strange.words() == frozenset()


def test_an_order_lives_its_whole_life_over_the_wire() -> None:
    """Placed, filled, booked; a stop placed, moved, cancelled."""

    async def story(client: Client) -> None:
        deadline = client.clock.now() + timedelta(seconds=5)
        await client.orders.place(
            make_request(limit_price=d("60000.1"), quantity=d("0.0004")),
            ClientOrderId("entry"),
            deadline,
            INSTRUMENT,
        )
        stop = await client.orders.place(
            make_stop_request(quantity=d("0.0004")), ClientOrderId("stop"), deadline, INSTRUMENT
        )
        moved = OrderAmendment(venue_order_id=stop, symbol=BTC, trigger_price=d("58900"))
        assert await client.orders.amend(moved, deadline, INSTRUMENT)
        assert await client.orders.cancel(stop) == 1
        with pytest.raises(VenueRejected):
            await client.orders.cancel(stop)

    client = at_venue(story)
    reports = client.of(ExecutionReport)
    entry = [each for each in reports if each.client_order_id == "entry"]
    stop = [each for each in reports if each.client_order_id == "stop"]
    fills = [each.fill for each in entry if each.fill is not None]

    assert entry[-1].status is OrderStatus.FILLED
    assert sum(fill.quantity for fill in fills) == d("0.0004") == entry[-1].cumulative_quantity
    assert {(fill.fee_asset, fill.liquidity) for fill in fills} == {("USD", "taker")}
    assert {each.order_type for each in stop} == {OrderType.STOP_LOSS}
    assert [each.trigger_price for each in stop][-1] == d("58900")
    assert stop[-1].status is OrderStatus.CANCELED
    assert {each.entry.refid for each in client.of(BalanceUpdate)} == {f.fill_id for f in fills}


def test_what_happened_while_the_wire_was_away_is_in_the_next_snapshot() -> None:
    """Open orders again, and fills that were not told before; each fill once, by its id."""

    async def story(client: Client) -> None:
        deadline = client.clock.now() + timedelta(seconds=5)
        for name, price in (("taken", "60000.1"), ("missed", "59000"), ("resting", "58000")):
            request = make_request(limit_price=d(price))
            await client.orders.place(request, ClientOrderId(name), deadline, INSTRUMENT)
        await settle()
        await client.ends[-1].close(1001, "going away")
        client.desk.hear(traded("58999.9", "5", "sell"))
        await asyncio.sleep(1)

    client = at_venue(story)
    fills = [each for each in client.of(ExecutionReport) if each.fill]
    first, second = client.of(ExecutionsSnapshot)

    assert [each.wire for each in client.of(StreamDown)] == ["private"]
    assert first.reports == ()
    assert [each.client_order_id for each in second.reports] == ["resting"]
    assert {(each.client_order_id, each.is_snapshot) for each in fills} == {
        ("taken", False),
        ("missed", True),
    }
    assert len({each.fill.fill_id for each in fills if each.fill}) == len(fills)
    assert [(each.wire, each.channel) for each in client.of(Gap)] == [("private", "")]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_book_is_handed_on_as_deep_as_it_is_subscribed(depth: int) -> None:
    """Trimmed here: the venue sends no delete for levels that fall out of the window."""
    draw = random.Random(depth)

    async def story(client: Client) -> None:
        far = [f"{price}.0 1.0" for price in range(60001, 60001 + 1200)]
        client.desk.hear(snapshot([f"{price}.0 2.0" for price in range(58000, 59999)][::-1], far))
        for _ in range(60):
            size = draw.choice(["0", "0.5"])
            client.desk.hear(change(asks=[f"{60001 + draw.randint(0, depth)}.0 {size}"]))
            client.desk.hear(change(asks=[f"{60000}.{draw.randint(2, 9)} {size}"]))
        await settle()

    client = at_venue(story, depth)
    last = client.of(BookUpdate)[-1].book

    assert (len(last.bids), len(last.asks)) == (depth, depth)
    assert [each.price for each in last.asks] == sorted(each.price for each in last.asks)
    assert client.feed.checksums.failed == 0
    assert client.feed.checksums.verified > 100


def test_a_queue_keeps_its_order_while_orders_come_shrink_and_go() -> None:
    """Order by order, the sum over every queue of ten levels agrees after each change."""
    draw = random.Random(8)

    async def story(client: Client) -> None:
        for step in range(200):
            price = draw.choice(["59999.9", "59999.8", "59999.5", "59998.7"])
            client.desk.hear(change(bids=[f"{price} {draw.randint(0, 3)}.5"]))
            if step % 9 == 0:
                deadline = client.clock.now() + timedelta(seconds=5)
                request = make_request(limit_price=d("59999.8"))
                await client.orders.place(
                    request, ClientOrderId(f"own-{step}"), deadline, INSTRUMENT
                )
            if step % 5 == 0:
                client.desk.hear(traded(price, "0.7", "sell"))
            await asyncio.sleep(0.3)

    client = at_venue(story)
    books = [each.book for each in client.of(OrdersBookUpdate)]

    assert client.of(Gap) == []
    assert client.feed.checksums.failed == 0
    assert len(books) > 100
    assert max(len(each.bids) for each in books) > 10
    assert all(
        [one.price for one in each.bids] == sorted((one.price for one in each.bids), reverse=True)
        for each in books
    )


def test_a_candle_is_final_when_the_next_one_has_begun() -> None:
    """The venue never says so itself."""

    async def story(client: Client) -> None:
        for minute, price in enumerate(("60000.1", "60000.2", "60000.1")):
            client.desk.hear(traded(price, "0.5", "buy", START + minute * 61 * 10**9))
            await asyncio.sleep(61)

    client = at_venue(story)
    candles = [one for each in client.of(CandleUpdate) for one in each.candles]
    final = [each for each in candles if each.is_final]

    assert len({each.opened_at for each in final}) == len(final) >= 2
    assert not candles[-1].is_final
    assert candles[-1].opened_at > final[-1].opened_at
