"""One order, sent by zoe's client, by those of others and by bare sockets, to one exchange."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import ccxt.pro
from kraken.spot import SpotWSClient, Trade

from conformance_venue import until
from paper_load import Child, connect, order_message, post, rest_request, ws_frame
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.duplex import connect_socket

SYMBOL, PAIR = "BTC/USD", "XBTUSD"
QUANTITY, PRICE = "0.001", "60000.0"
Send = Callable[[], Awaitable[None]]
"""Sends one order and returns when the venue has taken it."""

_ZOE_REST, _ZOE, _CCXT, _SDK, _RAW = 1, 2, 3, 4, 5
_PATIENCE_S = 30.0


@asynccontextmanager
async def ways(target: Child) -> AsyncIterator[dict[str, Send]]:
    """Every way to place an order, connected and warm."""
    async with AsyncExitStack() as stack:
        known: dict[str, Send] = {}
        for each in (_raw, _zoe, _ccxt, _sdk):
            known.update(await stack.enter_async_context(each(target)))
        yield known


@asynccontextmanager
async def _raw(target: Child) -> AsyncIterator[dict[str, Send]]:
    """Bare sockets with requests that are ready: the floor of either wire."""
    key = target.keys[_RAW]
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    socket = await connect(target.port, "/v2/private")
    nonce = time.time_ns()

    async def rest() -> None:
        nonlocal nonce
        nonce += 1
        answer = await post(reader, writer, rest_request(key, nonce, "buy", QUANTITY, PRICE))
        assert not answer["error"], answer

    frame = ws_frame(json.dumps(order_message(key, 1, "buy", QUANTITY, PRICE)))

    async def ws() -> None:
        socket.writer.write(frame)
        while b'"add_order"' not in (text := await socket.read()):
            pass
        assert b'"success":true' in text, text

    try:
        yield {"bare socket, REST kept alive": rest, "bare socket, WebSocket": ws}
    finally:
        for each in (writer, socket.writer):
            each.close()
            await each.wait_closed()


@asynccontextmanager
async def _zoe(target: Child) -> AsyncIterator[dict[str, Send]]:
    """`KrakenSpot` over REST alone, and with the private wire up; a key for each."""
    clock = SystemClock()
    alone, rest = (_rest_client(target, key, clock) for key in (_ZOE_REST, _ZOE))
    spot = KrakenSpot(rest, clock)
    by_rest = KrakenSpot(alone, clock)
    instrument = (await spot.catalogue()).resolve(SYMBOL)
    feed = KrakenFeed(
        f"ws://127.0.0.1:{target.port}/v2",
        f"ws://127.0.0.1:{target.port}/v2/private",
        connect=connect_socket,
        token=spot.websocket_token,
        clock=clock,
        cadence=Cadence(),
        instruments={instrument.symbol: instrument},
        # No books: the others follow none, and all pay for what anybody follows.
        subscriptions=FeedSubscriptions(symbols=(), ticker=False, trades=False, book_depth=None),
        rng=random.Random(1),
    )
    orders = feed.orders
    assert orders is not None
    listening = asyncio.create_task(_listen(feed))
    async with asyncio.timeout(_PATIENCE_S):
        await until(lambda: orders.is_up)
    both = KrakenSpot(rest, clock, orders=orders)
    for each in (both, by_rest):
        await each.catalogue()
    names = _names("1111")
    request = OrderRequest(
        symbol=Symbol(SYMBOL),
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(QUANTITY),
        limit_price=Decimal(PRICE),
    )

    def placing(venue: KrakenSpot) -> Send:
        async def send() -> None:
            name = ClientOrderId(next(names))
            deadline = clock.now() + timedelta(seconds=30)
            assert await venue.place(request, client_order_id=name, deadline=deadline)

        return send

    try:
        yield {"zoe, REST": placing(by_rest), "zoe, WebSocket": placing(both)}
    finally:
        await feed.close()
        await listening
        await rest.aclose()
        await alone.aclose()


def _rest_client(target: Child, key: int, clock: SystemClock) -> RestClient:
    return RestClient(
        f"http://127.0.0.1:{target.port}",
        api_key=target.keys[key]["api_key"],
        api_secret=target.keys[key]["api_secret"],
        clock=clock,
        coordination=NonceSource(clock),
        unlimited=True,
    )


async def _listen(feed: KrakenFeed) -> None:
    async for _ in feed.events():
        pass


@asynccontextmanager
async def _ccxt(target: Child) -> AsyncIterator[dict[str, Send]]:
    """Ccxt's asynchronous client, and ccxt.pro with orders over its socket."""
    rest, ws = f"http://127.0.0.1:{target.port}", f"ws://127.0.0.1:{target.port}/v2"
    private = f"{ws}/private"
    sockets = {"public": ws, "publicV2": ws, "private": private, "privateV2": private}
    key = target.keys[_CCXT]
    client = ccxt.pro.kraken(
        {
            "apiKey": key["api_key"],
            "secret": key["api_secret"],
            "urls": {"api": {"public": rest, "private": rest, "ws": sockets}},
            "enableRateLimit": False,
        }
    )
    order = (SYMBOL, "limit", "buy", float(QUANTITY), float(PRICE))

    async def by_rest() -> None:
        assert (await client.create_order(*order))["id"]

    async def by_ws() -> None:
        assert (await client.create_order_ws(*order))["id"]

    try:
        await client.load_markets()
        yield {"ccxt, REST": by_rest, "ccxt.pro, WebSocket": by_ws}
    finally:
        await client.close()


def _names(start: str) -> Iterator[str]:
    """UUIDs that no other way uses."""
    return (f"{start}2222-3333-4444-8555-{number:012d}" for number in count())


def _deadline() -> str:
    return (SystemClock().now() + timedelta(seconds=30)).isoformat(timespec="milliseconds")


class _Talk(SpotWSClient):  # type: ignore[misc]  # untyped here
    """python-kraken-sdk's socket; it hands every message to one method."""

    answered: asyncio.Future[Mapping[str, Any]] | None = None

    async def on_message(self, message: Any) -> None:
        """An answer to an order ends the wait for it."""
        if message.get("method") == "add_order" and self.answered is not None:
            self.answered.set_result(message)


@asynccontextmanager
async def _sdk(target: Child) -> AsyncIterator[dict[str, Send]]:
    """python-kraken-sdk: its blocking `Trade`, and its socket with the order that zoe sends."""
    key = target.keys[_SDK]
    rest, ws = f"http://127.0.0.1:{target.port}", f"ws://127.0.0.1:{target.port}"
    keys = {"key": key["api_key"], "secret": key["api_secret"]}
    trade = Trade(url=rest, **keys)
    talk = _Talk(**keys, rest_url=rest, ws_url=ws, auth_ws_url=f"{ws}/auth")
    fields = {"order_type": "limit", "side": "buy", "symbol": SYMBOL}
    params = {**fields, "order_qty": float(QUANTITY), "limit_price": float(PRICE)}
    names = _names("2222")

    async def by_rest() -> None:
        answer = trade.create_order(
            ordertype="limit", side="buy", pair=PAIR, volume=QUANTITY, price=PRICE
        )
        assert answer["txid"]

    async def by_ws() -> None:
        named = {"cl_ord_id": next(names), "deadline": _deadline()}
        talk.answered = asyncio.get_running_loop().create_future()
        await talk.send_message({"method": "add_order", "params": params | named})
        answer = await talk.answered
        assert answer["success"], answer

    try:
        async with asyncio.timeout(_PATIENCE_S):
            await talk.start()
        yield {"python-kraken-sdk, REST": by_rest, "python-kraken-sdk, WebSocket": by_ws}
    finally:
        await talk.close()
