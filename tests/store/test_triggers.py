"""The triggers as the code knows them are the triggers that the migrations make."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

import pytest
from sqlalchemy import BigInteger, Integer, Table, UniqueConstraint

from audit_rig import opened
from builders import PAPER
from zoe_tools.store.database import engine_for
from zoe_tools.store.tables import APPEND_ONLY, METADATA, PRUNABLE
from zoe_tools.store.triggers import expected, found


def test_the_migrations_make_exactly_the_triggers_the_code_knows(url: str) -> None:
    """Names and bodies, functions too, on both databases."""
    engine = engine_for(url)
    with engine.begin() as connection:
        assert found(connection) == expected(connection.dialect.name)
    engine.dispose()


GUARDED = tuple(each.name for each in (*APPEND_ONLY, *PRUNABLE))


@pytest.mark.parametrize("name", GUARDED)
def test_no_row_of_the_log_can_be_replaced(sqlite_url: str, name: str) -> None:
    """INSERT OR REPLACE deletes, and asks no DELETE trigger; by any key of the table."""
    table = METADATA.tables[name]
    with closing(opened(sqlite_url, None)):
        pass
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as prompt:
        before = row_of(table, "first", 7)
        insert(prompt, "INSERT", table, before)
        kept = prompt.execute(f"SELECT * FROM {name} WHERE {FIRST}", before).fetchall()  # noqa: S608 - our own names
        keys = [tuple(each.name for each in table.primary_key)]
        keys += [
            tuple(each.name for each in constraint.columns)
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        for key in keys:
            forged = row_of(table, "forged", 8) | {each: before[each] for each in key}
            with suppress(sqlite3.IntegrityError):
                insert(prompt, "INSERT OR REPLACE", table, forged)
        after = prompt.execute(f"SELECT * FROM {name} WHERE {FIRST}", before).fetchall()  # noqa: S608 - same

    assert kept
    assert after == kept


def test_what_is_there_is_still_left_out_and_what_is_new_comes_in(sqlite_url: str) -> None:
    """Row by row, also where one statement brings both."""
    table = METADATA.tables["order_events"]
    with closing(opened(sqlite_url, None)):
        pass
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as prompt:
        insert(prompt, "INSERT", table, row_of(table, "first", 7))
        again = [row_of(table, word, number) for word, number in (("first", 7), ("next", 8))]
        names, marks = ", ".join(again[0]), ", ".join("?" for _ in again[0])
        done = prompt.execute(
            f"INSERT INTO order_events ({names}) VALUES ({marks}), ({marks})"  # noqa: S608 - our own names
            " ON CONFLICT DO NOTHING",
            [value for row in again for value in row.values()],
        )
        count = prompt.execute("SELECT count(*) FROM order_events").fetchone()

    assert (done.rowcount, count) == (1, (2,))


FIRST = "account_id = :account_id"


def row_of(table: Table, word: str, number: int) -> dict[str, object]:
    """A row in SQLite's own spelling; the account's, and its texts all the same word."""
    values: dict[str, object] = {}
    for each in table.columns:
        is_number = isinstance(each.type, Integer | BigInteger)
        values[each.name] = number if is_number else word
    return values | {"account_id": PAPER.account_id}


def insert(prompt: sqlite3.Connection, verb: str, table: Table, row: dict[str, object]) -> None:
    """One row, every column named."""
    names, marks = ", ".join(row), ", ".join(f":{each}" for each in row)
    prompt.execute(f"{verb} INTO {table.name} ({names}) VALUES ({marks})", row)
