"""One WebSocket v2 connection, from its first status frame to its end.

Frames go out through a bounded queue and one writer. Whoever reads so slowly that the queue fills
is closed with 1013 (try again later): its books would be stale anyway, and 1008 would tell it not
to come back. Source: kraken-spot section 10.
"""

from __future__ import annotations

import asyncio

from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.ws_session import Session
from zoe_tools.ports import FrameClosed, FrameDuplex

OUTGOING_FRAMES = 10_000
"""How far behind a reader may be."""
TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001

_HEARTBEAT = '{"channel":"heartbeat"}'


async def serve_socket(duplex: FrameDuplex, exchange: PaperExchange, *, is_private: bool) -> None:
    """Serve one connection until either side closes it. Private ones trade and see the account."""
    connection = _Connection(duplex, exchange, is_private=is_private)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(connection.read())
            tasks.create_task(connection.write())
            tasks.create_task(connection.beat())
            tasks.create_task(connection.watch())
    except* FrameClosed:
        pass
    finally:
        connection.leave()
        await duplex.close(GOING_AWAY, "going away")


class _Connection:
    """Four loops around a session; each of them ends the others by `FrameClosed`."""

    def __init__(self, duplex: FrameDuplex, exchange: PaperExchange, *, is_private: bool) -> None:
        self._duplex = duplex
        self._exchange = exchange
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(OUTGOING_FRAMES)
        self._is_behind = asyncio.Event()
        self._pushed = 0
        self._session = Session(exchange, self.push, is_private=is_private)

    def push(self, frame: str) -> None:
        """Queue a frame; one too many dooms the connection."""
        self._pushed += 1
        try:
            self._outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            self._is_behind.set()

    def leave(self) -> None:
        """Unsubscribe from everything."""
        self._session.close()

    async def read(self) -> None:
        """Handle what comes in, one request after the other."""
        while True:
            self._session.handle(await self._duplex.receive())

    async def write(self) -> None:
        """Send what is queued."""
        while True:
            await self._duplex.send(await self._outgoing.get())

    async def beat(self) -> None:
        """A heartbeat whenever a whole period has passed without a frame."""
        while True:
            pushed = self._pushed
            await self._exchange.clock.sleep(self._exchange.cadence.stream_heartbeat_s)
            if self._pushed == pushed and self._session.has_subscriptions:
                self.push(_HEARTBEAT)

    async def watch(self) -> None:
        """Close on a reader that has fallen behind."""
        await self._is_behind.wait()
        await self._duplex.close(TRY_AGAIN_LATER, "too slow")
        raise FrameClosed(TRY_AGAIN_LATER, "too slow")
