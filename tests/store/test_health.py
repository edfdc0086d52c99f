"""What is wrong with a database is found, on both; what is right raises nobody; nothing changes."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from audit_rig import opened, owner_of, trade
from builders import (
    NOON,
    PAPER,
    book_ledger,
    d,
    make_fill,
    make_intent,
    make_ledger_entry,
    make_order,
    make_position,
)
from zoe_tools.core.check_db_health import assess_db_health
from zoe_tools.core.pre_flight import Check, Verdict
from zoe_tools.domain.identifiers import ClientOrderId, IntentId
from zoe_tools.domain.journal import IntentState, OrderEvent
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import SchemaOutdated, StoreUnavailable
from zoe_tools.store.database import engine_for
from zoe_tools.store.health import read_health
from zoe_tools.store.tables import METADATA

SOON = NOON + timedelta(seconds=30)
ORDER = make_order(status=OrderStatus.FILLED, quantity=d("1"), filled_quantity=d("1"))
STOP = make_order(
    client_order_id=ClientOrderId("stop-1"),
    venue_order_id=None,
    purpose="stop",
    created_at=NOON - timedelta(days=90),
    updated_at=NOON - timedelta(days=90),
)


@pytest.fixture
def books(url: str) -> str:
    """A store with some of everything, all of it in order; a stop has been resting for months."""
    with closing(opened(url, None)) as store, store.transaction() as tx:
        trade(tx, 1)
        tx.record_order(ORDER)
        tx.record_order(STOP)
        tx.append_order_event(
            OrderEvent(
                event_key="k1",
                client_order_id=ORDER.client_order_id,
                status=OrderStatus.FILLED,
                occurred_at=NOON,
                source="test",
            )
        )
        tx.record_position(make_position())
        tx.record_fill(make_fill(), position_id=make_position().position_id)
        book_ledger(tx, make_ledger_entry())
        tx.acquire_lease("run-1", "desk", 7, NOON, 30.0)
        tx.beat("loop", "ok", NOON, {})
    return url


def judged(url: str, now: datetime = SOON, **settings: Any) -> dict[str, Check]:
    """Every check by its name."""
    seen = read_health(url, now=now, now_of=lambda _: now)
    hours = settings.pop("backup_max_age_hours", Decimal(36))
    report = assess_db_health(seen, policy=Policy(**settings), backup_max_age_hours=hours)
    return {each.name: each for each in report.checks}


def failing(checks: Mapping[str, Check]) -> set[str]:
    """The names of those that failed."""
    return {name for name, each in checks.items() if each.verdict is Verdict.FAIL}


def warning(checks: Mapping[str, Check]) -> set[str]:
    """The names of those that warn."""
    return {name for name, each in checks.items() if each.verdict is Verdict.WARN}


def test_sound_books_raise_nobody(books: str) -> None:
    """Warned of is what no run has done yet: a copy, a signature; and a server's own choice."""
    checks = judged(books)

    assert failing(checks) == set()
    assert warning(checks) - {"age", PAPER.account_id, "integrity", "disk"} == set()
    is_server = not books.startswith("sqlite")
    assert ("strangers" in checks) is is_server
    assert (checks["age"].verdict is Verdict.WARN) is not is_server


PLANTED = {
    # the check that must find it: what somebody with every right does to the database
    "unreadable values": "UPDATE crypto_positions SET quantity = 'NaN'",
    "orphan fills": "DELETE FROM crypto_orders WHERE purpose = 'entry'",
    "orphan events": "DELETE FROM crypto_orders WHERE purpose = 'entry'",
    "fills of no position": "DELETE FROM crypto_positions",
    "negative remainders": (
        "UPDATE crypto_orders SET filled_quantity = '1.000000000000001' WHERE purpose = 'entry'"
    ),
    "negative positions": "UPDATE crypto_positions SET quantity = '-0.00000001'",
    "fills beyond order": "UPDATE crypto_fills SET quantity = '1.00000001'",
    "duplicate positions": (
        "INSERT INTO crypto_positions SELECT {crypto_positions} FROM crypto_positions"
    ),
    "duplicate orders": (
        "INSERT INTO crypto_orders SELECT {crypto_orders} FROM crypto_orders"
        " WHERE purpose = 'entry'"
    ),
    "twin fills": "INSERT INTO crypto_fills SELECT {crypto_fills} FROM crypto_fills",
    "foreign fills": "UPDATE crypto_fills SET client_order_id = NULL, position_id = NULL,"
    " venue_order_id = 'OSOMEBODYS'",
}
NEW_KEYS = {"position_id": "'P2'", "client_order_id": "'other'", "fill_id": "'T2'", "row_id": "99"}


def copied(table: str) -> str:
    """Every column of a table, its key a new one."""
    keys = {"client_order_id"} if table == "crypto_orders" else {"position_id", "fill_id", "row_id"}
    keys = {"position_id"} if table == "crypto_positions" else keys - {"position_id"} or keys
    return ", ".join(
        NEW_KEYS[each.name] if each.name in keys else each.name
        for each in METADATA.tables[table].columns
    )


@pytest.mark.parametrize("name", PLANTED)
def test_rows_that_contradict_each_other_are_found(books: str, name: str) -> None:
    """By name; and nothing that is as it should be is blamed but for its guards, which are gone."""
    tables = ("crypto_positions", "crypto_orders", "crypto_fills")
    with owner_of(books) as connection:
        statement = PLANTED[name].format(**{each: copied(each) for each in tables})
        connection.execute(text(statement))
    checks = judged(books)

    assert name in failing(checks) | warning(checks)
    related = {"orphan fills", "orphan events", "fills beyond order"}
    assert failing(checks) <= {name, "triggers"} | related
    assert checks[name].next_step
    assert PAPER.account_id in checks[name].detail


ODD = (
    ("crypto_positions", "quantity", "abc"),
    ("crypto_orders", "filled_quantity", ""),
    ("crypto_orders", "quantity", "1.2.3"),
    ("crypto_fills", "price", "1-2"),
    ("crypto_fills", "filled_at", "yesterday"),
    ("ledger_entries", "balance", "-"),
)
ODD_WORDS = (
    ("crypto_positions", "side", "short"),
    ("crypto_orders", "status", "cancelled"),
    ("crypto_orders", "order_type", ""),
    ("order_intents", "status", "done"),
)


@pytest.mark.parametrize(("table", "column", "value"), [*ODD, *ODD_WORDS])
def test_a_value_that_nobody_can_read_is_named(
    books: str, table: str, column: str, value: str
) -> None:
    """A file takes any text for an amount or a time; each row by its key and its column."""
    if (table, column, value) in ODD and not books.startswith("sqlite"):
        pytest.skip("the server itself refuses it")
    with owner_of(books) as connection:
        told = text(f"UPDATE {table} SET {column} = :value")  # noqa: S608 - names of ours
        connection.execute(told, {"value": value})

    check = judged(books)["unreadable values"]
    assert check.verdict is Verdict.FAIL
    assert f"({table}.{column})" in check.detail


def test_a_row_of_no_account_is_found(books: str) -> None:
    """A database prompt need not keep SQLite's foreign keys, and can drop a server's."""
    row = (
        "INSERT INTO trading_states (account_id, level, reason, changed_by)"
        " VALUES ('nobody', 'none', '', '')"
    )
    if books.startswith("sqlite"):
        with closing(sqlite3.connect(books.removeprefix("sqlite:///"))) as prompt:
            prompt.execute(row)
            prompt.commit()
        expected = {"foreign keys"}
    else:
        with owner_of(books) as connection:
            key = "ALTER TABLE trading_states DROP CONSTRAINT fk_trading_states_account_id"
            connection.execute(text(key))
            connection.execute(text(row))
        expected = {"foreign keys", "columns", "triggers"}

    assert failing(judged(books)) == expected


STALE = (
    # the check; how long after noon nobody is blamed, and from when on somebody is
    ("intents", 120, 130),
    ("orders", 120, 126),
    ("entries", 475, 481),
)


@pytest.mark.parametrize(("name", "fine_s", "late_s"), STALE)
def test_what_is_open_for_too_long_is_found(
    books: str, name: str, fine_s: float, late_s: float
) -> None:
    """An intent by its deadline, an order by its last news, an entry by its time to live."""
    with closing(opened(books, None)) as store, store.transaction() as tx:
        if name == "intents":
            intent = make_intent(intent_id=IntentId("I9"), state=IntentState.JOURNALED)
            tx.record_intent(intent)
        unsure = OrderStatus.UNKNOWN if name == "orders" else OrderStatus.OPEN
        if name != "intents":
            order = make_order(client_order_id=ClientOrderId("late"), venue_order_id=None)
            tx.record_order(replace(order, status=unsure))

    for seconds, is_late in ((fine_s, False), (late_s, True)):
        checks = judged(books, NOON + timedelta(seconds=seconds))
        assert (name in failing(checks)) is is_late, checks[name]


def test_a_loop_that_holds_its_lease_and_is_silent_is_found(books: str) -> None:
    """One whose lease ran out is only told: it was killed, and holds nothing up."""
    with closing(opened(books, None)) as store, store.transaction() as tx:
        for seconds in (60, 120):
            tx.renew_lease("run-1", NOON + timedelta(seconds=seconds), 30.0)
    silent = judged(books, NOON + timedelta(seconds=121))
    over = judged(books, NOON + timedelta(seconds=151))

    assert failing(silent) == {"heartbeats"}
    assert (failing(over), "leases" in warning(over)) == (set(), True)
    assert "pid 7 on desk" in over["leases"].detail


SAID = "SELECT RAISE(ABORT, 'crypto_fills is append-only')"
LOOKS_AWAY = "$$ BEGIN RETURN NEW; END $$"
TAMPERING: dict[str, tuple[tuple[str, ...], str]] = {
    # what is told of it; on SQLite, and on PostgreSQL
    "gone: ": (
        ("DROP TRIGGER crypto_fills_no_update",),
        "DROP TRIGGER crypto_fills_append_only ON crypto_fills",
    ),
    "changed: ": (
        (
            "DROP TRIGGER crypto_fills_no_update",
            (
                f"CREATE TRIGGER crypto_fills_no_update BEFORE UPDATE ON crypto_fills WHEN 0"
                f" BEGIN {SAID}; END"
            ),
        ),
        (
            "CREATE OR REPLACE FUNCTION zoe_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            f" {LOOKS_AWAY}"
        ),
    ),
    "nobody's: ": (
        ("CREATE TRIGGER mine AFTER INSERT ON crypto_fills BEGIN DELETE FROM crypto_orders; END",),
        (
            "CREATE TRIGGER mine AFTER INSERT ON crypto_fills FOR EACH STATEMENT"
            " EXECUTE FUNCTION zoe_tell_state()"
        ),
    ),
    "changed: crypto_fills": (
        (
            "DROP TRIGGER crypto_fills_no_update",
            (
                f"CREATE TRIGGER crypto_fills_no_update BEFORE UPDATE OF fee ON crypto_fills"
                f" BEGIN {SAID}; END"
            ),
        ),
        "ALTER TABLE crypto_fills DISABLE TRIGGER USER",
    ),
}


@pytest.mark.parametrize("told", TAMPERING)
def test_a_guard_that_is_gone_changed_or_nobodys_is_found(books: str, told: str) -> None:
    """Names alone would not show a trigger that looks away."""
    engine = engine_for(books)
    in_file, on_server = TAMPERING[told]
    with engine.begin() as connection:
        for each in in_file if connection.dialect.name == "sqlite" else (on_server,):
            connection.execute(text(each))
    engine.dispose()
    checks = judged(books)

    assert failing(checks) == {"triggers"}
    assert told in checks["triggers"].detail


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE crypto_orders DISABLE ROW LEVEL SECURITY", "crypto_orders"),
        ("GRANT SELECT ON config TO PUBLIC", "config"),
    ],
)
def test_a_table_that_strangers_may_read_is_found(
    migrated_database: str, postgres_server: Any, statement: str, told: str
) -> None:
    """On a server that others use too."""
    url = postgres_server.url(postgres_server.create_database(migrated_database))
    opened(url, None).close()
    with owner_of(url) as connection:
        connection.execute(text(statement))
    checks = judged(url)

    assert checks["strangers"].verdict is Verdict.FAIL
    assert told in checks["strangers"].detail


def test_a_log_that_was_cut_is_found(books: str) -> None:
    """Its head knows better."""
    with owner_of(books) as connection:
        last = "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)"
        connection.execute(text(last))
    checks = judged(books)

    assert checks[PAPER.account_id].verdict is Verdict.FAIL
    assert "its head says row" in checks[PAPER.account_id].detail


def test_a_table_or_a_column_that_is_gone_is_found(books: str) -> None:
    """Without a table nothing can be told: exit 7."""
    with owner_of(books) as connection:
        for view in ("v_orders", "v_fills", "v_positions"):
            connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
        connection.execute(text("ALTER TABLE boot_audit DROP COLUMN status"))
    assert "boot_audit.status" in judged(books)["columns"].detail
    with owner_of(books) as connection:
        connection.execute(text("DROP TABLE take_profit_levels"))
    with pytest.raises(StoreUnavailable, match="lacks the table take_profit_levels"):
        judged(books)


def test_a_store_that_is_not_migrated_is_none(tmp_path: Path) -> None:
    """Exit 7, and no file is made."""
    with pytest.raises(SchemaOutdated):
        judged(f"sqlite:///{tmp_path / 'zoe.db'}")
    assert list(tmp_path.iterdir()) == []


def test_damaged_pages_are_found(sqlite_url: str) -> None:
    """By the database's own check, where it can still be opened."""
    opened(sqlite_url, None).close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as database:
        page = (
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_crypto_orders_account_id_status'"
        )
        (number,) = database.execute(page).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    spoilt = bytearray(path.read_bytes())
    spoilt[(number - 1) * size] = 13  # a page of a table, where one of an index was
    path.write_bytes(spoilt)

    try:
        assert "integrity" in failing(judged(sqlite_url))
    except StoreUnavailable as error:
        assert "damaged" in error.message  # noqa: PT017 - either is right: which one is SQLite's choice


# --- it only looks -------------------------------------------------------------------------------


def contents(url: str) -> str:
    """Every row of every table, as one text."""
    engine = engine_for(url, read_only=True)
    with engine.begin() as connection:
        told = {
            name: sorted(
                json.dumps([str(cell) for cell in row])
                for row in connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - our own names
            )
            for name in METADATA.tables
        }
    engine.dispose()
    return json.dumps(told, sort_keys=True)


def test_defect_20_a_look_changes_no_row(books: str) -> None:
    """A health check that repairs, or notes that it looked, is none."""
    before = contents(books)
    judged(books)

    assert contents(books) == before


def test_defect_20_a_look_changes_no_byte_of_the_file(sqlite_url: str) -> None:
    """Not even what waits in the log is folded in, though nobody else has the file open."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    left = path.with_name("left.db")
    with closing(opened(sqlite_url, None)) as store:
        with store.transaction() as tx:
            trade(tx, 1)
        for each in ("", "-wal"):
            shutil.copyfile(f"{path}{each}", f"{left}{each}")
    files = [left, left.with_name("left.db-wal")]
    before = [(each.read_bytes(), each.stat().st_mtime_ns) for each in files]
    judged(f"sqlite:///{left}")

    assert [(each.read_bytes(), each.stat().st_mtime_ns) for each in files] == before
    assert len(before[1][0])


def test_a_file_and_a_folder_that_may_only_be_read_are_enough(sqlite_url: str) -> None:
    """For a user who is not root, whom no mode would stop."""
    opened(sqlite_url, None).close()
    with tempfile.TemporaryDirectory(prefix="zoe-modes-") as folder:
        path = Path(folder) / "zoe.db"
        shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), path)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        said = said_by_an_ordinary_user(f"sqlite:///{path}")
        path.parent.chmod(0o755)
        assert [each.name for each in path.parent.iterdir()] == ["zoe.db"]

    assert said == "nothing failed"


def said_by_an_ordinary_user(url: str) -> str:
    """What the look comes to in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                nobody = pwd.getpwnam("nobody")
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            failed = failing(judged(url)) - {"disk"}
            os.write(writing, str(failed or "nothing failed").encode())
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_it_looks_beside_one_who_writes_without_end(url: str) -> None:
    """A bulk import holds nobody up, is not held up, and is no finding half-way."""
    opened(url, None).close()
    stop = threading.Event()
    written = []

    def write() -> None:
        with closing(opened(url, None)) as store:
            for page in itertools.count():
                names = [f"L{page}-{number}" for number in range(50)]
                rows = [make_ledger_entry(ledger_id=name, refid=name) for name in names]
                with store.transaction() as tx:
                    book_ledger(tx, *rows, source=f"page {page}")
                written.append(page)
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        looks = [failing(judged(url)) for _ in range(3)]
        seen = len(written)
    finally:
        stop.set()
        writer.join()

    assert looks == [set()] * 3
    assert seen
