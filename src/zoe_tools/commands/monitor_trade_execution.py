"""`zoe monitor-trade-execution`: how orders are filled, from zoe's own books. Asks no venue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, SymbolOption, number, since_of, symbol_of
from zoe_tools.core.monitor_trade_execution import (
    ExecutionFacts,
    ExecutionReport,
    Spread,
    assess_execution,
    narrowed,
)
from zoe_tools.core.trade_costs import TradeCost
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED
from zoe_tools.domain.words import counted
from zoe_tools.errors import ConfigError
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.store.store import Transaction

_A_DAY = "1d"
_FINDINGS = 3
_SHOWN = 20
_WIDE = 100
FOLLOW_S = 5.0
"""Seconds between two looks of `--follow`."""


def monitor_trade_execution(
    ctx: typer.Context,
    *,
    since: SinceOption = _A_DAY,
    symbol: SymbolOption = "",
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Look again every five seconds, until interrupted."),
    ] = False,
) -> int:
    """Tell how orders are filled: how many, how fast, at what price, as maker or taker.

    One line for each decision and all of its orders. Slippage is against the middle of the market
    when it was decided, above zero is worse. Exits 3 when an order is stuck, the venue refuses time
    after time, or slippage is above MAX_AVERAGE_SLIPPAGE_BPS.

    Examples:
      zoe monitor-trade-execution
      zoe monitor-trade-execution --since 7d --symbol BTC-USD
      zoe monitor-trade-execution --follow
    """
    invocation: Invocation = ctx.obj
    if follow and invocation.options.json:
        raise ConfigError(
            "--follow is for a person who watches; --json answers with one object.",
            hint="Leave --follow out, and run it as often as you want to know.",
        )
    settings = invocation.settings(lenient=True)
    policy = settings.policy()

    async def work(context: Context) -> int:
        printer = invocation.printer()
        printer.account(context.account)
        code = await _look(context, printer, policy, since=since, symbol=symbol)
        while follow:
            await context.clock.sleep(FOLLOW_S)
            code = await _look(context, printer, policy, since=since, symbol=symbol)
        return code

    return run_with_context(settings, work, needs_venue=False)


async def _look(
    context: Context, printer: Printer, policy: Policy, *, since: str = _A_DAY, symbol: str = ""
) -> int:
    """One report; returns the exit code."""
    now = context.clock.now()
    first, only = since_of(since, now), symbol_of(symbol, NOT_GATHERED)
    facts = await context.store.read(lambda tx: facts_in(tx, now, first, policy))
    report, costs = assess_execution(narrowed(facts, only))
    _show(printer, report, costs, first, only)
    code = _FINDINGS if report.findings else 0
    printer.result(
        {"report": report, "groups": costs, "since": first, "as_of": now}, exit_code=code
    )
    return code


def facts_in(
    transaction: Transaction, now: datetime, first: datetime | None, policy: Policy
) -> ExecutionFacts:
    """What the books say since then, and what works however old it is."""
    groups = transaction.groups.since(first)
    orders = transaction.groups.orders_of([each.group_id for each in groups])
    names = {each.client_order_id for each in orders}
    working = transaction.orders(open_only=True)
    filled = [each.created_at for each in orders]
    return ExecutionFacts(
        now=now,
        policy=policy,
        groups=groups,
        orders=(*orders, *(each for each in working if each.client_order_id not in names)),
        fills=transaction.fills(min(filled)) if filled else (),
        refusals=transaction.refusals(first or datetime.min.replace(tzinfo=now.tzinfo)),
    )


def _show(
    printer: Printer,
    report: ExecutionReport,
    costs: Sequence[TradeCost],
    first: datetime | None,
    only: Symbol | None,
) -> None:
    printer.line()
    if not costs:
        told = f" since {first:%Y-%m-%d %H:%M} UTC" if first else ""
        printer.line(f"No orders of the desk's{f' in {only}' if only else ''}{told}.")
    else:
        _show_groups(printer, costs)
        _show_sums(printer, report)
    for each in report.rejects:
        printer.wrapped("", f"refused by the venue, {counted(each.count, 'time')}: {each.code}")
    for finding in report.findings:
        printer.wrapped("", f"FINDING {finding}")


def _show_groups(printer: Printer, costs: Sequence[TradeCost]) -> None:
    is_narrow = printer.width < _WIDE
    columns = ["!decided (UTC)", "!instrument", "what", "!filled", "!bps", "!seconds", "ended"]
    if not is_narrow:
        columns += ["!of", "reprices"]
    shown = [_row(each, is_narrow=is_narrow) for each in costs[:_SHOWN]]
    printer.table(tuple(columns), shown)
    if len(costs) > _SHOWN:
        printer.line(f"... and {len(costs) - _SHOWN} older ones: --json tells all of them.")
    printer.line()


def _row(cost: TradeCost, *, is_narrow: bool) -> tuple[str, ...]:
    what = cost.purpose.replace("_", " ")  # where there is no room it is folded between words
    told = (
        f"{cost.decided_at:%m-%d %H:%M:%S}",
        cost.symbol,
        what if is_narrow else f"{what} {cost.style.value}",
        number(cost.filled_quantity),
        "-" if cost.slippage_bps is None else f"{cost.slippage_bps:f}",
        "-" if cost.last_fill_s is None else f"{cost.last_fill_s:f}",
        "works" if cost.ending is None else cost.ending.value,
    )
    return told if is_narrow else (*told, number(cost.target_quantity), str(cost.reprices))


def _show_sums(printer: Printer, report: ExecutionReport) -> None:
    rate = "-" if report.fill_rate_pct is None else f"{report.fill_rate_pct:f} %"
    maker = "-" if report.maker_share_pct is None else f"{report.maker_share_pct:f} %"
    printer.wrapped(
        "",
        f"{counted(report.groups, 'decision')}, {report.working} at work; {report.filled} filled"
        f" ({rate} of those over), {report.partly} in part;"
        f" {counted(report.reprices, 'repricing')}; maker share {maker}",
    )
    for name, spread, unit in (
        ("first fill", report.first_fill_s, "s"),
        ("last fill", report.last_fill_s, "s"),
        ("slippage", report.slippage_bps, "bps"),
    ):
        printer.wrapped("", f"{name}: {_percentiles(spread, unit)}")


def _percentiles(spread: Spread, unit: str) -> str:
    told = (("p50", spread.p50), ("p90", spread.p90), ("p99", spread.p99), ("worst", spread.worst))
    if not spread.count:
        return "nothing measured"
    return ", ".join(f"{name} {value:f} {unit}" for name, value in told if value is not None)
