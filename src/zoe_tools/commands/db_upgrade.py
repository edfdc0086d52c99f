"""`zoe db upgrade`: bring the store to the newest migration."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.store import schema


def db_upgrade(ctx: typer.Context) -> None:
    """Bring the database to the newest schema.

    One transaction: it is upgraded whole or left as it was. A database with somebody else's tables
    is refused.

    Examples:
      zoe db upgrade
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    invocation.announce(settings)
    before, after = schema.upgrade(settings.database_url)
    if before == after:
        printer.line(f"The database is at migration {after} already.")
    else:
        printer.line(f"The database went from migration {before or 'none'} to {after}.")
    printer.result({"before": before, "after": after})
