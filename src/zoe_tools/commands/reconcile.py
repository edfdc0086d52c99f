"""`zoe reconcile`: own books against the venue's records; explains, and books what is proved."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    number_in,
    quantity_named,
    value_of,
)
from zoe_tools.core.reconcile import Reconciliation
from zoe_tools.core.reconcile_statements import Statement, plan_statement
from zoe_tools.domain.discrepancy import Discrepancy, FindingKind, ReconciliationState
from zoe_tools.domain.identifiers import IntentId, Symbol
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.domain.words import counted
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gate.reconciliation import Noted
from zoe_tools.gate.recover import Recovery, Resolution
from zoe_tools.gate.registry_watch import audit_stored
from zoe_tools.render.discrepancies import show_discrepancy, show_recovery, show_standing
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate, operator_of
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
from zoe_tools.runtime.reconciling import reconcile_once, reconcile_twice, written_down

_FINDINGS, _UNKNOWN = 3, 6
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_NOTHING = Recovery()


def _option(flag: str, metavar: str, about: str) -> typer.models.OptionInfo:
    """An option of the operator's own words; empty unless given."""
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar=metavar, help=about, show_default=False
    )
    return option


_Explain = Annotated[str, _option("--explain", "ID", "Say what a discrepancy is.")]
_Waive = Annotated[str, _option("--waive", "ID", "Let a discrepancy be, for a while.")]
_Until = Annotated[str, _option("--until", "TIME", "How long it is waived: 12h, 3d, 2026-12-01.")]
_Adjust = Annotated[
    str,
    _option("--adjust", "ASSET=QUANTITY", "Post what our books gain, or with a minus lose."),
]
_Position = Annotated[str, _option("--position", "ID", "The position it belongs to.")]
_Price = Annotated[str, _option("--price", "PRICE", "Per unit; without one it makes no result.")]
_Reason = Annotated[str, _option("--reason", "TEXT", "Why.")]


def reconcile(
    ctx: typer.Context,
    *,
    execute: Annotated[
        bool, typer.Option("--execute", help="Resolve intents and book what the venue proves.")
    ] = False,
    explain: _Explain = "",
    waive: _Waive = "",
    until: _Until = "",
    adjust: _Adjust = "",
    position: _Position = "",
    price: _Price = "",
    reason: _Reason = "",
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Compare our books with the venue's own records, and explain every difference.

    Reads open and closed orders, trades, ledger and balances. With --execute intents of unknown
    outcome are resolved by the venue's records, and missing fills are booked; what is not
    understood is reported and left alone. Exits 3 while something disagrees that nobody has
    explained. With --explain, --waive or --adjust it plans what you say instead.

    Examples:
      zoe reconcile
      zoe reconcile --execute
      zoe reconcile --explain D-0123456789 --reason "a withdrawal by hand" --execute
      zoe reconcile --waive D-0123456789 --until 3d --reason "ticket 4711" --execute
      zoe reconcile --adjust BTC=-0.0004 --position P-1 --reason "sold elsewhere" --execute
    """
    invocation: Invocation = ctx.obj
    names = ("explain", "waive", "until", "adjust", "position", "price", "reason")
    texts = (explain, waive, until, adjust, position, price, reason)
    arguments = tuple((name, text) for name, text in zip(names, texts, strict=True) if text)
    _demand_sense(arguments)
    kept = keeping(out, valid_for, force=force, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _reconcile(context, invocation, arguments, execute=execute, kept=kept),
    )


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans; with arguments, a statement of the operator's.

    `author`, where it is among them, is who said it.

    Raises:
        ConfigError: an argument is not what it should be.
    """
    _demand_sense(arguments)

    async def look() -> tuple[Snapshot, Plan]:
        if arguments:
            snapshot, _ = await reconcile_once(context)
            active = await context.store.read(lambda tx: tx.reconciliation.active())
            return snapshot, plan_statement(snapshot, _statement(arguments), active)
        snapshot, result = await reconcile_twice(context)
        return snapshot, _plan(snapshot, result)

    return with_arguments(look, arguments)


async def _reconcile(
    context: Context,
    invocation: Invocation,
    arguments: Arguments = (),
    *,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    if arguments:
        return await _state(context, invocation, arguments, execute=execute, kept=kept)
    approver = PlanPrinter(printer, invitation="zoe reconcile --execute")
    gate = open_gate(context, approver=approver, command="reconcile", environ=invocation.environ)
    await _audit(context, printer)
    recovery = await gate.recover() if execute else _NOTHING
    show_recovery(printer, recovery)
    snapshot, result = await reconcile_twice(context)
    done = 0
    if execute and result.steps:
        plan = _plan(snapshot, result)
        receipt = await gate.carry_out(plan, snapshot=snapshot, execute=True)
        done = _count_done(receipt)
        snapshot, result = await reconcile_twice(context)
    noted = await written_down(context, snapshot, result, actions_taken=done)
    saved = kept.keep(sealed(kept.lasting(_plan(snapshot, result)), snapshot))
    return _report(
        printer,
        result,
        recovery,
        noted,
        execute=execute,
        saved=saved,
        clean_runs_needed=context.policy.reconcile_clean_runs,
    )


async def _audit(context: Context, printer: Printer) -> None:
    """The registry as it is stored, before anything is repaired."""
    now = context.clock.now()
    over = await context.store.read(lambda tx: tx.raw_positions(is_over=True))
    found = await context.store.run(
        lambda tx: audit_stored(tx, phase="reconcile", now=now, over=over)
    )
    for violation in found.violations:
        printer.warn(f"The registry contradicts itself: {violation}")


async def _state(
    context: Context,
    invocation: Invocation,
    arguments: Arguments,
    *,
    execute: bool,
    kept: Keeping,
) -> int:
    """Plan what the operator says of a discrepancy; with --execute, book it and look again."""
    told = _absolute(arguments, context.clock.now(), operator_of(invocation.environ))
    look = planner(context, told)
    options = "".join(f" --{name} {shlex.quote(text)}" for name, text in arguments)
    line = kept.invitation(f"zoe reconcile{options} --execute")
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="reconcile", environ=invocation.environ)
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    if execute and not plan.is_empty:
        seen, result = await reconcile_twice(context)
        await written_down(context, seen, result, actions_taken=_count_done(receipt))
    return approver.finish(receipt, saved=kept.keep(plan))


def _count_done(receipt: Receipt) -> int:
    return sum(each.state.value == "done" for each in receipt.outcomes)


def _plan(snapshot: Snapshot, result: Reconciliation) -> Plan:
    return Plan(
        command="reconcile",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=result.steps,
        notes=result.notes,
    )


# --- what the operator says ----------------------------------------------------------------------


def _demand_sense(arguments: Arguments) -> None:
    told = dict(arguments)
    if told and not told.keys() & {"explain", "waive", "adjust"}:
        raise ConfigError(
            f"--{next(iter(told))} belongs to --explain, --waive or --adjust.",
            hint="zoe reconcile --help",
        )
    if ("until" in told) != ("waive" in told):
        raise ConfigError("--waive and --until belong together.", hint="--waive ID --until 3d")
    if told.keys() & {"position", "price"} and "adjust" not in told:
        raise ConfigError("--position and --price are about an adjustment: --adjust.")
    if told and "reason" not in told:
        raise ConfigError("A statement about the books needs --reason.")
    if "adjust" in told:
        _amount(told["adjust"])
    if "price" in told:
        number_in(told["price"], "--price")


def _absolute(arguments: Arguments, now: datetime, author: str) -> Arguments:
    """The same with the time of --until spelled out, and who says it."""
    told = dict(arguments)
    if "until" in told:
        told["until"] = _moment(told["until"], now).isoformat()
    return (*told.items(), ("author", author))


def _statement(arguments: Arguments) -> Statement:
    adjust, until, price = (value_of(arguments, name) for name in ("adjust", "until", "price"))
    statement = Statement(
        author=value_of(arguments, "author"),
        reason=value_of(arguments, "reason"),
        explains=value_of(arguments, "explain"),
        waives=value_of(arguments, "waive"),
        until=datetime.fromisoformat(until) if until else None,
        position_id=value_of(arguments, "position"),
        price=number_in(price, "--price") if price else None,
    )
    if not adjust:
        return statement
    asset, quantity = _amount(adjust)
    return replace(statement, asset=asset, quantity=quantity)


def _amount(text: str) -> tuple[str, Decimal]:
    asset, quantity = quantity_named(text, "--adjust", form="ASSET=QUANTITY", example="BTC=-0.1")
    return asset.upper(), quantity


def _moment(text: str, now: datetime) -> datetime:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text.strip())
    if found:
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(
            f"--until {text}: this is no time.", hint="12h, 3d, 2026-12-01"
        ) from error
    return told if told.tzinfo else told.replace(tzinfo=UTC)


# --- what is shown -------------------------------------------------------------------------------


def _report(
    printer: Printer,
    result: Reconciliation,
    recovery: Recovery,
    noted: Noted,
    *,
    execute: bool,
    saved: str,
    clean_runs_needed: int,
) -> int:
    seen = noted.followed.seen
    findings = tuple(each for each in seen if each.is_open)
    settled = tuple(each for each in seen if not each.is_open)
    code = _exit_code(findings, noted.state, execute=execute)
    printer.heading(_headline(len(findings), noted.state))
    if not findings:
        show_standing(printer, noted.state, clean_runs_needed=clean_runs_needed)
    for each in findings:
        show_discrepancy(printer, each)
    if settled:
        printer.heading(f"{len(settled)} explained or waived")
    for each in settled:
        show_discrepancy(printer, each)
    for note in (*recovery.notes, *result.notes):
        printer.wrapped("  note: ", note)
    if findings:
        show_standing(printer, noted.state)
    if result.steps and not execute:
        line = printer.to_run("zoe reconcile --execute")
        printer.line(f"{counted(len(result.steps), 'step')} can be booked: {line}")
    if saved:
        printer.line(saved)
    printer.result(
        {
            "taken_at": noted.run.taken_at,
            "discrepancies": len(findings),
            "findings": findings,
            "settled": settled,
            "notes": (*recovery.notes, *result.notes),
            "resolutions": [_settled(each) for each in recovery.resolutions],
            "state": noted.state,
            "report": dict(noted.run.counts),
            "is_executed": execute,
        },
        exit_code=code,
    )
    return code


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


def _headline(count: int, state: ReconciliationState) -> str:
    """Never as if all were well while entries are kept back."""
    told = counted(count, "discrepancy", "discrepancies")
    return f"{told}, and no entries" if state.pauses_account else told


def _exit_code(
    findings: tuple[Discrepancy, ...], state: ReconciliationState, *, execute: bool
) -> int:
    if execute and any(each.kind is FindingKind.UNRESOLVED_INTENT for each in findings):
        return _UNKNOWN
    return _FINDINGS if findings or state.pauses_account or state.paused else 0
