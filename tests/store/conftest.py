"""Stores for tests: every test that asks for `url` or `store` runs on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from templates import put_migrated
from zoe_tools.store import schema
from zoe_tools.store.accounts import register
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store

DIALECTS = ("sqlite", "postgresql")


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
def sqlite_url(tmp_path: Path) -> str:
    """A migrated SQLite file."""
    path = tmp_path / "zoe.db"
    put_migrated(path)
    return f"sqlite:///{path}"


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database."""
    name = "sqlite_url" if request.param == "sqlite" else "migrated_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store open for the paper account."""
    opened = Store.open(url, builders.PAPER, clock_now=builders.NOON)
    yield opened
    opened.close()
