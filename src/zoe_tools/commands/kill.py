"""`zoe kill`: stop trading, at a level; latched before the venue is called, proved afterwards.

Every account known here is stopped, unless one is named: all are latched first, then each is
settled at its venue, and none of them keeps the others from being stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.kill_blindly import NOTHING, kill_blindly, told_line
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    NO_REASON,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    value_of,
)
from zoe_tools.config import Settings
from zoe_tools.core.kill import plan_kill, plan_latch
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import (
    ConfigError,
    PlanError,
    StoreError,
    ZoeError,
)
from zoe_tools.gate.gate import Regather
from zoe_tools.gate.receipt import Receipt, strongest
from zoe_tools.gate.stopping import needs_of
from zoe_tools.gather import effective_trading_state
from zoe_tools.ports import Urgency
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.render.printer import Printer
from zoe_tools.render.rehearsal import show_rehearsal
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.countdowns import countdown_warning
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.hangup import outlasting_terminal
from zoe_tools.runtime.instrument_names import demand_name
from zoe_tools.runtime.killing import (
    Order,
    allowed_level,
    is_up,
    latch_in_books,
    stop_at_venue,
    symbol_of,
)
from zoe_tools.runtime.known_accounts import (
    KnownAccount,
    known_accounts,
    reachable_accounts,
    run_with_books,
)
from zoe_tools.runtime.plan_files import with_arguments
from zoe_tools.runtime.unheard_loops import PATIENCE_S, told_unheard, unheard_loop

_PAST_MODE = "`zoe --account live kill --execute`, and with --account paper"
_STORE_GONE, _UNPROVED, _FINDINGS = 7, 6, 3

Answer = dict[str, object]


_Level = Annotated[
    str,
    typer.Option(
        "--level", metavar="LEVEL", help="pause-entries, cancel-open, reduce-only or flatten."
    ),
]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
_Instrument = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        metavar="NAME",
        help="Stop this instrument of one account, and no other.",
        show_default=False,
    ),
]
_Execute = Annotated[
    bool, typer.Option("--execute", help="Really stop; without it nothing is stopped.")
]
_Rehearse = Annotated[
    bool,
    typer.Option(
        "--rehearse", help="Instead, flatten a throw-away paper exchange, and say how long."
    ),
]


def kill(
    ctx: typer.Context,
    *,
    level: _Level = "cancel-open",
    reason: _Reason = NO_REASON,
    instrument: _Instrument = None,
    execute: _Execute = False,
    rehearse: _Rehearse = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Stop trading: latch the level, cancel what could add risk, prove it at the venue.

    Covers every account known here unless --account names one. Protective stops stay below
    flatten; flatten sells what zoe manages and nothing else.

    Examples:
      zoe kill
      zoe kill --execute
      zoe kill --instrument BTC/USD --level flatten --execute
      zoe kill --rehearse
      zoe --account live kill --level flatten --reason "strange fills" --execute
    """
    invocation: Invocation = ctx.obj
    if rehearse:
        return _rehearse(invocation, is_meant=execute or bool(out))
    with _nothing_stopped_by_errors(invocation):
        kept = keeping(out, valid_for, force=force, execute=execute)
        order = Order(
            level=_level(level),
            reason=reason,
            execute=execute,
            kept=kept,
            instrument=demand_name(instrument),
        )
        named = invocation.named_settings()
    try:
        known = known_accounts(named) if len(named) > 1 else reachable_accounts(named)
        if len(known) == 1 and is_up(known[0]):
            settings = known[0].settings or named[0]
            return run_with_context(
                settings,
                lambda context: _kill(context, invocation, order),
                urgency=Urgency.PROTECTION,
            )
        if known:
            _demand_one(order)
            return _kill_all(invocation, named[0], known, order)
    except StoreError as error:
        invocation.printer().warn(f"The store is gone, no loop can be told: {error.message}")
        return kill_blindly(invocation, reachable_accounts(named), order)
    return _nothing_known(invocation, named[0])


@contextmanager
def _nothing_stopped_by_errors(invocation: Invocation) -> Iterator[None]:
    """Whatever is wrong with words or settings: that it stopped nothing is said with it."""
    try:
        yield
    except ConfigError as error:
        error.message += f" {NOTHING}."
        if "EDGE_FACTORY_MODE" in error.message and not invocation.options.account:
            error.hint = f"Name the account to stop it all the same: {_PAST_MODE}. {error.hint}"
        raise


def _rehearse(invocation: Invocation, *, is_meant: bool) -> int:
    """Ten positions and thirty orders, whatever the level: flattening does all that there is."""
    if is_meant:
        raise ConfigError("--rehearse touches no account: --execute and --out are not for it.")
    from zoe_tools.runtime.rehearsal import rehearse_kill  # noqa: PLC0415 - costs import time

    invocation.settings(lenient=True)
    printer = invocation.printer()
    told = rehearse_kill()
    show_rehearsal(printer, told)
    code = 0 if told.is_flat and not told.exit_code else _FINDINGS
    printer.result(told, exit_code=code)
    return code


def planner(context: Context, arguments: Arguments) -> Regather:
    """How this command looks and plans on one account, at the `level`, for the `reason`.

    Raises:
        ConfigError: there is no such level.
    """
    level = _level(value_of(arguments, "level"))
    symbol = Symbol(value_of(arguments, "instrument")) or None

    async def look() -> tuple[Snapshot, Plan]:
        snapshot = await context.look(needs_of(level))
        return snapshot, plan_kill(snapshot, level, value_of(arguments, "reason"), symbol)

    return with_arguments(look, arguments)


def _demand_one(order: Order) -> None:
    if order.instrument:
        raise ConfigError(
            "--instrument stops one account's, and several are known here.",
            hint="Name it with --account, or leave --instrument out to stop all of them.",
        )
    if order.kept.path is not None:
        raise ConfigError(
            "A plan is saved for one account whose venue can be asked.",
            hint="Name it with --account; `zoe kill --execute` stops all of them without a plan.",
        )


def _nothing_known(invocation: Invocation, settings: Settings) -> int:
    """Neither a key nor books nor a paper exchange: there is nothing to stop."""
    invocation.announce(settings)
    if invocation.options.account and settings.mode == "live":
        raise ConfigError(
            "The account is live, and KRAKEN_API_KEY is missing: nothing has been stopped.",
            hint="Set the key; or `zoe kill --execute` latches all accounts that the store knows.",
        )
    invocation.printer().line("Nothing to stop: no account is known here.")
    invocation.printer().result({"accounts": []})
    return 0


# --- one account ---------------------------------------------------------------------------------


async def _kill(context: Context, invocation: Invocation, order: Order) -> int:
    approver = PlanPrinter(
        invocation.printer(),
        invitation=order.kept.invitation(told_line(order)),
        closing=NOTHING,
    )
    invocation.printer().account(context.account)
    receipt = await _kill_account(context, invocation, approver, order)
    return approver.finish(receipt, saved=order.kept.keep(receipt.plan))


async def _kill_account(
    context: Context, invocation: Invocation, approver: PlanPrinter, order: Order
) -> Receipt:
    """Show or do it on this account.

    Raises:
        ConsentMissing: a live account is to be flattened; it was made reduce-only.
        VenueError: a dry run could not look.
    """
    gate = open_gate(
        context,
        approver=approver,
        command="kill",
        environ=invocation.environ,
        looks_again=True,
    )
    printer = invocation.printer()
    symbol = await symbol_of(context, order, warn=printer.warn, say=printer.say)
    if not order.execute:
        scope = () if symbol is None else (("instrument", symbol),)
        arguments = (("level", order.level.label), ("reason", order.reason), *scope)
        snapshot, plan = await planner(context, arguments)()
        plan = order.kept.lasting(plan)
        receipt = await gate.carry_out(plan, snapshot=snapshot, execute=False)
        if plan.is_empty:
            state = snapshot.trading_state.of(symbol)
            printer.line(f"Stopped already: {state.level.label} is latched.")
        return receipt
    with outlasting_terminal():
        stopped = await stop_at_venue(
            context, gate, order, symbol, tell=partial(printer.wrapped, ""), say=printer.say
        )
    state = (await context.store.read(effective_trading_state)).of(symbol)
    if state.level > order.level:
        printer.wrapped("", f"{state.level.label} stays in force: a level only rises.")
    if told := await countdown_warning(context.store, context.clock.now()):
        printer.warn(told)
    if stopped.receipt.is_verified is False:
        printer.warn(f"{context.account.title}: {_unproved(stopped.silence)}")
    if pid := await unheard_loop(context, patience_s=PATIENCE_S):
        printer.warn(told_unheard(pid))
        return replace(stopped.receipt, is_verified=False)
    return stopped.receipt


def _unproved(silence: str) -> str:
    if not silence:
        return "the result could not be proved at the venue. Look there."
    return (
        f"the result could not be proved, the venue does not answer: {silence} The latch holds:"
        " nothing of zoe enters. What rests at the venue may still fill: cancel it there, or run"
        " this again."
    )


# --- every account -------------------------------------------------------------------------------


def _kill_all(
    invocation: Invocation, settings: Settings, known: Sequence[KnownAccount], order: Order
) -> int:
    """Latch all of them, then settle each; returns the strongest of their exit codes."""
    printer = invocation.printer()
    books = [_latch(each, settings, order, invocation) for each in known]
    codes: list[int] = []
    answers: list[Answer] = []
    for each, snapshot in zip(known, books, strict=True):
        printer.account(each.account)
        if order.execute:
            printer.line(f"Latched: {allowed_level(order, each).label}.")
        code, answer = _settle(invocation, each, snapshot, order)
        codes.append(code)
        answers.append({"account": each.account.account_id, "exit_code": code, **answer})
        printer.line()
    code = strongest(set(codes)) or max(codes)
    if code == _FINDINGS or (code and not order.execute):
        printer.line(printer.styled(NOTHING, "bold"))
        printer.line(f"To carry it out: {printer.to_run(told_line(order))}")
    printer.result({"accounts": answers}, exit_code=code)
    return code


def _latch(
    known: KnownAccount, settings: Settings, order: Order, invocation: Invocation
) -> Snapshot | None:
    environ = invocation.environ
    return run_with_books(
        known.account, settings, lambda context: latch_in_books(context, known, order, environ)
    )


def _settle(
    invocation: Invocation, known: KnownAccount, books: Snapshot | None, order: Order
) -> tuple[int, Answer]:
    """One account among several: its exit code, and what the envelope says of it."""
    printer = invocation.printer()
    approver = PlanPrinter(printer, invitation="")
    is_flat = books is not None and _is_flat(books)
    if known.settings is None or (is_flat and not is_up(known)):
        return _latch_only(printer, approver, known, books, order, is_flat=is_flat)
    answers: list[Answer] = []

    async def work(context: Context) -> int:
        receipt = await _kill_account(context, invocation, approver, order)
        answers.append(approver.close(receipt))
        return receipt.exit_code

    try:
        code = run_with_context(known.settings, work, urgency=Urgency.PROTECTION)
        return code, answers[0]
    except ZoeError as error:
        printer.warn(f"{known.account.title}: {error.message} {error.hint}".rstrip())
        is_unproved = order.execute and not isinstance(error, PlanError | StoreError)
        return _UNPROVED if is_unproved else error.exit_code, {"error": error.message}


def _latch_only(
    printer: Printer,
    approver: PlanPrinter,
    known: KnownAccount,
    books: Snapshot | None,
    order: Order,
    *,
    is_flat: bool,
) -> tuple[int, Answer]:
    """An account whose venue is not asked: its latch is all there is to it."""
    told = "Its exchange does not run, and its books hold nothing."
    if known.settings is None:
        told = "Its key is not here: its venue is not asked."
        what = "cannot be read" if books is None else "hold positions or orders"
        told += "" if is_flat else f" Its books {what}: look there."
    if order.execute or books is None:
        printer.line(told)
        return (0 if is_flat else _UNPROVED), {"note": told}
    plan = plan_latch(books, order.level, order.reason)
    approver.show_plan(plan)
    printer.line(told)
    return (0 if plan.is_empty else _FINDINGS), {"plan": plan, "note": told}


def _is_flat(books: Snapshot) -> bool:
    is_working = any(not order.status.is_terminal for order in books.orders)
    return not (books.positions or books.unresolved_intents or is_working)


def _level(label: str) -> KillLevel:
    try:
        level = KillLevel.parse(label)
    except ValueError as error:
        raise _no_level(label) from error
    if level is KillLevel.NONE:
        raise _no_level(label)
    return level


def _no_level(label: str) -> ConfigError:
    names = ", ".join(each.label for each in KillLevel if each is not KillLevel.NONE)
    return ConfigError(f"--level {label}: there is no such level.", hint=f"One of: {names}.")
