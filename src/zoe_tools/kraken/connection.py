"""One WebSocket connection kept alive: connect, subscribe, listen, lose, connect again.

The states are explicit, and every subscription is acknowledged one symbol at a time before the
connection counts as up. What the frames mean is the handler's business.
Source: kraken-spot sections 3.3, 10 and 13.6.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

import msgspec

from zoe_tools.domain.cadence import Cadence
from zoe_tools.errors import VenueError, VenueMisbehaved, VenueRejected
from zoe_tools.kraken.codec_stream import json_text
from zoe_tools.kraken.errors import error_for
from zoe_tools.kraken.reconnect import ReconnectPolicy
from zoe_tools.kraken.wire_stream import ACK, FRAME, Frame
from zoe_tools.ports import Clock, Connect, FrameClosed, FrameDuplex

POLICY_VIOLATION = 1008
"""The one close code after which trying again is pointless."""

_LOG = logging.getLogger(__name__)
_STALE_TOKEN = ("ESession:Invalid session", "EAPI:Invalid token")


class ConnectionState(Enum):
    """Where a connection is in its life."""

    DOWN = "down"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    UP = "up"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One subscribe request; `symbols` empty for channels without symbols."""

    channel: str
    symbols: tuple[str, ...] = ()
    options: Mapping[str, object] | None = None

    def params(self, token: str) -> dict[str, object]:
        """The request's parameters."""
        params: dict[str, object] = {"channel": self.channel, **(self.options or {})}
        if self.symbols:
            params["symbol"] = self.symbols
        if token:
            params["token"] = token
        return params

    @property
    def acks(self) -> set[tuple[str, str | None]]:
        """One acknowledgement per symbol."""
        return {(self.channel, symbol) for symbol in self.symbols} or {(self.channel, None)}


class Handler(Protocol):
    """What a connection tells about itself."""

    async def on_frame(self, frame: Frame) -> None:
        """A data frame, or the answer to an order method."""
        ...

    async def on_up(self) -> None:
        """All subscriptions are acknowledged."""
        ...

    async def on_down(self, reason: str) -> None:
        """The wire is lost."""
        ...


class Connection:
    """See the module. `token` is fetched afresh for every connect."""

    def __init__(
        self,
        url: str,
        subscriptions: tuple[Subscription, ...],
        handler: Handler,
        *,
        connect: Connect,
        clock: Clock,
        cadence: Cadence,
        policy: ReconnectPolicy,
        token: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.state = ConnectionState.DOWN
        self.token = ""
        self._url = url
        self._subscriptions = subscriptions
        self._handler = handler
        self._connect = connect
        self._clock = clock
        self._cadence = cadence
        self._policy = policy
        self._fetch_token = token
        self._duplex: FrameDuplex | None = None
        self._waiting: set[tuple[str, str | None]] = set()
        self._last_frame_at: datetime = clock.now()
        self._request_number = 0

    async def run(self) -> None:
        """Connect and listen until `close`, or until the venue forbids it."""
        while self.state is not ConnectionState.CLOSED:
            await self._clock.sleep(self._policy.delay_s(self._clock.now()))
            try:
                await self._live()
            except FrameClosed as closed:
                await self._lost(str(closed))
                if closed.code == POLICY_VIOLATION:
                    raise VenueRejected(
                        f"The venue closed {self._url} for good: {closed.reason}.",
                        hint="Look at the request rate and at the venue's announcements.",
                        code="1008",
                    ) from closed
            except VenueError as error:
                await self._lost(error.message)
                if isinstance(error, VenueRejected):
                    raise

    @property
    def next_request_number(self) -> int:
        """The req_id of the next request: whoever waits for its answer registers first."""
        return self._request_number + 1

    async def send(self, method: str, params: Mapping[str, object]) -> int:
        """Send one request; returns its req_id.

        Raises:
            FrameClosed: there is no connection.
        """
        if self._duplex is None:
            raise FrameClosed(1006, "not connected")
        self._request_number += 1
        request = {"method": method, "params": dict(params), "req_id": self._request_number}
        number = self._request_number
        await self._duplex.send(json_text(request))
        return number

    async def resubscribe(self, subscription: Subscription) -> None:
        """Unsubscribe and subscribe once more, for a fresh snapshot."""
        params = subscription.params(self.token)
        await self.send("unsubscribe", params)
        await self.send("subscribe", params)

    async def drop(self, reason: str) -> None:
        """Close the socket; `run` connects again."""
        if self._duplex is not None:
            await self._duplex.close(1000, reason)

    async def close(self) -> None:
        """Close for good."""
        self.state = ConnectionState.CLOSED
        await self.drop("done")

    # --- one life --------------------------------------------------------------------------------

    async def _live(self) -> None:
        self.state = ConnectionState.CONNECTING
        self.token = await self._fetch_token() if self._fetch_token is not None else ""
        duplex = await self._connect(self._url)
        if self.state is not ConnectionState.CONNECTING:
            await duplex.close()
            return
        self._duplex = duplex
        self._last_frame_at = self._clock.now()
        watches = [
            asyncio.create_task(self._watch_silence(duplex)),
            asyncio.create_task(self._ping(duplex)),
        ]
        try:
            await self._subscribe()
            while True:
                text = await duplex.receive()
                self._last_frame_at = self._clock.now()
                await self._on_text(text)
        finally:
            self._duplex = None
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            await duplex.close()

    async def _subscribe(self) -> None:
        self.state = ConnectionState.SUBSCRIBING
        self._waiting = {ack for each in self._subscriptions for ack in each.acks}
        for subscription in self._subscriptions:
            await self.send("subscribe", subscription.params(self.token))

    async def _lost(self, reason: str) -> None:
        was_closed = self.state is ConnectionState.CLOSED
        self.state = ConnectionState.CLOSED if was_closed else ConnectionState.DOWN
        await self._handler.on_down(reason)

    async def _watch_silence(self, duplex: FrameDuplex) -> None:
        """A live subscription is never silent for long: heartbeats come every second."""
        while True:
            await self._clock.sleep(self._cadence.stream_silence_s / 2)
            silent_s = (self._clock.now() - self._last_frame_at).total_seconds()
            if silent_s >= self._cadence.stream_silence_s:
                await duplex.close(1006, f"silent for {silent_s:.0f} s")

    async def _ping(self, duplex: FrameDuplex) -> None:
        while True:
            await self._clock.sleep(self._cadence.stream_ping_s)
            self._request_number += 1
            try:
                await duplex.send(json_text({"method": "ping", "req_id": self._request_number}))
            except FrameClosed:
                return

    # --- frames ----------------------------------------------------------------------------------

    async def _on_text(self, text: str) -> None:
        try:
            frame = FRAME.decode(text)
        except msgspec.MsgspecError:
            # A proxy's own words, e.g. `CloudFlare WebSocket proxy restarting`.
            _LOG.warning("a frame that is not JSON: %.200s", text)
            return
        if frame.method == "subscribe":
            await self._on_ack(frame)
        elif frame.channel == "heartbeat" or frame.method in ("pong", "unsubscribe"):
            return
        else:
            try:
                await self._handler.on_frame(frame)
            except msgspec.MsgspecError as error:
                raise VenueMisbehaved(
                    f"A {frame.channel or frame.method} frame does not parse: {error}."
                ) from error

    async def _on_ack(self, frame: Frame) -> None:
        if not frame.success:
            self._refused(frame.error or "refused without a reason")
        result = ACK.decode(frame.result) if frame.result else None
        if result is not None:
            self._waiting.discard((result.channel, result.symbol))
        if not self._waiting and self.state is ConnectionState.SUBSCRIBING:
            self.state = ConnectionState.UP
            self._policy.connected()
            await self._handler.on_up()

    def _refused(self, text: str) -> None:
        if text.startswith(_STALE_TOKEN):
            raise FrameClosed(1000, f"stale token: {text}")
        if text == "Already subscribed":
            return
        if text.startswith("E"):
            raise error_for((text,), is_write=False)
        raise VenueRejected(f"The venue refused a subscription: {text}.", code=text)
