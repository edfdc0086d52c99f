"""`zoe check-live-readiness`: shows what `core/check_live_readiness.py` judges. Changes nothing."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.check_live_readiness import assess_live_readiness
from zoe_tools.render.checks import show_checks
from zoe_tools.runtime.readiness import pre_flight_facts


def check_live_readiness(ctx: typer.Context) -> int:
    """Check whether the live account could be traded from here now.

    API, authentication, permissions, clock, store, kill state and loop. Looks at the live account
    whenever its key is configured. Exits 0 when nothing fails, 3 when something does, 5 when the
    venue, 7 when the store cannot be used.

    Examples:
      zoe check-live-readiness
      zoe check-live-readiness --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings_to_judge()
    printer = invocation.printer()
    facts = pre_flight_facts(settings)
    printer.account(facts.account)
    report = assess_live_readiness(facts)
    show_checks(printer, report)
    printer.result({"verdict": report.verdict, "checks": report.checks}, exit_code=report.exit_code)
    return report.exit_code
