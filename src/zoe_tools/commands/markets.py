"""`zoe markets`: all instruments of the venue on one screen, watched and kept, or seen once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.markets import MarketOrder, MarketView, counted, market_lines
from zoe_tools.domain.market_watch import MarketState
from zoe_tools.errors import ConfigError
from zoe_tools.observe.outlet import EDGE
from zoe_tools.render.markets import (
    STYLES,
    columns,
    fitting,
    heading,
    row,
    show_markets,
)
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.market_run import kept_view, one_look, watch_markets

_LINE_EVERY = 60
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which instruments are shown, and in which order."""

    order: MarketOrder
    state: MarketState | None
    top: int | None


def markets(
    ctx: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Show the table once: what is kept, or one look.")
    ] = False,
    sort: Annotated[
        str,
        typer.Option("--sort", metavar="BY", help="focus, volume, change, spread, age or name."),
    ] = "focus",
    state: Annotated[
        str,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only instruments that are live, stale, halted or delisted.",
            show_default=False,
        ),
    ] = "",
    top: Annotated[int, typer.Option("--top", metavar="N", help="The first N alone; 0: all.")] = 0,
    duration: Annotated[
        str,
        typer.Option(
            "--for", metavar="TIME", help="Watch so long: 90s, 30m, 12h.", show_default=False
        ),
    ] = "",
) -> int:
    """Watch the instruments of the venue: prices, states, movers, and what is in focus.

    Prices are kept in the store while it watches. Of an account one watch writes; a second one
    shows what that keeps, and begins when it ends. --once and --json show what is kept if somebody
    watches, and else look at the venue once, keeping nothing. Public channels alone: nothing is
    signed.

    Examples:
      zoe markets
      zoe markets --once --sort change --top 20
      zoe markets --json --state stale
    """
    invocation: Invocation = ctx.obj
    wanted = _Wanted(order=_order(sort), state=_state(state), top=_top(top))
    seconds = _seconds(duration)
    settings = invocation.settings()
    printer = invocation.printer()
    if not (once or invocation.options.json):
        EDGE.unblock()  # a screen that was stopped stops no watch
        return run_with_context(settings, lambda context: _watch(context, printer, wanted, seconds))
    if seconds is not None:
        raise ConfigError("--for is about watching; --once and --json look once.")
    found: list[MarketView] = []

    async def look_in_store(context: Context) -> int:
        found.append(await kept_view(context))
        return _answer(context, printer, found[0], wanted) if found[0].is_watched else 0

    code = run_with_context(settings, look_in_store, needs_venue=False)
    if found[0].is_watched:
        return code
    return run_with_context(settings, lambda context: _look(context, printer, wanted))


async def _look(context: Context, printer: Printer, wanted: _Wanted) -> int:
    return _answer(context, printer, await one_look(context), wanted)


def _answer(context: Context, printer: Printer, view: MarketView, wanted: _Wanted) -> int:
    printer.account(context.account)
    lines = market_lines(view, order=wanted.order, state=wanted.state, top=wanted.top)
    show_markets(printer, view, lines)
    printer.result(
        {
            "markets": lines,
            "counts": counted(market_lines(view)),
            "movers": view.movers,
            "is_watched": view.is_watched and view.source != "look",
            "source": view.source,
            "as_of": view.now,
        }
    )
    return 0


async def _watch(context: Context, printer: Printer, wanted: _Wanted, seconds: float | None) -> int:
    printer.account(context.account)
    last: list[MarketView] = []

    def keep(show: Callable[[MarketView], None]) -> Callable[[MarketView], None]:
        def shown(view: MarketView) -> None:
            last[:] = [view]
            show(view)

        return shown

    if printer.is_terminal:
        with printer.live() as screen:

            def draw(view: MarketView) -> None:
                lines = market_lines(view, order=wanted.order, state=wanted.state, top=wanted.top)
                shown = fitting(lines)
                told = [row(each, printer.width) for each in shown]
                screen(heading(view, market_lines(view)), columns(printer.width), told, STYLES)

            watch = await watch_markets(context, keep(draw), seconds=seconds)
    else:
        watch = await watch_markets(context, keep(_liner(printer)), seconds=seconds)
    if last:
        printer.line(heading(last[0], market_lines(last[0])))
    if watch is None:
        printer.line("Another watch writes; what it keeps was shown.")
    else:
        printer.line(
            f"{watch.wire.messages:,} messages were heard, {watch.written:,} rows written,"
            f" {watch.failures:,} writes failed."
        )
    return 0


def _liner(printer: Printer) -> Callable[[MarketView], None]:
    """A line a minute for whoever reads no screen: a service, a file."""
    begun = asyncio.get_running_loop().time()
    told = -1

    def show(view: MarketView) -> None:
        nonlocal told
        minute = int((asyncio.get_running_loop().time() - begun) // _LINE_EVERY)
        if minute != told:
            told = minute
            printer.line(heading(view, market_lines(view)))

    return show


def _order(text: str) -> MarketOrder:
    try:
        return MarketOrder(text.lower())
    except ValueError:
        names = ", ".join(each.value for each in MarketOrder)
        raise ConfigError(f"--sort {text}: nothing is sorted by that.", hint=names) from None


def _state(text: str) -> MarketState | None:
    if not text:
        return None
    try:
        return MarketState(text.lower())
    except ValueError:
        names = ", ".join(each.value for each in MarketState)
        raise ConfigError(f"--state {text}: there is no such state.", hint=names) from None


def _top(number: int) -> int | None:
    if number < 0:
        raise ConfigError(f"--top {number}: write how many, or 0 for all.")
    return number or None


def _seconds(text: str) -> float | None:
    if not text:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text.strip())
    if match is None:
        raise ConfigError(f"--for {text}: this is no such time.", hint="90s, 30m or 12h.")
    return float(int(match[1]) * _UNITS[match[2]])
