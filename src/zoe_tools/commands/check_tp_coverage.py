"""`zoe check-tp-coverage`: what stops and targets cover of each position. Changes nothing."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.check_tp_coverage import (
    AbsentHolding,
    Coverage,
    PositionCoverage,
    absent_holdings,
)
from zoe_tools.core.check_tp_coverage import check_tp_coverage as assess
from zoe_tools.core.position_rows import told_gone
from zoe_tools.core.repair_tp import is_held_by_targets
from zoe_tools.domain.money import short
from zoe_tools.gather import Need
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.runtime.reconciling import look_by_id

_NEEDS = frozenset({Need.CATALOGUE, Need.BALANCES, Need.OPEN_ORDERS, Need.QUOTES})
_FINDINGS = 3
_WIDE = 110
_COLUMNS = (
    "!instrument",
    ">held",
    ">stop covers",
    ">stop at",
    ">target covers",
    ">target at",
    "!state",
)
_NARROW_COLUMNS = ("!instrument", "!held", "stop", "target", "!state")


def check_tp_coverage(ctx: typer.Context) -> int:
    """Show how much of each position its stop and its target cover.

    Quantity is compared with quantity, at the venue and in the targets that a running loop
    manages. What targets hold has no stop while no loop runs. What the account holds beyond the
    registry is listed. Exits 3 when a position is not fully covered, or its row is gone.

    Examples:
      zoe check-tp-coverage
      zoe check-tp-coverage --json
    """
    invocation: Invocation = ctx.obj
    return run_with_context(
        invocation.settings(), lambda context: _check(context, invocation.printer())
    )


async def _check(context: Context, printer: Printer) -> int:
    snapshot = await look_by_id(context, _NEEDS)
    loop_is_running = await context.store.read(
        lambda tx: is_running(tx.lease(), tx.lease_time(snapshot.taken_at))
    )
    rows = assess(snapshot, loop_is_running=loop_is_running)
    gone = snapshot.positions_gone
    code = _FINDINGS if gone or any(row.coverage is not Coverage.OK for row in rows) else 0
    printer.account(context.account)
    absent = absent_holdings(snapshot)
    _show(printer, rows, loop_is_running=loop_is_running)
    for each in gone:
        printer.wrapped("(!) ", told_gone(each))
    _show_absent(printer, absent)
    printer.result(
        {
            "loop_is_running": loop_is_running,
            "positions": rows,
            "gone": gone,
            "absent": absent,
        },
        exit_code=code,
    )
    return code


def _show(printer: Printer, rows: tuple[PositionCoverage, ...], *, loop_is_running: bool) -> None:
    if not rows:
        printer.line("No open positions.")
        return
    if printer.width < _WIDE:
        printer.table(_NARROW_COLUMNS, [_narrow_cells(row) for row in rows])
    else:
        printer.table(_COLUMNS, [_cells(row) for row in rows])
    for row in rows:
        if row.unprotected_quantity:
            _show_unprotected(printer, row)
    naked = [row for row in rows if row.coverage is Coverage.UNPROTECTED]
    if any(not is_held_by_targets(row) for row in naked):
        printer.line("Next: zoe recover-sl")
    if any(is_held_by_targets(row) for row in naked):
        printer.line("Next: zoe run, or zoe repair-tp --mode managed")
    if any(row.coverage in (Coverage.MISSING_TP, Coverage.MISMATCH_TP) for row in rows):
        printer.line("Next: zoe repair-tp")
    if not loop_is_running and any(row.coverage is Coverage.MISSING_TP for row in rows):
        printer.line("No loop is running, so managed targets cover nothing. Next: zoe run")


def _show_unprotected(printer: Printer, row: PositionCoverage) -> None:
    part = f"{short(row.unprotected_quantity)} of {short(row.quantity)}"
    why = "no stop covers it"
    if row.minded_quantity:
        why = f"targets hold {short(row.minded_quantity)}, and no loop minds the stop"
    elif is_held_by_targets(row):
        why = f"targets hold {short(row.resting_quantity)} in place of a stop"
    printer.wrapped("(!) ", f"{row.symbol}: UNPROTECTED {part}: {why}.")


def _cells(row: PositionCoverage) -> tuple[str, ...]:
    return (
        row.symbol,
        short(row.quantity),
        short(row.stop_quantity),
        short(row.stop_price) if row.stop_price is not None else "-",
        short(row.target_quantity) + (" (managed)" if row.target_is_managed else ""),
        short(row.target_price) if row.target_price is not None else "-",
        row.coverage.value,
    )


def _narrow_cells(row: PositionCoverage) -> tuple[str, ...]:
    """Quantity and price in one cell, which breaks between the two."""
    symbol, held, stop, stop_at, target, target_at, state = _cells(row)
    covers, _, managed = target.partition(" ")
    return (
        symbol,
        held,
        stop if stop_at == "-" else f"{stop} at {stop_at}",
        target if target_at == "-" else f"{covers} at {target_at} {managed}".rstrip(),
        state,
    )


def _show_absent(printer: Printer, absent: tuple[AbsentHolding, ...]) -> None:
    if absent:
        told = ", ".join(f"{short(each.quantity)} {each.asset}" for each in absent)
        printer.wrapped("Not in the registry: ", f"{told}. Nothing protects it; it is not zoe's.")
