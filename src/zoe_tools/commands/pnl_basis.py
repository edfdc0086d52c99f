"""`zoe pnl basis`: tell what a deposit had cost."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.lot_history import Records
from zoe_tools.core.lot_walk import Span
from zoe_tools.core.pnl import PnlInput, PnlReport, assess_pnl, names_in
from zoe_tools.core.pnl_basis import CameIn, demand_row, pending, what_came_in
from zoe_tools.domain.equity import CURRENCY
from zoe_tools.domain.lot import CostBasis, LotMethod
from zoe_tools.domain.money import ZERO, amount_of, plain, short
from zoe_tools.engine.worth import pnl_input
from zoe_tools.errors import ConfigError
from zoe_tools.gate.action_log import note_order
from zoe_tools.kraken.asset_names import name_among
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import author_of
from zoe_tools.store.store import Transaction

_FINDINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What the operator says of one ledger row; nothing while `ledger_id` is empty."""

    ledger_id: str = ""
    unit_cost: Decimal = ZERO
    currency: str = CURRENCY
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a declaration does to the results: FIFO, of all times, in the report's currency."""

    realised_before: Decimal
    realised_after: Decimal
    waiting_before: Decimal
    waiting_after: Decimal


def pnl_basis(
    ctx: typer.Context,
    *,
    ledger_id: Annotated[
        str, typer.Argument(metavar="LEDGER_ID", help="The deposit, as `zoe pnl basis` names it.")
    ] = "",
    unit_cost: Annotated[
        str,
        typer.Argument(metavar="UNIT_COST", help="What one unit of it had cost; 0 is a gift."),
    ] = "",
    currency: Annotated[
        str, typer.Option("--currency", metavar="NAME", help="What the cost is in.")
    ] = CURRENCY,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="How that is known; it is kept.", show_default=False
        ),
    ] = "",
    execute: Annotated[bool, typer.Option("--execute", help="Write it.")] = False,
) -> int:
    """Tell what a deposit had cost, or list what came in without a cost.

    The venue knows nothing of what coins had cost elsewhere. Until somebody tells, the result of
    their sale is pending. A later word on the same deposit replaces the one before, and both stay
    in the books. Exits 3 while costs are pending, and for a dry run.

    Examples:
      zoe pnl basis
      zoe pnl basis LQ4Q7V-AAAAA-BBBBBB 31250.50 --reason "another venue, 2024"
      zoe pnl basis LQ4Q7V-AAAAA-BBBBBB 31250.50 --execute
    """
    invocation: Invocation = ctx.obj
    told = _declaration(ledger_id, unit_cost, currency, reason, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _pnl_basis(context, invocation, told, execute=execute),
        needs_venue=False,
    )


def _declaration(
    ledger_id: str, unit_cost: str, currency: str, reason: str, *, execute: bool
) -> Declaration:
    if not ledger_id and (unit_cost or reason or execute):
        raise ConfigError("Say of which deposit: zoe pnl basis LEDGER_ID UNIT_COST.")
    if not ledger_id:
        return Declaration()
    try:
        cost = amount_of(unit_cost)
    except ValueError as error:
        why = f": {error}" if unit_cost else ""
        raise ConfigError(
            f"{unit_cost or 'Nothing'} is no cost of a unit{why}.",
            hint="A number, such as 31250.50.",
        ) from error
    if cost < ZERO:
        raise ConfigError(f"{unit_cost}: nothing costs less than nothing.")
    return Declaration(ledger_id=ledger_id, unit_cost=cost, currency=currency, reason=reason)


async def _pnl_basis(
    context: Context, invocation: Invocation, told: Declaration, *, execute: bool = False
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    now = context.clock.now()
    given = await context.store.read(lambda tx: pnl_input(tx, now=now, balances=None))
    rows = what_came_in(given.records, given.marks, given.currency)
    if not told.ledger_id:
        return _list(printer, rows)
    told = replace(told, currency=name_among(told.currency, names_in(given)))
    row = demand_row(rows, told.ledger_id)
    author = author_of(context, command="pnl basis", environ=invocation.environ)
    basis = CostBasis(
        ledger_id=row.ledger_id,
        asset=row.asset,
        quantity=row.quantity,
        unit_cost=told.unit_cost,
        currency=told.currency,
        declared_at=now,
        declared_by=author.operator,
        reason=told.reason,
    )
    _demand_price(given, row, told)
    is_new = (row.unit_cost, row.cost_currency) != (told.unit_cost, told.currency)
    effect = _effect(given, basis)
    if is_new and execute:

        def work(transaction: Transaction) -> None:
            transaction.declare_cost(basis)
            facts = {
                "asset": basis.asset,
                "quantity": basis.quantity,
                "unit_cost": basis.unit_cost,
                "currency": basis.currency,
                "reason": basis.reason,
            }
            note_order(transaction, facts, (basis.ledger_id,), author=author, now=now)

        await context.store.run(work)
    _show(printer, row, told, effect, is_new=is_new, execute=execute)
    code = _FINDINGS if is_new and not execute else 0
    printer.result(
        {"came_in": rows, "declared": basis, "effect": effect, "is_executed": execute},
        exit_code=code,
    )
    return code


def _demand_price(given: PnlInput, row: CameIn, told: Declaration) -> None:
    """Pass, if the cost is in a currency that had a price then."""
    worth = given.marks.worth(told.unit_cost, told.currency, given.currency, row.booked_at)
    if worth.value is None:
        raise ConfigError(
            f"There is no price of {told.currency} in {given.currency} to reckon this by.",
            hint=f"Give the cost in {given.currency}.",
        )


def _effect(given: PnlInput, basis: CostBasis) -> Effect:
    before = _report(given, given.records)
    costs = (*given.records.costs, basis)
    after = _report(given, replace(given.records, costs=costs))
    return Effect(
        realised_before=before.realised,
        realised_after=after.realised,
        waiting_before=sum((each.waiting for each in before.assets), ZERO),
        waiting_after=sum((each.waiting for each in after.assets), ZERO),
    )


def _report(given: PnlInput, records: Records) -> PnlReport:
    return assess_pnl(replace(given, records=records), Span(), LotMethod.FIFO)


def _list(printer: Printer, rows: tuple[CameIn, ...]) -> int:
    waiting = pending(rows)
    printer.heading(f"{len(waiting)} without a cost, of {len(rows)} that came in")
    if rows:
        printer.table(
            ("!time (UTC)", "!asset", ">!quantity", ">!worth then", ">!unit cost", "!ledger id"),
            [_cells(each) for each in rows],
        )
    if waiting:
        printer.line()
        printer.line("Tell one: zoe pnl basis LEDGER_ID UNIT_COST --execute")
    code = _FINDINGS if waiting else 0
    printer.result(
        {"came_in": rows, "declared": None, "effect": None, "is_executed": False}, exit_code=code
    )
    return code


def _cells(row: CameIn) -> tuple[str, ...]:
    cost = "pending" if row.unit_cost is None else f"{short(row.unit_cost)} {row.cost_currency}"
    if row.unit_cost is None and not pending([row]):
        cost = "its worth"
    return (
        f"{row.booked_at:%Y-%m-%d %H:%M}",
        row.asset,
        short(row.quantity),
        "-" if row.worth is None else f"{row.worth:,.2f}",
        cost,
        row.ledger_id,
    )


def _show(
    printer: Printer,
    row: CameIn,
    told: Declaration,
    effect: Effect,
    *,
    is_new: bool,
    execute: bool,
) -> None:
    before = "pending" if row.unit_cost is None else f"{short(row.unit_cost)} {row.cost_currency}"
    printer.report(
        f"{short(row.quantity)} {row.asset} of {row.booked_at:%Y-%m-%d %H:%M} UTC, {row.ledger_id}",
        [
            ("unit cost", f"{before} -> {short(told.unit_cost)} {told.currency}"),
            ("realised", f"{effect.realised_before:+,.2f} -> {effect.realised_after:+,.2f}"),
            (
                "sold, result pending",
                f"{short(effect.waiting_before)} -> {short(effect.waiting_after)}",
            ),
        ],
    )
    printer.line()
    if not is_new:
        printer.line("Nothing to do: it is so already.")
    elif execute:
        printer.line("Written. `zoe pnl --execute` brings the results of the days up to it.")
    else:
        words = [row.ledger_id, plain(told.unit_cost)]
        if told.currency != CURRENCY:
            words += ["--currency", told.currency]
        if told.reason:
            words += ["--reason", told.reason]
        printer.line(printer.styled("DRY RUN: nothing was changed.", "bold"))
        line = printer.to_run(f"zoe pnl basis {shlex.join(words)} --execute")
        printer.line(f"To carry it out: {line}")
