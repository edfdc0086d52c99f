"""What nobody waits for any more is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from builders import NOON, PAPER
from fakes import fresh_store
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.patience import Patience
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


class _DoneAgain:
    """A runner whose first try is undone, and whose second one waits for its turn."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.may_go_on = asyncio.Event()
        self.again: asyncio.Task[Any] | None = None

    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        del is_urgent
        with suppress(KeyError), self._store.transaction() as transaction:
            work(transaction)
            raise KeyError("what was to be committed with it failed")

        async def once_more() -> T:
            await self.may_go_on.wait()
            with self._store.transaction() as transaction:
                return work(transaction)

        again = asyncio.ensure_future(once_more())
        self.again = again
        return await asyncio.shield(again)

    async def read(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        return await self.run(work, is_urgent=is_urgent)

    async def close(self) -> None:
        """See `StoreRunner`."""


@pytest.mark.parametrize("is_in_time", [True, False])
def test_what_is_done_again_too_late_is_not_kept(tmp_path: Path, *, is_in_time: bool) -> None:
    """Its asker was told that nothing of it is kept, and has written it elsewhere."""
    store = fresh_store(tmp_path, PAPER)

    async def story() -> bool:
        runner = _DoneAgain(store)
        asked = asyncio.create_task(
            Patience(runner, 0.25).run(lambda tx: tx.set_config("key", "written", NOON))
        )
        if is_in_time:
            asyncio.get_running_loop().call_later(0.1, runner.may_go_on.set)
        await asyncio.wait({asked})
        runner.may_go_on.set()
        if runner.again is not None:
            await asyncio.wait({runner.again})
            runner.again.exception()
        is_told = not isinstance(asked.exception(), StoreUnavailable)
        with store.transaction() as transaction:
            assert (transaction.config_value("key") is not None) is is_told
        return is_told

    told = run_virtual(story())
    store.close()

    assert told is is_in_time
