"""Over a real socket the answer to an order passes what the venue streamed before it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from feed_rig import NEW, TICKER, execution
from websockets.asyncio.server import ServerConnection, serve

from builders import BTC, make_instrument, make_request
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.stream import ExecutionReport, QuoteUpdate, StreamEvent
from zoe_tools.errors import VenueRejected
from zoe_tools.kraken import stream
from zoe_tools.kraken.order_socket import OrderSocket
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.duplex import connect_socket

PLACED = {"method": "add_order", "success": True, "result": {"order_id": "OAAAAA-AAAAA-AAAAA1"}}
REFUSED = {"method": "add_order", "success": False, "error": "EOrder:Insufficient funds"}
BROKEN = '{"method":"add_order","req_id":'


class Desk:
    """A feed, its reader, and what the reader has read."""

    def __init__(self, feed: KrakenFeed) -> None:
        self.feed = feed
        self.events: list[StreamEvent] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._has_read = asyncio.Event()

    @property
    def orders(self) -> OrderSocket:
        """The private wire."""
        assert self.feed.orders is not None
        return self.feed.orders

    async def read(self) -> None:
        """Read events, whenever that is allowed."""
        async for event in self.feed.events():
            self.events.append(event)
            self._has_read.set()
            await self.may_read.wait()

    async def place(self) -> str:
        """Place an order."""
        deadline = SystemClock().now() + timedelta(seconds=30)
        return await self.orders.place(
            make_request(), ClientOrderId("ours"), deadline, make_instrument()
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Read on until it is so."""
        async with asyncio.timeout(10):
            while not is_so():
                self._has_read.clear()
                await self._has_read.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def desk(*before: dict[str, Any] | str, answer: dict[str, Any]) -> AsyncIterator[Desk]:
    """A desk at a venue that says all this before it answers an order."""
    public: list[ServerConnection] = []

    async def handle(socket: ServerConnection) -> None:
        async for text in socket:
            asked = json.loads(text)
            if asked["method"] == "add_order":
                await public[0].send(json.dumps(TICKER))
                for each in before:
                    await socket.send(each if isinstance(each, str) else json.dumps(each))
                await socket.send(json.dumps({**answer, "req_id": asked["req_id"]}))
                continue
            channel = asked["params"]["channel"]
            if channel == "ticker":
                public.append(socket)
            result = {"channel": channel}
            if "symbol" in asked["params"]:
                result["symbol"] = asked["params"]["symbol"][0]
            ack = {"method": "subscribe", "success": True, "result": result}
            await socket.send(json.dumps({**ack, "req_id": asked["req_id"]}))

    async def token() -> str:
        return "a token"

    async with serve(handle, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        feed = KrakenFeed(
            url,
            url,
            connect=connect_socket,
            token=token,
            clock=SystemClock(),
            cadence=Cadence(),
            instruments={BTC: make_instrument()},
            subscriptions=FeedSubscriptions(symbols=(BTC,), trades=False, book_depth=None),
            rng=random.Random(1),
        )
        ours = Desk(feed)
        reading = asyncio.create_task(ours.read())
        await ours.until(lambda: ours.orders.is_up and len(public) > 0)
        try:
            yield ours
        finally:
            await feed.close()
            ours.may_read.set()
            await reading


def at(
    use: Callable[[Desk], Awaitable[None]], *before: dict[str, Any] | str, **answer: Any
) -> None:
    """Use a desk at a venue that says all this before it answers an order with `answer`."""

    async def run() -> None:
        async with asyncio.timeout(20), desk(*before, answer=answer) as ours:
            await use(ours)

    asyncio.run(run())


def test_an_answer_is_here_before_what_was_streamed_ahead_of_it() -> None:
    """On both wires; afterwards all of that is told, in its own order."""
    streamed = [execution(number, **NEW) for number in range(1, 6)]

    async def use(ours: Desk) -> None:
        assert await ours.place() == "OAAAAA-AAAAA-AAAAA1"
        assert (ours.of(ExecutionReport), ours.of(QuoteUpdate)) == ([], [])
        assert ours.orders.is_waiting is False
        await ours.until(lambda: len(ours.of(ExecutionReport)) == 5)
        await ours.until(lambda: len(ours.of(QuoteUpdate)) == 1)

    at(use, *streamed, **PLACED)


def test_a_reader_who_is_busy_keeps_no_order_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """He may himself be the one who waits for the answer."""
    monkeypatch.setattr(stream, "QUEUE_EVENTS", 3)
    streamed = [execution(number, **NEW) for number in range(1, 11)]

    async def use(ours: Desk) -> None:
        ours.may_read.clear()
        async with asyncio.timeout(2):
            await ours.place()
            await ours.place()
        assert len(ours.of(ExecutionReport)) <= 1

    at(use, *streamed, **PLACED)


def test_a_refusal_passes_as_well() -> None:
    """It is an answer as any other."""

    async def use(ours: Desk) -> None:
        with pytest.raises(VenueRejected, match="Insufficient funds"):
            await ours.place()

    at(use, execution(1, **NEW), **REFUSED)


def test_what_cannot_be_read_waits_for_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of in the log, and costs neither the answer nor the wire."""

    async def use(ours: Desk) -> None:
        await ours.place()
        await ours.until(lambda: len(ours.of(ExecutionReport)) == 1)
        assert "not a JSON object" in caplog.text
        await ours.place()

    at(use, BROKEN, execution(1, **NEW), **PLACED)
