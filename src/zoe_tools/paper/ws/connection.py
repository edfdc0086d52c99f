"""One WebSocket v2 connection, from its first status frame to its end.

Frames go out through a bounded queue and one writer. Whoever reads so slowly that the queue fills
is closed with 1013 (try again later): its books would be stale anyway, and 1008 would tell it not
to come back. Source: kraken-spot section 10.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.ws.fault_frames import FrameFaults
from zoe_tools.paper.ws.fault_requests import ANSWER_MARK, UNTOUCHED, fate_of
from zoe_tools.paper.ws.public import desk_of
from zoe_tools.paper.ws.session import Door, Session
from zoe_tools.ports import FrameClosed, FrameDuplex

TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001
CUT = 1006

_IDLE_PINGS = 2
"""A minute, where pings are due every half."""

_HEARTBEAT = '{"channel":"heartbeat"}'


async def serve_socket(
    duplex: FrameDuplex,
    exchange: PaperExchange,
    *,
    is_private: bool,
    is_level3: bool = False,
    client: str = "",
) -> None:
    """Serve one connection until either side closes it. Private ones trade and see the account.

    `is_level3`: the socket of the level3 channel alone. `client` is who connects too often.
    """
    if not desk_of(exchange).gate.admits(client, exchange.now()):
        await duplex.close(TRY_AGAIN_LATER, "too many connections")
        return
    door: Door = "level3" if is_level3 else "private" if is_private else "public"
    connection = _Connection(duplex, exchange, door=door)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(connection.read())
            tasks.create_task(connection.write())
            tasks.create_task(connection.beat())
            tasks.create_task(connection.restate())
            tasks.create_task(connection.watch())
            tasks.create_task(connection.idle())
    except* FrameClosed:
        pass
    finally:
        connection.leave()
        await duplex.close(GOING_AWAY, "going away")


class _Connection:
    """Four loops around a session; each of them ends the others by `FrameClosed`."""

    def __init__(self, duplex: FrameDuplex, exchange: PaperExchange, *, door: Door) -> None:
        self._duplex = duplex
        self._exchange = exchange
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(exchange.options.streams.queued_frames)
        self._ending = asyncio.Event()
        self._end = (TRY_AGAIN_LATER, "too slow")
        self._faults = FrameFaults(exchange.faults)
        self._fate = UNTOUCHED
        self._is_far = door == "private" and exchange.options.latency_s > 0
        self._late: set[asyncio.Task[None]] = set()
        self._heard_at = self._used_at = self._told_at = exchange.now()
        self._is_answering = False
        self._behind: deque[Callable[[], None]] = deque()
        self._session = Session(exchange, self.push, door=door, later=self._in_turn)

    def push(self, frame: str) -> None:
        """Queue a frame; one too many dooms the connection."""
        if self._fate.answer != "sent" and ANSWER_MARK in frame:
            if self._fate.answer == "late":
                self._send_late(frame, self._fate.delay_s)
            return
        if self._faults.is_quiet:
            self._queue(frame)
            return
        found = self._faults.disturb(frame, self._exchange.now())
        for each in found.now:
            self._queue(each)
        for delay_s, each in found.later:
            self._send_late(each, delay_s)
        if found.close is not None:
            self._doom(*found.close)

    def _queue(self, frame: str) -> None:
        try:
            self._outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            self._ending.set()

    def _send_late(self, frame: str, delay_s: float) -> None:
        task = asyncio.create_task(self._queue_late(frame, delay_s))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _queue_late(self, frame: str, delay_s: float) -> None:
        await self._exchange.clock.sleep(delay_s)
        self._queue(frame)

    def leave(self) -> None:
        """Unsubscribe from everything."""
        for task in self._late:
            task.cancel()
        self._behind.clear()
        self._session.close()

    async def read(self) -> None:
        """Handle what comes in, one request after the other."""
        while True:
            text = await self._duplex.receive()
            if self._is_far:
                await self._exchange.clock.sleep(self._exchange.options.latency_s)
            self._heard_at = self._exchange.now()
            if self._exchange.faults.is_quiet:
                self._handle(text)
            else:
                self._handle_struck(text)

    def _handle(self, text: str) -> None:
        self._catch_up()
        self._is_answering = not self._exchange.quirks.reports_first
        try:
            if self._session.handle(text):
                self._used_at = self._heard_at
        finally:
            self._is_answering = False
            if self._behind:
                # The writer has the next turn of the loop, and what is behind it the one after.
                loop = asyncio.get_running_loop()
                loop.call_soon(loop.call_soon, self._catch_up)

    def _in_turn(self, work: Callable[[], None]) -> None:
        """The account hears of what a request did once its answer is on the way."""
        if self._is_answering or self._behind:
            self._behind.append(work)
        else:
            work()

    def _catch_up(self) -> None:
        while self._behind:
            self._behind.popleft()()

    def _handle_struck(self, text: str) -> None:
        """Handle a request with whatever a fault does to it or to its answer."""
        exchange = self._exchange
        self._fate = fate = fate_of(exchange.faults, text, exchange.now(), exchange.told_now())
        if fate.is_done:
            self._handle(text)
        self._fate = UNTOUCHED
        if fate.instead is not None:
            self._queue(fate.instead)
        if fate.cuts:
            self._doom(CUT, "")

    def _doom(self, code: int, reason: str) -> None:
        self._end = (code, reason)
        self._ending.set()

    async def write(self) -> None:
        """Send what is queued."""
        while True:
            frame = await self._outgoing.get()
            self._exchange.flush()
            await self._duplex.send(frame)
            self._told_at = self._exchange.now()

    async def beat(self) -> None:
        """A heartbeat for every whole period without a frame."""
        period = round(self._exchange.cadence.stream_heartbeat_s * NS)
        while True:
            left = self._told_at + period - self._exchange.now()
            if left <= 0:
                if self._session.has_subscriptions:
                    self.push(_HEARTBEAT)
                left = period
            await self._exchange.clock.sleep(left / NS)

    async def restate(self) -> None:
        """Tell the status again and again, where the exchange has that quirk."""
        every_s = self._exchange.quirks.status_every_s
        while every_s is not None:
            await self._exchange.clock.sleep(every_s)
            self._session.tell_status()

    async def idle(self) -> None:
        """Let go of a connection without traffic, and of one that is used for nothing."""
        patience = round(self._exchange.cadence.stream_ping_s * _IDLE_PINGS * NS)
        while True:
            traffic = max(self._heard_at, self._told_at)
            used = traffic if self._session.has_subscriptions else self._used_at
            left = min(traffic, used) + patience - self._exchange.now()
            if left <= 0:
                self._doom(GOING_AWAY, "idle")
                return
            await self._exchange.clock.sleep(left / NS)

    async def watch(self) -> None:
        """Close on a reader that has fallen behind, or where a fault says so."""
        await self._ending.wait()
        await self._duplex.close(*self._end)
        raise FrameClosed(*self._end)
