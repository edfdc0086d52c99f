"""WebSocket connections without sockets: for a client in the same process, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.ws.connection import serve_socket
from zoe_tools.ports import FrameDuplex


class InProcessSockets:
    """Connects clients to an exchange by pairs of joined duplexes. Satisfies `ports.Connect`."""

    def __init__(
        self,
        exchange: PaperExchange,
        duplex_pair: Callable[[], tuple[FrameDuplex, FrameDuplex]],
    ) -> None:
        self._exchange = exchange
        self._duplex_pair = duplex_pair
        self._served: dict[asyncio.Task[None], FrameDuplex] = {}

    async def connect(self, url: str) -> FrameDuplex:
        """Open a socket; a path that ends in `/private` or `/level3` opens one of those."""
        ours, theirs = self._duplex_pair()
        _, _, door = urlsplit(url).path.rpartition("/")
        task = asyncio.create_task(
            serve_socket(
                ours,
                self._exchange,
                is_private=door == "private",
                is_level3=door == "level3",
            )
        )
        self._served[task] = ours
        task.add_done_callback(self._forget)
        return theirs

    __call__ = connect

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._served.pop(task, None)

    async def close(self, code: int = 1001, reason: str = "going away") -> None:
        """Close every connection, as a server that shuts down would."""
        served = dict(self._served)
        for duplex in served.values():
            await duplex.close(code, reason)
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
