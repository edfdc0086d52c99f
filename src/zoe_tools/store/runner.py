"""How the waiting world calls the synchronous store.

Virtual time runs the work inline; live and scaled runs hand it to a thread (built in the runtime).
Either way one piece of work is one transaction, committed before the call returns, or one look:
whoever only reads asks for a look, which takes no lock. No transaction lasts over an `await`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


class StoreRunner(Protocol):
    """Runs one piece of work in one transaction, or in one look."""

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """The work's result, once committed; any exception rolls back.

        `is_urgent`: an order waits for it, and it goes before what waits already and is not.
        """
        ...

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """The result of work that only reads: it sees one state of the books, and locks nothing.

        What was awaited of `run` before it sees; it does not wait for what is queued there.
        `is_urgent`: an order waits for it; it uses what the connection that writes knows already.

        Raises:
            WrittenWhileReading: a bug; the work writes.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued and let go of the store."""
        ...


class InlineRunner:
    """Runs the work where it stands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(
        self,
        work: Callable[[Transaction], T],
        *,
        is_urgent: bool = False,  # noqa: ARG002 - nothing ever waits here
    ) -> T:
        """See `StoreRunner`."""
        with self._store.transaction() as transaction:
            return work(transaction)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        with self._store.recalling() if is_urgent else self._store.reading() as books:
            return work(books)

    async def close(self) -> None:
        """See `StoreRunner`."""
        self._store.close()
