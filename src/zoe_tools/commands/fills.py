"""`zoe fills`: the executions in zoe's own books. Asks no venue and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SinceOption, SymbolOption, number, since_of, symbol_of
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.money import ZERO, round_half_up, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.snapshot import NOT_GATHERED
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context

_A_DAY = "1d"
_CENTS = 2
_WIDE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSum:
    """What the fills of one side of one instrument come to; `cost` in quote, `fees` by asset."""

    symbol: str
    side: Side
    fills: int
    quantity: Decimal
    cost: Decimal
    fees: tuple[tuple[str, Decimal], ...]


def fills(ctx: typer.Context, *, since: SinceOption = _A_DAY, symbol: SymbolOption = "") -> int:
    """List the executions in zoe's own books, without asking the venue.

    Newest first, of the last day unless --since says otherwise, and what they come to.

    Examples:
      zoe fills
      zoe fills --since 7d --symbol BTC-USD
      zoe fills --since 2026-01-01 --json
    """
    invocation: Invocation = ctx.obj
    return run_with_context(
        invocation.settings(),
        lambda context: _fills(context, invocation.printer(), since=since, symbol=symbol),
        needs_venue=False,
    )


async def _fills(
    context: Context, printer: Printer, *, since: str = _A_DAY, symbol: str = ""
) -> int:
    printer.account(context.account)
    now = context.clock.now()
    first = since_of(since, now)
    only = symbol_of(symbol, NOT_GATHERED)
    booked = await context.store.read(lambda transaction: transaction.fills(first))
    chosen = tuple(each for each in reversed(booked) if only in (None, each.symbol))
    sums = sums_of(chosen)
    _show(printer, chosen, sums, first, only)
    printer.result({"fills": chosen, "sums": sums, "since": first, "as_of": now})
    return 0


def sums_of(chosen: Sequence[Fill]) -> tuple[FillSum, ...]:
    """By instrument and side, in the order of their names."""
    groups: dict[tuple[str, str], list[Fill]] = {}
    for each in chosen:
        groups.setdefault((each.symbol, each.side.value), []).append(each)
    return tuple(_sum(groups[key]) for key in sorted(groups))


def _sum(group: Sequence[Fill]) -> FillSum:
    fees: dict[str, Decimal] = {}
    for each in group:
        fees[each.fee_asset] = fees.get(each.fee_asset, ZERO) + each.fee
    return FillSum(
        symbol=group[0].symbol,
        side=group[0].side,
        fills=len(group),
        quantity=sum((each.quantity for each in group), ZERO),
        cost=sum((each.cost for each in group), ZERO),
        fees=tuple(sorted(fees.items())),
    )


def _show(
    printer: Printer,
    chosen: Sequence[Fill],
    sums: Sequence[FillSum],
    first: datetime | None,
    only: str | None,
) -> None:
    printer.line()
    if not chosen:
        told = f" since {first:%Y-%m-%d %H:%M} UTC" if first else ""
        printer.line(f"No fills{f' of {only}' if only else ''}{told}.")
        return
    columns = (
        "!time (UTC)",
        "!instrument",
        "side",
        "!quantity",
        "!price",
        "!cost",
        "!fee",
        "!order",
    )
    # An id that is cut in two cannot be copied: where there is no room, --json tells it.
    room = len(columns) - (printer.width < _WIDE)
    printer.table(columns[:room], [_row(each)[:room] for each in chosen])
    printer.line()
    for each in sums:
        fees = ", ".join(f"{_money(fee)} {asset}" for asset, fee in each.fees)
        verb = "bought" if each.side is Side.BUY else "sold"
        printer.wrapped(
            "",
            f"{each.symbol}: {verb} {short(each.quantity)} for {_money(each.cost)} in"
            f" {each.fills} {'fill' if each.fills == 1 else 'fills'}, fees {fees}",
        )


def _row(fill: Fill) -> tuple[str, ...]:
    return (
        f"{fill.filled_at:%m-%d %H:%M:%S}",
        fill.symbol,
        fill.side.value,
        number(fill.quantity),
        number(fill.price),
        _money(fill.cost),
        _money(fill.fee),
        fill.venue_order_id,
    )


def _money(amount: Decimal) -> str:
    return f"{round_half_up(amount, _CENTS):f}"
