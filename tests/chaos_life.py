"""Lives of an engine that can end at any moment, as by kill -9: nothing is written or sent after.

Each way out of the engine, to its store, to the venue's REST and to its sockets, passes by here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import httpx
from typing_extensions import override

from zoe_tools.ports import Connect, FrameDuplex
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

_ORDER = re.compile("add_order|amend_order|cancel_order|AddOrder|AmendOrder|CancelOrder")
_TRADES = re.compile("TradesHistory|QueryTrades")
_EXECUTION = re.compile(r'"(T[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6})"')
_ORDERS = re.compile("QueryOrders|ClosedOrders")
_HEAD = 200
"""Characters of a frame in which its method or its channel stands."""

Notice = Callable[[Iterable[str]], None]
"""Is told the ids of executions that reach an engine, and of orders that it sees cancelled."""


class Killed(BaseException):
    """The engine is no more; no handler of its own may hear of it."""


class Life:
    """One process's life; `ended` is set when it is over."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.is_over = False
        self._left: int | None = None
        self._counts_orders = False

    def end_after(self, steps: int, *, at_an_order: bool = False) -> None:
        """Die at the so manieth passage from now on, or the so manieth of one with an order."""
        self._left = steps
        self._counts_orders = at_an_order

    def end(self) -> None:
        """Die now."""
        self.is_over = True
        self.ended.set()

    def pass_by(self, told: str = "") -> None:
        """Something leaves the engine, or comes back; `told` is what, if it is for the venue.

        Raises:
            Killed: not any more.
        """
        if self._left is not None and not self.is_over and self._counts(told):
            self._left -= 1
            if self._left <= 0:
                self.end()
        if self.is_over:
            raise Killed

    def _counts(self, told: str) -> bool:
        return not self._counts_orders or _ORDER.search(told, 0, _HEAD) is not None


class MortalStore:
    """A store's runner; a death may come before the work, or after its commit."""

    def __init__(self, store: StoreRunner, life: Life) -> None:
        self._store = store
        self._life = life

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self._life.pass_by()
        result = await self._store.run(work, is_urgent=is_urgent)
        self._life.pass_by()
        return result

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        self._life.pass_by()
        result = await self._store.read(work, is_urgent=is_urgent)
        self._life.pass_by()
        return result

    async def close(self) -> None:
        """See `StoreRunner`."""
        await self._store.close()


class MortalTransport(httpx.AsyncBaseTransport):
    """REST; a death may come before a request is sent, or before its answer is read."""

    def __init__(self, transport: httpx.AsyncBaseTransport, life: Life, notice: Notice) -> None:
        self._transport = transport
        self._life = life
        self._notice = notice

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._life.pass_by(request.url.path)
        response = await self._transport.handle_async_request(request)
        self._life.pass_by(request.url.path)
        if _TRADES.search(request.url.path) is not None:
            self._notice(_EXECUTION.findall((await response.aread()).decode()))
        elif _ORDERS.search(request.url.path) is not None:
            self._notice(_cancelled_by((await response.aread()).decode()))
        return response


def _cancelled_by(answer: str) -> Iterator[str]:
    """The orders that a list of orders shows as cancelled."""
    if '"status":"canceled"' not in answer:
        return
    result = json.loads(answer)["result"]
    for name, row in result.get("closed", result).items():
        if row["status"] == "canceled":
            yield name


def _told_by(frame: str) -> Iterator[str]:
    """The executions in a frame, and the orders that it tells are cancelled."""
    yield from _EXECUTION.findall(frame)
    if '"order_status":"canceled"' in frame:
        for row in json.loads(frame)["data"]:
            if row.get("order_status") == "canceled":
                yield row["order_id"]


class _MortalDuplex:
    """A socket; a death may come before a frame is sent, or after."""

    def __init__(self, duplex: FrameDuplex, life: Life, notice: Notice) -> None:
        self._duplex = duplex
        self._life = life
        self._notice = notice

    async def send(self, frame: str) -> None:
        """See `FrameDuplex`."""
        self._life.pass_by(frame)
        await self._duplex.send(frame)
        self._life.pass_by(frame)

    async def receive(self) -> str:
        """See `FrameDuplex`."""
        frame = await self._duplex.receive()
        if frame.find('"executions"', 0, _HEAD) >= 0:
            self._notice(_told_by(frame))
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `FrameDuplex`."""
        await self._duplex.close(code, reason)


def mortal_sockets(connect: Connect, life: Life, notice: Notice) -> Connect:
    """Opens sockets that end with that life."""

    async def open_one(url: str) -> FrameDuplex:
        life.pass_by()
        return _MortalDuplex(await connect(url), life, notice)

    return open_one
