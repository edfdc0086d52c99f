"""What the conformance tests share: the exchange, and the record of what they showed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import conformance_table as table
from conformance_venue import Venue, served

PAGE = Path(__file__).parents[2] / "docs" / "paper.md"
_SHOWS = "shows"
_SHOWN: set[tuple[str, str]] = set()

Shows = Callable[[str, str], None]

collect_ignore_glob = [] if importlib.util.find_spec("ccxt") else ["test_*.py"]
"""Without the clients (`make conformance` installs them) there is nothing to try."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--table`: this is the whole suite; write its table, and fail where a cell is not shown."""
    parser.addoption("--table", action="store_true", help="write the table of docs/paper.md")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """An exchange for the tests of one client."""
    with served(tmp_path_factory.mktemp("venue")) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """Another one, with the limits of Kraken's lowest tier."""
    with served(tmp_path_factory.mktemp("strict"), limits="--tier starter") as running:
        yield running


@pytest.fixture
def shows(record_property: Callable[[str, object], None]) -> Shows:
    """Note that a client passes a row; it counts when the test passes."""

    def note(client: str, row: str) -> None:
        record_property(_SHOWS, f"{client}|{row}")

    return note


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect what passing tests showed."""
    if report.when == "call" and report.passed:
        _SHOWN.update(
            (str(value).partition("|")[0], str(value).partition("|")[2])
            for name, value in report.user_properties
            if name == _SHOWS
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, on the one process that has heard of every test."""
    if hasattr(session.config, "workerinput") or not session.config.getoption(
        "--table", default=False
    ):
        return
    PAGE.write_text(table.with_tables(PAGE.read_text("utf-8"), _SHOWN), "utf-8")
    missing = table.missing(_SHOWN)
    for client, row in missing:
        print(f"not shown: {client}: {row}")  # noqa: T201 - the suite's own verdict
    if missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
