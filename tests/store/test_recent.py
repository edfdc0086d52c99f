"""What is kept of the last hours is what stands in the tables, whoever wrote it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from builders import NOON, PAPER, d, make_fill, make_order
from fakes import fresh_store
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus
from zoe_tools.store.store import Store, Transaction

HOUR = timedelta(hours=1)


class _Gone(Exception):
    """Ends a transaction that is not to be kept."""


def fill_at(number: int, hours: float = 0) -> Fill:
    """An execution so many hours after noon."""
    at = NOON + timedelta(hours=hours, microseconds=number)
    return make_fill(fill_id=FillId(f"T{number}"), filled_at=at)


def order_at(number: int, hours: float = 0) -> OrderRecord:
    """An order of so many hours after noon."""
    at = NOON + timedelta(hours=hours, microseconds=number)
    return make_order(
        client_order_id=ClientOrderId(f"C{number}"), venue_order_id=None, created_at=at
    )


def book(transaction: Transaction, *fills: Fill) -> None:
    """All of them."""
    for fill in fills:
        transaction.record_fill(fill)


def test_what_was_rolled_back_was_never_there(store: Store) -> None:
    """Though it was read in the transaction that wrote it; and another may take its place."""
    with store.transaction() as transaction:
        book(transaction, fill_at(1))
        assert transaction.fills(since=NOON) == (fill_at(1),)
    with suppress(_Gone), store.transaction() as transaction:
        book(transaction, fill_at(2), fill_at(3))
        assert transaction.fills(since=NOON) == (fill_at(1), fill_at(2), fill_at(3))
        raise _Gone
    with store.transaction() as transaction:
        book(transaction, fill_at(3))
        assert transaction.fills(since=NOON) == (fill_at(1), fill_at(3))


def test_a_change_that_was_rolled_back_is_none(store: Store) -> None:
    """The order is told as it was before."""
    with store.transaction() as transaction:
        transaction.record_order(order_at(1))
        assert transaction.orders(since=NOON) == (order_at(1),)
    with suppress(_Gone), store.transaction() as transaction:
        transaction.record_order(replace(order_at(1), reason="never"))
        assert transaction.orders(since=NOON)[0].reason == "never"
        raise _Gone
    with store.transaction() as transaction:
        assert transaction.orders(since=NOON) == (order_at(1),)


def test_what_another_process_wrote_is_read(tmp_path: Path) -> None:
    """An operator's SQL, a command beside the loop: nobody tells of it."""
    store = fresh_store(tmp_path, PAPER)
    with closing(store), store.transaction() as transaction:
        transaction.record_order(order_at(1))
        assert transaction.orders(since=NOON) == (order_at(1),)
    with closing(fresh_store(tmp_path, PAPER)) as store:
        with store.transaction() as transaction:
            assert transaction.orders(since=NOON) == (order_at(1),)
        with closing(sqlite3.connect(tmp_path / "zoe.db")) as other:
            other.execute("UPDATE crypto_orders SET reason = 'by hand'")
            other.commit()
        with store.transaction() as transaction:
            assert transaction.orders(since=NOON)[0].reason == "by hand"


def test_a_longer_time_than_is_kept_is_read_whole(store: Store) -> None:
    """Whoever asks for less is told less, and what is long ago is let go."""
    made = [order_at(number, hours) for number, hours in ((1, -30), (2, -2), (3, 0), (4, 30))]
    with store.transaction() as transaction:
        for order in made:
            transaction.record_order(order)
        for hours, count in ((-1, 2), (-3, 3), (-1, 2), (-31, 4), (29, 1), (-3, 3)):
            assert len(transaction.orders(since=NOON + hours * HOUR)) == count


def test_it_is_what_a_reading_of_all_says(store: Store) -> None:
    """Hundreds of writes, some of them lost, read at any moment from any time on."""
    random = Random(7)
    for _ in range(60):
        with suppress(_Gone), store.transaction() as transaction:
            for _ in range(random.randrange(4)):
                number = random.randrange(50)
                quantity = d(str(random.randrange(1, 9)))
                transaction.record_order(replace(order_at(number, number), quantity=quantity))
                book(transaction, fill_at(number, number))
            since = NOON + random.randrange(-2, 48) * HOUR
            every, booked = transaction.orders(), transaction.fills()
            if random.randrange(3):
                wanted = tuple(each for each in every if each.created_at >= since)
                assert transaction.orders(since=since) == wanted
                told = tuple(each for each in booked if each.filled_at >= since)
                assert transaction.fills(since=since) == told
            if not random.randrange(3):
                raise _Gone


def test_what_was_written_and_read_is_not_asked_for_again(tmp_path: Path) -> None:
    """Nobody has changed it since: hours of orders cost nothing more."""
    statements: list[str] = []
    with closing(fresh_store(tmp_path, PAPER)) as store:
        for number in range(9):
            with store.transaction() as transaction:
                book(transaction, fill_at(number))
                assert len(transaction.fills(since=NOON)) == number + 1
        with store.transaction() as transaction:
            driver: Any = transaction._connection.connection.driver_connection
            driver.set_trace_callback(statements.append)
            for _ in range(2):
                assert len(transaction.fills(since=NOON)) == 9
            driver.set_trace_callback(None)
    assert [each for each in statements if "SELECT" in each] == []


def test_the_day_s_notional_is_what_a_new_sum_says(store: Store) -> None:
    """Orders that change, end or never were; each counts on the day of its own making."""
    random = Random(11)
    fresh = {NOON.date() + timedelta(days=days): d("0") for days in range(-1, 3)}
    for _ in range(80):
        with suppress(_Gone), store.transaction() as transaction:
            for _ in range(random.randrange(4)):
                number = random.randrange(40)
                order = replace(
                    order_at(number, number),
                    purpose=random.choice(["entry", "entry", "exit"]),
                    notional=d(str(random.randrange(1, 900))).scaleb(-random.randrange(4)),
                    status=random.choice([OrderStatus.OPEN, OrderStatus.REJECTED]),
                )
                transaction.record_order(order)
            day = NOON.date() + timedelta(days=random.randrange(-1, 3))
            told = transaction.daily_notional(day)
            made = [each for each in transaction.orders() if each.created_at.date() == day]
            is_counted = (
                each.purpose == "entry" and each.status is OrderStatus.OPEN for each in made
            )
            counted = [each for each, counts in zip(made, is_counted, strict=True) if counts]
            assert told == sum((each.notional or d("0") for each in counted), d("0"))
            assert str(told) == format(told.normalize(), "f")
            fresh[day] = told
            if not random.randrange(3):
                raise _Gone
    assert any(fresh.values())
