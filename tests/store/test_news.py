"""PostgreSQL tells that a switch was changed; a file tells nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

import builders
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.store.news import StateNews
from zoe_tools.store.store import Store

PATIENCE_S = 30.0


@pytest.fixture
def postgres_store(migrated_url: str) -> Iterator[Store]:
    """A store on PostgreSQL."""
    store = Store.open(migrated_url, builders.PAPER, clock_now=builders.NOON)
    yield store
    store.close()


def flip(url: str) -> None:
    """The runbooks' SQL, from somebody's prompt."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE config SET value = 'true' WHERE key = 'kill_switch'")


@pytest.mark.usefixtures("postgres_store")
def test_the_runbooks_sql_is_heard(migrated_url: str) -> None:
    """Once for each change; nothing before it."""
    heard = threading.Event()
    with StateNews(migrated_url, heard.set) as news:
        assert news.is_listening.wait(PATIENCE_S)
        assert not heard.is_set()
        flip(migrated_url)
        assert heard.wait(PATIENCE_S)


def test_a_latched_level_is_heard_once_it_is_committed(
    postgres_store: Store, migrated_url: str
) -> None:
    """What is rolled back is no news."""
    heard = threading.Semaphore(0)
    state = TradingState(level=KillLevel.REDUCE_ONLY, reason="t", changed_at=builders.NOON)
    with StateNews(migrated_url, heard.release) as news:
        assert news.is_listening.wait(PATIENCE_S)
        with postgres_store.transaction() as transaction:
            transaction.latch(state)
        assert heard.acquire(timeout=PATIENCE_S)


@pytest.mark.usefixtures("postgres_store")
def test_a_connection_that_is_lost_is_made_anew(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ended it; what comes later is heard all the same."""
    monkeypatch.setattr("zoe_tools.store.news.MAKE_ANEW_S", 0.01)
    heard = threading.Event()
    with StateNews(migrated_url, heard.set) as news:
        assert news.is_listening.wait(PATIENCE_S)
        with psycopg.connect(migrated_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            )
        while not heard.wait(0.05):
            flip(migrated_url)


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/zoe.db", "postgresql://zoe@127.0.0.1:1/books?connect_timeout=1"]
)
def test_where_nothing_can_be_heard_nothing_breaks(url: str) -> None:
    """Asking goes on as ever; it ends as soon as it is told to."""
    told: list[str] = []
    with StateNews(url, lambda: told.append("news")) as news:
        assert not news.is_listening.is_set()
    assert told == []
