"""The venue's live streams as one sequence of verified domain events.

A book is handed on only when its checksum agrees; a gap in a private sequence drops the wire, and
the fresh snapshot after the reconnect tells what was missed. The queue is bounded and nothing is
dropped from it: a slow reader slows the wires down, and the venue's own limits end those that are
too slow. Source: kraken-spot sections 10 and 11.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.stream import (
    Backlog,
    ChecksumTally,
    Gap,
    StreamDown,
    StreamEvent,
    StreamUp,
    Wire,
)
from zoe_tools.kraken.book import DEPTHS
from zoe_tools.kraken.connection import Connection, Subscription
from zoe_tools.kraken.level3 import LEVEL3_DEPTHS
from zoe_tools.kraken.level3_channel import Level3Channel
from zoe_tools.kraken.order_socket import OrderSocket
from zoe_tools.kraken.private_channels import PrivateChannels
from zoe_tools.kraken.public_channels import PublicChannels
from zoe_tools.kraken.reconnect import AttemptBudget, ReconnectPolicy
from zoe_tools.kraken.server_time import ServerTime
from zoe_tools.kraken.transactions import Transactions
from zoe_tools.kraken.wire_stream import Frame
from zoe_tools.ports import Clock, Connect

QUEUE_EVENTS = 10_000
"""Events that may wait for the reader before the wires wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSubscriptions:
    """What to follow; None follows no books, no candles, no books order by order.

    Depths in levels a side: 10, 25, 100, 500 or 1000 for books, 10, 100 or 1000 order by order.
    """

    symbols: tuple[Symbol, ...]
    ticker: bool = True
    trades: bool = True
    book_depth: int | None = 25
    instruments: bool = False
    candles: Timeframe | None = None
    level3_depth: int | None = None
    tells_books: bool = True
    """Whether the reader hears of each change of a book, or has them checked alone."""

    def __post_init__(self) -> None:
        """Depths that the venue does not serve are refused before a byte leaves."""
        for depth, served in ((self.book_depth, DEPTHS), (self.level3_depth, LEVEL3_DEPTHS)):
            if depth is not None and depth not in served:
                raise ValueError(f"No book of {depth} levels is served; there are {served}.")

    def public(self) -> tuple[Subscription, ...]:
        """The public subscriptions."""
        wanted: list[Subscription] = []
        if self.ticker:
            wanted.append(self._of("ticker", {"event_trigger": "bbo", "snapshot": True}))
        if self.trades:
            wanted.append(self._of("trade", {"snapshot": False}))
        if self.book_depth is not None:
            wanted.append(self._of("book", {"depth": self.book_depth, "snapshot": True}))
        if self.candles is not None:
            options = {"interval": self.candles.minutes, "snapshot": True}
            wanted.append(self._of("ohlc", options))
        if self.instruments:
            wanted.append(Subscription(channel="instrument", options={"snapshot": True}))
        return tuple(wanted)

    def level3(self) -> tuple[Subscription, ...]:
        """The subscriptions of the level3 connection."""
        return (self._of("level3", {"depth": self.level3_depth, "snapshot": True}),)

    def _of(self, channel: str, options: Mapping[str, object]) -> Subscription:
        return Subscription(channel=channel, symbols=self.symbols, options=options)


PRIVATE = (
    Subscription(
        channel="executions",
        options={
            "snap_orders": True,
            "snap_trades": True,
            "order_status": True,
            "ratecounter": True,
        },
    ),
    Subscription(channel="balances", options={"snapshot": True}),
)


class _Failed:
    """A wire that ended with an error, on its way to the reader."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Ended:
    """The feed was closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wiring:
    """What the connections of one feed share."""

    connect: Connect
    cadence: Cadence
    rng: random.Random
    token: Callable[[], Awaitable[str]] | None
    budget: AttemptBudget


class KrakenFeed:
    """Implements `ports.Feed`; `orders` sends orders over the private wire while it is up."""

    def __init__(
        self,
        public_url: str,
        private_url: str | None,
        *,
        connect: Connect,
        token: Callable[[], Awaitable[str]] | None,
        clock: Clock,
        cadence: Cadence,
        instruments: Mapping[Symbol, Instrument],
        subscriptions: FeedSubscriptions,
        rng: random.Random,
        server_time: ServerTime | None = None,
        level3_url: str | None = None,
        transactions: Transactions | None = None,
    ) -> None:
        self._clock = clock
        self.server_time = server_time or ServerTime()
        self._queue: asyncio.Queue[StreamEvent | _Failed | _Ended] = asyncio.Queue(QUEUE_EVENTS)
        self._is_closed = False
        self._public = PublicChannels(
            instruments,
            depth=subscriptions.book_depth,
            tells_books=subscriptions.tells_books,
            patience_s=cadence.stream_silence_s,
            clock=clock,
            emit=self.announce,
        )
        self._connections: list[Connection] = []
        wiring = _Wiring(
            connect=connect, cadence=cadence, rng=rng, token=token, budget=AttemptBudget()
        )
        connection = self._add(
            wiring,
            "public",
            public_url,
            subscriptions.public(),
            self._public.on_frame,
            self._public.reset,
        )
        self._public.mending.attach(connection)
        self.orders: OrderSocket | None = None
        if private_url is not None:
            private = PrivateChannels(clock=clock, emit=self.announce, transactions=transactions)
            on_frame = self._private_frame(private)
            connection = self._add(wiring, "private", private_url, PRIVATE, on_frame, private.reset)
            self.orders = OrderSocket(connection, clock)
        self._level3: Level3Channel | None = None
        if level3_url is not None and subscriptions.level3_depth is not None:
            self._level3 = self._level3_at(level3_url, wiring, subscriptions, instruments)

    @property
    def checksums(self) -> ChecksumTally:
        """Book checksums so far, of whole levels and order by order."""
        told = self._public.mending.tally
        if self._level3 is None:
            return told
        more = self._level3.mending.tally
        return ChecksumTally(
            verified=told.verified + more.verified, failed=told.failed + more.failed
        )

    @property
    def backlog(self) -> Backlog:
        """What waits for the reader; nothing is dropped, the wires wait where there is no room."""
        return Backlog(waiting=self._queue.qsize(), room=QUEUE_EVENTS)

    def is_stale(self, symbol: Symbol) -> bool:
        """Whether the book is not vouched for now: its wire is away, or its checksum failed."""
        return self._public.is_stale(symbol)

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Stream events until `close`. One reader.

        Raises:
            VenueRejected: the venue refused a subscription or closed a wire for good.
        """
        tasks = [asyncio.create_task(self._run(each)) for each in self._connections]
        try:
            while not (self._is_closed and self._queue.empty()):
                event = await self._queue.get()
                if isinstance(event, _Ended):
                    return
                if isinstance(event, _Failed):
                    raise event.error
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.orders is not None:
                self.orders.on_lost("the feed has ended")

    async def close(self) -> None:
        """Stop all wires; the event iterator ends after what still waits. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        for connection in self._connections:
            await connection.close()
        if not self._queue.full():  # a full one is read to its end, and no reader waits there
            self._queue.put_nowait(_Ended())

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        except Exception as error:  # noqa: BLE001 - handed to the reader, who decides
            await self._queue.put(_Failed(error))

    def _add(
        self,
        wiring: _Wiring,
        wire: Wire,
        url: str,
        subscriptions: tuple[Subscription, ...],
        on_frame: Callable[[Frame], Awaitable[None]],
        on_reset: Callable[[], None],
    ) -> Connection:
        connection = Connection(
            url,
            subscriptions,
            _WireHandler(self, wire, on_frame, on_reset),
            connect=wiring.connect,
            clock=self._clock,
            cadence=wiring.cadence,
            policy=ReconnectPolicy(wiring.rng, wiring.budget),
            token=None if wire == "public" else wiring.token,
            server_time=self.server_time,
        )
        self._connections.append(connection)
        return connection

    def _level3_at(
        self,
        url: str,
        wiring: _Wiring,
        subscriptions: FeedSubscriptions,
        instruments: Mapping[Symbol, Instrument],
    ) -> Level3Channel:
        channel = Level3Channel(
            instruments,
            depth=subscriptions.level3_depth or 0,
            patience_s=wiring.cadence.stream_silence_s,
            clock=self._clock,
            emit=self.announce,
        )
        connection = self._add(
            wiring, "level3", url, subscriptions.level3(), channel.on_frame, channel.reset
        )
        channel.mending.attach(connection)
        return channel

    def _private_frame(self, private: PrivateChannels) -> Callable[[Frame], Awaitable[None]]:
        async def on_frame(frame: Frame) -> None:
            if frame.method and self.orders is not None:
                self.orders.on_reply(frame)
            else:
                await private.on_frame(frame)

        return on_frame

    async def announce(self, event: StreamEvent) -> None:
        """Put an event before the reader."""
        if not self._is_closed:
            await self._queue.put(event)

    def now(self) -> datetime:
        """The venue's time."""
        return self._clock.now()


class _WireHandler:
    """Tells the reader when a wire comes and goes."""

    def __init__(
        self,
        feed: KrakenFeed,
        wire: Wire,
        on_frame: Callable[[Frame], Awaitable[None]],
        on_reset: Callable[[], None],
    ) -> None:
        self._feed = feed
        self._wire = wire
        self._on_frame = on_frame
        self._on_reset = on_reset
        self._heard_at: datetime | None = None
        self._is_away = False

    async def on_frame(self, frame: Frame) -> None:
        self._heard_at = self._feed.now()
        orders = self._feed.orders
        if orders is not None and orders.is_waiting and self._wire != "private":
            await asyncio.sleep(0)  # an answer to an order that is here already goes first
        await self._on_frame(frame)

    async def on_up(self) -> None:
        if self._is_away and self._heard_at is not None:
            await self._feed.announce(
                Gap(
                    wire=self._wire,
                    channel="",
                    since=self._heard_at,
                    until=self._feed.now(),
                    cause="the wire was away",
                )
            )
        self._is_away = False
        await self._feed.announce(StreamUp(wire=self._wire, at=self._feed.now()))

    async def on_down(self, reason: str) -> None:
        self._on_reset()
        self._is_away = True
        if self._wire == "private" and self._feed.orders is not None:
            self._feed.orders.on_lost(reason)
        await self._feed.announce(StreamDown(wire=self._wire, at=self._feed.now(), reason=reason))
