"""`zoe db upgrade`: bring the store to the newest migration."""

from __future__ import annotations

from functools import partial

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.gate.action_log import note_order
from zoe_tools.runtime.auditing import books_of
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.gates import author_of
from zoe_tools.runtime.known_accounts import run_with_books
from zoe_tools.runtime.unheard_loops import demand_no_loop_without_database
from zoe_tools.store import schema


def db_upgrade(ctx: typer.Context) -> None:
    """Bring the database to the newest schema.

    One transaction: it is upgraded whole or left as it was. A database with somebody else's tables
    is refused.

    Examples:
      zoe db upgrade
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings_of_store()
    printer = invocation.printer()
    invocation.announce(settings)
    demand_no_loop_without_database(settings.home, settings.database_url)
    before, after = schema.upgrade(settings.database_url)
    if before == after:
        printer.line(f"The database is at migration {after} already.")
    else:
        _tell(invocation, settings, before, after)
        printer.line(f"The database went from migration {before or 'none'} to {after}.")
    printer.result({"before": before, "after": after})


def _tell(invocation: Invocation, settings: Settings, before: str | None, after: str) -> None:
    """Each account's log hears who did it; a new database has no accounts yet."""
    if before is None:
        return

    async def note(context: Context) -> None:
        author = author_of(context, command="db upgrade", environ=invocation.environ)
        facts = {"migration_before": before, "migration": after}
        now = context.clock.now()
        await context.store.run(
            partial(note_order, facts=facts, subjects=(), author=author, now=now)
        )

    for account in books_of(settings, None):
        run_with_books(account, settings, note)
