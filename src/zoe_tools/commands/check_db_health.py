"""`zoe check-db-health`: shows what `core/check_db_health.py` judges. Changes nothing."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.check_db_health import assess_db_health
from zoe_tools.render.checks import show_checks
from zoe_tools.runtime.db_health import health_of


def check_db_health(ctx: typer.Context) -> int:
    """Look the database over: its rows, what guards them, its room and its copy.

    The whole database, all accounts in it: damaged pages, rows that contradict each other, what is
    open for too long, triggers that are gone or say something else, size and free disk, the age of
    the last backup, the end of the audit log. Exits 0 when nothing fails (warnings allowed), 3 when
    something does, 7 when the database cannot be read or is not at this zoe's migration.

    Examples:
      zoe check-db-health
      zoe check-db-health --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings_of_store()
    printer = invocation.printer()
    seen = health_of(settings)
    invocation.announce(settings)
    report = assess_db_health(
        seen, policy=settings.policy(), backup_max_age_hours=settings.backup_max_age_hours
    )
    show_checks(printer, report)
    printer.result(
        {"verdict": report.verdict, "checks": report.checks, "facts": seen},
        exit_code=report.exit_code,
    )
    return report.exit_code
