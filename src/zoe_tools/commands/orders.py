"""`zoe orders`: the orders there are, by own books and by the venue. Changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, SymbolOption, number, since_of, symbol_of
from zoe_tools.core.orders import OrderLine, list_orders
from zoe_tools.domain.snapshot import Missing
from zoe_tools.gather import Need
from zoe_tools.render.printer import Printer, age
from zoe_tools.runtime.context import Context, run_with_context

_NEEDS = frozenset({Need.CATALOGUE, Need.OPEN_ORDERS})
_VENUE, _FINDINGS = 5, 3
_WIDE = 100


def orders(
    ctx: typer.Context,
    *,
    since: SinceOption = "",
    symbol: SymbolOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also those of zoe's books that are over.")
    ] = False,
) -> int:
    """List the orders there are, by own books and by the venue.

    Working orders, newest first; also those that are not zoe's, as `foreign`. Exits 3 when our
    books and the venue disagree about one, 5 when the venue could not be asked and the books speak
    alone.

    Examples:
      zoe orders
      zoe orders --all --since 24h
      zoe orders --symbol BTC-USD --json
    """
    invocation: Invocation = ctx.obj
    return run_with_context(
        invocation.settings(),
        lambda context: _orders(
            context, invocation.printer(), since=since, symbol=symbol, everything=everything
        ),
    )


async def _orders(
    context: Context,
    printer: Printer,
    *,
    since: str = "",
    symbol: str = "",
    everything: bool = False,
) -> int:
    printer.account(context.account)
    first = since_of(since, context.clock.now())
    snapshot = await context.look(_NEEDS)
    lines = list_orders(
        snapshot,
        since=first,
        symbol=symbol_of(symbol, snapshot.catalogue),
        with_finished=everything,
    )
    code = _FINDINGS if any(each.is_disputed for each in lines) else 0
    if isinstance(snapshot.open_orders, Missing):
        code = _VENUE
        reason = snapshot.open_orders.reason
        printer.warn(f"The venue was not asked, these are zoe's books alone: {reason}.")
    _show(printer, lines, now=snapshot.taken_at)
    printer.result({"orders": lines, "since": first, "as_of": snapshot.taken_at}, exit_code=code)
    return code


def _show(printer: Printer, lines: tuple[OrderLine, ...], *, now: datetime) -> None:
    printer.line()
    if not lines:
        printer.line("No orders.")
        return
    columns = ("!order", "!instrument", "what", "!left", "!price", "!status", "!age")
    # Where there is no room the age goes: half a word or half a number would be worse.
    room = len(columns) - (printer.width < _WIDE)
    printer.table(columns[:room], [_row(each, now)[:room] for each in lines])
    disputed = [each for each in lines if each.is_disputed]
    if disputed:
        printer.line()
        names = ", ".join(each.venue_order_id or each.client_order_id or "-" for each in disputed)
        printer.wrapped("(!) ", f"NOT AT VENUE as open: {names}. Run `zoe reconcile`.")


def _row(line: OrderLine, now: datetime) -> tuple[str, ...]:
    status = line.status.value
    if line.is_disputed:
        status += " (!)"
    return (
        line.venue_order_id or line.client_order_id or "-",
        line.symbol,
        f"{line.side.value} {line.purpose}",
        number(line.quantity - line.filled_quantity),
        _price(line),
        status,
        age(line.created_at, now),
    )


def _price(line: OrderLine) -> str:
    """A trigger first, and the limit behind it."""
    told = [number(each) for each in (line.trigger_price, line.limit_price) if each]
    return " / ".join(told) or "market"
