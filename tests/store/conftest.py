"""Stores for tests: every test that asks for `url` or `store` runs on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from postgres_server import PostgresServer
from zoe_tools.store import schema
from zoe_tools.store.accounts import register
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at head, to be copied."""
    path = tmp_path_factory.mktemp("template") / "zoe.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres_server: PostgresServer) -> str:
    """The name of a PostgreSQL database at head, to be copied."""
    name = postgres_server.create_database()
    schema.upgrade(postgres_server.url(name))
    return name


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'zoe.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def url_at_0005(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store as it was before migration 0006; the paper account is registered."""
    with monkeypatch.context() as older:
        older.setattr(schema, "HEAD_REVISION", "0005")
        schema.upgrade(empty_url)
    engine = engine_for(empty_url)
    with engine.begin() as connection:
        register(connection, builders.PAPER, builders.NOON, None)
    engine.dispose()
    return empty_url


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A migrated SQLite file."""
    path = tmp_path / "zoe.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database."""
    if request.param == "sqlite":
        yield str(request.getfixturevalue("sqlite_url"))
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(request.getfixturevalue("migrated_database")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store open for the paper account."""
    opened = Store.open(url, builders.PAPER, clock_now=builders.NOON)
    yield opened
    opened.close()
