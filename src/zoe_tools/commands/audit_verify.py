"""`zoe audit verify`: is the log of everything that was done whole? Reads the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.audit_verify import MOST_SHOWN, AuditReport
from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import moment
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.runtime.auditing import books_of, verify_accounts
from zoe_tools.runtime.context import account_of

_FINDINGS = 3


def audit_verify(
    ctx: typer.Context,
    *,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            "--head", metavar="FILE", help="A signed head that was kept elsewhere, too; repeatable."
        ),
    ] = None,
) -> int:
    """Check that nobody changed, removed or added a row of the audit log.

    Of every account with books here, unless --account names one. The first bad row is named. Exits
    3 when something is wrong.

    Examples:
      zoe audit verify
      zoe audit verify --head /mnt/elsewhere/kraken-live-3f9a12c4.json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    is_named = bool(invocation.options.account or invocation.options.profile)
    accounts = books_of(settings, account_of(settings) if is_named else None)
    printer = invocation.printer()
    complaint = AuditHome(settings.home).complaint()
    if complaint:
        printer.warn(complaint)
    reports = verify_accounts(settings, accounts, head or ())
    if not reports:
        printer.line("No account has books here yet.")
    for account, report in zip(accounts, reports, strict=True):
        _show(printer, account, report)
    code = _FINDINGS if any(report.findings for report in reports) else 0
    printer.result({"accounts": reports}, exit_code=code)
    return code


def _show(printer: Printer, account: Account, report: AuditReport) -> None:
    printer.account(account)
    printer.report("", (("rows", _rows(report)), ("signed", _signed(report))))
    for note in report.notes:
        printer.wrapped("  note: ", note)
    if not report.findings:
        printer.line(printer.styled("  The log is whole.", "green"))
        printer.line()
        return
    count = len(report.findings)
    printer.line()
    printer.line(
        printer.styled("  THE LOG IS NOT WHOLE", "red")
        + (f": {count} findings, in the order of the rows." if count > 1 else ".")
    )
    for each in report.findings[:MOST_SHOWN]:
        printer.wrapped(f"  {each.flaw.value.ljust(17)}  ", each.message)
    if count > MOST_SHOWN:
        printer.line(f"  and {count - MOST_SHOWN} more: --json lists them all")
    printer.line(f"  Next: zoe explain {report.findings[0].flaw.value}")
    printer.line()


def _rows(report: AuditReport) -> str:
    if report.last_seq is None or not report.rows:
        return "none"
    newest = f"{moment(report.last_at):%Y-%m-%d %H:%M:%SZ}"
    return f"{report.rows:,} (row {report.first_seq} to {report.last_seq}), newest {newest}"


def _signed(report: AuditReport) -> str:
    if report.signed_seq is None:
        return "not at all: a cut at the end would not show (zoe audit init)"
    told = f"up to row {report.signed_seq} by key {report.key_id}"
    loose = report.unsigned_rows
    return told + (f"; {loose} newer rows are not yet" if loose > 0 else "")
