"""Tells what is printed and logged beside whoever tells it: no reader and no disk holds a loop up.

Short commands print as they go. From `EDGE.unblock` on, which a loop calls, each place has a
bounded queue and a thread of its own: a pipe that nobody reads, a terminal that was stopped, a
disk that is full. What does not fit is dropped, the oldest first, and counted; the count is told
there once somebody reads again. Never used under virtual time.
"""

from __future__ import annotations

import errno
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from typing_extensions import override

MOST_WAITING = 2000
MOST_BYTES = 1024 * 1024
"""So many pieces, and so many bytes of them, wait in one place; one piece always may."""

HELD_UP_S = 2.0
"""What takes longer to be taken is told as held up."""

LAST_S = 3.0
"""How long the end of a process waits for what is still to be told."""

AGAIN_S = 1.0
"""How long after a failure the same is tried again."""

_CLOSED = frozenset({errno.EPIPE, errno.EBADF, errno.ENXIO})
"""Nobody will ever read here again."""

_HUNG_UP = errno.EIO
"""What a terminal says that was closed."""

_UNREAD = "nobody read them"

Put = Callable[[bytes], int]
"""Takes some of the bytes, waiting for as long as that takes; returns how many."""

Gap = Callable[[int, str], str]
"""How a place is told that so many lines are missing in it, and why."""


class Spool:
    """One place's queue, and the thread that empties it."""

    def __init__(
        self, name: str, put: Put, gap: Gap, *, can_hang_up: bool, again_s: float = AGAIN_S
    ) -> None:
        self._name = name
        self._put = put
        self._gap = gap
        self._can_hang_up = can_hang_up
        self._again_s = again_s
        self._turn = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._missing = 0
        self._began: float | None = None
        self.is_over = False
        """Whether nothing more is taken."""
        self._trouble = ""
        self._why = _UNREAD
        self._thread: threading.Thread | None = None
        self.lines_lost = 0
        self.lost = ""
        """Why it is over, where that was no closed pipe."""
        self.is_done = False
        """Whether it ended, and all was told that waited then."""

    def write(self, text: bytes) -> None:
        """Have it told; never waits."""
        with self._turn:
            if self.is_over:
                return
            self._waiting.append(text)
            self._size += len(text)
            while len(self._waiting) > 1 and (
                len(self._waiting) > MOST_WAITING or self._size > MOST_BYTES
            ):
                self._drop()
            if self._thread is None:
                name = f"zoe-tell-{self._name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
            self._turn.notify()

    def trouble(self, held_up_s: float) -> str:
        """What keeps it from being told for so long; empty: nothing does."""
        with self._turn:
            if self.is_over or self._began is None:
                return ""
            if self._trouble:
                return f"{self._name} cannot be written ({self._trouble})"
            is_slow = time.monotonic() - self._began >= held_up_s
            return f"nobody reads {self._name}" if is_slow else ""

    def end(self, until: float) -> None:
        """Nothing more comes: what waits is told, until then at most."""
        with self._turn:
            while self._waiting or self._began is not None:
                rest_s = until - time.monotonic()
                if rest_s <= 0 or self.is_over:
                    break
                self._turn.wait(rest_s)
            self.is_done = not (self.is_over or self._waiting or self._began is not None)
            self.lost = self.lost or self._trouble
            self._give_up()

    # --- the thread ------------------------------------------------------------------------------

    def _work(self) -> None:
        while (text := self._next()) is not None:
            self._tell(text)

    def _next(self) -> bytes | None:
        with self._turn:
            self._began = None
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._waiting or self.is_over)
            if self.is_over:
                return None
            self._began = time.monotonic()
            text = self._waiting.popleft()
            self._size -= len(text)
            missing, self._missing = self._missing, 0
            why, self._why = self._why, _UNREAD if missing else self._why
        return f"{self._gap(missing, why)}\n".encode() + text if missing else text

    def _tell(self, text: bytes) -> None:
        """All of it, however often it has to be tried."""
        while text and not self.is_over:
            try:
                text = text[self._put(text) :]
            except OSError as error:
                if not self._bears(error):
                    return
            else:
                self._trouble = ""

    def _bears(self, error: OSError) -> bool:
        """Wait a while after a failure; False if it is for good."""
        told = error.strerror or type(error).__name__
        with self._turn:
            if error.errno in _CLOSED or (self._can_hang_up and error.errno == _HUNG_UP):
                self.lost = "" if error.errno in _CLOSED else told
                self._give_up()
                return False
            self._trouble = self._why = told
            return not self._turn.wait_for(lambda: self.is_over, self._again_s)

    def _give_up(self) -> None:
        while self._waiting:
            self._drop()
        self.is_over = True
        self._turn.notify_all()

    def _drop(self) -> None:
        text = self._waiting.popleft()
        self._size -= len(text)
        lines = max(1, text.count(b"\n"))
        self._missing += lines
        self.lines_lost += lines


class Edge:
    """All places in which one process tells things."""

    def __init__(
        self, *, held_up_s: float = HELD_UP_S, again_s: float = AGAIN_S, last_s: float = LAST_S
    ) -> None:
        self._held_up_s = held_up_s
        self._again_s = again_s
        self._last_s = last_s
        self._spools: dict[object, Spool] = {}
        self._lost_before = 0
        self.is_unblocked = False

    def unblock(self) -> None:
        """From now on nobody who tells something waits until it is told."""
        self.is_unblocked = True

    def spool(
        self, name: str, put: Put, gap: Gap, *, key: object = None, can_hang_up: bool = False
    ) -> Spool:
        """The place of that key, or name: what goes to the same one keeps its order."""
        made = self._spools.get(key or name)
        if made is None or made.is_over:
            self._lost_before += made.lines_lost if made is not None else 0
            made = Spool(name, put, gap, can_hang_up=can_hang_up, again_s=self._again_s)
            self._spools[key or name] = made
        return made

    def trouble(self) -> str:
        """What keeps things from being told at the moment, in a phrase; empty: nothing does."""
        told = "; ".join(
            filter(None, (each.trouble(self._held_up_s) for each in tuple(self._spools.values())))
        )
        lost = self.lines_lost
        return f"{told}: {lost} lines are not shown" if told and lost else told

    @property
    def lines_lost(self) -> int:
        """How many lines were not shown so far."""
        return self._lost_before + sum(each.lines_lost for each in tuple(self._spools.values()))

    def end(self) -> str:
        """Wait a few seconds for what is still to be told; returns why something was lost.

        That nobody reads, or the reader has gone, is no loss. Afterwards all is as it was before.
        """
        until = time.monotonic() + self._last_s
        spools, self._spools = tuple(self._spools.values()), {}
        self._lost_before = 0
        for each in spools:
            each.end(until)
        self.is_unblocked = False
        return next((each.lost for each in spools if each.lost), "")


EDGE = Edge()
"""The one of this process, like its standard streams and its log."""


class Outlet(io.TextIOBase):
    """A stream of the process's own: the stream itself, until the edge is unblocked."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO, name: str, edge: Edge = EDGE) -> None:
        super().__init__()
        self.encoding = stream.encoding or "ascii"
        self._stream = stream
        self._name = name
        self._edge = edge
        self._spool: Spool | None = None

    @override
    def write(self, text: str, /) -> int:
        """Tell it here."""
        if self._spool is not None and self._spool.is_done:
            self._spool = None
        if self._spool is None and self._edge.is_unblocked:
            self._spool = self._spooled()
        if self._spool is None:
            return self._stream.write(text)
        self._spool.write(text.encode(self.encoding, "replace"))
        return len(text)

    @override
    def flush(self) -> None:
        if self._spool is None:
            self._stream.flush()

    @override
    def isatty(self) -> bool:
        return self._stream.isatty()

    @override
    def fileno(self) -> int:
        return self._stream.fileno()

    @override
    def writable(self) -> bool:
        return True

    def _spooled(self) -> Spool | None:
        """None where it is no file of the system's: nothing there ever waits."""
        try:
            handle = self._stream.fileno()
            which = os.fstat(handle)
        except (OSError, ValueError):
            return None

        def put(text: bytes) -> int:
            return os.write(handle, text)

        key = which.st_dev, which.st_ino
        return self._edge.spool(self._name, put, _told, key=key, can_hang_up=True)


def _told(lines: int, why: str) -> str:
    return f"{lines} lines were not shown: {why}"
