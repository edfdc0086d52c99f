"""On a shared server nobody but the owner sees zoe's tables, and dashboards may follow them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy import inspect

import builders
from postgres_server import PostgresServer
from zoe_tools.store import guard, schema
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store
from zoe_tools.store.tables import METADATA, NAMED_VIEWS, VERSION_TABLE

VIEWS = ("v_orders", "v_fills", "v_positions", *NAMED_VIEWS)
EVERYTHING = (*METADATA.tables, VERSION_TABLE, *VIEWS)


@contextmanager
def as_role(url: str, role: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection that acts as that role."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


@pytest.fixture
def hosted_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database of a host that gives each new table to its anonymous role."""
    url = postgres_server.url(postgres_server.create_database())
    with psycopg.connect(url, autocommit=True) as connection:
        for role in guard.STRANGERS:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            for what in ("TABLES", "SEQUENCES"):
                grant = f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {what} TO {{}}"
                connection.execute(sql.SQL(grant).format(sql.Identifier(role)))
        connection.execute(sql.SQL("CREATE PUBLICATION {}").format(sql.Identifier(guard.REALTIME)))
    schema.upgrade(url)
    Store.open(url, builders.PAPER, clock_now=builders.NOON).close()
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        for role in guard.STRANGERS:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_defect_25_strangers_can_neither_read_nor_write_any_table_or_view(hosted_url: str) -> None:
    """Defect 25. Not by what the host gives them, and not one of the tables is forgotten."""
    refused = []
    for role in guard.STRANGERS:
        with as_role(hosted_url, role) as connection:
            for name in EVERYTHING:
                for verb in ("SELECT * FROM {}", "DELETE FROM {}"):
                    statement = sql.SQL(verb).format(sql.Identifier(name))
                    with pytest.raises(errors.InsufficientPrivilege):
                        connection.execute(statement)
                    refused.append(name)

    assert len(refused) == len(EVERYTHING) * len(guard.STRANGERS) * 2


def test_strangers_cannot_set_the_numbers_of_rows(hosted_url: str) -> None:
    """One that is set back would make every later row a twin of an old one."""
    with psycopg.connect(hosted_url, autocommit=True) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'S'").fetchall()
    with as_role(hosted_url, "anon") as connection:
        for (name,) in found:
            for statement in ("SELECT setval(%s, 1)", "SELECT nextval(%s)"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement, (name,))

    assert ("order_events_row_id_seq",) in found


@pytest.mark.parametrize("name", ["accounts", "config", "v_orders"])
def test_a_stranger_who_is_given_a_table_by_mistake_sees_no_row(hosted_url: str, name: str) -> None:
    """Row level security without a policy shows nothing, and changes nothing."""
    grant = sql.SQL("GRANT ALL ON {}, accounts, crypto_orders TO anon").format(sql.Identifier(name))
    with psycopg.connect(hosted_url, autocommit=True) as connection:
        connection.execute(grant)
    with as_role(hosted_url, "anon") as connection:
        select = sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))
        assert connection.execute(select).fetchall() == []
        assert connection.execute("DELETE FROM accounts").rowcount == 0


def test_every_table_has_row_level_security_and_every_view_its_readers_rights(
    hosted_url: str,
) -> None:
    """Whatever a later migration adds."""
    engine = engine_for(hosted_url)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql(
            "SELECT relname, relkind::text, relrowsecurity, reloptions FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
        ).all()
        names = set(inspect(connection).get_table_names())
    engine.dispose()

    assert names <= set(EVERYTHING)
    assert {row.relname for row in rows} == set(EVERYTHING)
    assert [row.relname for row in rows if row.relkind == "r" and not row.relrowsecurity] == []
    views = {row.relname: row.reloptions for row in rows if row.relkind == "v"}
    assert views == {name: ["security_invoker=true"] for name in VIEWS}


def test_what_dashboards_follow_is_in_the_realtime_publication_once(hosted_url: str) -> None:
    """Also after a second look."""
    engine = engine_for(hosted_url)
    with engine.begin() as connection:
        guard.guard(connection)
        published = connection.exec_driver_sql(
            "SELECT tablename FROM pg_publication_tables WHERE pubname = 'supabase_realtime'"
        ).scalars()
        assert sorted(published) == sorted(each.name for each in guard.WATCHED)
    engine.dispose()
