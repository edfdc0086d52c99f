"""Keeps the journal of one gate: in the store, and when that is gone, in the emergency file.

Reductions wait for the store for 250 ms. Entries have no second place to be written in: a store
that cannot be written refuses them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zoe_tools.errors import StoreError, StoreUnavailable
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 0.25
"""How long a reduction waits for the store, in the loop's seconds."""

_COMMIT_S = 1.0
"""How much longer for one that has begun to commit: it must not be written in both places."""


class _AbandonedError(Exception):
    """Rolls back what nobody waits for any more."""


class _Work(Generic[T]):
    """A piece of work that can be abandoned until it is about to commit."""

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._is_abandoned = self.is_committing = False

    def __call__(self, transaction: Transaction) -> T:
        if self._is_abandoned:
            raise _AbandonedError
        result = self._work(transaction)
        with self._lock:
            if self._is_abandoned:
                raise _AbandonedError
            self.is_committing = True
        return result

    def abandon(self) -> bool:
        """Whether it is sure now that nothing of it will be kept."""
        with self._lock:
            self._is_abandoned = not self.is_committing
            return self._is_abandoned


@dataclass(slots=True, kw_only=True)
class Keeper:
    """One gate's way to its journal; `is_gone` once the store failed it, until a merge."""

    store: StoreRunner
    emergency: EmergencyJournal | None = None
    is_gone: bool = False
    _late: set[asyncio.Future[Any]] = field(default_factory=set)

    async def run(
        self,
        work: Callable[[Transaction], T],
        *,
        instead: Callable[[EmergencyJournal], T] | None = None,
    ) -> T:
        """Do the work in the store; if it is gone, `instead`, where there is such a thing.

        Raises:
            StoreError: it was done nowhere.
        """
        if self.emergency is None or instead is None:
            if self.is_gone:
                raise StoreUnavailable("The store is gone: nothing that adds risk is done now.")
            return await self.store.run(work)
        if not self.is_gone:
            try:
                return await self._soon(work)
            except StoreError as error:
                _LOG.error("The store is gone, reductions go on without it: %s", error.message)
                self.is_gone = True
        return instead(self.emergency)

    async def prepare(self) -> None:
        """Before anything is sent: the file's room is taken, and the store's name known."""
        if self.emergency is None or self.emergency.store_epoch:
            return
        try:
            self.emergency.prepare()
            self.emergency.store_epoch = await self.store.run(lambda tx: tx.store_epoch())
        except StoreError as error:
            _LOG.error("There is no emergency journal: %s", error.message)

    async def merge(self) -> None:
        """Tell the store what it missed, if it is back; if not, it is told at the next start."""
        if self.emergency is None or (not self.is_gone and self.emergency.is_empty()):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.emergency.merge(self.store)
        except (StoreError, TimeoutError):
            return
        self.is_gone = False

    async def _soon(self, work: Callable[[Transaction], T]) -> T:
        """The work, within patience.

        Raises:
            StoreUnavailable: it takes longer; nothing of it is kept.
        """
        piece = _Work(work)
        running = asyncio.ensure_future(self.store.run(piece))
        done, _ = await asyncio.wait({running}, timeout=PATIENCE_S)
        if not done and not piece.abandon():
            done, _ = await asyncio.wait({running}, timeout=_COMMIT_S)
        if done:
            return running.result()
        self._late.add(running)
        running.add_done_callback(self._forget)
        raise StoreUnavailable(f"The store does not answer within {PATIENCE_S} s.")

    def _forget(self, late: asyncio.Future[Any]) -> None:
        self._late.discard(late)
        late.exception()
