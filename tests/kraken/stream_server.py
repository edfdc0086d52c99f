"""A scripted WebSocket v2 server at the other end of an in-memory duplex."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from zoe_tools.errors import VenueUnavailable
from zoe_tools.ports import FrameClosed, FrameDuplex
from zoe_tools.runtime.duplex import MemoryDuplex, duplex_pair

Answer = Callable[["StreamServer", dict[str, Any]], Awaitable[bool]]


class StreamServer:
    """Accepts connections, acknowledges subscriptions, and sends what the test says.

    `answers` see each request first; one that returns True has dealt with it.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.urls: list[str] = []
        self.tried_at: list[float] = []
        self.is_reachable = True
        self.ends: list[MemoryDuplex] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, url: str) -> FrameDuplex:
        """What the feed calls."""
        self.tried_at.append(asyncio.get_running_loop().time())
        if not self.is_reachable:
            raise VenueUnavailable(f"No WebSocket connection to {url}.")
        theirs, ours = duplex_pair()
        self.urls.append(url)
        self.ends.append(ours)
        task = asyncio.create_task(self._serve(ours))
        self._tasks.add(task)
        return theirs

    async def send(self, payload: dict[str, Any] | str) -> None:
        """Send one frame on the newest connection."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        await self.ends[-1].send(text)

    async def heartbeat(self) -> None:
        """A heartbeat on the newest connection, if it is still there."""
        if self.ends:
            with contextlib.suppress(FrameClosed):
                await self.send({"channel": "heartbeat"})

    async def stop(self) -> None:
        """End all serving tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def methods(self) -> list[str]:
        """The methods asked for, in order."""
        return [request["method"] for request in self.requests]

    async def _serve(self, end: MemoryDuplex) -> None:
        while True:
            try:
                text = await end.receive()
            except FrameClosed:
                return
            self.texts.append(text)
            request = json.loads(text)
            self.requests.append(request)
            for answer in self.answers:
                if await answer(self, request):
                    break
            else:
                await self._acknowledge(end, request)

    async def _acknowledge(self, end: MemoryDuplex, request: dict[str, Any]) -> None:
        if request["method"] not in ("subscribe", "unsubscribe"):
            return
        params = request["params"]
        for symbol in params.get("symbol", [None]):
            result = {"channel": params["channel"]}
            if symbol is not None:
                result["symbol"] = symbol
            ack = {"method": request["method"], "success": True, "result": result}
            await end.send(json.dumps({**ack, "req_id": request["req_id"]}))
