"""An event loop whose time jumps to the next timer when nothing is ready.

It owns no socket and no thread: it derives from `BaseEventLoop`, so there is not even the
self-pipe of the selector loop. Whatever would need one raises `VirtualTimeError`. Timers that fall
together fire in the order of their creation, so a run is the same every time.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from typing_extensions import TypeVarTuple, override

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_RESOLUTION_S = 1e-6
"""Timers closer than this fire together. Above the spacing of floats for 30 years of seconds, so
that "due now" is never lost to rounding."""


class VirtualTimeError(RuntimeError):
    """Something under virtual time asked for a thread, a socket, or waits for nobody."""


class _OrderedTimer(asyncio.TimerHandle):
    """A timer that ties are broken for by its number."""

    __slots__ = ("number",)

    number: int
    _when: float
    """asyncio's own; a comparison that calls `when` takes twice as long."""

    @override
    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _OrderedTimer):
            return NotImplemented
        if self._when != other._when:
            return self._when < other._when
        return self.number < other.number

    __hash__ = asyncio.TimerHandle.__hash__


class _JumpingSelector:
    """Stands where a selector would wait, and moves the clock instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise VirtualTimeError("Every task waits and no timer is set: the run is deadlocked.")
        if timeout > 0:
            self._loop.jump_to_next_timer()
        return []

    def close(self) -> None:
        """Nothing to close."""


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `time()` starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_now = 0.0
        self._timers_made = 0
        self._clock_resolution = _RESOLUTION_S
        self._selector = _JumpingSelector(self)

    @override
    def time(self) -> float:
        return self._virtual_now

    def jump_to_next_timer(self) -> None:
        """Set the clock to the earliest timer; exact, where adding a difference would round."""
        earliest: asyncio.TimerHandle = self._scheduled[0]  # type: ignore[attr-defined]
        self._virtual_now = max(self._virtual_now, earliest.when())

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._timers_made += 1
        timer = _OrderedTimer(when, callback, args, self, context)
        timer.number = self._timers_made
        self._schedule(timer)
        return timer

    def _schedule(self, timer: _OrderedTimer) -> None:
        # BaseEventLoop keeps its timers in a heap of its own; it asks only for comparison.
        self._check_closed()  # type: ignore[attr-defined]
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's own contract

    def _process_events(self, event_list: list[object]) -> None:
        """No selector, no events."""

    def _write_to_self(self) -> None:
        """Single thread: nobody sleeps who would need waking."""

    @override
    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        raise VirtualTimeError("A thread under virtual time: do the work inline.")

    @override
    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise VirtualTimeError("A socket under virtual time: use the byte seams.")

    @override
    async def create_connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise VirtualTimeError("A socket under virtual time: use the byte seams.")

    @override
    async def create_server(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise VirtualTimeError("A socket under virtual time: use the byte seams.")

    @override
    def close(self) -> None:
        super().close()


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end under virtual time, and clean up after it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
