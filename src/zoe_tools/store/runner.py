"""How the waiting world calls the synchronous store.

Virtual time runs the work inline; live and scaled runs hand it to one writer thread (built in the
runtime). Either way one piece of work is one transaction, committed before the call returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


class StoreRunner(Protocol):
    """Runs one piece of work in one transaction."""

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """The work's result, once committed; any exception rolls back.

        `is_urgent`: an order waits for it, and it goes before what waits already and is not.
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

    async def close(self) -> None:
        """See `StoreRunner`."""
        self._store.close()
