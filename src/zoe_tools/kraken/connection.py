"""One WebSocket connection kept alive: connect, subscribe, listen, lose, connect again.

    DOWN -> CONNECTING -> SUBSCRIBING -> UP -> DOWN (wait, and again); CLOSED is for good

Every subscription is acknowledged one symbol at a time before the connection counts as up; one
that is not is asked for once more, and then costs the wire, or, where many symbols share it and
`gives_up` says so, itself alone. Answers also tell the venue's time.
What the frames mean is the handler's business. Source: kraken-spot sections 3.3, 10 and 13.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NoReturn, Protocol

import msgspec

from zoe_tools.domain.cadence import Cadence
from zoe_tools.errors import (
    VenueError,
    VenueMisbehaved,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
)
from zoe_tools.kraken import strange
from zoe_tools.kraken.codec_stream import time_of
from zoe_tools.kraken.errors import error_for, row_for
from zoe_tools.kraken.reconnect import ReconnectPolicy
from zoe_tools.kraken.server_time import ServerTime
from zoe_tools.kraken.shapes import Looks, note_unknown
from zoe_tools.kraken.stream_requests import json_text
from zoe_tools.kraken.wire_stream import ACK, FRAME, Frame
from zoe_tools.ports import Clock, Connect, EagerDuplex, FrameClosed, FrameDuplex

POLICY_VIOLATION = 1008
"""The one close code after which trying again is pointless."""

_LOG = logging.getLogger(__name__)
_UNWATCHED = frozenset({"book", "level3", "heartbeat"})
"""Too many to look each over for fields that nobody knows; books are, where they start."""
_HEEDED = frozenset(
    {
        "cancel_reason is deprecated, use reason",
        "stop_price is deprecated, use triggers.price",
        "tick_size is deprecated, use price_increment",
        "timestamp is deprecated, use interval_begin",
        "trigger is deprecated use triggers.reference",
        "triggered_price is deprecated use triggers.last_price",
    }
)
"""What Kraken says to every subscriber, of old fields beside those that are read here."""
_STANDS_ALREADY = "Already subscribed"
_REMEMBERED_REQUESTS = 1_000
"""Of a wire that asks again and again; an answer comes long before so many more."""
_NO_REASON = "refused without a reason"

Ack = tuple[str, str | None]
"""(channel, symbol): what one acknowledgement is for."""


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

    def acks(self, symbol: str | None = None) -> tuple[Ack, ...]:
        """One acknowledgement per symbol, or the one of this symbol."""
        if symbol is not None:
            return ((self.channel, symbol),)
        return tuple((self.channel, each) for each in self.symbols) or ((self.channel, None),)


class Handler(Protocol):
    """What a connection tells about itself. A `VenueError` out of `on_frame` drops the wire."""

    async def on_frame(self, frame: Frame) -> None:
        """A data frame, a heartbeat, or the answer to an order method."""
        ...

    async def on_up(self) -> None:
        """All subscriptions are acknowledged."""
        ...

    async def on_down(self, reason: str) -> None:
        """The wire is lost."""
        ...


class Stopwatch:
    """How long something at the network takes: the lesser of venue time and the loop's time.

    A socket is not sped up with the clock: ten venue seconds at sixty times the speed are a hiccup
    of the machine, not a silence of the venue.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._started_at = clock.now()
        self._started = self._loop.time()

    def seconds(self) -> float:
        """Since it was made."""
        by_clock = (self._clock.now() - self._started_at).total_seconds()
        by_loop = self._loop.time() - self._started
        # A clock that was set back would call a dead wire young until it has caught up.
        return min(by_clock, by_loop) if by_clock >= 0 else by_loop


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
        server_time: ServerTime | None = None,
        gives_up: Callable[[str, str], None] | None = None,
    ) -> None:
        """`gives_up` is told of a symbol that the venue does not let one follow, and why."""
        self.token = ""
        self._gives_up = gives_up
        self.server_time = server_time or ServerTime()
        self._state = ConnectionState.DOWN
        self._url = url
        self._subscriptions = subscriptions
        self._handler = handler
        self._connect = connect
        self._clock = clock
        self._cadence = cadence
        self._policy = policy
        self._fetch_token = token
        self._duplex: FrameDuplex | None = None
        self._unacknowledged: dict[Ack, Stopwatch] = {}
        self._asked_again: set[Ack] = set()
        self._asked: dict[int, Subscription] = {}
        self._sent_at: dict[int, datetime] = {}
        self._listening: Stopwatch | None = None
        self._was_up = False
        self._looks = Looks()
        self._request_number = 0
        self._take: Callable[[Frame], bool] | None = None

    @property
    def state(self) -> ConnectionState:
        """Where the connection is in its life."""
        return self._state

    def answer_first(self, take: Callable[[Frame], bool]) -> None:
        """Show answers to `take` ahead of the frames that wait; it says whether it wanted one."""
        self._take = take

    @property
    def next_request_number(self) -> int:
        """The req_id of the next request: whoever waits for its answer registers first."""
        return self._request_number + 1

    async def run(self) -> None:
        """Connect and listen until `close`.

        Raises:
            VenueRejected: the venue closed the wire for good, refused the key, or refused a
                subscription before the wire was ever up.
        """
        asked_to_wait_s = 0.0
        while not self._is_closed:
            delay_s = self._policy.delay_s(self._clock.now(), at_least_s=asked_to_wait_s)
            await self._clock.sleep(delay_s)
            if not self._is_closed:
                asked_to_wait_s = await self._try()

    async def send(self, method: str, params: Mapping[str, object]) -> int:
        """Send one request; returns its req_id.

        Raises:
            FrameClosed: there is no connection.
        """
        if self._duplex is None:
            raise FrameClosed(1006, "not connected")
        self._request_number += 1
        number = self._request_number
        request = {"method": method, "params": dict(params), "req_id": number}
        self._sent_at[number] = self._clock.now()
        await self._duplex.send(json_text(request))
        return number

    async def resubscribe(self, subscription: Subscription) -> None:
        """Unsubscribe and subscribe once more, for a fresh snapshot."""
        await self.send("unsubscribe", subscription.params(self.token))
        await self._subscribe(subscription)

    async def follow(self, subscription: Subscription) -> None:
        """One subscription more, now and on each wire to come."""
        self._subscriptions += (subscription,)
        if self.state in (ConnectionState.SUBSCRIBING, ConnectionState.UP):
            await self._subscribe(subscription)

    async def close(self) -> None:
        """Close for good."""
        self._move(ConnectionState.CLOSED)
        if self._duplex is not None:
            await self._duplex.close(1000, "done")

    # --- one life --------------------------------------------------------------------------------

    @property
    def _is_closed(self) -> bool:
        return self._state is ConnectionState.CLOSED

    def _move(self, state: ConnectionState) -> None:
        if not self._is_closed:
            self._state = state

    async def _try(self) -> float:
        """Live once; returns how many seconds the venue asked us to stay away."""
        try:
            await self._live()
        except FrameClosed as closed:
            await self._handler.on_down(str(closed))
            if closed.code == POLICY_VIOLATION:
                raise VenueRejected(
                    f"The venue closed {self._url} for good: {closed.reason or 'no reason'}.",
                    hint="Look at the request rate and at the venue's announcements.",
                    code=str(POLICY_VIOLATION),
                ) from closed
        except VenueError as error:
            await self._handler.on_down(error.message)
            if isinstance(error, VenueRejected) and _is_final(error):
                raise
            if isinstance(error, VenueThrottled):
                return error.retry_after_s
        return 0.0

    async def _live(self) -> None:
        self._move(ConnectionState.CONNECTING)
        try:
            self.token = await self._fetch_token() if self._fetch_token is not None else ""
            duplex = await self._connect(self._url)
            try:
                await self._work(duplex)
            finally:
                await duplex.close()
        finally:
            self._move(ConnectionState.DOWN)

    async def _work(self, duplex: FrameDuplex) -> None:
        """Until the first of the three ends, which is always by an exception."""
        if self._is_closed:
            return
        self._duplex = duplex
        self._listening = None
        self._unacknowledged.clear()
        self._asked_again.clear()
        self._asked.clear()
        self._sent_at.clear()
        if self._take is not None and isinstance(duplex, EagerDuplex):
            duplex.show_first(self._on_arrival)
        tasks = [
            asyncio.create_task(self._listen(duplex)),
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._ping(duplex)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            self._duplex = None
            self._move(ConnectionState.DOWN)  # before anything waits: no order may go this way
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, duplex: FrameDuplex) -> NoReturn:
        self._move(ConnectionState.SUBSCRIBING)
        for subscription in self._subscriptions:
            await self._subscribe(subscription)
        while True:
            self._listening = Stopwatch(self._clock)
            text = await duplex.receive()
            # While a frame is dealt with, a slow reader of events makes us wait, not the venue.
            self._listening = None
            await self._on_text(text)

    async def _subscribe(self, subscription: Subscription) -> None:
        self._asked[self.next_request_number] = subscription
        while len(self._asked) > _REMEMBERED_REQUESTS:
            self._asked.pop(next(iter(self._asked)))
        for ack in subscription.acks():
            self._unacknowledged[ack] = Stopwatch(self._clock)
        await self.send("subscribe", subscription.params(self.token))

    async def _ask_again(self, limit_s: float) -> None:
        """What was not acknowledged in half the time is asked for once more, symbol by symbol."""
        for ack, watch in list(self._unacknowledged.items()):
            if ack in self._asked_again or watch.seconds() < limit_s / 2:
                continue
            self._asked_again.add(ack)
            channel, symbol = ack
            for each in self._subscriptions:
                if each.channel == channel and (symbol is None or symbol in each.symbols):
                    one = replace(each, symbols=() if symbol is None else (symbol,))
                    _LOG.warning("%s %s is not acknowledged: asked again", channel, symbol or "")
                    self._asked[self.next_request_number] = one
                    await self.send("subscribe", one.params(self.token))

    async def _watch(self) -> NoReturn:
        """A live subscription is never silent for long: heartbeats come every second."""
        limit_s = self._cadence.stream_silence_s
        while True:
            silent_s = self._listening.seconds() if self._listening is not None else 0.0
            if silent_s >= limit_s:
                raise VenueUnavailable(f"The wire was silent for {silent_s:.0f} s.")
            waits = [(watch.seconds(), ack) for ack, watch in self._unacknowledged.items()]
            overdue = [ack for seconds, ack in waits if seconds >= limit_s]
            if overdue and self._gives_up is not None and all(symbol for _, symbol in overdue):
                for _, symbol in overdue:
                    self._gives_up(symbol or "", f"not acknowledged in {limit_s:.0f} s")
                await self._acknowledged(overdue)
            elif overdue:
                names = " ".join(filter(None, overdue[0]))
                raise VenueUnavailable(f"The venue did not acknowledge {names} in {limit_s:.0f} s.")
            await self._ask_again(limit_s)
            waits_s = limit_s / 10 if waits else limit_s - silent_s
            await self._clock.sleep(max(waits_s, limit_s / 10))

    async def _ping(self, duplex: FrameDuplex) -> NoReturn:
        while True:
            await self._clock.sleep(self._cadence.stream_ping_s)
            self._request_number += 1
            self._sent_at[self._request_number] = self._clock.now()
            await duplex.send(json_text({"method": "ping", "req_id": self._request_number}))

    # --- frames ----------------------------------------------------------------------------------

    def _on_arrival(self, text: bytes) -> bool:
        """Whether the frame is an answer that somebody waits for, who has it now.

        Nobody who waits for an answer is kept waiting by what the venue streams meanwhile, nor by a
        reader of events who is slow.
        """
        if b'"req_id"' not in text or self._take is None:
            return False
        try:
            frame = FRAME.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False  # it is told of in its turn
        if not self._take(frame):
            return False
        if frame.req_id in self._sent_at:
            sent = self._sent_at.pop(frame.req_id)
            asyncio.get_running_loop().call_soon(self._learn_time, frame, sent)  # he goes first
        return True

    async def _on_text(self, text: str) -> None:
        try:
            frame = FRAME.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            # A proxy's own words, e.g. `CloudFlare WebSocket proxy restarting`.
            _LOG.warning("a frame that is not a JSON object: %.200s", text)
            return
        try:
            await self._deal_with(frame, text)
        except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
            raise VenueMisbehaved(
                f"A {frame.channel or frame.method} frame does not parse: {error}."
            ) from error

    async def _deal_with(self, frame: Frame, text: str) -> None:
        if frame.channel not in _UNWATCHED and self._looks.is_due(frame.channel or frame.method):
            note_unknown("a frame", Frame, text)
        if frame.req_id in self._sent_at and frame.req_id is not None:
            self._learn_time(frame, self._sent_at.pop(frame.req_id))
        if frame.method == "subscribe":
            await self._on_ack(frame)
        elif frame.method in ("unsubscribe", "ping", "pong") or not (frame.channel or frame.method):
            if frame.success is False or not frame.method:
                _LOG.warning("the venue complains: %.200s", text)
        else:
            await self._handler.on_frame(frame)

    def _learn_time(self, frame: Frame, sent: datetime) -> None:
        """The venue's clock, from an answer that tells when it was asked and when it answered.

        A time that is none teaches nothing.
        """
        with contextlib.suppress(VenueMisbehaved, OverflowError):
            if frame.time_in and frame.time_out:
                self.server_time.observe(
                    sent=sent,
                    received=self._clock.now(),
                    earliest=time_of(frame.time_out),
                    latest=time_of(frame.time_in),
                )

    async def _on_ack(self, frame: Frame) -> None:
        asked = self._asked.get(frame.req_id or 0)
        if frame.success:
            result = ACK.decode(frame.result) if frame.result else None
            acks: tuple[Ack, ...] = ((result.channel, result.symbol),) if result else ()
            for warning in (result.warnings if result else None) or ():
                if warning not in _HEEDED:
                    strange.noted("a warning of an acknowledgement", warning)
        elif frame.error == _STANDS_ALREADY and asked is not None:
            acks = asked.acks(frame.symbol)
        elif not (acks := self._given_up(frame, asked)):
            self._refused(frame.error or _NO_REASON)
        await self._acknowledged(acks)

    async def _acknowledged(self, acks: Iterable[Ack]) -> None:
        for ack in acks:
            self._unacknowledged.pop(ack, None)
            self._asked_again.discard(ack)
        if not self._unacknowledged and self.state is ConnectionState.SUBSCRIBING:
            self._move(ConnectionState.UP)
            self._was_up = True
            self._policy.connected(self._clock.now())
            await self._handler.on_up()

    def _given_up(self, frame: Frame, asked: Subscription | None) -> tuple[Ack, ...]:
        """The symbol that is refused for ever, where that costs it alone; none: the wire."""
        if self._gives_up is None or asked is None or not frame.symbol:
            return ()
        text = frame.error or _NO_REASON
        error = error_for((text,), is_write=False, now_s=self._clock.now().timestamp())
        if not isinstance(error, VenueRejected):
            return ()
        self._gives_up(frame.symbol, text)
        return asked.acks(frame.symbol)

    def _refused(self, text: str) -> NoReturn:
        """A wire that was up before is tried again: its positions may still need it."""
        error = error_for((text,), is_write=False, now_s=self._clock.now().timestamp())
        if self._was_up and isinstance(error, VenueRejected):
            raise VenueUnavailable(f"The venue refused a subscription: {text}.") from error
        raise error


def _is_final(error: VenueRejected) -> bool:
    """Whether the same request would be refused for ever; words nobody knows are tried again."""
    row = row_for(error.code)
    return row is not None and row.retry == "never"
