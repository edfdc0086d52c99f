"""`zoe kill` where the books are gone: every account that can be reached, without them.

What is seen to be open is cancelled everywhere first; then each venue is looked at again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import reason_words
from zoe_tools.config import Settings
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import ZoeError
from zoe_tools.gate.emergency import EmergencyResult
from zoe_tools.gate.progress import HANGING_S
from zoe_tools.gate.receipt import strongest
from zoe_tools.ports import Urgency
from zoe_tools.render.emergency import show_emergency
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.killing import Order, is_up, seen_again, stop_without_books, symbol_of
from zoe_tools.runtime.known_accounts import KnownAccount
from zoe_tools.runtime.unheard_loops import holder_of

NOTHING = "NOTHING HAS BEEN STOPPED"

_NOT_SOLD = (
    "Nothing has been sold: what zoe manages is in the books that are gone. What is noted for them"
    " is reduce-only; flatten again once the store is back."
)
_STORE_GONE, _UNPROVED = 7, 6

_NOT_UP = "its exchange does not run, and was not asked."

Answer = dict[str, object]

Begun = tuple[Symbol | None, EmergencyResult] | None
"""What was cancelled at first, and of which instrument; None: nothing was meant."""


def told_line(order: Order) -> str:
    """The line that carries it out."""
    scope = f"--instrument {order.instrument} " if order.instrument else ""
    return f"zoe kill {scope}--level {order.level.label} {reason_words(order.reason)}--execute"


def kill_blindly(invocation: Invocation, reachable: Sequence[KnownAccount], order: Order) -> int:
    """Every account that can be reached, without its books."""
    codes = {_STORE_GONE}
    answers: list[Answer] = []
    begun: list[tuple[KnownAccount, Settings, Begun]] = []
    if not any(is_up(each) for each in reachable):
        return _nobody_asked(invocation, reachable, order)
    for each in reachable:
        settings = each.settings
        if settings is None or not is_up(each):
            invocation.printer().warn(f"{each.account.title}: {_NOT_UP}")
            continue

        async def begin(context: Context, known: KnownAccount = each) -> int:
            first = await _begin_blindly(context, invocation, order)
            begun.append((known, context.settings, first))
            return _STORE_GONE

        codes.add(_blindly(invocation, each, settings, order, begin))
    # Only now, as it takes a minute: what is open elsewhere did not wait for it.
    for known, settings, first in begun:

        async def end(context: Context, first: Begun = first) -> int:
            code, answer = await _end_blindly(context, invocation, order, first)
            told: Answer = {"account": context.account.account_id, "exit_code": code}
            answers.append(told | answer)
            return code

        codes.add(_blindly(invocation, known, settings, order, end))
    code = strongest(codes)
    if not order.execute:
        invocation.printer().line(NOTHING)
        printer = invocation.printer()
        printer.line(f"To carry it out: {printer.to_run(told_line(order))}")
    invocation.printer().result({"accounts": answers}, exit_code=code)
    return code


def _blindly(
    invocation: Invocation,
    known: KnownAccount,
    settings: Settings,
    order: Order,
    work: Callable[[Context], Awaitable[int]],
) -> int:
    """The exit code of one account's part, whatever fails."""
    try:
        return run_with_context(settings, work, needs_store=False, urgency=Urgency.PROTECTION)
    except ZoeError as error:
        invocation.printer().warn(f"{known.account.title}: {error.message}")
        return _UNPROVED if order.execute else error.exit_code


def _told_holder(pid: str) -> str:
    return f"One runs here: `kill -USR1 {pid}` stops its entries, `kill {pid}` ends it."


def _nobody_asked(invocation: Invocation, reachable: Sequence[KnownAccount], order: Order) -> int:
    """Neither books nor a venue: nothing can be done from here, and that has to be said."""
    printer = invocation.printer()
    told = [f"{each.account.title}: {_NOT_UP}" for each in reachable]
    if all(each.account.mode != "live" for each in reachable):
        told.append("No key of a live account is configured here: no venue was asked.")
    told.append(
        "No level is latched and no order is cancelled; a loop that runs goes on. End it, cancel at"
        " the venue, and see whether ZOE_HOME and DATABASE_URL name what you mean."
    )
    told.extend(
        _told_holder(pid)
        for each in reachable
        if each.settings and (pid := holder_of(each.settings.home, each.account))
    )
    printer.line(printer.styled(NOTHING, "bold"))
    for each in told:
        printer.warn(each)
    code = strongest({_STORE_GONE, _UNPROVED} if order.execute else {_STORE_GONE})
    printer.result({"accounts": []}, exit_code=code)
    return code


async def _cancel_blindly(
    context: Context, invocation: Invocation, order: Order
) -> tuple[int, Answer]:
    """All of it, on one account."""
    first = await _begin_blindly(context, invocation, order)
    return await _end_blindly(context, invocation, order, first)


async def _begin_blindly(context: Context, invocation: Invocation, order: Order) -> Begun:
    """Cancel what is seen; None for a dry run."""
    printer = invocation.printer()
    printer.account(context.account)
    if not order.execute:
        return None
    symbol = await symbol_of(context, order, warn=printer.warn, say=printer.say)
    printer.line("Without the store no loop can be told: one that runs goes on.")
    if pid := holder_of(context.home, context.account):
        printer.warn(_told_holder(pid))
    printer.line(f"Now the venue: it is given up once it is silent for {HANGING_S:.0f} s.")
    environ = invocation.environ
    result = await stop_without_books(context, order, symbol, environ, say=printer.say)
    return symbol, result


async def _end_blindly(
    context: Context, invocation: Invocation, order: Order, first: Begun
) -> tuple[int, Answer]:
    """Look again once what was sent before has to be shown, and tell."""
    if first is None:
        return _STORE_GONE, {}
    printer, (symbol, seen) = invocation.printer(), first
    result = await seen_again(context, order, symbol, invocation.environ, seen, say=printer.say)
    if order.level is KillLevel.FLATTEN:
        printer.warn(_NOT_SOLD)
    return show_emergency(printer, result)
