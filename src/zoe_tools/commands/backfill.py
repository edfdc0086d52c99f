"""`zoe backfill`: which candles the store lacks and why, and how they are fetched."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.backfill_files import demand_one_errand, export_series, import_archive
from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import since_of, timeframe_in
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    value_of,
)
from zoe_tools.core.backfill import expected_starts, looked_through, plan_backfill
from zoe_tools.core.candle_needs import InstrumentNeed
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.render.candle_needs import OnlyTrouble, show_fetched, show_needs
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.candle_ohlc import note_ohlc, stored_of
from zoe_tools.runtime.candle_survey import Request, needs_of
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments

_FINDINGS = 3

_Symbol = Annotated[
    str, typer.Option("--symbol", help="One instrument, any spelling.", show_default=False)
]
_Symbols = Annotated[
    str,
    typer.Option(
        "--symbols",
        metavar="NAMES",
        help="Several: BTC/USD,ETH/USD. Without either, those the store has candles of.",
        show_default=False,
    ),
]
_Lengths = Annotated[
    str,
    typer.Option("--tf", help="1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w or 15d; or several: 1m,5m,1h."),
]
_From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="TIME",
        help="From then on: 2024-01-01, 2024-01-01T08:00 (UTC), 30d. Else the last 720.",
        show_default=False,
    ),
]
_To = Annotated[str, typer.Option("--to", metavar="TIME", help="Up to then.", show_default=False)]
_Import = Annotated[
    Path | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="From Kraken's bulk archives: a table of trades or candles, or their zip.",
        show_default=False,
    ),
]
_Export = Annotated[
    Path | None,
    typer.Option(
        "--export",
        metavar="FILE",
        help="Write what is stored into FILE.parquet or FILE.csv.",
        show_default=False,
    ),
]


def backfill(
    ctx: typer.Context,
    *,
    symbol: _Symbol = "",
    symbols: _Symbols = "",
    timeframe: _Lengths = Timeframe.H1.value,
    since: _From = "",
    until: _To = "",
    archive: _Import = None,
    target: _Export = None,
    execute: Annotated[bool, typer.Option("--execute", help="Write the candles.")] = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Find the candles that the store lacks, and fetch those that the venue still has.

    Told apart are candles in whose time nothing traded, outages of the venue, and those that nobody
    has fetched yet. The last 720 come from Kraken's OHLC, what is older from its trades, page by
    page; whoever is interrupted goes on from there with the same command. A second run writes
    nothing.

    Examples:
      zoe backfill --symbol BTC/USD --tf 1h
      zoe backfill --symbol ETHUSD --tf 15m --execute
      zoe backfill --symbols BTC/USD,ETH/USD --tf 1m,1h --from 2024-01-01 --execute
      zoe backfill --import Kraken_Trading_History.zip --symbols BTC/USD --execute
      zoe backfill --export btc.parquet --symbol BTC/USD --tf 1m --from 2024-01-01
    """
    invocation: Invocation = ctx.obj
    demand_one_errand(ctx, archive, target)
    lengths = timeframes_in(timeframe)
    if archive is not None:
        return import_archive(invocation, archive, symbol or symbols, execute=execute)
    if target is not None:
        return export_series(invocation, target, symbol, lengths, (since, until), force=force)
    kept = keeping(out, valid_for, force=force, execute=execute)
    is_plan = bool(symbol) and len(lengths) == 1 and not since and not until
    if kept is not NOT_KEPT and not is_plan:
        raise ConfigError(
            "--out saves the plan of one instrument and length without --from and --to.",
            hint="zoe backfill --symbol BTC/USD --tf 1h --out FILE",
        )

    async def work(context: Context) -> int:
        if is_plan:
            return await _backfill(
                context,
                invocation,
                symbol=symbol,
                timeframe=lengths[0],
                execute=execute,
                kept=kept,
            )
        wish = await _request(context, symbol or symbols, lengths, since, until)
        words = _words(symbol, symbols, timeframe, since, until)
        return await _fill(context, invocation, wish, words, execute=execute)

    return run_with_context(invocation.settings(), work)


def planner(context: Context, arguments: Arguments) -> Regather:
    """How this command looks and plans: candles of `symbol`, of the length `tf`.

    Raises:
        ConfigError: there is no such length.
    """
    return _looking(context, arguments, [])


def _looking(context: Context, arguments: Arguments, heard: list[tuple[Candle, ...]]) -> Regather:
    """As `planner`; what the venue answered is put into `heard`."""
    timeframe = timeframe_in(value_of(arguments, "tf"))

    async def look() -> tuple[Snapshot, Plan]:
        instrument = (await context.venue.catalogue()).resolve(value_of(arguments, "symbol"))
        snapshot = await context.look(frozenset())
        first = expected_starts(timeframe, snapshot.taken_at)[0]
        stored, from_trades = await context.store.read(
            partial(stored_of, instrument.symbol, timeframe, first)
        )
        fetched = await context.venue.candles(instrument.symbol, timeframe)
        heard.append(fetched)
        plan = plan_backfill(
            account=context.account,
            now=snapshot.taken_at,
            symbol=instrument.symbol,
            timeframe=timeframe,
            stored=stored,
            fetched=fetched,
            lifetime_s=context.policy.plan_lifetime_s,
            from_trades=from_trades,
            looked=looked_through(fetched, timeframe),
        )
        return snapshot, plan

    return with_arguments(look, arguments)


async def _backfill(
    context: Context,
    invocation: Invocation,
    *,
    symbol: str,
    timeframe: Timeframe,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    instrument = (await context.venue.catalogue()).resolve(symbol)
    arguments = (("symbol", instrument.symbol), ("tf", timeframe.value))
    heard: list[tuple[Candle, ...]] = []
    look = _looking(context, arguments, heard)
    options = "".join(f" --{name} {text}" for name, text in arguments)
    line = kept.invitation(f"zoe backfill{options} --execute")
    printer = invocation.printer()
    approver = PlanPrinter(printer, invitation=line)
    gate = open_gate(context, approver=approver, command="backfill", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    printer.account(context.account)
    wish = Request(instruments=(instrument,), timeframes=(timeframe,))
    show_needs(printer, [await _need(context, instrument, wish)], is_costed=False)
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute)
    if receipt.is_done:
        looked = looked_through(heard[-1], timeframe)
        await note_ohlc(context, instrument.symbol, timeframe, looked)
    return approver.finish(receipt, saved=kept.keep(plan))


async def _request(
    context: Context, names: str, timeframes: tuple[Timeframe, ...], since: str, until: str
) -> Request:
    """What was asked for, by the venue's list of instruments.

    Raises:
        ConfigError: an unknown instrument, a time that is none, or nothing is followed yet.
    """
    now = context.clock.now()
    begin, end = since_of(since, now, option="--from"), since_of(until, now, option="--to")
    if begin is not None and begin >= (end or now):
        raise ConfigError(f"--from {since} is not before --to {until or 'now'}.")
    wanted = [each.strip() for each in names.split(",") if each.strip()]
    if not wanted:
        wanted = sorted(await context.store.read(lambda books: books.followed()))
    if not wanted:
        raise ConfigError(
            "The store has candles of no instrument yet: name those that you want.",
            hint="zoe backfill --symbols BTC/USD,ETH/USD --tf 1m,1h",
        )
    catalogue = await context.venue.catalogue()
    instruments = {each.symbol: each for each in map(catalogue.resolve, wanted)}
    return Request(
        instruments=tuple(instruments.values()), timeframes=timeframes, since=begin, until=end
    )


async def _fill(
    context: Context,
    invocation: Invocation,
    wish: Request,
    words: Sequence[str],
    *,
    execute: bool,
) -> int:
    """Several series, or further back than OHLC reaches."""
    printer = invocation.printer()
    printer.account(context.account)
    needs = [await _need(context, each, wish) for each in wish.instruments]
    show_needs(printer, needs)
    if not execute:
        return _dry(printer, needs, words)
    from zoe_tools.runtime.candle_backfill import (  # noqa: PLC0415 - brings polars, which is slow
        hold_instrument,
    )
    from zoe_tools.runtime.candle_fetch import fetch  # noqa: PLC0415 - same

    gate = open_gate(
        context, approver=OnlyTrouble(printer), command="backfill", environ=invocation.environ
    )
    await gate.recover()
    told, code = [], 0
    for instrument in wish.instruments:
        with hold_instrument(context.home, context.account.account_id, instrument.symbol):
            try:
                fetched = await fetch(context, gate, instrument, wish, printer.say)
            except asyncio.CancelledError:
                printer.say(
                    f"{instrument.symbol}: broken off. What is read is kept; the same command goes"
                    " on from there."
                )
                raise
        show_fetched(printer, instrument.symbol, fetched.ohlc, fetched.trades)
        told.append(fetched)
        code = code or fetched.exit_code
    printer.result(
        {
            "instruments": needs,
            "is_executed": True,
            "ohlc": [each for one in told for each in one.ohlc],
            "trades": [each for one in told for each in one.trades],
        },
        exit_code=code,
    )
    return code


async def _need(context: Context, instrument: Instrument, wish: Request) -> InstrumentNeed:
    return await needs_of(
        instrument, wish, store=context.store, venue=context.venue, now=context.clock.now()
    )


def _dry(printer: Printer, needs: Sequence[InstrumentNeed], words: Sequence[str]) -> int:
    code = 0 if all(each.is_complete for each in needs) else _FINDINGS
    printer.line()
    if code:
        printer.line(printer.styled("DRY RUN: nothing was written.", "bold"))
        told = printer.to_run(f"zoe backfill {shlex.join(words)} --execute")
        printer.line(f"To carry it out: {told}")
    else:
        printer.line("Nothing to do: all that is missing was looked for.")
    told_empty: list[object] = []
    printer.result(
        {"instruments": needs, "is_executed": False, "ohlc": told_empty, "trades": told_empty},
        exit_code=code,
    )
    return code


def _words(symbol: str, symbols: str, timeframe: str, since: str, until: str) -> list[str]:
    """What was typed, to be typed again."""
    named = (
        ("--symbol", symbol),
        ("--symbols", symbols),
        ("--tf", timeframe),
        ("--from", since),
        ("--to", until),
    )
    return [word for name, value in named if value for word in (name, value)]


def timeframes_in(names: str) -> tuple[Timeframe, ...]:
    """The lengths that `--tf` names, shortest first.

    Raises:
        ConfigError: there is no such length.
    """
    found = {timeframe_in(each.strip()) for each in names.split(",") if each.strip()}
    if not found:
        raise ConfigError("--tf names no length.", hint="One or several: 1m,5m,1h.")
    return tuple(sorted(found, key=lambda each: each.minutes))
