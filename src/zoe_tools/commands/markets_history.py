"""`zoe markets history`: stored candles as a chart. Asks no venue and changes nothing."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import number, since_of, symbol_of, timeframe_in
from zoe_tools.core.markets_history import Columns, History, history_of, span_of
from zoe_tools.domain.candle import Candle, Span, Timeframe, moment_at, second_at
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.snapshot import NOT_GATHERED
from zoe_tools.errors import ConfigError
from zoe_tools.render.candle_chart import FALLING, RISING, chart
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.store.store import Transaction

MOST_TOLD = 10_000
"""Candles in one JSON answer."""
_PAGE_CANDLES = 10_000
_BESIDE = 14
"""Room for the prices at the left."""


def markets_history(
    ctx: typer.Context,
    *,
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="The instrument: BTC/USD or BTC-USD.")
    ],
    timeframe: Annotated[
        str, typer.Option("--tf", help="1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w or 15d.")
    ] = Timeframe.H1.value,
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From then on: 2026-01-31, 2026-01-31T08:00 (UTC), 12h, 7d. Else what fits.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Up to then.", show_default=False)
    ] = "",
) -> int:
    """Draw the stored candles of an instrument, without asking the venue.

    Prices with their volumes below, the newest candles that fit unless --from says otherwise; where
    there are more candles than columns, each column shows several. With --json the candles.

    Examples:
      zoe markets history BTC/USD --tf 1h
      zoe markets history ETH-USD --tf 1d --from 2025-01-01
      zoe markets history BTC/USD --tf 15m --from 1d --json
    """
    invocation: Invocation = ctx.obj
    length = timeframe_in(timeframe)
    return run_with_context(
        invocation.settings(),
        lambda context: _history(
            context, invocation.printer(), symbol, length, since=since, until=until
        ),
        needs_venue=False,
    )


async def _history(
    context: Context,
    printer: Printer,
    name: str,
    timeframe: Timeframe,
    *,
    since: str = "",
    until: str = "",
) -> int:
    printer.account(context.account)
    symbol = symbol_of(name, NOT_GATHERED)
    if symbol is None:
        raise ConfigError("Name an instrument.", hint="zoe markets history BTC/USD")
    now = context.clock.now()
    begin, end = since_of(since, now, option="--from"), since_of(until, now, option="--to")
    if begin is not None and begin >= (end or now):
        raise ConfigError(f"--from {since} is not before --to {until or 'now'}.")
    stored = await context.store.read(lambda books: books.market.bounds(symbol, timeframe))
    room = max(1, printer.width - _BESIDE)
    span = Span(0, 0)
    if stored is not None:
        span = span_of(timeframe, stored, _second(begin), _second(end), room)
    if printer.json and (span.until - span.since) // (timeframe.minutes * 60) > MOST_TOLD:
        raise ConfigError(
            f"That is more than {MOST_TOLD:,} candles at once.",
            hint="Narrow it with --from and --to, or export them to a file.",
        )
    columns, told = await _read(context, symbol, timeframe, span, room, keeps=printer.json)
    history = history_of(columns, symbol, timeframe, span)
    if history is None:
        _show_nothing(printer, symbol, timeframe)
    else:
        _show(printer, history, columns)
    printer.result({"history": history, "candles": told})
    return 0


async def _read(
    context: Context, symbol: Symbol, timeframe: Timeframe, span: Span, room: int, *, keeps: bool
) -> tuple[Columns, list[Candle]]:
    """All candles of the span, page by page; they are kept for JSON alone."""
    columns, told = Columns(span, timeframe, room), list[Candle]()
    at, page = moment_at(span.since), timeframe.length * _PAGE_CANDLES
    while at < moment_at(span.until):
        until = min(at + page, moment_at(span.until))
        found = await context.store.read(partial(_page, symbol, timeframe, at, until))
        columns.add(found)
        if keeps:
            told += found
        at = until
    return columns, told


def _page(
    symbol: Symbol, timeframe: Timeframe, since: datetime, until: datetime, books: Transaction
) -> tuple[Candle, ...]:
    return books.candles(symbol, timeframe, since=since, until=until)


def _show_nothing(printer: Printer, symbol: Symbol, timeframe: Timeframe) -> None:
    printer.line(f"The store has no {timeframe.value} candles of {symbol} there.")
    line = printer.to_run(f"zoe backfill --symbols {symbol} --tf {timeframe.value} --execute")
    printer.line(f"To fetch them: {line}")


def _show(printer: Printer, history: History, columns: Columns) -> None:
    printer.line()
    printer.line(
        printer.styled(f"{history.symbol} {history.timeframe.value}", "bold")
        + f"  {history.since:%Y-%m-%d %H:%M} to {history.until:%Y-%m-%d %H:%M} UTC"
    )
    missing = f", {history.missing:,} not there" if history.missing else ""
    printer.wrapped(
        "",
        f"{history.candles:,} candles{missing}; open {number(history.open)}, high"
        f" {number(history.high)}, low {number(history.low)}, close {number(history.close)}"
        f" ({history.change_pct:+}%), volume {number(history.volume)}, {history.trades:,} trades",
    )
    printer.line()
    lines = chart(
        columns.columns,
        begin=columns.begin,
        step_s=columns.step_s,
        paint=printer.styled,
    )
    for line in lines:
        printer.line(line)
    each = f"; a column is {columns.each} candles" if columns.each > 1 else ""
    printer.line(printer.styled(f"{RISING} rose, {FALLING} fell, volume below{each}", "dim"))


def _second(moment: datetime | None) -> int | None:
    return None if moment is None else second_at(moment)
