"""Two threads for the notes of a key: one for protection, one for all else.

Daemons, because a database that never answers must not keep a finished program from ending. Never
used under virtual time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

LAST_WORK_S = 0.5
"""How long an end waits for what is still asked: slots that are given back."""

_Job = tuple["Future[Any]", Callable[[], Any]]
_LOG = logging.getLogger(__name__)


class ThreadLanes:
    """Implements `kraken.coordination.Lanes`."""

    def __init__(self) -> None:
        self._ordinary = _Lane("zoe-key")
        self._urgent = _Lane("zoe-key-urgent")

    async def run(self, work: Callable[[], T], *, is_urgent: bool) -> T:
        """See `Lanes.run`."""
        return await asyncio.wrap_future(self._lane(is_urgent=is_urgent).ask(work))

    def post(self, work: Callable[[], object], *, is_urgent: bool) -> None:
        """See `Lanes.post`."""
        self._lane(is_urgent=is_urgent).ask(work).add_done_callback(_note_failure)

    async def close(self) -> bool:
        """Finish what is asked; False if something hangs, and is left behind."""
        try:
            async with asyncio.timeout(LAST_WORK_S):
                await asyncio.wrap_future(self._urgent.end())
                await asyncio.wrap_future(self._ordinary.end())
        except TimeoutError:
            return False
        return True

    def _lane(self, *, is_urgent: bool) -> _Lane:
        return self._urgent if is_urgent else self._ordinary


class _Lane:
    """A thread that is started with the first job."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._is_started = False

    def ask(self, work: Callable[[], T]) -> Future[T]:
        if not self._is_started:
            self._is_started = True
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((future, work))
        return future

    def end(self) -> Future[None]:
        """Done once all before it is; the thread ends then."""
        future: Future[None] = Future()
        if self._is_started:
            self._jobs.put((future, lambda: None))
            self._jobs.put(None)
        else:
            future.set_result(None)
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is the asker's
                future.set_exception(error)
            else:
                future.set_result(result)


def _note_failure(future: Future[Any]) -> None:
    error = future.exception()
    if error is not None:
        _LOG.info("a turn with the key could not be given back: %s", error)
