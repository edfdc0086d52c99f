"""What was read is not read again as long as nobody has changed it, in whatever way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from builders import NOON, PAPER, d, make_order, make_position
from fakes import fresh_store
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.position import Position
from zoe_tools.errors import StoreUnavailable
from zoe_tools.store import unchanged
from zoe_tools.store.memory import store_in_memory
from zoe_tools.store.store import Store, Transaction
from zoe_tools.store.unchanged import Unchanged

NAME = make_position().position_id


@contextmanager
def asked_of(store: Store) -> Iterator[list[str]]:
    """What SQLite is asked for while this is open."""
    seen: list[str] = []
    with store.transaction() as transaction:
        driver: Any = transaction._connection.connection.driver_connection
    driver.set_trace_callback(lambda said: seen.append(said) if said[:6] == "SELECT" else None)
    yield seen
    driver.set_trace_callback(None)


def quantity_in(transaction: Transaction) -> str:
    """Of the position."""
    found = transaction.position(NAME)
    return "none" if found is None else str(found.quantity)


def changed() -> Position:
    """The position with a stop."""
    return make_position(stop_price=d("59000"))


def test_what_nobody_has_changed_is_asked_once(tmp_path: Path) -> None:
    """In this transaction and in those after it; what is written elsewhere matters to nobody."""
    store = fresh_store(tmp_path, PAPER)
    with store.transaction() as transaction:
        transaction.record_position(make_position())
    seen: list[Position | None] = []
    with asked_of(store) as asked:
        for _ in range(3):
            with store.transaction() as transaction:
                seen += [transaction.position(NAME), transaction.position(NAME)]
                transaction.beat("loop", "ok", NOON, {})
    store.close()

    assert seen == [make_position()] * 6
    assert len([each for each in asked if "crypto_positions" in each]) == 1


def test_what_this_one_writes_it_reads(tmp_path: Path) -> None:
    """At once, and after the commit, with whatever stands beside it."""
    store = fresh_store(tmp_path, PAPER)
    with store.transaction() as transaction:
        seen = [transaction.positions()]
        transaction.record_position(make_position())
        seen.append(transaction.positions())
        transaction.record_position(changed())
        seen.append(transaction.positions())
    with store.transaction() as transaction:
        seen.append(transaction.positions())
    store.close()

    assert seen == [(), (make_position(),), (changed(),), (changed(),)]


def test_a_query_over_two_tables_heeds_both(tmp_path: Path) -> None:
    """The stories of active positions: one that ends has none any more."""
    store = fresh_store(tmp_path, PAPER)
    with store.transaction() as transaction:
        transaction.record_position(make_position())
        before = transaction.price_events()
        transaction._connection.execute(text("UPDATE crypto_positions SET status = 'closed'"))
        after = transaction.price_events()
    store.close()

    assert (len(before) > 0, after) == (True, ())


def test_what_is_changed_past_the_door_is_read_anew(tmp_path: Path) -> None:
    """Within the transaction, and before the first write that is noted."""
    store = fresh_store(tmp_path, PAPER)
    by_hand = text("UPDATE crypto_positions SET quantity = '0.7'")
    with store.transaction() as transaction:
        transaction.record_position(make_position())
        transaction.record_order(make_order())
        seen = [quantity_in(transaction)]
        transaction._connection.execute(by_hand)
        transaction.record_order(make_order(client_order_id=ClientOrderId("another")))
        seen.append(quantity_in(transaction))
    store.close()

    assert seen == [str(make_position().quantity), "0.7"]


def test_what_another_process_commits_is_read_anew(tmp_path: Path) -> None:
    """From the next transaction on: this one has the write lock."""
    ours, theirs = fresh_store(tmp_path, PAPER), fresh_store(tmp_path, PAPER)
    with ours.transaction() as transaction:
        seen = [quantity_in(transaction)]
    with theirs.transaction() as transaction:
        transaction.record_position(make_position())
    with ours.transaction() as transaction:
        seen.append(quantity_in(transaction))
    ours.close()
    theirs.close()

    assert seen == ["none", str(make_position().quantity)]


def test_what_was_taken_back_is_not_remembered(tmp_path: Path) -> None:
    """Whether the whole transaction was, or the part of it after a savepoint."""
    store = fresh_store(tmp_path, PAPER)

    def write_in_vain(transaction: Transaction) -> None:
        transaction.record_position(make_position())
        assert quantity_in(transaction) != "none"
        raise KeyError("taken back")

    def part_of_it(transaction: Transaction) -> None:
        with transaction._connection.begin_nested():
            write_in_vain(transaction)

    with pytest.raises(KeyError), store.transaction() as transaction:
        write_in_vain(transaction)
    with store.transaction() as transaction:
        seen = [quantity_in(transaction)]
    with store.transaction() as transaction:
        with pytest.raises(KeyError):
            part_of_it(transaction)
        seen.append(quantity_in(transaction))
        transaction._audit._notes.clear()  # they tell of what is not there
    store.close()

    assert seen == ["none", "none"]


def test_a_commit_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: what was written before it was never there."""
    store, is_full = fresh_store(tmp_path, PAPER), [True]
    engine = store._transactions.engine
    commit = engine.dialect.do_commit

    def fail(connection: Any) -> None:
        if is_full.pop():
            raise sqlite3.OperationalError("database or disk is full")
        commit(connection)

    def write() -> None:
        with store.transaction() as transaction:
            transaction.record_position(make_position())
            assert quantity_in(transaction) != "none"

    monkeypatch.setattr(engine.dialect, "do_commit", fail)
    with pytest.raises(StoreUnavailable):
        write()
    monkeypatch.setattr(engine.dialect, "do_commit", commit)
    with store.transaction() as transaction:
        seen = quantity_in(transaction)
    store.close()

    assert seen == "none"


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long answers are not kept at all, and too many are forgotten."""
    monkeypatch.setattr(unchanged, "MOST_ROWS", 1)
    monkeypatch.setattr(unchanged, "REMEMBERED", 3)
    store = fresh_store(tmp_path, PAPER)
    names = [ClientOrderId(f"order-{each}") for each in range(10)]
    with store.transaction() as transaction:
        for name in names:
            transaction.record_order(make_order(client_order_id=name))
    with asked_of(store) as asked, store.transaction() as transaction:
        found = [transaction.order(name) for name in names]
        for _ in range(2):
            transaction.orders(open_only=True)
        known = unchanged.unchanged(transaction._connection)
    store.close()

    assert [each is not None for each in found] == [True] * 10
    assert len([each for each in asked if "crypto_orders" in each]) == 12
    assert known is not None
    assert len(known._answers) <= 3


def test_a_store_in_memory_remembers_nothing() -> None:
    """Nobody tells it how its transactions end."""
    store = store_in_memory(PAPER, NOON)
    with store.transaction() as transaction:
        assert unchanged.unchanged(transaction._connection) is None
    store.close()


def test_a_transaction_that_was_lost_leaves_nothing_behind() -> None:
    """A connection that went back to its pool without a word was rolled back there."""

    class Driver:
        total_changes = 0

        def execute(self, _: str) -> Driver:
            return self

        def fetchone(self) -> tuple[int]:
            return (7,)

    known, driver = Unchanged(), Driver()
    known.begin(driver)
    known.keep("asked", ("a",), ("found",))
    kept = known.answer("asked", ("a",), driver)
    known.begin(driver)

    assert kept == ("found",)
    assert known.answer("asked", ("a",), driver) is None
