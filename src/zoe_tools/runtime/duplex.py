"""Frame duplexes: a pair joined in memory, and one over a real WebSocket.

The stream code sees whole text frames either way, so signing, JSON, checksums and reconnects run
in both time regimes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import websockets
from typing_extensions import override
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from zoe_tools.errors import VenueUnavailable
from zoe_tools.ports import FrameClosed, FrameDuplex

QUEUE_FRAMES = 10_000
"""Frames a slow reader may be behind before the writer waits."""

_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 1.0
"""A peer that is dead does not answer the closing handshake, and orders wait for the next wire."""
_FRAME_BYTES = 64 * 1024 * 1024


class _Closing:
    """The last thing in a queue: why nothing follows."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class _Frames:
    """Frames on their way to one end: what `asyncio.Queue` does, without what nobody asks of it.

    An hour of a busy market passes half a million of them.
    """

    __slots__ = ("_readers", "_waiting", "_writers")

    def __init__(self) -> None:
        self._waiting: deque[str | _Closing] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._writers: deque[asyncio.Future[None]] = deque()

    def put_nowait(self, frame: str | _Closing) -> None:
        """One more; a closing needs no room."""
        self._waiting.append(frame)
        _wake(self._readers)

    async def put(self, frame: str) -> None:
        """One more, when there is room."""
        while len(self._waiting) >= QUEUE_FRAMES:
            await _woken(self._writers)
        self.put_nowait(frame)

    async def get(self) -> str | _Closing:
        """The next one."""
        while not self._waiting:
            await _woken(self._readers)
        frame = self._waiting.popleft()
        if self._writers:
            _wake(self._writers)
        return frame

    def end(self, closing: _Closing) -> None:
        """Nothing follows; a reader so far behind loses its oldest frame."""
        if len(self._waiting) >= QUEUE_FRAMES:
            self._waiting.popleft()
        self.put_nowait(closing)

    def clear(self) -> None:
        """What waits is read by nobody; a writer who waits for room is let go."""
        self._waiting.clear()
        while self._writers:
            _wake(self._writers)


def _wake(waiters: deque[asyncio.Future[None]]) -> None:
    """The first of them that still waits."""
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return


async def _woken(waiters: deque[asyncio.Future[None]]) -> None:
    """Wait in this row; who is cancelled after its turn came gives it to the next one."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    except asyncio.CancelledError:
        if not waiter.cancelled():
            _wake(waiters)
        elif waiter in waiters:
            waiters.remove(waiter)
        raise


class MemoryDuplex:
    """One end of an in-memory pair."""

    def __init__(self, incoming: _Frames, outgoing: _Frames) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed: _Closing | None = None

    async def send(self, frame: str) -> None:
        """Hand a frame to the other end."""
        if self._closed is not None:
            raise FrameClosed(self._closed.code, self._closed.reason)
        await self._outgoing.put(frame)

    async def receive(self) -> str:
        """The next frame from the other end."""
        if self._closed is not None:
            raise FrameClosed(self._closed.code, self._closed.reason)
        frame = await self._incoming.get()
        if isinstance(frame, _Closing):
            self._closed = frame
            raise FrameClosed(frame.code, frame.reason)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both directions; never waits, so that a stuck reader cannot keep a wire open."""
        if self._closed is not None:
            return
        self._closed = _Closing(code, reason)
        self._incoming.clear()
        self._incoming.put_nowait(self._closed)
        self._outgoing.end(self._closed)


def duplex_pair() -> tuple[MemoryDuplex, MemoryDuplex]:
    """Two joined ends."""
    left, right = _Frames(), _Frames()
    return MemoryDuplex(left, right), MemoryDuplex(right, left)


class _Connection(ClientConnection):
    """A connection whose text frames may be taken as they arrive."""

    take: Callable[[bytes], bool] | None = None
    has_taken = False

    @override
    def process_event(self, event: Event) -> None:
        """A frame that arrived; one that is taken does not wait to be received."""
        if (
            self.take is not None
            and isinstance(event, Frame)
            and event.opcode is Opcode.TEXT
            and event.fin
            and self.take(bytes(event.data))
        ):
            self.has_taken = True
        else:
            super().process_event(event)

    def send_now(self, frame: str) -> bool:
        """Send a text frame where that needs no waiting; the library's own way takes longer."""
        is_free = self.send_in_progress is None and not self.paused
        if not is_free or self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_text(frame.encode())
        self.send_data()
        return True


class SocketDuplex:
    """A WebSocket client connection as a frame duplex."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def show_first(self, take: Callable[[bytes], bool]) -> None:
        """See `ports.EagerDuplex`."""
        self._connection.take = take

    async def send(self, frame: str) -> None:
        """Send one text frame."""
        try:
            if not self._connection.send_now(frame):
                await self._connection.send(frame)
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> str:
        """The next text frame; a binary frame is read as UTF-8."""
        try:
            frame = await self._connection.recv()
        except websockets.ConnectionClosed as error:
            raise _closed(error) from error
        if self._connection.has_taken:
            self._connection.has_taken = False
            await asyncio.sleep(0)  # who was woken by it goes first
        return frame if isinstance(frame, str) else frame.decode(errors="replace")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a handshake."""
        await self._connection.close(code, reason)


def _closed(error: websockets.ConnectionClosed) -> FrameClosed:
    received = error.rcvd
    return FrameClosed(received.code, received.reason) if received else FrameClosed(1006, "")


async def connect_socket(url: str) -> FrameDuplex:
    """Open a WebSocket.

    Raises:
        VenueUnavailable: no connection came about.
    """
    try:
        connection = await websockets.connect(
            url,
            open_timeout=_CONNECT_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=_FRAME_BYTES,
            ping_interval=None,
            compression=None,
            proxy=None,
            create_connection=_Connection,
        )
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise VenueUnavailable(f"No WebSocket connection to {url}: {error}.") from error
    return SocketDuplex(cast("_Connection", connection))
