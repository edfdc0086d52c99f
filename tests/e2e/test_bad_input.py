"""Bad input ends in one clear sentence and a hint, with the contract's exit code: no traceback."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from command_line import Ran
from program import Home, wait_until
from recordings import made_candles, write_candles
from zoe_tools.paper.home import read_endpoint

_MANY = 3
"""Sentence, hint, and perhaps a warning before them."""


def demand_complaint(ran: Ran, code: int, *words: str) -> None:
    """The exit code, the words, a hint, and nothing a person could not read."""
    assert ran.code == code, ran.out + ran.err
    for word in words:
        assert word in ran.err, ran.err
    assert "hint:" in ran.err.lower()
    assert "Traceback" not in ran.out + ran.err
    assert len([line for line in ran.err.splitlines() if not line.startswith("  ")]) <= _MANY


@pytest.mark.parametrize(
    ("words", "environ", "code", "told"),
    [
        ("run", {"EDGE_FACTORY_SYMBOL": "BTC-USD"}, 2, ["EDGE_FACTORY_SYMBOLS"]),
        ("run", {"ZOE_HOEM": "elsewhere"}, 2, ["ZOE_HOME"]),
        ("run", {"MAX_OPEN_POSITIONS": "many"}, 2, ["MAX_OPEN_POSITIONS", "many"]),
        ("run", {"EXCHANGE": "nasdaq"}, 2, ["nasdaq"]),
        ("run --speed nonsense", {}, 2, ["--speed nonsense"]),
        ("run --speed 0", {}, 2, ["--speed 0"]),
        ("run --speed nan", {}, 2, ["--speed nan"]),
        ("run --speed inf", {}, 2, ["--speed inf"]),
        ("run --speed max", {}, 2, ["--market-data"]),
        ("run --for soon", {}, 2, ["--for soon"]),
        ("run --cycles 0", {}, 2, ["cycles"]),
        ("run --strategy wish", {}, 2, ["wish", "demo"]),
        ("run --entry", {}, 2, ["--entry"]),
        ("backfill --symbol FOO/BAR", {}, 2, ["FOO/BAR"]),
        ("backfill --symbol BTC/USD --tf 7m", {}, 2, ["7m"]),
        ("sync-positions --adopt BTC", {}, 2, ["NAME=QUANTITY"]),
        ("sync-positions --adopt FOO/BAR=1", {}, 2, ["FOO/BAR"]),
        ("kill --level harder", {}, 2, ["harder", "flatten"]),
        ("run --market-data missing.csv --speed max", {}, 2, ["missing.csv"]),
        ("paper serve --speed 0", {}, 2, ["speed"]),
    ],
)
def test_what_was_typed_wrong_is_named(
    words: str, environ: dict[str, str], code: int, told: list[str], home: Home
) -> None:
    """With what would have been right."""
    home.serve()
    demand_complaint(home.here(*words.split(), environ=environ), code, *told)


def test_an_unknown_symbol_stops_a_run(home: Home) -> None:
    """Before anything is traded."""
    home.serve()
    ran = home.here("run", "--cycles", "1", environ={"EDGE_FACTORY_SYMBOLS": "BTC-USD,FOO-BAR"})
    demand_complaint(ran, 2, "FOO-BAR")


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda rows: [*rows[:4], "1767585600,abc,1,1,1,1,1"], "line 5"),
        (lambda rows: [*rows[:4], "1767585600,2000"], "line 5"),
        (lambda rows: [rows[0], rows[0]], "line 2"),
        (lambda rows: ["time,open,high,low,close,volume,trades", *rows], "line 1"),
    ],
)
def test_a_damaged_recording_is_named_with_its_line(
    spoil: Callable[[list[str]], list[str]], line: str, home: Home
) -> None:
    """File and line; nothing was run."""
    path = write_candles(home.folder.parent, made_candles(6))
    path.write_text("\n".join(spoil(path.read_text().splitlines())) + "\n")
    ran = home.here("run", "--market-data", str(path), "--speed", "max", "--strategy", "demo")

    demand_complaint(ran, 2, path.name, line)


def test_a_taken_port_is_named(home: Home) -> None:
    """And nothing is served."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        demand_complaint(home.here("paper", "serve", "--port", port), 2, port)


def test_a_second_exchange_of_one_home_is_refused(home: Home) -> None:
    """One per home."""
    home.serve()
    demand_complaint(home.here("paper", "serve"), 2, "already")


# --- the database --------------------------------------------------------------------------------


def test_a_database_that_is_not_migrated_says_what_to_run(home: Home) -> None:
    """Exit 7, the command to run, and no table was made."""
    database = home.folder / "zoe.db"
    for path in home.folder.glob("zoe.db*"):
        path.unlink()
    home.serve()
    for words in (("status",), ("sync-positions",), ("run", "--cycles", "1")):
        demand_complaint(home.here(*words), 7, "zoe")
    assert not database.exists() or _tables(database) == set()


def test_a_database_of_somebody_else_is_left_alone(home: Home) -> None:
    """Foreign tables and no version: refused, even by an upgrade."""
    database = home.folder / "zoe.db"
    for path in home.folder.glob("zoe.db*"):
        path.unlink()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    home.serve()
    for words in (("db", "upgrade"), ("run", "--cycles", "1"), ("init",)):
        demand_complaint(home.here(*words), 7)
    assert _tables(database) == {"recipes"}


def test_a_file_that_is_no_database_is_left_alone(home: Home) -> None:
    """Exit 7; not a byte is changed."""
    for path in home.folder.glob("zoe.db*"):
        path.unlink()
    database = home.folder / "zoe.db"
    database.write_text("Dear diary, today was no database. " * 30)
    before = database.read_bytes()
    home.serve()
    demand_complaint(home.here("run", "--cycles", "1"), 7)
    assert database.read_bytes() == before


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/zoe.db", "sqlite:////proc/zoe.db"])
def test_a_database_that_cannot_be_written_is_named(url: str, home: Home) -> None:
    """The folder is missing, or refuses."""
    home.serve()
    demand_complaint(home.here("sync-positions", environ={"DATABASE_URL": url}), 7)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """ZOE_HOME lies in a file."""
    (tmp_path / "file").write_text("")
    home = Home(folder=tmp_path / "file" / "home")
    for words in (("init",), ("run", "--cycles", "1")):
        demand_complaint(home.here(*words), 2, "file")


# --- one loop an account -------------------------------------------------------------------------


def test_a_second_run_on_the_account_names_the_first(home: Home) -> None:
    """Exit 4 with host and pid; the first one goes on and ends in order."""
    home.serve("--speed", "60")
    words = ("run", "--strategy", "hold", "--speed", "60")
    with home.started(*words) as first:
        wait_until(lambda: bool(home.in_the_books(lambda tx: tx.boots())))
        demand_complaint(home.here(*words, "--cycles", "1"), 4, str(first.pid))
        demand_complaint(home.here("run", "--speed", "30", "--cycles", "1"), 4, str(first.pid))
        assert first.poll() is None
        wait_until(lambda: home.here("health").code == 0)
        first.terminate()
        assert first.wait(timeout=30) == 0
        assert home.here("health").code == 3
    assert read_endpoint(home.folder / "paper") is not None


def _tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in rows}
