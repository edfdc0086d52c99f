"""Waits for the store only so long; what nobody waits for any more is not kept.

A reduction that went to the emergency file instead must not be written in both places.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

_COMMIT_S = 1.0
"""How much longer for one that has begun to commit."""


class _AbandonedError(Exception):
    """Rolls back what nobody waits for any more."""


class _Work(Generic[T]):
    """A piece of work that can be abandoned until it is about to commit.

    Where what it shared a commit with failed it is done again: not if it was abandoned by then.
    """

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._is_abandoned = self._is_committing = False
        self.has_begun = False

    def __call__(self, transaction: Transaction) -> T:
        with self._lock:
            self._is_committing = False
            if self._is_abandoned:
                raise _AbandonedError
        self.has_begun = True
        result = self._work(transaction)
        with self._lock:
            if self._is_abandoned:
                raise _AbandonedError
            self._is_committing = True
        return result

    def abandon(self) -> bool:
        """Whether it is sure now that nothing of it will be kept."""
        with self._lock:
            self._is_abandoned = True
            return not self._is_committing


class Patience:
    """Runs work in a store, in the loop's seconds; `more_s` is for work that has begun by then."""

    def __init__(self, store: StoreRunner, patience_s: float, *, more_s: float = 0.0) -> None:
        self._store = store
        self._patience_s = patience_s
        self._more_s = more_s
        self._under_way: set[asyncio.Future[Any]] = set()

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """The work, within patience.

        Raises:
            StoreUnavailable: it takes longer; nothing of it is kept.
        """
        piece = _Work(work)
        return await self._waited(piece, self._store.run(piece, is_urgent=is_urgent))

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """Work that only reads, within patience.

        Raises:
            StoreUnavailable: it takes longer.
        """
        piece = _Work(work)
        return await self._waited(piece, self._store.read(piece, is_urgent=is_urgent))

    async def _waited(self, piece: _Work[T], asked: Coroutine[Any, Any, T]) -> T:
        running = asyncio.ensure_future(asked)
        # Kept, and asked how it ended: whoever waits for it may be cancelled.
        self._under_way.add(running)
        running.add_done_callback(self._forget)
        done, _ = await asyncio.wait({running}, timeout=self._patience_s)
        if not done and piece.has_begun and self._more_s:
            done, _ = await asyncio.wait({running}, timeout=self._more_s)
        if not done and not piece.abandon():
            done, _ = await asyncio.wait({running}, timeout=_COMMIT_S)
        if done:
            with suppress(_AbandonedError):
                return running.result()
        running.cancel()  # what has not reached the store yet shall not wait for it, either
        raise StoreUnavailable(f"The store does not answer within {self._patience_s} s.")

    def _forget(self, over: asyncio.Future[Any]) -> None:
        self._under_way.discard(over)
        if not over.cancelled():
            over.exception()
