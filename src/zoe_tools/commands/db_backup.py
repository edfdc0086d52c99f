"""`zoe db backup`: a copy of the database while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import masked_url
from zoe_tools.errors import StoreUnavailable
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.store.backup import backup, note_backup


def db_backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist yet.")],
) -> None:
    """Copy the database into a file while it is in use.

    An SQLite store is copied as of one moment, checked, and only then bears its name; loop and
    commands go on meanwhile. A PostgreSQL is left to pg_dump, and the line to run is printed.

    Examples:
      zoe db backup /backups/zoe-monday.db
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings_of_store()
    printer = invocation.printer()
    taken_at = SystemClock().now()
    copied = backup(settings.database_url, file.absolute())
    invocation.announce(settings)
    try:
        note_backup(settings.database_url, copied, taken_at=taken_at)
    except StoreUnavailable as error:
        printer.warn(f"The copy is whole, but the store does not know of it: {error.message}")
    printer.report(
        "",
        (
            ("database", masked_url(settings.database_url)),
            ("copy", copied.path),
            ("size", f"{copied.size:,} bytes"),
            ("migration", copied.migration),
            ("sha256", copied.sha256),
        ),
    )
    printer.line()
    printer.wrapped("", "Not in it: .env, zoe.toml, the audit key and the paper exchange.")
    printer.result(
        {
            "database": masked_url(settings.database_url),
            "file": copied.path,
            "size": copied.size,
            "migration": copied.migration,
            "sha256": copied.sha256,
        }
    )
