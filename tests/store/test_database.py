"""Database addresses: every spelling of the two we know, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from zoe_tools.errors import ConfigError, StoreUnavailable
from zoe_tools.store import database, schema
from zoe_tools.store.database import (
    display,
    engine_for,
    parse_url,
    translated_errors,
)
from zoe_tools.store.transactions import Transactions


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://zoe@db.example/books", "postgresql+psycopg"),
        ("postgresql://zoe@db.example/books", "postgresql+psycopg"),
        ("postgresql+psycopg://zoe@db.example/books", "postgresql+psycopg"),
        ("sqlite:////var/lib/zoe.db", "sqlite"),
        ("sqlite+pysqlite:///zoe.db", "sqlite"),
    ],
)
def test_every_spelling_of_a_known_database_is_understood(given: str, driver: str) -> None:
    """Hosting services hand out `postgres://`."""
    assert parse_url(given).drivername == driver


@pytest.mark.parametrize(
    "given", ["", "zoe.db", "mysql://zoe@db.example/books", "sqlite://", "sqlite:///:memory:"]
)
def test_any_other_address_is_a_configuration_error(given: str) -> None:
    """Also one that would keep nothing."""
    with pytest.raises(ConfigError) as caught:
        parse_url(given)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("sqlite:////var/lib/zoe.db", "/var/lib/zoe.db"),
        (
            "postgresql://zoe:secret@db.example:6543/books?sslmode=require&password=other",
            "PostgreSQL db.example:6543/books",
        ),
        ("postgresql://zoe@/books?host=/run/pg", "PostgreSQL /run/pg/books"),
    ],
)
def test_an_address_is_shown_without_its_secrets(given: str, shown: str) -> None:
    """Neither password nor options."""
    assert display(parse_url(given)) == shown


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://zoe:secret-word@127.0.0.1:1/books?password=secret-word",
        "postgresql://zoe:secret-word@127.0.0.1:1/books?nonsense=secret-word",
        "postgresql://zoe:secret-word@no-such-host.invalid/books",
    ],
)
def test_a_failing_address_never_tells_its_password(given: str) -> None:
    """Whatever the driver has to say about it."""
    with pytest.raises((StoreUnavailable, ConfigError)) as caught:
        schema.status(given)
    assert "secret-word" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


def test_a_statement_on_a_server_does_not_take_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the store's error; what was done before in the transaction is taken back."""
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT_MS", 20)
    engine = engine_for(postgres_url)

    def make_and_sleep() -> None:
        with translated_errors(engine.url), engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE kept (x int)")
            connection.exec_driver_sql("SELECT pg_sleep(60)")

    with pytest.raises(StoreUnavailable, match="statement timeout"):
        make_and_sleep()
    with engine.begin() as connection:
        found = connection.exec_driver_sql("SELECT to_regclass('kept')").scalar()
    engine.dispose()

    assert found is None


def test_a_migration_may_take_its_time(postgres_url: str) -> None:
    """It may have a large table to rewrite."""
    engine = engine_for(postgres_url, has_statement_timeout=False)
    with engine.begin() as connection:
        timeout = connection.exec_driver_sql("SHOW statement_timeout").scalar()
    engine.dispose()

    assert timeout == "0"


def test_a_connection_is_kept_until_something_fails_in_it(url: str) -> None:
    """SQLite's, from one transaction to the next; what failed is rolled back, the next is new."""

    class Crash(Exception):
        """Something after the write."""

    transactions = Transactions(engine_for(url))
    change = text("UPDATE config SET value = 'changed' WHERE key = 'kill_switch'")
    count = text("SELECT count(*) FROM config WHERE value = 'changed'")

    def fail() -> None:
        with transactions.begin() as connection:
            connection.execute(change)
            raise Crash

    with transactions.begin() as first:
        pass
    with transactions.begin() as second:
        assert (second is first) is url.startswith("sqlite")
    with pytest.raises(Crash):
        fail()
    with transactions.begin() as after:
        assert after is not first
        assert after.execute(count).scalar() == 0
        assert after.execute(change).rowcount == 1
    with transactions.begin() as last:
        assert last.execute(count).scalar() == 1
    transactions.close()
    transactions.close()
