"""The store behind one writer thread: the loop goes on while SQLite waits for the disk.

What an order waits for goes first. Never used under virtual time, where the work runs inline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from queue import PriorityQueue
from typing import Any, TypeVar

from typing_extensions import override

from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")

_Job = tuple[bool, int, "Future[Any]", Callable[[Transaction], Any]]
"""Whether it may wait, its number, where its result is told, and what is to be done."""


class WriterThread:
    """A `StoreRunner`: one thread, one transaction each.

    What is urgent keeps the order of its calls, and so does what is not.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zoe-store")
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._numbers = count()

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        future: Future[T] = Future()
        self._jobs.put((not is_urgent, next(self._numbers), future, work))
        self._executor.submit(self._do_first)
        return await asyncio.wrap_future(future)

    def _do_first(self) -> None:
        """Of what waits, not of what was asked first: there is a call of this for each."""
        _, _, future, work = self._jobs.get()
        if not future.set_running_or_notify_cancel():
            return
        try:
            with self._store.transaction() as transaction:
                result = work(transaction)
        except BaseException as error:  # noqa: BLE001 - it is the asker's
            future.set_exception(error)
        else:
            future.set_result(result)

    async def close(self) -> None:
        """See `StoreRunner`."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._store.close)
        self._executor.shutdown()


class ReaderThread(WriterThread):
    """The same over a store that can only be read; work that writes is told why not."""

    def __init__(self, store: Store, reason: StoreUnavailable) -> None:
        super().__init__(store)
        self._reason = reason

    @override
    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        try:
            return await super().run(work, is_urgent=is_urgent)
        except StoreUnavailable as error:
            raise StoreUnavailable(self._reason.message, hint=self._reason.hint) from error
