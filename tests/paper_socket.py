"""A client at the paper exchange's WebSocket, in virtual time and in memory.

Shared by the tests of the v2 dialect: say something, let everything settle, read what came.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from paper_desk import BTC_USD, START, d
from zoe_tools.domain.cadence import Cadence
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.values.market import MarketEvent, PairSpec
from zoe_tools.paper.values.times import moment_of
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.paper.ws.connection import serve_socket
from zoe_tools.ports import FrameClosed
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.virtual_loop import run_virtual

T = TypeVar("T")
_TURNS = 12
KEY, SECRET = "key", "c2VjcmV0"


class ScriptedMarket:
    """A source that tells what it was given."""

    def __init__(self, *events: MarketEvent, pairs: Sequence[PairSpec] = (BTC_USD,)) -> None:
        self._events = events
        self.pairs = tuple(pairs)
        self.starts_at = START
        self.granularity_s = 1.0

    def events(self) -> Iterator[MarketEvent]:
        """As given."""
        return iter(self._events)


class Wire:
    """The client's end of one connection; `closed` is set once the other side has gone."""

    def __init__(
        self, exchange: PaperExchange, *, is_private: bool, is_level3: bool = False
    ) -> None:
        self.client, server = duplex_pair()
        self.closed: FrameClosed | None = None
        self._texts: list[str] = []
        self._server = asyncio.create_task(
            serve_socket(server, exchange, is_private=is_private, is_level3=is_level3)
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                text = await self.client.receive()
                self._texts.append(text)
        except FrameClosed as closed:
            self.closed = closed

    def texts(self) -> list[str]:
        """What came since the last call, as it was on the wire."""
        texts, self._texts = self._texts, []
        return texts

    def frames(self) -> list[dict[str, Any]]:
        """The same, decoded; numbers with a dot stay text, so that their zeros are seen."""
        return [json.loads(text, parse_float=str) for text in self.texts()]

    async def say(self, text: str) -> list[dict[str, Any]]:
        """Send a raw text; what comes of it."""
        self.frames()
        await self.client.send(text)
        await settle()
        return self.frames()

    async def ask(self, method: str, req_id: int | None = 7, **params: Any) -> list[dict[str, Any]]:
        """Send a request; what comes of it."""
        request: dict[str, Any] = {"method": method}
        if params:
            request["params"] = params
        if req_id is not None:
            request["req_id"] = req_id
        return await self.say(json.dumps(request))

    async def close(self) -> None:
        """Hang up and see the server end."""
        await self.client.close()
        await self._server
        await self._reader


async def settle() -> None:
    """Let everything that is ready run, without time passing."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class SocketDesk:
    """An exchange with one funded account, its token, and connections to it."""

    def __init__(
        self,
        *,
        permissions: Iterable[str] = PERMISSIONS,
        options: ExchangeOptions | None = None,
    ) -> None:
        self.exchange = PaperExchange(
            ScriptedMarket(),
            VirtualClock(moment_of(START)),
            cadence=Cadence(),
            options=options or ExchangeOptions(),
        )
        self.account_id = self.exchange.create_account(
            "desk", KEY, SECRET, frozenset(permissions), {"USD": d("100000"), "BTC": d("1")}
        )
        self.token = self.exchange.issue_token(self.exchange.principals[0])
        self._wires: list[Wire] = []

    def hear(self, *events: MarketEvent) -> None:
        """The market says something, now."""
        for event in events:
            self.exchange._tell(self.exchange._engine.market(event))

    async def connect(self, *, is_private: bool = False, is_level3: bool = False) -> Wire:
        """A connection whose first status frame has been read."""
        wire = Wire(self.exchange, is_private=is_private, is_level3=is_level3)
        self._wires.append(wire)
        await settle()
        return wire

    async def close(self) -> None:
        """Hang up everywhere."""
        for wire in self._wires:
            await wire.close()


@asynccontextmanager
async def open_desk(**options: Any) -> AsyncIterator[SocketDesk]:
    """A desk for the time of a test."""
    desk = SocketDesk(**options)
    try:
        yield desk
    finally:
        await desk.close()


def at_desk(story: Callable[[SocketDesk], Awaitable[T]], **options: Any) -> T:
    """Run one story in virtual time."""

    async def told() -> T:
        async with open_desk(**options) as desk:
            return await story(desk)

    return run_virtual(told())
