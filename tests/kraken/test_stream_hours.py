"""Hours of streams on wires that fail every three minutes: every execution is applied once.

The truth is what a second connection of the same account, which nothing disturbs, was told.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from builders import BTC, make_instrument
from paper_desk import snapshot, traded
from paper_socket import SocketDesk, Wire, at_desk, settle
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import BookUpdate, ExecutionReport, Gap, StreamDown, StreamEvent
from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.duplex import duplex_pair

DROP_S = 180
STEP_S = 5
MOST_TRIES = 150
"""The venue bans an address for more in ten minutes (kraken-spot section 3.3)."""


class Cable:
    """Our end of a wire that may go silent without a word."""

    def __init__(self, inner: FrameDuplex) -> None:
        self._inner = inner
        self.is_silent = False

    async def send(self, frame: str) -> None:
        """Whatever is said on a silent wire is lost."""
        if not self.is_silent:
            await self._inner.send(frame)

    async def receive(self) -> str:
        """What comes on a silent wire is lost, too."""
        while True:
            text = await self._inner.receive()
            if not self.is_silent:
                return text

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        await self._inner.close(code, reason)


@dataclass
class Reader:
    """What an application would keep."""

    fills: list[Fill] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    downs: int = 0
    books: int = 0

    @property
    def position(self) -> Decimal:
        """What the fills add up to."""
        signed = (each.quantity if each.side is Side.BUY else -each.quantity for each in self.fills)
        return sum(signed, Decimal(0))

    def hear(self, event: StreamEvent) -> None:
        """Fold one event."""
        match event:
            case ExecutionReport(fill=Fill() as fill):
                self.fills.append(fill)
            case Gap():
                self.gaps.append(event)
            case StreamDown():
                self.downs += 1
            case BookUpdate():
                self.books += 1
            case _:
                pass


class Network:
    """The way to the exchange, which fails as the seed says."""

    def __init__(self, desk: SocketDesk, draw: random.Random) -> None:
        self._sockets = InProcessSockets(desk.exchange, duplex_pair)
        self._draw = draw
        self._away_until = 0.0
        self.cables: dict[str, Cable] = {}
        self.tried_at: list[float] = []

    async def connect(self, url: str) -> FrameDuplex:
        """What the feed calls."""
        now = asyncio.get_running_loop().time()
        self.tried_at.append(now)
        if now < self._away_until:
            raise VenueUnavailable(f"No WebSocket connection to {url}.")
        self.cables[url] = Cable(await self._sockets.connect(url))
        return self.cables[url]

    async def fail(self) -> None:
        """Cut both wires, or let one go silent; then the venue may be away for a while."""
        kind = self._draw.choice(["cut", "cut and away", "silent"])
        if kind == "silent":
            self.cables[self._draw.choice(list(self.cables))].is_silent = True
            return
        if kind == "cut and away":
            self._away_until = asyncio.get_running_loop().time() + self._draw.uniform(1, 40)
        await self._sockets.close(self._draw.choice([1001, 1006, 1011]))

    @property
    def busiest(self) -> int:
        """The most attempts in any ten minutes."""
        return max(
            sum(1 for each in self.tried_at if at <= each < at + 600) for at in self.tried_at
        )

    async def close(self) -> None:
        """No connection is left."""
        await self._sockets.close()


def feed_on(desk: SocketDesk, network: Network) -> KrakenFeed:
    """The client under test."""

    async def token() -> str:
        return desk.exchange.issue_token(desk.exchange.principals[0])

    return KrakenFeed(
        "ws://paper/v2",
        "ws://paper/private",
        connect=network.connect,
        token=token,
        clock=desk.exchange.clock,
        cadence=Cadence(),
        instruments={BTC: make_instrument()},
        subscriptions=FeedSubscriptions(symbols=(BTC,), book_depth=25),
        rng=random.Random(1),
    )


async def trade(desk: SocketDesk, wire: Wire, draw: random.Random) -> list[dict[str, Any]]:
    """One order, filled in one or in two; what the undisturbed wire was told of it."""
    size = draw.randint(10, 99)
    desk.hear(
        snapshot(
            [f"59999.9 0.000{size}0000", "59999.8 2.0"], [f"60000.1 0.000{size}0000", "60001 2"]
        )
    )
    side = draw.choice(["buy", "sell"])
    order: dict[str, Any] = {"symbol": "BTC/USD", "side": side, "order_qty": 0.001}
    if draw.random() < 0.5:
        order |= {"order_type": "market"}
    else:
        order |= {"order_type": "limit", "limit_price": 60000.0}
    frames = await wire.ask("add_order", **order, token=desk.token)
    desk.hear(traded("60000.0", "0.0004", "sell" if side == "buy" else "buy"))
    desk.hear(traded("60000.0", "5", "sell" if side == "buy" else "buy"))
    await settle()
    return frames + wire.frames()


async def hours(desk: SocketDesk, *, seconds: int, seed: int) -> tuple[Reader, list[str], Network]:
    """Live so long; what the reader kept, and the ids of all executions."""
    draw = random.Random(seed)
    wire = await desk.connect(is_private=True)
    network, reader, told = Network(desk, draw), Reader(), []
    await wire.ask("subscribe", channel="executions", token=desk.token)
    feed = feed_on(desk, network)

    async def read() -> None:
        async for event in feed.events():
            reader.hear(event)

    reading = asyncio.create_task(read())
    for second in range(0, seconds, STEP_S):
        await asyncio.sleep(STEP_S)
        if second % DROP_S == DROP_S - STEP_S:
            await network.fail()
        for frame in await trade(desk, wire, draw):
            rows = frame["data"] if frame.get("channel") == "executions" else []
            told += [row["exec_id"] for row in rows if row["exec_type"] == "trade"]
    await asyncio.sleep(120)
    assert feed.checksums.failed == 0
    await feed.close()
    await reading
    await network.close()
    return reader, told, network


def prove(seconds: int, seed: int) -> None:
    """Live so long, and compare."""

    async def story(desk: SocketDesk) -> tuple[Reader, list[str], Network]:
        return await hours(desk, seconds=seconds, seed=seed)

    reader, told, network = at_desk(story)

    assert len(told) > seconds // STEP_S
    assert sorted(told) == sorted(fill.fill_id for fill in reader.fills)
    assert reader.downs >= seconds // DROP_S
    assert reader.books > seconds // STEP_S // 2
    assert all(gap.since <= gap.until for gap in reader.gaps)
    assert len(reader.gaps) >= seconds // DROP_S
    assert network.busiest < MOST_TRIES


def test_every_execution_is_applied_once_while_wires_fail() -> None:
    """Twenty minutes, the wires failing every three, the venue away for up to forty seconds."""
    prove(1200, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_twelve_hours_of_failing_wires_lose_and_double_nothing(seed: int) -> None:
    """Two hundred and forty failures in twelve simulated hours."""
    prove(43_200, seed=seed)
