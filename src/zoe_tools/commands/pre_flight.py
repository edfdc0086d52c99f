"""`zoe pre-flight`: shows what `core/pre_flight.py` judges. Changes nothing at the venue."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.core.pre_flight import assess_pre_flight
from zoe_tools.render.checks import show_checks
from zoe_tools.runtime.readiness import pre_flight_facts


def pre_flight(ctx: typer.Context) -> int:
    """Check every precondition of going live.

    Looks at the live account whenever its key is configured, else at the paper account. Every
    check passes, warns or fails, and says what to do next. Exits 0 when nothing fails, 3 when
    something does, 5 when the venue, 7 when the store cannot be used.

    Examples:
      zoe pre-flight
      zoe --account paper pre-flight --json
    """
    invocation: Invocation = ctx.obj
    settings = _settings_to_judge(invocation)
    printer = invocation.printer()
    facts = pre_flight_facts(settings)
    printer.account(facts.account)
    report = assess_pre_flight(facts)
    show_checks(printer, report)
    printer.result({"verdict": report.verdict, "checks": report.checks}, exit_code=report.exit_code)
    return report.exit_code


def _settings_to_judge(invocation: Invocation) -> Settings:
    settings = invocation.settings()
    if settings.mode == "paper" and settings.has_credentials and not invocation.options.account:
        return invocation.for_account("live").settings()
    return settings
