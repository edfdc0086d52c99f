"""The store behind one thread, in which the loop does not wait for the disk.

What an order waits for goes first, and is worked through where it is asked for, as long as nobody
has the store: two threads that take turns at each statement need several times as long. The disk
is waited for in the thread. What came meanwhile is kept together, by one commit. Looks have a
thread and a connection of their own: a long one keeps no order from being written. Never used under
virtual time, where the work runs inline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from typing_extensions import override

from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.store import Store, Transaction, WouldWait

T = TypeVar("T")

TOGETHER = 8
"""Pieces of urgent work in one transaction: the first of them waits for the last."""

TOLD_FIRST = 4
"""Turns of the event loop that who was told has before many others begin: its order goes first."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A piece of work, and where its result is told."""

    work: Callable[[Transaction], Any]
    told: asyncio.Future[Any]
    is_look: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of a job: its result, or why there is none."""

    job: _Job
    result: Any = None
    error: BaseException | None = None


class WriterThread:
    """A `StoreRunner` of one event loop.

    What is urgent keeps the order of its calls, and so does what is not.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zoe-store")
        self._alone: deque[_Job] = deque()
        """Urgent, and to be done in the thread, each in a transaction of its own."""
        self._urgent: deque[_Job] = deque()
        self._ordinary: deque[_Job] = deque()
        self._under_way: asyncio.Future[None] | None = None
        """Until what is in the thread, or was told just now, is over."""
        self._looker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zoe-looks")

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        (self._urgent if is_urgent else self._ordinary).append(_Job(work, told))
        self._go_on()
        return await told

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        running = asyncio.get_running_loop()
        if not is_urgent:
            return await running.run_in_executor(self._looker, _looked, self._store, work)
        told: asyncio.Future[T] = running.create_future()
        self._urgent.append(_Job(work, told, is_look=True))
        self._go_on()
        return await told

    def _go_on(self) -> None:
        """Begin what comes first, unless something is under way: whose end goes on."""
        while self._under_way is None:
            alone = _next(self._alone, 1)
            urgent = () if alone else _next(self._urgent, TOGETHER)
            if urgent:
                self._do_here(urgent)
                continue
            jobs = alone or _next(self._ordinary, 1)
            if not jobs:
                return
            self._hand_over(partial(_by_itself, self._store, jobs[0]))

    def _do_here(self, jobs: Sequence[_Job]) -> None:
        """All of them in one transaction, which is committed in the thread if it wrote anything.

        Where all of them only look it is none: nobody who writes keeps them waiting.

        Where one fails, what it did is undone, and the others are done again, each for itself. So
        they are where somebody else writes: who is told late takes the store for gone.
        """
        try:
            with ExitStack() as stack:
                begin = _beginning(self._store, is_look=all(each.is_look for each in jobs))
                transaction = stack.enter_context(begin(at_once=True))
                ended = [_Ended(each, result=each.work(transaction)) for each in jobs]
                transaction.conclude()
                commit = stack.pop_all().close if transaction.has_changed else None
        except WouldWait:
            self._alone.extend(jobs)
        except Exception as error:  # noqa: BLE001 - it is the asker's
            if len(jobs) == 1:
                _tell((_Ended(jobs[0], error=error),))
            else:
                self._alone.extend(jobs)
        else:
            if commit is None:
                _tell(ended)
            else:
                self._hand_over(partial(_committed, commit, ended))

    def _hand_over(self, call: Callable[[], Sequence[_Ended]]) -> None:
        """Have the thread do it; then tell the askers, and go on."""
        running = asyncio.get_running_loop()
        self._under_way = running.create_future()

        def do() -> None:
            ended = call()
            with suppress(RuntimeError):  # nobody is there any more to be told
                running.call_soon_threadsafe(self._is_over, ended)

        self._executor.submit(do)

    def _is_over(self, ended: Sequence[_Ended]) -> None:
        _tell(ended)
        self._pause(TOLD_FIRST if len(self._urgent) > 1 and not self._alone else 0)

    def _pause(self, turns: int) -> None:
        """Go on after so many turns of the event loop."""
        if turns:
            asyncio.get_running_loop().call_soon(self._pause, turns - 1)
            return
        over, self._under_way = self._under_way, None
        if over is not None and not over.done():
            over.set_result(None)
        self._go_on()

    async def close(self) -> None:
        """See `StoreRunner`."""
        while self._under_way is not None:
            await self._under_way
        running = asyncio.get_running_loop()
        await running.run_in_executor(self._looker, int)  # what is looked for is found first
        self._looker.shutdown()
        await running.run_in_executor(self._executor, self._store.close)
        self._executor.shutdown()


def _next(jobs: deque[_Job], most: int) -> list[_Job]:
    """The first of them that somebody waits for still, so many at most."""
    found: list[_Job] = []
    while jobs and len(found) < most:
        job = jobs.popleft()
        if not job.told.done():
            found.append(job)
    return found


def _beginning(
    store: Store, *, is_look: bool
) -> Callable[..., AbstractContextManager[Transaction]]:
    """How to begin it by the connection that writes."""
    return store.recalling if is_look else store.transaction


def _looked(store: Store, work: Callable[[Transaction], T]) -> T:
    with store.reading() as books:
        return work(books)


def _by_itself(store: Store, job: _Job) -> Sequence[_Ended]:
    """In one transaction, or one look."""
    try:
        with _beginning(store, is_look=job.is_look)() as transaction:
            result = job.work(transaction)
    except BaseException as error:  # noqa: BLE001 - it is the asker's
        return (_Ended(job, error=error),)
    return (_Ended(job, result=result),)


def _committed(commit: Callable[[], None], ended: Sequence[_Ended]) -> Sequence[_Ended]:
    """The results, once they are on the disk; else why none of them is."""
    try:
        commit()
    except BaseException as error:  # noqa: BLE001 - it is the askers'
        return [_Ended(each.job, error=error) for each in ended]
    return ended


def _tell(ended: Sequence[_Ended]) -> None:
    for each in ended:
        if each.job.told.done():
            continue  # nobody waits for it any more
        if each.error is None:
            each.job.told.set_result(each.result)
        else:
            each.job.told.set_exception(each.error)


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
