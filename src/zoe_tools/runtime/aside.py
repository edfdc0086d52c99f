"""Work that would hold up an event loop, in a thread with an event loop of its own.

Python runs one thread at a time, but hands over within half a millisecond while a trading loop asks
for it (`live_run.SWITCH_S`). Never used under virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], Awaitable[T]], *, name: str) -> T:
    """What the work brings; cancelled, it is cancelled there, and not waited for.

    The thread is a daemon: work that never ends keeps no process from ending.
    """
    helper = _Helper(work)
    Thread(target=helper.run, name=name, daemon=True).start()
    try:
        return await asyncio.wrap_future(helper.told)
    except asyncio.CancelledError:
        helper.give_up()
        raise


class _Helper(Generic[T]):
    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[T]] | None = None
        self._is_given_up = False
        self.told: Future[T] = Future()
        self.told.set_running_or_notify_cancel()  # nobody but the thread ends it from now on

    def run(self) -> None:
        """The thread's whole life."""
        try:
            result = asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it is the asker's
            self.told.set_exception(error)
        else:
            self.told.set_result(result)

    async def _main(self) -> T:
        task = asyncio.ensure_future(self._work())
        self._running = asyncio.get_running_loop(), task
        if self._is_given_up:
            task.cancel()
        return await task

    def give_up(self) -> None:
        """Have the work cancelled, from another thread; once it is over nothing is left to do."""
        self._is_given_up = True
        if self._running is not None:
            loop, task = self._running
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)
