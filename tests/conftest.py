"""Fixtures that several test folders share."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from clock_jumps import waiting_in_no_time
from postgres_server import PostgresServer
from spellings import spelled_once
from zoe_tools.observe.redaction import REDACTOR
from zoe_tools.store import schema

_LONG = (
    "e2e/test_store_gone.py",
    "e2e/test_kill_9.py",
    "gate/test_crash_matrix.py",
    "e2e/test_replay.py",
    "e2e/test_reconcile",
    "test_json_answers.py",
    "e2e/test_one_key.py",
    "e2e/",
    "chaos/",
    "store/test_audit_crash.py",
)
"""Where single tests take many seconds, the longest first: how their paths begin below here."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - each run has a folder of its own there
_ROOM = 4 << 30

_SELDOM = (50_000, 20, 20)
"""How many new things are looked through for cycles at once: so takes an eighth of all less."""

_NAMES_OF_THIS_MACHINE = frozenset({"", "localhost"})
_NOBODYS = ipaddress.ip_network("192.0.2.0/24")
"""Addresses for documents: whoever would reach them reaches nobody."""


# How fast examples are made and tried is the machine's affair: no test is judged by its clock.
settings.register_profile("zoe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("zoe")


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in _NAMES_OF_THIS_MACHINE or host.endswith(".invalid")
    return address.is_loopback or address.is_unspecified or address in _NOBODYS


def pytest_configure() -> None:
    """Look for cycles seldom, and make homes and databases in memory."""
    gc.set_threshold(*_SELDOM)
    _use_memory()


def pytest_collection_finish() -> None:
    """What was read stays to the end: thousands of tests are looked through for cycles no more."""
    gc.freeze()


def _use_memory() -> None:
    """Where there is room: no commit waits for a disk."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):  # noqa: TID251 - not zoe's
        return
    memory = os.statvfs(_MEMORY)
    has_room = memory.f_bavail * memory.f_frsize >= _ROOM
    if has_room and not memory.f_flag & os.ST_NOEXEC:  # tests run scripts that they have written
        os.environ["TMPDIR"] = str(_MEMORY)  # noqa: TID251 - as above
        tempfile.tempdir = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: none of them begins when nothing is left for the other processes."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(here).as_posix()
        return next((at for at, each in enumerate(_LONG) if path.startswith(each)), len(_LONG))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def statements_are_spelled_once() -> Iterator[None]:
    """Tests have engines of their own; how a statement reads in a dialect is the same in each."""
    with spelled_once():
        yield


@pytest.fixture(autouse=True)
def nothing_is_secret_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's command learned to mask, the next one's may have to show."""
    monkeypatch.setattr(REDACTOR, "_values", ())


@pytest.fixture(autouse=True)
def nothing_is_silenced() -> Iterator[None]:
    """A test that turns the log off turns it off for all that follow it in its process."""
    yield
    assert logging.root.manager.disable == logging.NOTSET


@pytest.fixture(autouse=True)
def nobody_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test asks for the address of a host that is not this one."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def watched(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if not _is_here(name):
            asked.append(name)
            raise socket.gaierror(socket.EAI_NONAME, "tests do not leave this machine")
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    yield
    assert asked == []


@pytest.fixture
def in_no_time() -> Iterator[None]:
    """Every wait of commands in this process: for those whose venue is not there."""
    with waiting_in_no_time():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole run, started by the first test that needs it."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgres_server: PostgresServer) -> str:
    """The name of a database at the newest migration, to be copied."""
    name = postgres_server.create_database()
    schema.upgrade(postgres_server.url(name))
    return name


@pytest.fixture
def migrated_url(postgres_server: PostgresServer, migrated_database: str) -> Iterator[str]:
    """The URL of a new database without a row, at the newest migration."""
    with postgres_server.database(migrated_database) as url:
        yield url
