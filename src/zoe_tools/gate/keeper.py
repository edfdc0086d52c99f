"""Keeps the journal of one gate: in the store, and when that is gone, in the emergency file.

Reductions wait for the store for 250 ms. Entries have no second place to be written in: a store
that cannot be written refuses them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from zoe_tools.errors import StoreError, StoreUnavailable
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.patience import Patience
from zoe_tools.gate.spare import PATIENCE_S as SPARE_PATIENCE_S
from zoe_tools.gate.spare import SpareStore
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 0.25
"""How long a reduction waits for the store, in the loop's seconds."""

_RETURN_S = 5.0
"""How long a loop waits for the merge that ends an outage; its turns go on meanwhile."""


class Keeper:
    """One gate's way to its journal. With a spare, the loop's, an outage ends by `return_home`."""

    def __init__(self, store: StoreRunner, emergency: EmergencyJournal | None) -> None:
        self._spare = store if isinstance(store, SpareStore) else None
        self._store = store.store if isinstance(store, SpareStore) else store
        self._patience = Patience(self._store, PATIENCE_S)
        self._is_lost = False
        self._trouble = ""
        self.emergency = emergency
        if emergency is not None and self._spare is not None:
            emergency.mirror = self._spare.reflect

    @property
    def is_gone(self) -> bool:
        """Whether the store has failed, and has not been told yet what it missed."""
        return self._is_lost or (self._spare is not None and self._spare.is_away)

    @property
    def trouble(self) -> str:
        """Why the store is gone; empty while it is not."""
        if not self.is_gone:
            return ""
        of_spare = self._spare.trouble if self._spare is not None else ""
        return of_spare or self._trouble or "The store is gone."

    @property
    def may_go_without(self) -> bool:
        """Whether a command may go on with reductions; a loop has its spare for that."""
        return self.emergency is not None and self._spare is None

    def lose(self, error: StoreUnavailable) -> None:
        """The store failed: from now on reductions go without it, and nothing else goes."""
        _LOG.error("The store is gone, reductions go on without it: %s", error.message)
        self._is_lost = True
        self._trouble = error.message
        if self._spare is not None:
            self._spare.leave(error)

    async def run(
        self,
        work: Callable[[Transaction], T],
        *,
        instead: Callable[[EmergencyJournal], T] | None = None,
    ) -> T:
        """Do the work in the store; if it is gone, `instead`, where there is such a thing.

        A reduction goes before what waits for the store already.

        Raises:
            StoreError: it was done nowhere.
        """
        if self.emergency is None or instead is None:
            if self.is_gone:
                raise StoreUnavailable("The store is gone: nothing that adds risk is done now.")
            return await self._in_store(work)
        if not self.is_gone:
            try:
                return await self._patience.run(work, is_urgent=True)
            except StoreUnavailable as error:
                self.lose(error)
        return instead(self.emergency)

    async def read(self, work: Callable[[Transaction], T], *, without: T) -> T:
        """Look in the store, which nobody who writes delays; if it is gone, `without`.

        Raises:
            StoreError: there is no emergency file either: a command's look.
        """
        if self.emergency is None:
            return await self._store.read(work, is_urgent=True)
        if not self.is_gone:
            try:
                return await self._patience.read(work, is_urgent=True)
            except StoreUnavailable as error:
                self.lose(error)
        return without

    async def _in_store(self, work: Callable[[Transaction], T]) -> T:
        """A loop's turns cannot wait as long as a command does: there are stops to look after."""
        if self._spare is None:
            return await self._store.run(work)
        try:
            return await Patience(self._store, SPARE_PATIENCE_S).run(work)
        except StoreUnavailable as error:
            self._spare.leave(error)
            raise

    async def prepare(self) -> None:
        """Before anything is sent: the file's room is taken, and the store's name known."""
        if self.emergency is None or self.emergency.store_epoch:
            return
        try:
            self.emergency.prepare()
            self.emergency.store_epoch = await self._store.read(lambda tx: tx.store_epoch())
        except StoreError as error:
            _LOG.error("There is no emergency journal: %s", error.message)

    def arm(self, seed: Callable[[Transaction], None]) -> None:
        """Let the spare stand in from now on, if reductions can be journaled without the store."""
        if self._spare is not None and self.emergency is not None and self.emergency.store_epoch:
            self._spare.arm(seed)

    async def merge(self) -> None:
        """Tell the store what it missed, if it is back; if not, it is told at the next start."""
        if self.emergency is None or (not self.is_gone and self.emergency.is_empty()):
            return
        if self._spare is not None and self._spare.is_away:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.emergency.merge(self._store)
        except (StoreError, TimeoutError):
            return
        self._is_lost = False

    async def return_home(self, check: Callable[[Transaction], None]) -> bool:
        """Ask whether the store is back; if it is, merge, and drop the spare. True when it is.

        `check` is the first that is done there, and may refuse to go on by raising.
        """
        if self.emergency is None or self._spare is None:
            return not self.is_gone
        try:
            await Patience(self._store, PATIENCE_S, more_s=_RETURN_S).run(check)
            # A turn may journal a reduction meanwhile: nothing may wait when the spare is dropped.
            while self.emergency.is_waiting():
                async with asyncio.timeout(_RETURN_S):
                    await self.emergency.merge(self._store)
        except (StoreError, TimeoutError):
            return False
        self._is_lost = False
        self._spare.come_back()
        return True
