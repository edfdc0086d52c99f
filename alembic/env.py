"""How Alembic meets the database: over the connection that `zoe_tools.store.schema` hands in."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from zoe_tools.store.database import engine_for
from zoe_tools.store.guard import guard
from zoe_tools.store.tables import METADATA, VERSION_TABLE


def run(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
        compare_type=True,
        # On SQLite an identity column would look like a default that is missing.
        compare_server_default=not is_sqlite,
        render_as_batch=is_sqlite,
    )
    with context.begin_transaction():
        context.run_migrations()
        guard(connection)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = engine_for(context.get_x_argument(as_dictionary=True)["url"])
    with engine.begin() as own:
        run(own)
    engine.dispose()
