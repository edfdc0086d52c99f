"""`zoe reconcile`: own books against the venue's records; explains, and books what is proved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
)
from zoe_tools.core.reconcile import Finding, Reconciliation
from zoe_tools.domain.identifiers import IntentId, Symbol
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.gate.gate import Regather
from zoe_tools.gate.recover import Recovery, Resolution
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
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
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
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
    kept = keeping(out, valid_for, force=force, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _reconcile(context, invocation, execute=execute, kept=kept),
    )


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans."""

    async def look() -> tuple[Snapshot, Plan]:
        snapshot, result = await reconcile_twice(context)
        return snapshot, _plan(snapshot, result)

    return with_arguments(look, arguments)


async def _reconcile(
    context: Context, invocation: Invocation, *, execute: bool, kept: Keeping = NOT_KEPT
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    approver = PlanPrinter(printer, invitation="zoe reconcile --execute")
    gate = open_gate(context, approver=approver, command="reconcile", environ=invocation.environ)
    recovery = await gate.recover() if execute else Recovery()
    _show_recovery(printer, recovery)
    snapshot, result = await reconcile_twice(context)
    if execute and result.steps:
        plan = _plan(snapshot, result)
        await gate.carry_out(plan, snapshot=snapshot, execute=True)
        snapshot, result = await reconcile_once(context)
    await _note(context, snapshot, result)
    saved = kept.keep(sealed(kept.lasting(_plan(snapshot, result)), snapshot))
    return _report(printer, snapshot, result, recovery, execute=execute, saved=saved)


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


def _report(
    printer: Printer,
    snapshot: Snapshot,
    result: Reconciliation,
    recovery: Recovery,
    *,
    execute: bool,
    saved: str,
) -> int:
    code = _exit_code(result, execute=execute)
    printer.heading(f"{len(result.findings)} discrepancies")
    if result.findings:
        printer.table(
            ("class", "what", "evidence", ">at stake"),
            [_row(finding) for finding in result.findings],
        )
    for note in (*recovery.notes, *result.notes):
        printer.wrapped("  note: ", note)
    if result.steps and not execute:
        line = printer.to_run("zoe reconcile --execute")
        printer.line(f"{len(result.steps)} of them can be booked: {line}")
    if saved:
        printer.line(saved)
    printer.result(
        {
            "taken_at": snapshot.taken_at,
            "discrepancies": len(result.findings),
            "findings": result.findings,
            "notes": (*recovery.notes, *result.notes),
            "resolutions": [_settled(each) for each in recovery.resolutions],
            "is_executed": execute,
        },
        exit_code=code,
    )
    return code


def _show_recovery(printer: Printer, recovery: Recovery) -> None:
    """What became of each intent that was open, and the evidence for it."""
    if recovery.resolutions:
        printer.heading("Looked up in the venue's records")
    for each in recovery.resolutions:
        intent = each.intent
        lead = f"  {each.state.value.ljust(9)}  "
        about = f"{intent.kind.value} {intent.purpose} on {intent.symbol}"
        printer.wrapped(lead, f"{about}: {each.evidence or 'no evidence'}")
        printer.wrapped(" " * len(lead), f"intent {intent.intent_id}")
    booked = ((recovery.orders_updated, "orders"), (recovery.fills_booked, "executions"))
    told = [f"{count} {what}" for count, what in booked if count]
    if told:
        printer.line(f"  Booked what was missed: {', '.join(told)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An intent that was open, what became of it, and the evidence."""

    intent_id: IntentId
    action: IntentKind
    purpose: str
    symbol: Symbol
    state: IntentState
    evidence: str


def _settled(found: Resolution) -> Settled:
    intent = found.intent
    return Settled(
        intent_id=intent.intent_id,
        action=intent.kind,
        purpose=intent.purpose,
        symbol=intent.symbol,
        state=found.state,
        evidence=found.evidence,
    )


def _exit_code(result: Reconciliation, *, execute: bool) -> int:
    if execute and any(finding.kind.value == _UNRESOLVED for finding in result.findings):
        return _UNKNOWN
    return _FINDINGS if result.findings else 0


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return finding.kind.value, finding.subject, finding.evidence, short(finding.at_stake)
