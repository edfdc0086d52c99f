"""Lives of an engine that can end at any moment, as by kill -9: nothing is written or sent after.

Each way out of the engine, to its store, to the venue's REST and to its sockets, passes by here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import httpx
from typing_extensions import override

from zoe_tools.ports import Connect, FrameDuplex
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")


class Killed(BaseException):
    """The engine is no more; no handler of its own may hear of it."""


class Life:
    """One process's life; `ended` is set when it is over."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.is_over = False
        self._left: int | None = None

    def end_after(self, steps: int) -> None:
        """Die at the so manieth passage from now on."""
        self._left = steps

    def end(self) -> None:
        """Die now."""
        self.is_over = True
        self.ended.set()

    def pass_by(self) -> None:
        """Something leaves the engine, or comes back.

        Raises:
            Killed: not any more.
        """
        if self._left is not None and not self.is_over:
            self._left -= 1
            if self._left <= 0:
                self.end()
        if self.is_over:
            raise Killed


class MortalStore:
    """A store's runner; a death may come before the work, or after its commit."""

    def __init__(self, store: StoreRunner, life: Life) -> None:
        self._store = store
        self._life = life

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """See `StoreRunner`."""
        self._life.pass_by()
        result = await self._store.run(work)
        self._life.pass_by()
        return result

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._store.close()


class MortalTransport(httpx.AsyncBaseTransport):
    """REST; a death may come before a request is sent, or before its answer is read."""

    def __init__(self, transport: httpx.AsyncBaseTransport, life: Life) -> None:
        self._transport = transport
        self._life = life

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._life.pass_by()
        response = await self._transport.handle_async_request(request)
        self._life.pass_by()
        return response


class _MortalDuplex:
    """A socket; a death may come before a frame is sent, or after."""

    def __init__(self, duplex: FrameDuplex, life: Life) -> None:
        self._duplex = duplex
        self._life = life

    async def send(self, frame: str) -> None:
        """See `FrameDuplex`."""
        self._life.pass_by()
        await self._duplex.send(frame)
        self._life.pass_by()

    async def receive(self) -> str:
        """See `FrameDuplex`."""
        return await self._duplex.receive()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `FrameDuplex`."""
        await self._duplex.close(code, reason)


def mortal_sockets(connect: Connect, life: Life) -> Connect:
    """Opens sockets that end with that life."""

    async def open_one(url: str) -> FrameDuplex:
        life.pass_by()
        return _MortalDuplex(await connect(url), life)

    return open_one
