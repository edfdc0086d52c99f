"""`zoe pnl`: what was won and lost, and what the account is worth."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, since_of
from zoe_tools.core.lot_rows import LOT_COLUMNS, lot_rows
from zoe_tools.core.lot_walk import Span
from zoe_tools.core.pnl import PnlInput, PnlReport, assess_pnl, history_in, names_in
from zoe_tools.core.pnl_daily import pnl_days
from zoe_tools.domain.equity import PnlDay
from zoe_tools.domain.lot import LotMethod
from zoe_tools.domain.words import counted
from zoe_tools.engine.worth import keep_days, keep_seen, pnl_input
from zoe_tools.errors import ConfigError, StoreError
from zoe_tools.kraken.asset_names import name_among
from zoe_tools.render.pnl import show_pnl
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.valuation import Seen, look_at_worth

_STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the operator wants to see."""

    since: str = ""
    until: str = ""
    method: LotMethod = LotMethod.FIFO
    asset: str = ""
    csv: str = ""
    execute: bool = False


def pnl(
    ctx: typer.Context,
    *,
    since: SinceOption = "",
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="TIME", help="Nothing from then on; as --since.", show_default=False
        ),
    ] = "",
    method: Annotated[
        LotMethod, typer.Option("--method", help="Which lot a sale takes first.")
    ] = LotMethod.FIFO,
    asset: Annotated[
        str,
        typer.Option("--asset", metavar="NAME", help="Of one asset: BTC.", show_default=False),
    ] = "",
    csv_file: Annotated[
        str,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write every match of a sale with its lot; - is standard output.",
            show_default=False,
        ),
    ] = "",
    execute: Annotated[
        bool, typer.Option("--execute", help="Keep the results of the days in pnl_daily.")
    ] = False,
) -> int:
    """Report what was won and lost, by lots, and what the account is worth.

    The whole history goes through the lots; --since and --until say what of it is told. Prices come
    from the venue, else from what was stored: one that is missing or old makes the figure an
    estimate, and a cost that nobody has told leaves a result out.

    Examples:
      zoe pnl
      zoe pnl --since 30d --asset BTC
      zoe pnl --method hifo --since 2026-01-01 --csv lots.csv
    """
    invocation: Invocation = ctx.obj
    ask = Ask(since=since, until=until, method=method, asset=asset, csv=csv_file, execute=execute)
    _demand_one_output(ask, is_json=invocation.options.json)
    return run_with_context(invocation.settings(), lambda context: _pnl(context, invocation, ask))


def _demand_one_output(ask: Ask, *, is_json: bool) -> None:
    if ask.csv == _STDOUT and is_json:
        raise ConfigError("--csv - and --json both want standard output.")
    path = Path(ask.csv)
    if ask.csv not in {"", _STDOUT} and (path.exists() or not path.parent.is_dir()):
        raise ConfigError(
            f"--csv {path}: the file is there already, or its folder is not.",
            hint="Choose another name.",
        )


async def _pnl(context: Context, invocation: Invocation, ask: Ask) -> int:
    printer = invocation.printer()
    if ask.csv != _STDOUT:
        printer.account(context.account)
    now = context.clock.now()
    span = _span_of(ask, now)
    seen = await look_at_worth(context)
    if seen.why:
        printer.warn(f"Prices and balances are those that were stored: {seen.why}.")
    if seen.unheard:
        printer.warn(f"No point of the equity curve was made: {seen.unheard}")
    given = await context.store.read(
        lambda tx: pnl_input(
            tx,
            now=seen.at,
            balances=seen.balances,
            seen=seen.marks,
            entries=seen.entries,
            margin=seen.margin,
        )
    )
    await _keep(context, printer, given, seen)
    asset = name_among(ask.asset, names_in(given)) if ask.asset else None
    report = assess_pnl(given, span, ask.method, asset=asset)
    days = [
        each
        for each in pnl_days(given, reconciled_at=seen.reconciled_at)
        if span.since is None or each.date >= span.since.date()
    ]
    if ask.csv:
        _write_csv(printer, ask.csv, given, span, ask.method, asset)
    if ask.csv != _STDOUT:
        show_pnl(printer, report)
    if ask.execute:
        changed = await context.store.run(
            lambda tx: keep_days(tx, given, reconciled_at=seen.reconciled_at)
        )
        printer.line()
        told = counted(changed, "day")
        printer.line(f"Kept in pnl_daily: {told}, new or come out otherwise.")
    printer.result(_result(report, days, is_executed=ask.execute))
    return 0


def _span_of(ask: Ask, now: datetime) -> Span:
    until = since_of(ask.until, now, option="--until")
    since = since_of(ask.since, now)
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--since {ask.since} is not before --until {ask.until}.")
    return Span(since=since, until=until)


async def _keep(context: Context, printer: Printer, given: PnlInput, seen: Seen) -> None:
    """What was seen is an observation; books that cannot be written can be read all the same."""
    try:
        await context.store.run(lambda tx: keep_seen(tx, given, seen.marks))
    except StoreError as error:
        printer.warn(f"What was seen now could not be kept: {error.message}")


def _result(report: PnlReport, days: Sequence[PnlDay], *, is_executed: bool) -> dict[str, object]:
    equity = report.equity or (report.curve[-1] if report.curve else None)
    return {
        "report": report,
        "total_realised": report.total,
        "net_deposits": report.net_deposits,
        "gross_equity": equity.gross if equity else None,
        "net_equity": equity.net if equity else None,
        "days": days,
        "is_executed": is_executed,
    }


def _write_csv(
    printer: Printer,
    name: str,
    given: PnlInput,
    span: Span,
    method: LotMethod,
    asset: str | None,
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LOT_COLUMNS)
    history = history_in(given)
    writer.writerows(lot_rows(history, span, method, asset=asset))
    if name == _STDOUT:
        printer.line(out.getvalue().rstrip("\n"))
        return
    with Path(name).open("x", encoding="utf-8", newline="") as file:
        file.write(out.getvalue())
    printer.say(f"Written: {name}")
