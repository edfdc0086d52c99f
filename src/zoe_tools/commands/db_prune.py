"""`zoe db prune`: remove what is old, settled and needed by nobody, behind a signed checkpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.errors import ConfigError, PlanRefused
from zoe_tools.ports import HeadSigner
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.audit_home import signer_of
from zoe_tools.runtime.auditing import verify_accounts
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import author_of
from zoe_tools.store.bulk import GAP_S
from zoe_tools.store.prune import Prunable
from zoe_tools.store.store import Transaction

_FINDINGS = 3
_LEAST_DAYS = 7


def db_prune(
    ctx: typer.Context,
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Days, as in 90d; at least 7d.")
    ],
    execute: Annotated[bool, typer.Option("--execute", help="Really remove it.")] = False,
) -> int:
    """Remove old rows of the audit log, settled intents and observations of the account.

    Nothing goes that is not over: an open position, a working order or an unsettled intent holds
    back all of the log from its first row on. A signed checkpoint keeps the rest provable.

    Examples:
      zoe db prune --older-than 90d
      zoe db prune --older-than 90d --execute
    """
    invocation: Invocation = ctx.obj
    age = _age(older_than)
    settings = invocation.settings()
    return run_with_context(
        settings,
        lambda context: _prune(context, invocation, age, execute=execute),
        needs_venue=False,
    )


async def _prune(context: Context, invocation: Invocation, age: timedelta, *, execute: bool) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    now = context.clock.now()
    before = now - age
    found = await context.store.read(lambda books: books.retention.look(before))
    found = replace(found, marks=await _thin_marks(context, before, is_done=False))
    _show(printer, found)
    is_done = execute and not found.is_empty
    if is_done:
        signer = _demand_provable(context)
        author = author_of(context, command="db prune", environ=invocation.environ)
        who = {"operator": author.operator, "host": author.host}
        await context.store.run(lambda books: books.retention.checkpoint(found, signer, now, who))
        while await context.store.run(lambda books: books.retention.delete_some(before)):
            await context.clock.sleep(GAP_S)  # who waits for the store gets it
        await _thin_marks(context, before, is_done=True)
        printer.line("Removed. zoe audit verify checks what is left.")
    elif not found.is_empty:
        printer.line()
        printer.line(printer.styled("DRY RUN: nothing was removed.", "bold"))
        line = printer.to_run(f"zoe db prune --older-than {age.days}d --execute")
        printer.line(f"To carry it out: {line}")
    code = 0 if is_done or found.is_empty else _FINDINGS
    printer.result({"found": found, "is_executed": is_done}, exit_code=code)
    return code


async def _thin_marks(context: Context, before: datetime, *, is_done: bool) -> int:
    """Go through the prices day by day, each in a transaction of its own; returns how many go."""
    gone = 0
    day = await context.store.read(lambda books: books.retention.first_mark())
    while day is not None and day <= before.date():
        thin = partial(_thin_day, day, before, is_done=is_done)
        gone += await (context.store.run(thin) if is_done else context.store.read(thin))
        if is_done:
            await context.clock.sleep(GAP_S)
        day += timedelta(days=1)
    return gone


def _thin_day(day: date, before: datetime, books: Transaction, *, is_done: bool) -> int:
    return books.retention.thin_marks(day, before, is_done=is_done)


def _demand_provable(context: Context) -> HeadSigner:
    """The key that will vouch for what goes.

    Raises:
        PlanRefused: there is no key, or the log is not whole: a prune would bury the evidence.
    """
    signer = signer_of(context.home)
    if signer is None:
        raise PlanRefused(
            "Without a key nothing could vouch for what was removed.", hint="Run `zoe audit init`."
        )
    (report,) = verify_accounts(context.settings, [context.account])
    if report.findings:
        raise PlanRefused(
            f"The audit log is not whole: {report.findings[0].message}. Nothing was removed.",
            hint="Run `zoe audit verify`.",
        )
    return signer


def _show(printer: Printer, found: Prunable) -> None:
    upto = "" if found.upto is None else f", up to row {found.upto}"
    log = f"{found.log_rows:,} rows{upto}; {found.held_by}"
    if found.leftovers:
        log += f"; and {found.leftovers:,} rows of an interrupted prune"
    printer.report(
        "",
        (
            ("older than", found.before),
            ("audit log", log),
            ("settled intents", f"{found.intents:,}"),
            ("observations", f"{found.observations:,}"),
            ("prices", f"{found.marks:,}"),
        ),
    )
    if found.is_empty:
        printer.line("Nothing to do.")


def _age(text: str) -> timedelta:
    """So many days.

    Raises:
        ConfigError: it is no number of days, or fewer than a week.
    """
    match = re.fullmatch(r"(\d{1,5})d", text.strip())
    if match is None:
        raise ConfigError(f"--older-than {text}: not a number of days.", hint="Write 90d.")
    days = int(match.group(1))
    if days < _LEAST_DAYS:
        raise ConfigError(
            f"--older-than {text}: what is younger than {_LEAST_DAYS} days stays.",
            hint=f"Write {_LEAST_DAYS}d or more.",
        )
    return timedelta(days=days)
