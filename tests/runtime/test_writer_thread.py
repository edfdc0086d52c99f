"""The store behind one thread: what an order waits for goes first, and nothing gets lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import PAPER
from fakes import fresh_store
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Transaction


def test_what_is_urgent_goes_before_what_waits_already(tmp_path: Path) -> None:
    """Each kind in the order of its calls; what was given up meanwhile is not done."""
    done: list[str] = []
    may_go_on = threading.Event()

    def note(name: str) -> Callable[[Transaction], None]:
        return lambda _: done.append(name)

    def hold_up(_: Transaction) -> None:
        may_go_on.wait(timeout=10)

    async def story() -> None:
        runner = WriterThread(fresh_store(tmp_path, PAPER))
        asked = [asyncio.create_task(runner.run(hold_up))]
        for name, is_urgent in (("a", False), ("A", True), ("b", False), ("B", True)):
            asked.append(asyncio.create_task(runner.run(note(name), is_urgent=is_urgent)))
        given_up = asyncio.create_task(runner.run(note("given up")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.gather(*asked)
        await runner.close()

    asyncio.run(story())

    assert done == ["A", "B", "a", "b"]


def test_what_fails_is_its_asker_s_and_nobody_else_s(tmp_path: Path) -> None:
    """The thread goes on."""

    def fail(_: Transaction) -> None:
        raise KeyError("a bug")

    async def story() -> int:
        runner = WriterThread(fresh_store(tmp_path, PAPER))
        with pytest.raises(KeyError, match="a bug"):
            await runner.run(fail)
        found = await runner.run(lambda transaction: len(transaction.accounts()))
        await runner.close()
        return found

    assert asyncio.run(story()) == 1
