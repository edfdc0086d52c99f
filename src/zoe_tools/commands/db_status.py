"""`zoe db status`: where the store's schema stands. Changes nothing."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import masked_url
from zoe_tools.store import schema

_OK, _STORE = 0, 7


def db_status(ctx: typer.Context) -> int:
    """Show the database's schema version.

    Exits 0 when the schema is current and 7 when it is not.

    Examples:
      zoe db status
      zoe db status --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings_of_store()
    printer = invocation.printer()
    invocation.announce(settings)
    found = schema.status(settings.database_url)
    verdict, next_step = _verdict(found)
    printer.report(
        "",
        (
            ("database", masked_url(settings.database_url)),
            ("migration", found.current or "none"),
            ("newest", found.head),
            ("state", verdict),
        ),
    )
    if next_step:
        printer.line(f"Next: {next_step}")
    code = _OK if found.is_current else _STORE
    printer.result(
        {
            "database": masked_url(settings.database_url),
            "migration": found.current,
            "newest": found.head,
            "state": verdict,
            "next_step": next_step,
        },
        exit_code=code,
    )
    return code


def _verdict(found: schema.SchemaStatus) -> tuple[str, str]:
    if found.is_foreign:
        return "holds tables that zoe did not make", "point DATABASE_URL elsewhere"
    if found.is_newer:
        return "made by a newer zoe", "install the newer zoe"
    if found.is_empty:
        return "not made yet", "zoe init"
    if not found.is_current:
        return "outdated", "zoe db upgrade"
    return "current", ""
