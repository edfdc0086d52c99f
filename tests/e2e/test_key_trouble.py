"""Whatever befalls those who share a key: stops and cancels go out, and wait for nobody."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from conformance_venue import served
from key_crowd import Crowd
from postgres_server import PostgresServer
from program import Home, let_time_pass

FUNDS = {"USD": Decimal(100_000), "SOL": Decimal(100)}
LONGEST_MS = 250.0
A_WHILE_S = 1.5
EVERY_S = "0.25"


@contextmanager
def holding(home: Home) -> Iterator[Crowd]:
    """Somebody with the slot in its hands."""
    with Crowd.member(home, "holder") as holder:
        holder.say("before")
        holder.hear("holding")
        yield holder


def holder_is_killed(home: Home, _: Crowd) -> None:
    """`kill -9`, with the slot in its hands."""
    with holding(home) as holder:
        holder.process.kill_all()
        let_time_pass(A_WHILE_S)


def holder_is_stopped(home: Home, _: Crowd) -> None:
    """For longer than it may hold up even a read."""
    with holding(home) as holder:
        holder.process.send_signal(signal.SIGSTOP)
        let_time_pass(A_WHILE_S)


def the_file_stays_locked(home: Home, _: Crowd) -> None:
    """Somebody was stopped in the microseconds in which it writes."""
    (path,) = home.folder.glob("coord-*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as stopped:
        stopped.execute("BEGIN IMMEDIATE")
        let_time_pass(A_WHILE_S)


def the_file_is_deleted(home: Home, _: Crowd) -> None:
    """By somebody who tidied up."""
    for path in home.folder.glob("coord-*"):
        path.unlink()
    let_time_pass(A_WHILE_S)


def the_disk_is_full(_: Home, guard: Crowd) -> None:
    """Not a byte more."""
    guard.say("full")
    let_time_pass(A_WHILE_S)


@pytest.mark.parametrize(
    ("befalls", "entry"),
    [
        (holder_is_killed, "placed"),
        (holder_is_stopped, "placed"),
        (the_file_stays_locked, "placed"),
        (the_file_is_deleted, "placed"),
        (the_disk_is_full, "VenueUnavailable"),
    ],
)
def test_stops_go_out_and_wait_for_nobody(
    tmp_path: Path, befalls: Callable[[Home, Crowd], None], entry: str
) -> None:
    """New risk waits until the others can be reached again, or stays at home."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    home = Home(folder=folder)
    home.init()
    with (
        served(folder, "--speed", "10", funds=FUNDS, limits="--tier pro"),
        Crowd.member(home, "guard", EVERY_S) as guard,
    ):
        befalls(home, guard)
        told = guard.end()

    assert told["failures"] == []
    assert told["calls"] > A_WHILE_S / float(EVERY_S)
    assert told["longest_ms"] <= LONGEST_MS
    assert told["entry"] == entry


def test_stops_go_out_while_postgresql_is_away(tmp_path: Path) -> None:
    """The store is gone, and with it whoever else has the key: new risk stays at home."""
    server = PostgresServer()
    try:
        home = Home(
            folder=tmp_path / "home",
            environ={"DATABASE_URL": server.url(server.create_database())},
        )
        home.folder.mkdir(mode=0o700)
        home.init()
        with (
            served(home.folder, "--speed", "10", funds=FUNDS, limits="--tier pro"),
            Crowd.member(home, "guard", EVERY_S) as guard,
        ):
            let_time_pass(0.5)
            server.stop()
            let_time_pass(A_WHILE_S)
            told = guard.end()
    except BaseException:
        server.stop()
        raise

    assert told["failures"] == []
    assert told["calls"] > A_WHILE_S / float(EVERY_S)
    assert told["longest_ms"] <= LONGEST_MS
    assert told["entry"] == "VenueUnavailable"
