"""Who only reads takes no lock, sees one state of the books, and cannot write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import ETH, LIVE, NOON, PAPER, make_position
from fakes import fresh_store
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store import database
from zoe_tools.store.database import engine_for, translated_errors
from zoe_tools.store.memory import store_in_memory
from zoe_tools.store.store import Store, Transaction, WouldWait, WrittenWhileReading

FIRST, SECOND = make_position(), make_position(position_id=PositionId("P2"), symbol=ETH)
Look = Callable[[Store], AbstractContextManager[Transaction]]
LOOKS: dict[str, Look] = {
    "by a connection of its own": lambda store: store.reading(),
    "by the one that writes": lambda store: store.recalling(),
}
each_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Somebody holds the write lock, and has written something."""
    with closing(sqlite3.connect(folder / "zoe.db", isolation_level=None)) as driver:
        driver.execute("BEGIN IMMEDIATE")
        driver.execute("UPDATE config SET value = 'half'")
        yield
        driver.execute("ROLLBACK")


def write(store: Store, *positions: object) -> None:
    """Each of them."""
    with store.transaction() as books:
        for each in positions:
            books.record_position(each)  # type: ignore[arg-type]


@each_look
def test_a_look_waits_for_nobody_who_writes(tmp_path: Path, look: Look) -> None:
    """Neither where the lock is held does it fail, nor is anything seen of what is half done."""
    url = f"sqlite:///{tmp_path / 'zoe.db'}"
    with closing(fresh_store(tmp_path, PAPER)) as store:
        write(store, FIRST)
    with closing(Store.open(url, PAPER, clock_now=NOON, busy_timeout_s=0.0)) as store:
        with locked(tmp_path), look(store) as books:
            seen = books.positions(), books.kill_switch()
        with locked(tmp_path), pytest.raises(StoreUnavailable), store.transaction():
            pass

    assert seen == ((FIRST,), False)


@each_look
def test_who_writes_waits_for_no_look(store: Store, url: str, look: Look) -> None:
    """And the look goes on to see what it saw first."""
    with closing(Store.open(url, PAPER, clock_now=NOON, busy_timeout_s=0.5)) as other:
        write(other, FIRST)
        with look(store) as books:
            seen = [books.positions()]
            write(other, SECOND)
            seen.append(books.positions())
        with look(store) as books:
            after = books.positions()

    assert seen == [(FIRST,)] * 2
    assert set(after) == {FIRST, SECOND}


@each_look
def test_nothing_can_be_written_in_a_look(store: Store, look: Look) -> None:
    """That is a bug, and said to be one; the next transaction writes as before."""
    with pytest.raises(WrittenWhileReading), look(store) as books:
        books.record_position(FIRST)
    with pytest.raises(WrittenWhileReading), look(store) as books:
        books.set_config("key", "value", NOON)
    write(store, SECOND)
    with look(store) as books:
        seen = books.positions(), books.config_value("key")

    assert seen == ((SECOND,), None)


def test_nothing_can_be_written_in_a_look_at_a_store_in_memory() -> None:
    """It has one connection, which is as before afterwards."""
    with closing(store_in_memory(PAPER, NOON)) as store:
        with pytest.raises(WrittenWhileReading), store.reading() as books:
            books.record_position(FIRST)
        write(store, SECOND)
        with store.reading() as books:
            seen = books.positions()

    assert seen == (SECOND,)


def test_a_look_at_once_waits_for_nobody_and_a_server_s_is_never_at_once(store: Store) -> None:
    """A server is asked in a thread."""
    is_server = store._transactions.engine.dialect.name != "sqlite"
    if is_server:
        with pytest.raises(WouldWait), store.recalling(at_once=True):
            pass
        return
    write(store, FIRST)
    with store.recalling(at_once=True) as books:
        assert books.positions() == (FIRST,)
    write(store, SECOND)


def test_a_store_that_is_known_is_opened_without_a_lock(tmp_path: Path) -> None:
    """To open it for the first time takes one: the account is written into it."""
    url = f"sqlite:///{tmp_path / 'zoe.db'}"
    fresh_store(tmp_path, PAPER).close()
    with locked(tmp_path):
        Store.open(url, PAPER, clock_now=NOON, busy_timeout_s=0.0).close()
        with pytest.raises(StoreUnavailable):
            Store.open(url, LIVE, clock_now=NOON, busy_timeout_s=0.0)
    Store.open(url, LIVE, clock_now=NOON).close()

    with locked(tmp_path):
        Store.open(url, LIVE, clock_now=NOON, busy_timeout_s=0.0).close()


def test_what_the_writing_connection_knows_it_knows_in_a_look(tmp_path: Path) -> None:
    """Until somebody writes: this connection or another one, before the look or since."""
    ours, theirs = fresh_store(tmp_path, PAPER), fresh_store(tmp_path, PAPER)
    asked: list[str] = []
    with ours.transaction() as books:
        driver = books._connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(asked.append)
    seen = []
    for wrote in ((), (theirs, FIRST), (), (ours, SECOND), ()):
        if wrote:
            write(*wrote)
        with ours.recalling() as books:
            found = [books.position(each.position_id) for each in (FIRST, SECOND)]
            seen.append(sum(each is not None for each in found))
    ours.close()
    theirs.close()

    assert seen == [0, 1, 1, 2, 2]
    selects = [each for each in asked if each.startswith("SELECT") and "crypto_positions" in each]
    assert len(selects) == 3 * 2 + 1, "whoever writes looks for what was there before"


def test_a_look_that_lasts_too_long_is_ended(tmp_path: Path) -> None:
    """As long as it lasts the log cannot be emptied, however fast it grows."""
    fresh_store(tmp_path, PAPER).close()
    engine = engine_for(f"sqlite:///{tmp_path / 'zoe.db'}", read_only=True, read_at_most_s=0.0)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
    with (
        pytest.raises(StoreUnavailable, match="one look at it took too long"),
        translated_errors(engine.url),
        engine.begin() as connection,
    ):
        connection.execute(text(endless))
    engine.dispose()


def test_the_log_that_grew_behind_a_look_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the look is over."""
    monkeypatch.setattr(database, "LOG_AT_MOST_BYTES", 4096)
    log = tmp_path / "zoe.db-wal"
    with closing(fresh_store(tmp_path, PAPER)) as store:
        with store.reading() as books:
            books.positions()
            for number in range(1_200):
                with store.transaction() as writing:
                    writing.beat(f"part {number % 400}", "ok", NOON, {"text": "x" * 2_000})
            grown = log.stat().st_size
        for number in range(3):  # one empties it, the next one begins it anew
            with store.transaction() as writing:
                writing.beat("part", "ok", NOON, {"number": number})
        left = log.stat().st_size

    assert grown > 1_000 * 4096
    assert left <= 10 * 4096
