"""Work in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from zoe_tools.errors import StoreUnavailable
from zoe_tools.runtime.aside import aside

PATIENCE_S = 10.0


def test_the_event_loop_turns_while_the_work_keeps_its_own_busy() -> None:
    """The work blocks its thread until this loop lets it go."""
    let_go = threading.Event()

    async def work() -> bool:
        return let_go.wait(PATIENCE_S)

    async def story() -> bool:
        working = asyncio.create_task(aside(work, name="test"))
        await asyncio.sleep(0)
        let_go.set()
        return await working

    assert asyncio.run(story())


def test_its_error_is_the_askers() -> None:
    """With its class, as if it had been awaited here."""

    async def work() -> None:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable, match="gone"):
        asyncio.run(aside(work, name="test"))


@pytest.mark.parametrize("is_begun", [False, True])
def test_cancelled_it_is_cancelled_in_its_thread(*, is_begun: bool) -> None:
    """At once for the asker, however far it has come; there, it tidies up, and the thread ends."""
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def story() -> None:
        working = asyncio.create_task(aside(work, name="zoe-test"))
        await asyncio.sleep(0)
        if is_begun:
            assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(story())
    for thread in threading.enumerate():
        if thread.name == "zoe-test":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    assert begun.is_set() == ended.is_set()
