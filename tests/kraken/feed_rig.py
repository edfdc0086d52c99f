"""A feed on scripted servers under virtual time, and everything it said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from stream_server import Answer, StreamServer

from builders import BTC, make_instrument
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.stream import StreamEvent
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.ports import FrameDuplex
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

E = TypeVar("E")

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
STAMP = "2026-01-05T12:00:00.000000Z"
TICKER = {
    "channel": "ticker",
    "type": "update",
    "data": [{"symbol": "BTC/USD", "bid": 1, "bid_qty": 1, "ask": 2, "ask_qty": 1, "last": 1}],
}
HEARTBEAT = {"channel": "heartbeat"}
ORDER = "OAAAAA-AAAAA-AAAAA1"
NEW = {
    "exec_type": "pending_new",
    "order_status": "pending_new",
    "cl_ord_id": "ours",
    "symbol": "BTC/USD",
    "side": "buy",
    "order_type": "limit",
    "order_qty": 1.5,
}


def execution(sequence: int, **row: Any) -> dict[str, Any]:
    """An executions frame with one row."""
    data = {"order_id": ORDER, "timestamp": STAMP, **row}
    return {"channel": "executions", "type": "update", "data": [data], "sequence": sequence}


class Rig:
    """Make it inside a running loop. `depth` follows books instead of prints."""

    def __init__(
        self,
        *,
        private: bool = False,
        depth: int | None = None,
        instruments: bool = False,
        answers: tuple[Answer, ...] = (),
    ) -> None:
        self.clock = VirtualClock(START)
        self.public = StreamServer(*answers)
        self.private = StreamServer(*answers)
        self.tokens = 0
        self.token_error: Exception | None = None
        self.events: list[StreamEvent] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.feed = KrakenFeed(
            "wss://public",
            "wss://private" if private else None,
            connect=self._connect,
            token=self._token,
            clock=self.clock,
            cadence=Cadence(),
            instruments={BTC: make_instrument()},
            subscriptions=FeedSubscriptions(
                symbols=(BTC,), trades=depth is None, book_depth=depth, instruments=instruments
            ),
            rng=random.Random(1),
        )

    async def _connect(self, url: str) -> FrameDuplex:
        return await (self.private if "private" in url else self.public).connect(url)

    async def _token(self) -> str:
        if self.token_error is not None:
            raise self.token_error
        self.tokens += 1
        return f"token-{self.tokens}"

    async def collect(self) -> None:
        """Read events until the feed ends; its error is raised."""
        async for event in self.feed.events():
            self.events.append(event)
            await self.reading.wait()

    async def beat(self, seconds: int) -> None:
        """Let time pass on wires that are alive."""
        for _ in range(seconds):
            await asyncio.sleep(1)
            for server in (self.public, self.private):
                await server.heartbeat()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


async def nothing(_: Rig) -> None:
    """Only connect."""


def run(script: Callable[[Rig], Awaitable[None]], **options: Any) -> Rig:
    """Run a script against a fresh rig under virtual time; the feed's own error is raised."""

    async def main() -> Rig:
        rig = Rig(**options)
        collecting = asyncio.create_task(rig.collect())
        await asyncio.sleep(0.1)
        try:
            await script(rig)
            await asyncio.sleep(0.1)
        finally:
            await rig.feed.close()
            try:
                await collecting
            finally:
                await rig.public.stop()
                await rig.private.stop()
        return rig

    return run_virtual(main())
