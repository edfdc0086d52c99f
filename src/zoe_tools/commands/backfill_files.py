"""`zoe backfill --import` and `--export`: candles out of files and into them.

An import is a dry run unless --execute; an export writes its file alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import since_of
from zoe_tools.domain.candle import Differing, Span, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.money import short
from zoe_tools.errors import ConfigError
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.db_health import demand_sound_store

if TYPE_CHECKING:
    from zoe_tools.runtime.candle_archives import Table
    from zoe_tools.runtime.candle_import import TableTold

_FINDINGS = 3
_STRANGE_TOLD = 3
_EVER = 1 << 33
_NOT_IN = frozenset({"timeframe", "since", "until", "out", "valid_for", "force"})
_NOT_OUT = frozenset({"symbols", "out", "valid_for", "execute"})
"""Options that say nothing to a file that comes in, or goes out."""


def demand_one_errand(ctx: typer.Context, archive: Path | None, target: Path | None) -> None:
    """Pass while the options go together: a file heeds only some of them.

    Raises:
        ConfigError: they do not.
    """
    if _is_typed(ctx, "symbol") and _is_typed(ctx, "symbols"):
        raise ConfigError("--symbol and --symbols are two ways to say the same: give one.")
    for name in ("symbol", "symbols"):
        if _is_typed(ctx, name) and not str(ctx.params[name]).strip(" ,"):
            raise ConfigError(f"--{name} names no instrument.", hint=f"--{name} BTC/USD")
    if archive is not None and target is not None:
        raise ConfigError("--import and --export are two errands: give one.")
    option, strange = "", frozenset[str]()
    if archive is not None:
        option, strange = "--import", _NOT_IN
    if target is not None:
        option, strange = "--export", _NOT_OUT
    for each in ctx.command.params:
        if each.name in strange and _is_typed(ctx, each.name):
            raise ConfigError(f"{each.opts[0]} says nothing to {option}.")


def _is_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def import_archive(invocation: Invocation, file: Path, names: str, *, execute: bool) -> int:
    """Import a table or a zip of them, or say what that would bring; the exit code.

    `names` are the instruments to take of it, by comma; none: all.
    """
    spellings = [each.strip() for each in names.split(",") if each.strip()]
    if not file.is_file():
        raise ConfigError(f"--import {file}: there is no such file, or it is none.")

    async def work(context: Context) -> int:
        if execute:
            await demand_sound_store(context.settings)
        return await _import(context, invocation, file, spellings, execute=execute)

    return run_with_context(invocation.settings(), work)


async def _import(
    context: Context,
    invocation: Invocation,
    file: Path,
    spellings: Sequence[str],
    *,
    execute: bool,
) -> int:
    from zoe_tools.runtime.candle_import import (  # noqa: PLC0415 - brings polars, which is slow
        import_tables,
        tables_of,
    )

    printer = invocation.printer()
    printer.account(context.account)
    catalogue = await context.venue.catalogue()
    symbols = [catalogue.resolve(each).symbol for each in spellings]
    contents = tables_of(file, catalogue, symbols)
    _show_strange(printer, contents.strange)
    told: list[TableTold] = []

    def on_table(verb: str, table: Table) -> None:
        printer.say(f"{verb} {table.name}, {table.size / 1e6:,.1f} MB ...")

    done = import_tables(
        contents.tables,
        catalogue,
        context.store,
        context.clock,
        is_dry=not execute,
        on_table=on_table,
    )
    async for each in done:
        told.append(each)
        _show(printer, each)
    return _end(printer, file, symbols, told, contents.strange, execute=execute)


def _end(
    printer: Printer,
    file: Path,
    symbols: Sequence[Symbol],
    told: Sequence[TableTold],
    strange: Sequence[str],
    *,
    execute: bool,
) -> int:
    read = sum(each.rows_read for each in told)
    written = [each.written for each in told]
    fresh = sum(each.new + each.changed for each in written)
    kept = sum(each.kept for each in written)
    printer.line()
    if execute:
        printer.line(f"Read: {read:,} rows. Written: {fresh:,} candles.")
    elif fresh:
        printer.line(printer.styled("DRY RUN: nothing was written.", "bold"))
        again = ["--symbols", ",".join(symbols)] if symbols else []
        words = shlex.join(["--import", str(file), *again, "--execute"])
        printer.line(f"To carry it out: {printer.to_run(f'zoe backfill {words}')}")
    else:
        printer.line("Nothing to do: every candle is stored as it is there, or better.")
    if kept:
        one = "candle differs" if kept == 1 else "candles differ"
        printer.warn(f"{kept:,} {one} from one that tells more, which stays.")
    code = _FINDINGS if (fresh and not execute) or kept else 0
    result = {
        "file": str(file),
        "is_executed": execute,
        "tables": told,
        "left_out": strange,
        "rows_read": read,
        "rows_written": fresh if execute else 0,
    }
    printer.result(result, exit_code=code)
    return code


def _show(printer: Printer, table: TableTold) -> None:
    if table.first_at is None or table.last_at is None:
        printer.report(table.name, [("rows", "none")])
        return
    printer.report(
        table.name,
        (
            ("rows", f"{table.rows_read:,} {table.holds.value} of {table.symbol}"),
            (
                "span",
                f"{table.first_at:%Y-%m-%d %H:%M:%S} to {table.last_at:%Y-%m-%d %H:%M:%S} UTC",
            ),
            ("volume", f"{short(table.volume)}{_where(table)}"),
        ),
    )
    printer.line()
    printer.table(
        ("tf", ">candles", ">new", ">changed", ">as stored", ">kept", ">missing"),
        [
            (
                each.timeframe.value,
                f"{each.written.rows:,}",
                f"{each.written.new:,}",
                f"{each.written.changed:,}",
                f"{each.written.unchanged:,}",
                f"{each.written.kept:,}",
                f"{each.missing:,}",
            )
            for each in table.series
        ],
    )
    for each in table.series:
        for differing in each.written.differing:
            printer.wrapped("(!) ", _differing(each.timeframe.value, differing))


def _where(table: TableTold) -> str:
    """What is proved of the volume: candles of trades are added up, and must come to it."""
    return ", all of it in the candles of each length" if len(table.series) > 1 else ""


def _differing(timeframe: str, each: Differing) -> str:
    fate = "is replaced by" if each.is_replaced else "stays, and not"
    return f"{timeframe} of {each.opened_at:%Y-%m-%d %H:%M}: {each.stored} {fate} {each.offered}"


def _show_strange(printer: Printer, strange: Sequence[str]) -> None:
    if not strange:
        return
    some = ", ".join(strange[:_STRANGE_TOLD])
    more = len(strange) - _STRANGE_TOLD
    told = f"{some} and {more:,} more" if more > 0 else some
    printer.warn(
        f"Left out, as no table of a pair and length that are known here: {told}.", always_seen=True
    )


def export_series(
    invocation: Invocation,
    file: Path,
    spelling: str,
    lengths: Sequence[Timeframe],
    times: tuple[str, str],
    *,
    force: bool,
) -> int:
    """Write the candles of one instrument and length that begin within a span; the exit code.

    `times` are since when and until when, as they were typed; empty: all.
    """
    if not spelling or len(lengths) != 1:
        raise ConfigError(
            "--export takes one --symbol and one --tf: a file holds one series.",
            hint="zoe backfill --export FILE.parquet --symbol BTC/USD --tf 1h",
        )

    async def work(context: Context) -> int:
        now = context.clock.now()
        since = since_of(times[0], now, option="--from")
        until = since_of(times[1], now, option="--to")
        wanted = Span(
            int(since.timestamp()) if since else 0, int(until.timestamp()) if until else _EVER
        )
        return await _export(context, invocation, file, spelling, lengths[0], wanted, force=force)

    return run_with_context(invocation.settings(), work)


async def _export(
    context: Context,
    invocation: Invocation,
    file: Path,
    spelling: str,
    timeframe: Timeframe,
    wanted: Span,
    *,
    force: bool,
) -> int:
    from zoe_tools.runtime.candle_export import (  # noqa: PLC0415 - brings polars, which is slow
        export_candles,
    )

    printer = invocation.printer()
    printer.account(context.account)
    symbol = (await context.venue.catalogue()).resolve(spelling).symbol
    done = await export_candles(context.store, file, symbol, timeframe, wanted, may_overwrite=force)
    if done.first_at is None or done.last_at is None:
        printer.line(f"No candle of {symbol} {timeframe.value} is stored in that time: no file.")
    else:
        span = f"{done.first_at:%Y-%m-%d %H:%M} to {done.last_at:%Y-%m-%d %H:%M} UTC"
        printer.report(
            "",
            (
                ("file", file),
                ("candles", f"{done.rows:,} of {symbol} {timeframe.value}"),
                ("span", span),
            ),
        )
    printer.result(done)
    return 0
