"""What a loop works on while its store is away: a copy of its books, in memory.

Everything that reads or books goes on as usual. What must not be lost is in the emergency journal
and in the venue's own records; both are told to the store when it is back, and the copy is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from zoe_tools.domain.account import Account
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.patience import Patience
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock
from zoe_tools.store.memory import store_in_memory
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Store, Transaction

_LOG = logging.getLogger(__name__)

AWAY = "STORE_AWAY"
BACK = "STORE_BACK"

PATIENCE_S = 2.0
"""How long a loop's reads and bookings wait for their turn; reductions wait less."""

_MORE_S = 30.0
"""How much longer for what has its turn: to look through a long history takes a while."""

T = TypeVar("T")


class SpareStore:
    """A `StoreRunner`: the store's own, and its stand-in from `arm` on, whenever it is away."""

    def __init__(self, store: StoreRunner, account: Account, clock: Clock) -> None:
        self.store = store
        self._account = account
        self._clock = clock
        self._patience = Patience(store, PATIENCE_S, more_s=_MORE_S)
        self._seed: Callable[[Transaction], None] | None = None
        self._copy: Store | None = None
        self.trouble = ""
        """Why the store was left, and what to do about it; empty before the first time."""

    @property
    def is_away(self) -> bool:
        """Whether the copy stands in at the moment."""
        return self._copy is not None

    def arm(self, seed: Callable[[Transaction], None]) -> None:
        """From now on the store may go: `seed` writes the books, as last read, into an empty one.

        Until then whoever asks is told that the store is gone.
        """
        self._seed = seed

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        if self._seed is None:
            return await self.store.run(work, is_urgent=is_urgent)
        if self._copy is None:
            try:
                return await self._patience.run(work, is_urgent=is_urgent)
            except StoreUnavailable as error:
                self.leave(error)
        return self.tell(work)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`; a store that others lock can be read all the same, and is not away."""
        if self._seed is None:
            return await self.store.read(work, is_urgent=is_urgent)
        if self._copy is None:
            try:
                return await self._patience.read(work, is_urgent=is_urgent)
            except StoreUnavailable as error:
                self.leave(error)
        return self._of_copy(lambda copy: copy.reading(), work)

    def leave(self, error: StoreUnavailable) -> bool:
        """The store is away: the copy stands in from here on; False if there can be none."""
        if self._copy is not None:
            return True
        if self._seed is None:
            return False
        copy = store_in_memory(self._account, self._clock.now())
        with copy.transaction() as transaction:
            self._seed(transaction)
        self._copy = copy
        self.trouble = f"{error.message} {error.hint}".strip()
        event(_LOG, AWAY, "error", reason=error.message)
        return True

    def tell(self, work: Callable[[Transaction], T]) -> T:
        """Work on the copy, where it stands.

        Raises:
            RuntimeError: there is none; a bug.
        """
        return self._of_copy(lambda copy: copy.transaction(), work)

    def _of_copy(
        self,
        begin: Callable[[Store], AbstractContextManager[Transaction]],
        work: Callable[[Transaction], T],
    ) -> T:
        if self._copy is None:
            raise RuntimeError("the store is not away: there is no copy of it")
        with begin(self._copy) as transaction:
            return work(transaction)

    def reflect(self, work: Callable[[Transaction], None]) -> None:
        """Tell the copy what was journaled without the store; where it has not left, nothing."""
        if self._copy is not None:
            self.tell(work)

    def come_back(self) -> None:
        """The store is back and knows all that cannot be asked of the venue: drop the copy."""
        if self._copy is None:
            return
        self._copy.close()
        self._copy = None
        event(_LOG, BACK, "warning")

    async def close(self) -> None:
        """See `StoreRunner`."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
        await self.store.close()
