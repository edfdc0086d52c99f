"""`zoe resume`: re-arm after a kill, once a checklist is clean. The only way down."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    NO_REASON,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    reason_words,
    value_of,
)
from zoe_tools.core.resume import plan_resume
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.errors import PlanRefused, PlanStale, VenueUnavailable
from zoe_tools.gate.gate import Regather
from zoe_tools.gate.store_steps import STOPPED_AGAIN
from zoe_tools.gather import Need, effective_trading_state
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.cause_facts import cause_facts
from zoe_tools.runtime.context import Context, account_of, run_with_context
from zoe_tools.runtime.gates import emergency_journal, open_gate
from zoe_tools.runtime.instrument_names import demand_name, instrument_named
from zoe_tools.runtime.known_accounts import known_accounts, run_with_books
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
from zoe_tools.store.store import Transaction

_LOOK_FIRST = "See `zoe kill status`; if it may be armed after all, run `zoe resume` again."

_NEEDS = frozenset({Need.MODE, Need.BALANCES, Need.OPEN_ORDERS})


def resume(
    ctx: typer.Context,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")
    ] = NO_REASON,
    instrument: Annotated[
        str | None,
        typer.Option(
            "--instrument",
            metavar="NAME",
            help="Re-arm this instrument; the account stays as it is.",
            show_default=False,
        ),
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Really re-arm.")] = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Allow new risk again after a kill, if the checklist is clean.

    Re-arms one account, and names what stays stopped: other accounts, and its instruments that
    were stopped for themselves. Those are re-armed one by one, with --instrument.

    The checklist: no intent of unknown outcome, every working order and every position's stop
    visible at the venue, balances not smaller than what is managed, the venue online; and what
    stopped trading is over.

    Examples:
      zoe resume
      zoe resume --reason "cause found and fixed" --execute
      zoe resume --instrument BTC/USD --execute
    """
    invocation: Invocation = ctx.obj
    kept = keeping(out, valid_for, force=force, execute=execute)
    named = demand_name(instrument)
    settings = invocation.settings()
    code = run_with_context(
        settings,
        lambda context: _resume(
            context, invocation, reason, instrument=named, execute=execute, kept=kept
        ),
    )
    _name_others(invocation, account_of(settings))
    return code


def _name_others(invocation: Invocation, own: Account) -> None:
    """`zoe kill` stops every account; this re-arms one of them."""
    named = replace(invocation, options=replace(invocation.options, account="", profile=""))
    settings = named.named_settings()
    for known in known_accounts(settings):
        if known.account == own:
            continue
        state = run_with_books(known.account, known.settings or settings[-1], _state_of)
        if not state.may_enter:
            invocation.printer().say(f"{known.account.title} stays at {state.level.label}.")


async def _state_of(context: Context) -> TradingState:
    return await context.store.read(effective_trading_state)


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans; `reason` is for the record, an `instrument` by its name."""

    async def look() -> tuple[Snapshot, Plan]:
        snapshot = await context.look(_NEEDS)
        reason, symbol = value_of(arguments, "reason"), Symbol(value_of(arguments, "instrument"))
        facts = await cause_facts(context, snapshot.trading_state.of(symbol or None).cause)
        plan = plan_resume(snapshot, reason, facts=facts, symbol=symbol or None)
        return snapshot, plan

    return with_arguments(look, arguments)


async def _resume(
    context: Context,
    invocation: Invocation,
    reason: str,
    *,
    instrument: str = "",
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    stopped = await _stopped(context)
    symbol = await instrument_named(context, instrument, stopped) if instrument else None
    look = planner(context, (("reason", reason), *((("instrument", symbol),) if symbol else ())))
    invocation.printer().account(context.account)
    scope = f"--instrument {symbol} " if symbol else ""
    line = kept.invitation(f"zoe resume {scope}{reason_words(reason)}--execute")
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="resume", environ=invocation.environ)
    before = await context.store.read(_ordered)
    if execute:
        await gate.recover()  # what waits in the emergency journal is latched by that
    else:
        _demand_none_waits(context)
    snapshot, plan = await look()
    if await context.store.read(_ordered) != before:
        raise PlanStale(
            "Nothing is armed: trading was ordered to stop meanwhile, or such an order waited in "
            "emergency.jnl.",
            hint=_LOOK_FIRST,
        )
    state = snapshot.trading_state.of(symbol)
    if state.level is not KillLevel.NONE and plan.is_empty:
        where = "Trading" if symbol is None else f"Trading in {symbol}"
        told = f"{where} stays at {state.level.label}: " + " ".join(plan.notes)
        if _is_unread(snapshot):
            raise VenueUnavailable(told)
        raise PlanRefused(told, hint="Clear the list, then run `zoe resume` again.")
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    for outcome in receipt.outcomes:
        if outcome.code == STOPPED_AGAIN:
            raise PlanStale(
                f"Nothing is armed: {outcome.evidence}.",
                hint=_LOOK_FIRST,
            )
    code = approver.finish(receipt, saved=kept.keep(plan))
    for name, each in snapshot.trading_state.stopped:
        if name != symbol:
            invocation.printer().say(
                f"{name} stays at {each.level.label}: `zoe resume --instrument {name}` re-arms it."
            )
    return code


def _ordered(transaction: Transaction) -> object:
    """What stands, and how often it was ordered: whoever arms must have looked at that."""
    times = transaction.times_stopped()
    return effective_trading_state(transaction), times


def _demand_none_waits(context: Context) -> None:
    """Raises `PlanRefused` where a level waits that the store does not know of yet."""
    waiting = emergency_journal(context).waiting_levels()
    if waiting:
        told = ", ".join(
            f"{state.level.label}{f' for {symbol}' if symbol else ''} ({state.reason or '-'})"
            for symbol, state in waiting
        )
        raise PlanRefused(
            f"Not to be armed: a stop waits in emergency.jnl for the store to know it: {told}.",
            hint="`zoe resume --execute` latches it first and arms nothing; then look again.",
        )


def _is_unread(snapshot: Snapshot) -> bool:
    """Whether the list is not clean because nobody could look."""
    asked = (snapshot.venue_mode, snapshot.open_orders, snapshot.balances)
    return any(isinstance(each, Missing) for each in asked)


async def _stopped(context: Context) -> tuple[Symbol, ...]:
    state = await context.store.read(effective_trading_state)
    return tuple(name for name, _ in state.stopped)
