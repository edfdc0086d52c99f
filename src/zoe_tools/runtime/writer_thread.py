"""The store behind one writer thread: the loop goes on while SQLite waits for the disk.

Never used under virtual time, where the work runs inline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from typing_extensions import override

from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


class WriterThread:
    """A `StoreRunner` that keeps the order of the calls: one thread, one transaction each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zoe-store")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """See `StoreRunner`."""

        def in_transaction() -> T:
            with self._store.transaction() as transaction:
                return work(transaction)

        return await asyncio.get_running_loop().run_in_executor(self._executor, in_transaction)

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
    async def run(self, work: Callable[[Transaction], T]) -> T:
        """See `StoreRunner`."""
        try:
            return await super().run(work)
        except StoreUnavailable as error:
            raise StoreUnavailable(self._reason.message, hint=self._reason.hint) from error
