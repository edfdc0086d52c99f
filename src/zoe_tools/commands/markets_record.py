"""`zoe markets record`: raw frames of the public market into files that can be replayed."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.errors import ConfigError, UnknownInstrument
from zoe_tools.kraken.book import DEPTHS
from zoe_tools.observe.outlet import EDGE
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.market_record import Recording, RecordOrder, record

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MIB = 1024 * 1024


def markets_record(
    ctx: typer.Context,
    *,
    out: Annotated[
        str, typer.Option("--out", metavar="FOLDER", help="Where the files go; it must exist.")
    ],
    symbols: Annotated[
        str,
        typer.Option(
            "--symbols",
            metavar="NAMES",
            help="Instruments, separated by commas; EDGE_FACTORY_SYMBOLS if left out.",
            show_default=False,
        ),
    ] = "",
    duration: Annotated[
        str,
        typer.Option("--for", metavar="TIME", help="Record so long: 90s, 12h.", show_default=False),
    ] = "",
    depth: Annotated[
        int, typer.Option("--depth", metavar="LEVELS", help="Of the books, a side.")
    ] = 100,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="Begin a new file so often: 1h.")
    ] = "1h",
    size: Annotated[
        int, typer.Option("--size", metavar="MIB", help="And when one has this size.")
    ] = 256,
) -> int:
    """Record books and prints of instruments, frame by frame, into files that can be replayed.

    Each file is whole by itself, and the next one begins before the last one ends. What was
    recorded until a second ago can be read, however it ends. Public channels alone.

    Examples:
      zoe markets record --out recordings --symbols BTC-USD,ETH-USD
      zoe markets record --out recordings --for 10m --depth 25
      zoe run --market-data recordings/20260105T120000Z.frames.tsv.gz
    """
    invocation: Invocation = ctx.obj
    folder = Path(out)
    if not folder.is_dir():
        raise ConfigError(f"--out {out}: there is no such folder.", hint="Make it first.")
    if depth not in DEPTHS:
        raise ConfigError(f"--depth {depth} is not served.", hint=f"There are {DEPTHS}.")
    if size < 1:
        raise ConfigError(f"--size {size}: write at least 1.")
    seconds = _span("--for", duration).total_seconds() if duration else None
    order = partial(_order, folder, depth, size * _MIB, _span("--every", every))
    settings = invocation.settings()
    names = tuple(each.strip() for each in symbols.split(",") if each.strip()) or settings.symbols
    EDGE.unblock()  # what is not recorded now never will be
    return run_with_context(
        settings,
        lambda context: _record(context, invocation.printer(), names, order, seconds),
        needs_store=False,
    )


def _order(
    folder: Path,
    depth: int,
    most_bytes: int,
    most_time: timedelta,
    instruments: tuple[Instrument, ...],
) -> RecordOrder:
    return RecordOrder(
        folder=folder,
        instruments=instruments,
        depth=depth,
        most_bytes=most_bytes,
        most_time=most_time,
    )


async def _record(
    context: Context,
    printer: Printer,
    names: tuple[str, ...],
    order: partial[RecordOrder],
    seconds: float | None,
) -> int:
    printer.account(context.account)
    for name in names:
        try:
            spec_named(name)
        except UnknownInstrument:
            printer.warn(f"The paper exchange does not know {name}: it cannot replay these files.")
    printer.line(f"Recording {', '.join(names)}. Ctrl-C ends it.")
    files = await record(
        context,
        [Symbol(each) for each in names],
        order,
        seconds=seconds,
        tell=lambda done: _tell(printer, done),
    )
    printer.result({"files": files})
    return 0


def _tell(printer: Printer, done: Recording) -> None:
    told = f"{done.frames:,} frames, {done.size:,} bytes"
    if done.checksums_failed:
        told += f", {done.checksums_failed:,} checksums failed"
    if done.losses:
        told += f", the wire was lost {done.losses:,} times"
    printer.line(f"{done.path}: {told}")


def _span(option: str, text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text.strip())
    if match is None:
        raise ConfigError(f"{option} {text}: this is no such time.", hint="90s, 30m or 12h.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
