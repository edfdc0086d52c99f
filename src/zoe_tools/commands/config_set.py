"""`zoe config set`: tighten a limit in the store, for loop and commands at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.config import Settings
from zoe_tools.config.thresholds import mismatches
from zoe_tools.config.tightening import (
    LIMITS,
    demand_limit,
    in_force,
    is_looser,
    spelled_limit,
    tightened,
)
from zoe_tools.errors import ConfigError, PlanRefused
from zoe_tools.gate.limits import set_limit
from zoe_tools.render.printer import Printer
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import author_of

_FINDINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A limit as it is to be; empty text: as the files have it."""

    name: str
    text: str


def config_set(
    ctx: typer.Context,
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The limit, as in `zoe config show`.")],
    value: Annotated[
        str, typer.Argument(metavar="[VALUE]", help="As tight as the files have it, or tighter.")
    ] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take the store's value back.")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write it.")] = False,
) -> int:
    """Tighten a limit of the account in the store; loop and commands heed it within a second.

    The store may only tighten what files and environment say, never loosen it. To take a tightening
    back on a live account needs consent.

    Examples:
      zoe config set MAX_DAILY_NOTIONAL 20
      zoe config set MAX_DAILY_NOTIONAL 20 --execute
      zoe config set MAX_DAILY_NOTIONAL --clear --execute
    """
    invocation: Invocation = ctx.obj
    if clear == bool(value):
        raise ConfigError("Give a value, or --clear.", hint="zoe config set KEY VALUE")
    wish = Wish(name=key.upper(), text=value)
    demand_limit(wish.name, wish.text)
    return run_with_context(
        invocation.settings(),
        lambda context: _set(context, invocation, wish, execute=execute),
        needs_venue=False,
    )


async def _set(
    context: Context, invocation: Invocation, wish: Wish, *, execute: bool = False
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    settings = context.settings
    rows = await context.store.read(lambda transaction: transaction.limits())
    after = {**rows, wish.name: wish.text}
    _demand_tighter(settings, wish, after)
    policy = settings.policy()
    before_value = in_force(tightened(policy, rows), wish.name)
    after_value = in_force(tightened(policy, after), wish.name)
    is_written = False
    if rows.get(wish.name, "") != wish.text and execute:
        await set_limit(
            wish.name,
            wish.text,
            makes_room=_makes_room(settings, rows, after),
            author=author_of(context, command="config set", environ=invocation.environ),
            store=context.store,
            clock=context.clock,
            live_consent=settings.live_consent,
        )
        is_written = True
    changes = rows.get(wish.name, "") != wish.text
    told = (spelled_limit(before_value), spelled_limit(after_value))
    _show(printer, wish, told, settings, is_written=is_written, changes=changes)
    code = _FINDINGS if changes and not is_written else 0
    printer.result(
        {
            "setting": wish.name,
            "before": told[0],
            "after": told[1],
            "configured": spelled_limit(in_force(policy, wish.name)),
            "is_executed": execute,
        },
        exit_code=code,
    )
    return code


def _demand_tighter(settings: Settings, wish: Wish, after: Mapping[str, str]) -> None:
    """Pass, if the store may hold that.

    Raises:
        PlanRefused: it would loosen what files and environment say.
        ConfigError: the limits would contradict each other.
    """
    policy = settings.policy()
    if wish.text and is_looser(policy, wish.name, wish.text):
        raise PlanRefused(
            f"{wish.name} is {spelled_limit(in_force(policy, wish.name))}"
            f" ({settings.source_of(wish.name)}); {wish.text} would loosen it, and the store may"
            " only tighten.",
            hint="Change it where it comes from; `zoe config show` names the place.",
        )
    found = mismatches(values_with(settings, after))
    if found:
        raise ConfigError(found[0].sentence, hint=found[0].hint)


def values_with(settings: Settings, rows: Mapping[str, str]) -> dict[str, object]:
    """Every setting's value as it is in force with these rows of the store.

    A cap that follows from others stays empty unless a row speaks of it.
    """
    policy = tightened(settings.policy(), rows)
    told = {name: in_force(policy, name) for name in LIMITS if rows.get(name)}
    return {**settings.values(), **told}


def _makes_room(settings: Settings, rows: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether any limit would allow more than it does now."""
    policy = settings.policy()
    now, then = tightened(policy, rows), tightened(policy, after)
    return any(
        LIMITS[name].tighter(in_force(now, name), in_force(then, name)) != in_force(then, name)
        for name in LIMITS
    )


def _show(
    printer: Printer,
    wish: Wish,
    told: tuple[str, str],
    settings: Settings,
    *,
    is_written: bool,
    changes: bool,
) -> None:
    before, after = told
    configured = spelled_limit(in_force(settings.policy(), wish.name))
    rows = [
        ("now" if not is_written else "was", before),
        ("then" if not is_written else "is", after),
    ]
    rows.append(("configured", f"{configured} ({settings.source_of(wish.name)})"))
    printer.report(wish.name, rows)
    printer.line()
    if not changes:
        printer.line("Nothing to do: it is so already.")
    elif is_written:
        printer.line("Written. A running loop heeds it within a second.")
    else:
        word = shlex.quote(wish.text) if wish.text else "--clear"
        printer.line(printer.styled("DRY RUN: nothing was changed.", "bold"))
        line = printer.to_run(f"zoe config set {wish.name} {word} --execute")
        printer.line(f"To carry it out: {line}")
