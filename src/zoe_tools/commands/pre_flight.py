"""`zoe pre-flight`: shows what `core/pre_flight.py` judges. Changes nothing at the venue."""

from __future__ import annotations

from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.pre_flight import assess_pre_flight
from zoe_tools.render.checks import show_checks, show_proofs
from zoe_tools.runtime.readiness import pre_flight_facts

_UNPROVED = 3


def pre_flight(
    ctx: typer.Context,
    *,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove", help="Instead, make every pre-trade control fire on a throw-away exchange."
        ),
    ] = False,
) -> int:
    """Check every precondition of going live.

    Looks at the live account whenever its key is configured, else at the paper account. Every
    check passes, warns or fails, and says what to do next. Exits 0 when nothing fails, 3 when
    something does, 5 when the venue, 7 when the store cannot be used. With --prove no account is
    looked at: exits 0 when every control refused its order, else 3.

    Examples:
      zoe pre-flight
      zoe pre-flight --prove
      zoe --account paper pre-flight --json
    """
    invocation: Invocation = ctx.obj
    if prove:
        return _prove(invocation)
    settings = invocation.settings_to_judge()
    printer = invocation.printer()
    facts = pre_flight_facts(settings)
    printer.account(facts.account)
    report = assess_pre_flight(facts)
    show_checks(printer, report)
    printer.result({"verdict": report.verdict, "checks": report.checks}, exit_code=report.exit_code)
    return report.exit_code


def _prove(invocation: Invocation) -> int:
    """One row a control: what was planted, and the code that fired."""
    from zoe_tools.runtime.control_drill import prove_controls  # noqa: PLC0415 - costs import time

    invocation.settings(lenient=True)
    printer = invocation.printer()
    proofs = prove_controls()
    code = 0 if all(each.is_proved for each in proofs) else _UNPROVED
    show_proofs(printer, proofs)
    printer.result({"controls": proofs}, exit_code=code)
    return code
