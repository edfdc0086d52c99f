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


_MANY_CANCELLED = 100
"""With more timers than that, cancelled ones are taken out of their midst."""


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `time()` starts at 0.

    Its timers stand in a heap as (when, number, timer), where only numbers are compared, and a turn
    of it asks no selector: half of what a busy market costs is turns.
    """

    def __init__(self) -> None:
        super().__init__()
        self._virtual_now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers_made = 0
        self._timers_cancelled = 0
        self._scheduled = self._timers  # asyncio's name: it clears it, and others count by it

    @override
    def time(self) -> float:
        return self._virtual_now

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]
        self._timers_made += 1
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's own contract
        return timer

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """A timer tells that it was cancelled."""
        if handle._scheduled:  # noqa: SLF001 - asyncio's own contract
            self._timers_cancelled += 1

    def _run_once(self) -> None:
        """A turn: where nothing is ready the clock jumps; then all runs that is ready or due.

        What that makes ready runs in the next turn, as with asyncio's own.
        """
        self._drop_cancelled()
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not timers:
                raise VirtualTimeError(
                    "Every task waits and no timer is set: the run is deadlocked."
                )
            # Exact, where adding a difference would round.
            self._virtual_now = max(self._virtual_now, timers[0][0])
        ends_at = self._virtual_now + _RESOLUTION_S
        while timers and timers[0][0] < ends_at:
            ready.append(self._next_timer())
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001 - asyncio's own contract
                handle._run()  # noqa: SLF001 - asyncio's own contract
        handle = None  # what it holds is not kept alive over the next jump

    def _next_timer(self) -> Any:
        timer: Any = heapq.heappop(self._timers)[2]
        timer._scheduled = False  # noqa: SLF001 - asyncio's own contract
        return timer

    def _drop_cancelled(self) -> None:
        """The first ones always; all of them where they are more than half of many."""
        if self._timers_cancelled > len(self._timers) / 2 > _MANY_CANCELLED / 2:
            kept = []
            for entry in self._timers:
                timer: Any = entry[2]
                if timer._cancelled:  # noqa: SLF001 - asyncio's own contract
                    timer._scheduled = False  # noqa: SLF001 - asyncio's own contract
                else:
                    kept.append(entry)
            self._timers[:] = kept
            heapq.heapify(self._timers)
            self._timers_cancelled = 0
        while self._timers and self._timers[0][2].cancelled():
            self._timers_cancelled -= 1
            self._next_timer()

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
