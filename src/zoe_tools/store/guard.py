"""Closes a PostgreSQL to strangers, and lets dashboards of the same server watch it.

Runs after every migration and changes nothing that is as it should be. A hosted server such as
Supabase gives every new table to its anonymous role: what zoe makes is taken back at once, and row
level security without a policy shows a role that was given a table by mistake no row of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from zoe_tools.store.record_tables import CRYPTO_RECONCILIATION_EVENTS
from zoe_tools.store.tables import (
    CONFIG,
    CRYPTO_FILLS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    HEALTH_HEARTBEAT,
    INSTRUMENT_STATES,
    METADATA,
    NAMED_VIEWS,
    TRADING_STATES,
    VERSION_TABLE,
)

_LOG = logging.getLogger(__name__)

STRANGERS = ("anon", "authenticated")
"""Supabase's roles of whoever has the project's public key, and of its signed-in users."""

REALTIME = "supabase_realtime"
WATCHED = (
    CONFIG,
    CRYPTO_FILLS,
    CRYPTO_ORDERS,
    CRYPTO_POSITIONS,
    CRYPTO_RECONCILIATION_EVENTS,
    HEALTH_HEARTBEAT,
    INSTRUMENT_STATES,
    TRADING_STATES,
)
"""What a dashboard follows; rows reach only roles that row level security lets see them."""

_VIEWS_ASK_AS_THE_READER = 150_000
"""The server version from which on a view can be read with its reader's own rights."""


def guard(connection: Connection) -> None:
    """Close what zoe keeps, numbers of rows included, to all but its owner.

    On SQLite there is nobody else.
    """
    if connection.dialect.name != "postgresql":
        return
    seen = inspect(connection)
    # An upgrade that stops at an older revision has not made all of them yet.
    tables = [each for each in seen.get_table_names() if each in {*METADATA.tables, VERSION_TABLE}]
    views = [each for each in seen.get_view_names() if _is_ours(each)]
    strangers = ", ".join(["PUBLIC", *_present_strangers(connection)])
    for name in tables:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY')
    for name in [*tables, *views]:
        connection.exec_driver_sql(f'REVOKE ALL ON "{name}" FROM {strangers}')
    for name in _sequences_of(connection, tables):
        connection.exec_driver_sql(f'REVOKE ALL ON SEQUENCE "{name}" FROM {strangers}')
    if _version(connection) >= _VIEWS_ASK_AS_THE_READER:
        for name in views:
            connection.exec_driver_sql(f'ALTER VIEW "{name}" SET (security_invoker = true)')
    _publish(connection)


def _is_ours(view: str) -> bool:
    return view.startswith("v_") or view in NAMED_VIEWS


def _sequences_of(connection: Connection, tables: Sequence[str]) -> Sequence[str]:
    """What numbers the tables' rows; a stranger who sets it back stops all writing."""
    rows = connection.exec_driver_sql(
        "SELECT numbers.relname FROM pg_class AS numbers"
        " JOIN pg_depend AS owned ON owned.objid = numbers.oid AND owned.deptype IN ('a', 'i')"
        " JOIN pg_class AS owner ON owner.oid = owned.refobjid"
        " WHERE numbers.relkind = 'S' AND owner.relname = ANY(%(tables)s)"
        " AND owner.relnamespace = current_schema()::regnamespace ORDER BY 1",
        {"tables": list(tables)},
    )
    return list(rows.scalars())


def _present_strangers(connection: Connection) -> Sequence[str]:
    roles = table("pg_roles", column("rolname"))
    found = connection.execute(
        select(roles.c.rolname).where(roles.c.rolname.in_(STRANGERS)).order_by(roles.c.rolname)
    )
    return [f'"{name}"' for (name,) in found]


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())


def _publish(connection: Connection) -> None:
    """Add what is watched to the server's realtime publication, where it has one of the usual kind.

    That it may not be changed is no reason not to keep books: it is logged, and left.
    """
    publications = table("pg_publication", column("pubname"), column("puballtables"))
    covers_all = connection.execute(
        select(publications.c.puballtables).where(publications.c.pubname == REALTIME)
    ).scalar()
    if covers_all is None or covers_all:
        return
    members = table("pg_publication_tables", column("pubname"), column("tablename"))
    known = set(
        connection.execute(
            select(members.c.tablename).where(members.c.pubname == REALTIME)
        ).scalars()
    )
    for each in WATCHED:
        if each.name in known:
            continue
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f'ALTER PUBLICATION {REALTIME} ADD TABLE "{each.name}"')
        except DBAPIError as error:
            _LOG.warning("%s is not published for realtime: %s", each.name, error.orig)
            return
