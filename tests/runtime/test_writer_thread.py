"""The store behind one thread: what an order waits for goes first, and nothing gets lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from builders import NOON, PAPER
from fakes import fresh_store
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Store, Transaction, WrittenWhileReading


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


@contextmanager
def commits_of(store: Store) -> Iterator[list[str]]:
    """The names of the threads that commit while this is open."""
    seen: list[str] = []

    def note(_: object) -> None:
        seen.append(threading.current_thread().name)

    engine = store._transactions.engine
    event.listen(engine, "commit", note)
    yield seen
    event.remove(engine, "commit", note)


def writing(key: str) -> Callable[[Transaction], str]:
    """Work that writes a row, and tells its thread."""

    def work(transaction: Transaction) -> str:
        transaction.set_config(key, "written", NOON)
        return threading.current_thread().name

    return work


def written(store: Store, *keys: str) -> list[bool]:
    """Which of the rows are there."""
    with store.transaction() as transaction:
        return [transaction.config_value(each) is not None for each in keys]


def test_what_is_urgent_is_done_where_it_is_asked_for_and_committed_in_the_thread(
    tmp_path: Path,
) -> None:
    """The loop waits for no disk; what writes nothing leaves it nothing to wait for."""
    store = fresh_store(tmp_path, PAPER)

    async def story() -> tuple[str, str, str]:
        runner = WriterThread(store)
        told = (
            await runner.run(writing("a"), is_urgent=True),
            await runner.run(lambda _: threading.current_thread().name, is_urgent=True),
            await runner.run(writing("b")),
        )
        await runner.close()
        return told

    with commits_of(store) as commits:
        places = asyncio.run(story())

    here = threading.current_thread().name
    assert places[:2] == (here, here)
    assert places[2].startswith("zoe-store")
    assert [each.startswith("zoe-store") for each in commits] == [True, False, True]
    assert written(store, "a", "b") == [True, True]


def test_urgent_work_that_came_meanwhile_is_kept_by_one_commit(tmp_path: Path) -> None:
    """The first does not wait for the others; they wait for its commit, and share the next."""
    store = fresh_store(tmp_path, PAPER)

    async def story() -> None:
        runner = WriterThread(store)
        await asyncio.gather(
            *(runner.run(writing(each), is_urgent=True) for each in ("a", "b", "c", "d"))
        )
        await runner.close()

    with commits_of(store) as commits:
        asyncio.run(story())

    assert len(commits) == 2
    assert written(store, "a", "b", "c", "d") == [True] * 4


def test_who_was_told_goes_on_before_more_is_begun(tmp_path: Path) -> None:
    """An order that is journaled goes out first, by whatever tasks it takes."""
    done: list[str] = []
    store, may_commit = fresh_store(tmp_path, PAPER), threading.Event()
    event.listen(store._transactions.engine, "commit", lambda _: may_commit.wait(timeout=10))

    def second(_: Transaction) -> None:
        done.append("second begun")

    async def story() -> None:
        runner = WriterThread(store)

        async def send() -> None:
            await asyncio.create_task(runner.run(writing("a"), is_urgent=True))
            done.append("first sent")

        first = asyncio.create_task(send())
        for _ in range(3):
            await asyncio.sleep(0)  # its work is done, and waits for its commit
        waiting = [asyncio.create_task(runner.run(second, is_urgent=True)) for _ in range(2)]
        await asyncio.sleep(0)
        may_commit.set()
        await asyncio.gather(first, *waiting)
        await runner.close()

    asyncio.run(story())

    assert done == ["first sent", "second begun", "second begun"]


def test_one_that_fails_takes_nothing_of_the_others_with_it(tmp_path: Path) -> None:
    """What it did itself is undone."""
    store = fresh_store(tmp_path, PAPER)

    def fail(transaction: Transaction) -> str:
        transaction.set_config("bad", "never", NOON)
        raise KeyError("a bug")

    async def story() -> list[str | BaseException]:
        runner = WriterThread(store)
        asked = (writing("a"), writing("b"), fail, writing("c"))
        found = await asyncio.gather(
            *(runner.run(each, is_urgent=True) for each in asked), return_exceptions=True
        )
        with pytest.raises(KeyError):
            await runner.run(fail, is_urgent=True)
        await runner.close()
        return found

    told = asyncio.run(story())

    assert [isinstance(each, KeyError) for each in told] == [False, False, True, False]
    assert written(store, "a", "b", "c", "bad") == [True, True, True, False]


def is_in_the_thread() -> bool:
    """Whether work is done where the loop goes on meanwhile."""
    return threading.current_thread().name.startswith("zoe-store")


def fail(_: Transaction) -> str:
    """What is done beside it is done again, each for itself."""
    raise KeyError("a bug")


def test_each_is_told_as_soon_as_his_work_is_kept(tmp_path: Path) -> None:
    """Who is told late takes the store for gone, and journals elsewhere what is on the disk."""
    store, is_told = fresh_store(tmp_path, PAPER), threading.Event()
    seen: list[bool] = []

    def second(_: Transaction) -> str:
        if is_in_the_thread():
            seen.append(is_told.wait(timeout=5))
        return "second"

    async def story() -> None:
        runner = WriterThread(store)

        async def first() -> str:
            place = await runner.run(writing("a"), is_urgent=True)
            is_told.set()
            return place

        asked = [asyncio.create_task(runner.run(writing("before")))]
        asked.append(asyncio.create_task(first()))
        asked += [asyncio.create_task(runner.run(each, is_urgent=True)) for each in (second, fail)]
        await asyncio.gather(*asked, return_exceptions=True)
        await runner.close()

    asyncio.run(story())

    assert seen == [True]


def test_what_is_given_up_while_it_waits_in_the_thread_is_not_done(tmp_path: Path) -> None:
    """Its asker went elsewhere."""
    store, may_go_on = fresh_store(tmp_path, PAPER), threading.Event()

    async def story() -> None:
        runner, has_begun = WriterThread(store), asyncio.Event()
        loop = asyncio.get_running_loop()

        def first(_: Transaction) -> str:
            if is_in_the_thread():
                loop.call_soon_threadsafe(has_begun.set)
                may_go_on.wait(timeout=5)
            return "first"

        works = (first, writing("given up"), writing("b"), fail)
        asked = [asyncio.create_task(runner.run(writing("before")))]
        asked += [asyncio.create_task(runner.run(each, is_urgent=True)) for each in works]
        await has_begun.wait()
        asked[2].cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.gather(*asked, return_exceptions=True)
        await runner.close()

    asyncio.run(story())

    assert written(store, "given up", "b") == [False, True]


def test_the_loop_does_not_wait_for_another_process_s_lock(tmp_path: Path) -> None:
    """The thread does."""
    store, other = fresh_store(tmp_path, PAPER), fresh_store(tmp_path, PAPER)

    async def story() -> str:
        runner = WriterThread(store)
        with other.transaction() as transaction:
            transaction.set_config("theirs", "first", NOON)
            asked = asyncio.create_task(runner.run(writing("a"), is_urgent=True))
            await asyncio.sleep(0)
            assert not asked.done()
        place = await asked
        await runner.close()
        return place

    place = asyncio.run(story())

    assert place.startswith("zoe-store")
    assert written(other, "a", "theirs") == [True, True]
    other.close()


def test_work_that_waits_is_done_before_the_store_is_closed(tmp_path: Path) -> None:
    """Whoever closes it waits for all of it."""
    store = fresh_store(tmp_path, PAPER)

    async def story() -> None:
        runner = WriterThread(store)
        asked = [asyncio.create_task(runner.run(writing(each))) for each in ("a", "b", "c")]
        await asyncio.sleep(0)
        await runner.close()
        await asyncio.gather(*asked)

    asyncio.run(story())

    assert written(fresh_store(tmp_path, PAPER), "a", "b", "c") == [True] * 3


def test_a_look_waits_for_nothing_that_is_being_written_nor_for_who_locks(tmp_path: Path) -> None:
    """Neither in this process nor in another one; what was committed before it sees."""
    store, other = fresh_store(tmp_path, PAPER), fresh_store(tmp_path, PAPER)
    may_end = threading.Event()

    def slow(transaction: Transaction) -> None:
        transaction.set_config("slow", "half", NOON)
        assert may_end.wait(60)

    async def story() -> list[tuple[str | None, str | None]]:
        runner = WriterThread(store)
        await runner.run(writing("before"))
        asked = asyncio.create_task(runner.run(slow))
        await asyncio.sleep(0)
        seen = [await runner.read(told)]
        may_end.set()
        await asked
        with other.transaction() as transaction:
            transaction.set_config("slow", "theirs", NOON)
            seen += [await runner.read(told), await runner.read(told, is_urgent=True)]
        await runner.close()
        return seen

    def told(books: Transaction) -> tuple[str | None, str | None]:
        return books.config_value("before"), books.config_value("slow")

    seen = asyncio.run(story())
    other.close()

    assert seen == [("written", None), ("written", "half"), ("written", "half")]


def test_an_urgent_look_is_done_where_it_is_asked_for(tmp_path: Path) -> None:
    """A long one that nobody's order waits for is not."""
    store = fresh_store(tmp_path, PAPER)

    async def story() -> list[str]:
        runner = WriterThread(store)
        places = [
            await runner.read(lambda _: threading.current_thread().name, is_urgent=is_urgent)
            for is_urgent in (True, False)
        ]
        with pytest.raises(WrittenWhileReading):
            await runner.read(writing("a"), is_urgent=True)
        await runner.close()
        return places

    here, there = asyncio.run(story())

    assert here == threading.main_thread().name
    assert there.startswith("zoe-looks")
    assert written(fresh_store(tmp_path, PAPER), "a") == [False]
