"""Every moment at which a process can die inside the gate: each await, each commit.

A coroutine is driven by a wrapper that sees it stop and go on; commits are seen where the dialect
makes them. Moments are numbered as they come; at the chosen one the process is killed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

from sqlalchemy import Engine
from typing_extensions import override

from zoe_tools.gate.answers import Answers
from zoe_tools.gate.send import Reply

T = TypeVar("T")

_GATE = "/zoe_tools/gate/"


class Points:
    """Numbers the moments; `fatal` is the number of the last one, None to live on.

    `tell` hears of the fatal one just before the end, and nothing afterwards.
    """

    def __init__(self, fatal: int | None, tell: Callable[[str], None]) -> None:
        self.places: list[str] = []
        self._fatal = fatal
        self._tell = tell
        self._lock = threading.Lock()
        self._is_on = False

    def start(self) -> None:
        """Count from now on."""
        self._is_on = True

    def stop(self) -> None:
        """The gate has returned: what comes now is not its."""
        self._is_on = False

    def reached(self, place: str) -> None:
        """One moment more."""
        with self._lock:
            if not self._is_on:
                return
            self.places.append(place)
            if len(self.places) == self._fatal:
                self._tell(place)
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def watch_commits(self, engine: Engine) -> None:
        """Moments just before and just after each commit reaches the database."""
        dialect, commit = engine.dialect, engine.dialect.do_commit

        def do_commit(connection: Any) -> None:
            self.reached("before a commit")
            commit(connection)
            self.reached("after a commit")

        dialect.do_commit = do_commit  # type: ignore[method-assign,assignment]

    def watch_sends(self) -> None:
        """Moments within a send, too, which the gate leaves to a task of its own."""
        waits_for = Answers.of

        async def of(answers: Answers, call: Coroutine[Any, Any, Reply], **named: Any) -> Reply:
            return await waits_for(answers, cast("Any", self.driven(call)), **named)

        Answers.of = of  # type: ignore[method-assign,assignment]

    def driven(self, coroutine: Coroutine[Any, Any, T]) -> Driven[T]:
        """The same coroutine; each time it stops and each time it goes on is a moment."""
        return Driven(coroutine, self)


class Driven(Awaitable[T]):
    """Hands everything on, both ways."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], points: Points) -> None:
        self._coroutine = coroutine
        self._points = points

    @override
    def __await__(self) -> Generator[Any, Any, T]:
        step = _sending(self._coroutine, None)
        while True:
            try:
                waits_for = step()
            except StopIteration as done:
                result: T = done.value
                return result
            place = where(self._coroutine)
            self._points.reached(f"at {place}")
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
                step = _throwing(self._coroutine, error)
            else:
                step = _sending(self._coroutine, sent)
            self._points.reached(f"after {place}")


def _sending(coroutine: Coroutine[Any, Any, T], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _throwing(coroutine: Coroutine[Any, Any, T], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)


def where(coroutine: Any) -> str:
    """The innermost line of the gate that a stopped coroutine waits in, as `file:line`."""
    place = "gate"
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and _GATE in frame.f_code.co_filename:
            place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "cr_await", None)
    return place
