"""`zoe breaker`: the API circuit breaker of the account's key; look at it, open it, close it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.domain.breaker import Breaker
from zoe_tools.errors import ConfigError
from zoe_tools.gate.action_log import note_order
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.render.printer import Printer, age
from zoe_tools.runtime.breakers import open_breaker
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import author_of

_FINDINGS = 3
_REASONS = {
    "consecutive_failures": "calls in a row had no proper answer",
    "rate_limit": "the venue asked for fewer calls, again and again",
    "forced": "somebody forced it open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What it is to be forced to."""

    is_open: bool

    @property
    def option(self) -> str:
        """The word for it."""
        return "--force-open" if self.is_open else "--force-close"


def breaker(
    ctx: typer.Context,
    *,
    force_open: Annotated[
        bool, typer.Option("--force-open", help="Ask the venue nothing ordinary from now on.")
    ] = False,
    force_close: Annotated[
        bool, typer.Option("--force-close", help="Let ordinary calls go again.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Really force it.")] = False,
) -> int:
    """Show the API circuit breaker of the account's key, or force it open or closed.

    While it is not closed, nothing is entered; stops, exits, cancels and kill go on. One that is
    forced open stays so until it is forced closed.

    Examples:
      zoe breaker
      zoe breaker --force-close --execute
    """
    invocation: Invocation = ctx.obj
    if force_open and force_close:
        raise ConfigError("Open or closed: --force-open and --force-close exclude each other.")
    if execute and not (force_open or force_close):
        raise ConfigError("There is nothing to force.", hint="--force-open or --force-close")
    wish = Wish(is_open=force_open) if force_open or force_close else None
    return run_with_context(
        invocation.settings(),
        lambda context: _work(context, invocation, wish, execute=execute),
        needs_venue=False,
        needs_store=execute,
    )


async def _work(
    context: Context, invocation: Invocation, wish: Wish | None, *, execute: bool
) -> int:
    printer = invocation.printer()
    printer.account(context.account)
    async with open_breaker(context.settings, context.clock) as breaker:
        found = await breaker.look()
        changes = wish is not None and _would_change(found, wish)
        if execute and changes and wish is not None:
            found = await _force(context, invocation, breaker, wish)
    _show(printer, context, found)
    if changes and wish is not None and not execute:
        printer.line()
        printer.line(printer.styled("DRY RUN: nothing was changed.", "bold"))
        printer.line(f"To carry it out: {printer.to_run(f'zoe breaker {wish.option} --execute')}")
    is_fine = execute or (found.is_closed and not changes)
    code = 0 if is_fine else _FINDINGS
    printer.result({"breaker": found, "is_executed": execute}, exit_code=code)
    return code


def _would_change(found: Breaker, wish: Wish) -> bool:
    """Closing forgets what was counted as well."""
    if wish.is_open:
        return found.is_closed or found.probes_at is not None
    return found != Breaker()


async def _force(
    context: Context, invocation: Invocation, breaker: CircuitBreaker, wish: Wish
) -> Breaker:
    author = author_of(context, command="breaker", environ=invocation.environ)
    facts = {"steps": [f"API circuit breaker forced {'open' if wish.is_open else 'closed'}"]}
    now = context.clock.now()
    await context.store.run(lambda tx: note_order(tx, facts, ("breaker",), author=author, now=now))
    return await breaker.force(is_open=wish.is_open)


def _show(printer: Printer, context: Context, found: Breaker) -> None:
    now = context.clock.now()
    rows = [("state", found.state.value)]
    if not found.is_closed and found.opened_at is not None:
        because = _REASONS.get(found.reason, found.reason)
        rows += [("because", because), ("open", f"for {age(found.opened_at, now)}")]
        due_at = found.probes_at
        left_s = 0.0 if due_at is None else (due_at - now).total_seconds()
        probe = "the next ordinary call" if left_s <= 0 else f"in {left_s:.0f} s"
        rows.append(("probe", "none: until --force-close" if due_at is None else probe))
    rows += [
        ("failures", f"{found.failures} in a row"),
        ("rate limits", f"{found.throttles} in a row"),
        ("entries", "may go" if found.is_closed else "kept back; stops, exits, cancels go on"),
    ]
    printer.report("API circuit breaker", rows)
