"""`zoe apply`: carry out a plan that was saved, if it is still the plan one would make now."""

from __future__ import annotations

import shlex
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import planner_of
from zoe_tools.domain.account import Account
from zoe_tools.domain.money import HUNDRED, ZERO, decimal_of
from zoe_tools.domain.plan import Plan
from zoe_tools.errors import ConfigError, PlanStale
from zoe_tools.gate.recheck import PRICE_TOLERANCE_PCT
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, account_of, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import read_plan


def apply(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `--out FILE` of a command has written.")
    ],
    price_tolerance: Annotated[
        str,
        typer.Option(
            "--price-tolerance",
            metavar="PCT",
            help="How far prices may have moved, in percent; quantities may not at all.",
        ),
    ] = "1",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a plan that was interrupted, step by step."),
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Carry the plan out.")] = False,
) -> int:
    """Carry out a saved plan, if planning again gives the same.

    The command that made the plan plans again, from what it was told then and the world as it is
    now. Where the two differ nothing is done: exit 4, and a table of what moved. With --resume,
    steps that are settled in the journal are told, and only the others are done.

    Examples:
      zoe apply monday.plan
      zoe apply monday.plan --execute --price-tolerance 0.5
      zoe apply monday.plan --resume --execute
    """
    invocation: Invocation = ctx.obj
    tolerance = _percent(price_tolerance)
    plan = read_plan(file)
    planner_of(plan.command)
    settings = invocation.settings()
    _demand_account(plan, account_of(settings))
    return run_with_context(
        settings,
        lambda context: _apply(
            context, invocation, plan, (file, tolerance), resume=resume, execute=execute
        ),
    )


async def _apply(
    context: Context,
    invocation: Invocation,
    plan: Plan,
    how: tuple[Path, Decimal],
    *,
    resume: bool,
    execute: bool,
) -> int:
    file, tolerance = how
    printer = invocation.printer()
    printer.account(context.account)
    until, made = (f"{each:%Y-%m-%d %H:%M:%SZ}" for each in (plan.expires_at, plan.created_at))
    printer.wrapped(
        "", f"plan {plan.plan_hash[:12]} of `zoe {plan.command}`, made {made}, valid until {until}"
    )
    approver = PlanPrinter(printer, invitation=_line(file, tolerance, resume=resume))
    gate = open_gate(
        context, approver=approver, command=f"apply {plan.command}", environ=invocation.environ
    )
    receipt = await gate.apply(
        plan,
        look=planner_of(plan.command)(context, plan.arguments),
        execute=execute,
        resume=resume,
        tolerance_pct=tolerance,
    )
    return approver.finish(receipt)


def _line(file: Path, tolerance: Decimal, *, resume: bool) -> str:
    """The line that carries the plan out as it was looked at."""
    words = ["zoe apply", shlex.quote(str(file))]
    words += [f"--price-tolerance {tolerance:f}"] if tolerance != PRICE_TOLERANCE_PCT else []
    words += ["--resume"] if resume else []
    return " ".join([*words, "--execute"])


def _demand_account(plan: Plan, account: Account) -> None:
    """Pass if the plan is for this account.

    Raises:
        PlanStale: it is for another one.
    """
    if plan.account != account:
        raise PlanStale(
            f"The plan is for {plan.account.title}, and this is {account.title}.",
            hint="Name the plan's account with --account, or make a plan for this one.",
        )


def _percent(text: str) -> Decimal:
    try:
        value = decimal_of(text)
    except ValueError as error:
        raise ConfigError(f"--price-tolerance: {text!r} is not a number.") from error
    if not ZERO <= value < HUNDRED:
        raise ConfigError(f"--price-tolerance: {text} is not between 0 and 100 percent.")
    return value
