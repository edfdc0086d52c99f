"""`zoe markets focus`: which instruments the market watch follows closely, by the operator's word.

It is an observation and no step of a plan: nothing is traded by it. It is a dry run all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import symbol_of
from zoe_tools.core.market_focus import Focus
from zoe_tools.core.markets_focus import FocusChange, focus_changes
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import FocusClaim, FocusReason, Listing
from zoe_tools.domain.snapshot import Missing
from zoe_tools.errors import ConfigError, UnknownInstrument
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.store.store import Transaction

_FINDINGS = 3
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def markets_focus(
    ctx: typer.Context,
    *,
    add: Annotated[
        list[str],
        typer.Option("--add", metavar="NAME", help="Follow it closely; may be given again."),
    ] = [],  # noqa: B006 - the library copies it
    remove: Annotated[
        list[str],
        typer.Option("--remove", metavar="NAME", help="Do so no more; may be given again."),
    ] = [],  # noqa: B006 - the library copies it
    until: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="TIME",
            help="Only for so long: 30m, 12h, 7d.",
            show_default=False,
        ),
    ] = "",
    execute: Annotated[bool, typer.Option("--execute", help="Really change it.")] = False,
) -> int:
    """List the instruments in focus and why, or put some there by hand.

    An instrument stays in focus while any reason is left: a watch takes it out, or brings it in,
    within five seconds.

    Examples:
      zoe markets focus
      zoe markets focus --add ADA-USD --for 12h --execute
      zoe markets focus --remove ADA-USD --execute
    """
    invocation: Invocation = ctx.obj
    if until and not add:
        raise ConfigError("--for is about what is added.", hint="zoe markets focus --add ADA-USD")
    return run_with_context(
        invocation.settings(),
        lambda context: _focus(context, invocation.printer(), add, remove, until, execute=execute),
        needs_venue=False,
    )


async def _focus(
    context: Context,
    printer: Printer,
    add: Sequence[str],
    remove: Sequence[str],
    until: str,
    *,
    execute: bool,
) -> int:
    printer.account(context.account)
    now = context.clock.now()
    ends_at = _end_of(until, now)
    claims, listings = await context.store.read(
        lambda tx: (tx.market.watch.claims(), tx.market.watch.listings())
    )
    changes = focus_changes(
        claims,
        added=[_named(each, listings) for each in add],
        removed=[_named(each, ()) for each in remove],
        now=now,
        until=ends_at,
    )
    is_done = execute and bool(changes)
    if is_done:
        await context.store.run(lambda tx: _write(tx, changes))
        claims = await context.store.read(lambda tx: tx.market.watch.claims())
    focus = Focus(claims).at(now)
    _show(printer, focus, changes, is_done=is_done, asked=bool(add or remove))
    code = _FINDINGS if changes and not is_done else 0
    printer.result(
        {"focus": focus.claims, "changes": changes, "is_executed": is_done, "as_of": now},
        exit_code=code,
    )
    return code


def _write(tx: Transaction, changes: Sequence[FocusChange]) -> None:
    for change in changes:
        if change.claim is not None:
            tx.market.watch.claim(change.claim)
        else:
            tx.market.watch.release(change.symbol, FocusReason.MANUAL)


def _show(
    printer: Printer,
    focus: Focus,
    changes: Sequence[FocusChange],
    *,
    is_done: bool,
    asked: bool,
) -> None:
    printer.line()
    if focus.claims:
        printer.table(
            ("!instrument", "reason", "!since (UTC)", "!until (UTC)"),
            [(each.symbol, each.reason.value, *_times(each)) for each in focus.claims],
        )
    else:
        printer.line("No instrument is in focus yet; a watch brings its favourites there.")
    for change in changes:
        verb = "comes into" if change.claim is not None else "leaves"
        stays = f"; it stays for {', '.join(change.reasons)}" if change.reasons else ""
        told = f"{change.symbol} {verb} focus by hand{stays if change.claim is None else ''}."
        printer.line(told)
    if asked and not changes:
        printer.line("Nothing to do.")
    elif changes and not is_done:
        printer.line()
        printer.line(printer.styled("DRY RUN: nothing was changed.", "bold"))
        printer.line("To carry it out add --execute.")


def _times(claim: FocusClaim) -> tuple[str, str]:
    ends_at = claim.expires_at
    return f"{claim.since:%m-%d %H:%M}", "-" if ends_at is None else f"{ends_at:%m-%d %H:%M}"


def _named(text: str, listings: Sequence[Listing]) -> Symbol:
    """An instrument by any name in the kept catalogue; before the first watch by BTC-USD alone.

    Raises:
        ConfigError: that is no name of an instrument.
        UnknownInstrument: the venue lists none of that name.
    """
    wanted = text.upper().replace("-", "/")
    for each in listings:
        if wanted in (each.symbol, each.altname, each.venue_id):
            return each.symbol
    if listings:
        raise UnknownInstrument(
            f"The venue lists no instrument {text!r}.", hint="Write it as BTC-USD or BTC/USD."
        )
    found = symbol_of(text, Missing("not asked"))
    if found is None:
        raise ConfigError("An instrument has no name.", hint="Write it as BTC-USD or BTC/USD.")
    return found


def _end_of(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text.strip())
    if match is None:
        raise ConfigError(f"--for {text}: this is no such time.", hint="30m, 12h or 7d.")
    return now + timedelta(**{_UNITS[match[2]]: int(match[1])})
