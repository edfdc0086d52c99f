"""`zoe reconcile`: own books against the venue's records; explains, and books what is proved."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.reconcile import Finding, Reconciliation
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.readiness import reconcile_once, reconcile_twice
from zoe_tools.store.store import Transaction

_FINDINGS, _UNKNOWN = 3, 6
_UNRESOLVED = "UNRESOLVED_INTENT"


def reconcile(
    ctx: typer.Context,
    *,
    execute: Annotated[
        bool, typer.Option("--execute", help="Resolve intents and book what the venue proves.")
    ] = False,
) -> int:
    """Compare our books with the venue's own records, and explain every difference.

    Reads open and closed orders, trades, ledger and balances. With --execute intents of unknown
    outcome are resolved by the venue's records, and missing fills are booked; what is not
    understood is reported and left alone. Exits 3 while something disagrees.

    Examples:
      zoe reconcile
      zoe reconcile --execute
    """
    invocation: Invocation = ctx.obj
    return run_with_context(
        invocation.settings(), lambda context: _reconcile(context, invocation, execute=execute)
    )


async def _reconcile(context: Context, invocation: Invocation, *, execute: bool) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    approver = PlanPrinter(printer, invitation="zoe reconcile --execute")
    gate = open_gate(context, approver=approver, command="reconcile", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, result = await reconcile_twice(context)
    if execute and result.steps:
        plan = _plan(snapshot, result)
        await gate.carry_out(plan, snapshot=snapshot, execute=True)
        snapshot, result = await reconcile_once(context)
    await _note(context, snapshot, result)
    return _report(printer, snapshot, result, execute=execute)


def _plan(snapshot: Snapshot, result: Reconciliation) -> Plan:
    return Plan(
        command="reconcile",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=result.steps,
        notes=result.notes,
    )


async def _note(context: Context, snapshot: Snapshot, result: Reconciliation) -> None:
    """Findings are observations: they are written down in a dry run too."""

    def work(transaction: Transaction) -> None:
        for finding in result.findings:
            transaction.record_reconciliation(
                snapshot.taken_at,
                finding.kind.value,
                finding.subject,
                finding.evidence,
                "warning",
                resolved=False,
            )
        transaction.beat(
            "reconcile",
            "warning" if result.findings else "ok",
            snapshot.taken_at,
            {"findings": len(result.findings)},
        )

    await context.store.run(work)


def _report(printer: Printer, snapshot: Snapshot, result: Reconciliation, *, execute: bool) -> int:
    code = _exit_code(result, execute=execute)
    printer.heading(f"{len(result.findings)} discrepancies")
    if result.findings:
        printer.table(
            ("class", "what", "evidence", ">at stake"),
            [_row(finding) for finding in result.findings],
        )
    for note in result.notes:
        printer.wrapped("  note: ", note)
    if result.steps and not execute:
        printer.line(f"{len(result.steps)} of them can be booked: zoe reconcile --execute")
    printer.result(
        {
            "taken_at": snapshot.taken_at,
            "discrepancies": len(result.findings),
            "findings": result.findings,
            "notes": result.notes,
            "is_executed": execute,
        },
        exit_code=code,
    )
    return code


def _exit_code(result: Reconciliation, *, execute: bool) -> int:
    if execute and any(finding.kind.value == _UNRESOLVED for finding in result.findings):
        return _UNKNOWN
    return _FINDINGS if result.findings else 0


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return finding.kind.value, finding.subject, finding.evidence, short(finding.at_stake)
