"""Whoever only looks never takes SQLite's write lock: a loop beside it is kept from nothing."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Pool, event

from builders import make_fill, make_order, make_position
from program import Home
from zoe_tools.store.store import Transaction

LOOKS = (
    "status",
    "health",
    "fills",
    "orders",
    "positions",
    "positions --all",
    "kill status",
    "kill --level pause-entries",
    "check-tp-coverage",
    "recover-sl",
    "sync-positions",
    "orders cancel --symbol BTC-USD",
    "monitor-trade-execution",
    f"explain {make_order().client_order_id}",
    "ledger",
    "ledger --proof",
    "pnl basis",
    "config check",
    "config set MAX_DAILY_NOTIONAL 90000",
    "db prune --older-than 365d",
    "db status",
    "check-db-health",
    "audit verify",
    "backfill --symbol BTC/USD --tf 1h",
    "markets --once",
    "breaker",
)
"""Each looks only: as it stands, or as a dry run."""

HISTORY = ("crypto_orders", "crypto_fills", "order_events")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with an exchange, and books that hold something."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(folder=folder)
    made.init()
    made.serve()
    made.in_the_books(_some_books)
    yield made
    made.stop_exchange()


def _some_books(transaction: Transaction) -> None:
    transaction.record_position(make_position())
    transaction.record_order(make_order())
    transaction.record_fill(make_fill())


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Somebody writes, as a loop does."""
    with closing(sqlite3.connect(home.folder / "zoe.db", isolation_level=None)) as driver:
        driver.execute("BEGIN IMMEDIATE")
        yield
        driver.execute("ROLLBACK")


@contextmanager
def asked_under_the_lock() -> Iterator[list[str]]:
    """What this process asks of any SQLite file while it holds its write lock."""
    holds: dict[int, bool] = defaultdict(bool)
    seen: list[str] = []

    def note(connection: Any, _record: object) -> None:
        def said(statement: str) -> None:
            word = statement.split(maxsplit=1)[0].upper()
            if word in ("COMMIT", "ROLLBACK"):
                holds[id(connection)] = False
            elif holds[id(connection)]:
                seen.append(statement)
            holds[id(connection)] |= statement.upper().startswith("BEGIN IMMEDIATE")

        connection.set_trace_callback(said)

    event.listen(Pool, "connect", note)
    try:
        yield seen
    finally:
        event.remove(Pool, "connect", note)


def test_a_look_is_had_while_somebody_writes(home: Home) -> None:
    """Its answer is the same; one that wanted the lock would wait for it, and fail."""
    free = {line: home.here(*line.split()).code for line in LOOKS}
    with locked(home):
        beside = {line: home.here(*line.split()).code for line in LOOKS}

    assert beside == free
    assert {line for line, code in free.items() if code not in (0, 3)} == set()


def test_a_look_takes_no_lock(home: Home) -> None:
    """Not even where it is free."""
    with asked_under_the_lock() as seen:
        for line in LOOKS:
            home.here(*line.split())

    assert seen == []


def test_what_keeps_an_observation_has_read_the_history_before(home: Home) -> None:
    """A dry `zoe reconcile` writes down what it found, and `zoe pnl` what was worth how much."""
    with asked_under_the_lock() as seen:
        codes = [home.here(*line.split()).code for line in ("reconcile", "pnl")]

    assert set(codes) <= {0, 3}
    assert seen, "nothing was written"
    reads = [each for each in seen if each.startswith("SELECT")]
    assert [each for each in reads if any(table in each for table in HISTORY)] == []
