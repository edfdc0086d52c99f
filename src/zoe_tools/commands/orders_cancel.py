"""`zoe orders cancel`: cancel open orders by the operator's word, through the gate."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.listing import SymbolOption, symbol_of
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ExecuteOption,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    value_of,
    values_of,
)
from zoe_tools.core.orders_cancel import Choice, plan_orders_cancel
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.gather import Need
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments

_NEEDS = frozenset({Need.CATALOGUE, Need.OPEN_ORDERS})
_YES = "yes"


def orders_cancel(
    ctx: typer.Context,
    *,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Orders by the venue's id, or by zoe's."),
    ] = None,
    symbol: SymbolOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every open order that is zoe's.")
    ] = False,
    include_protection: Annotated[
        bool, typer.Option("--include-protection", help="Protective stops as well.")
    ] = False,
    execute: ExecuteOption = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Cancel open orders: those named, those of an instrument, or all that are zoe's.

    Protective stops stay unless --include-protection says otherwise. An order that is not zoe's is
    cancelled by its id alone.

    Examples:
      zoe orders cancel OQCLML-BW3P3-BUCMWZ
      zoe orders cancel --symbol BTC-USD --execute
      zoe orders cancel --all --include-protection --execute
    """
    invocation: Invocation = ctx.obj
    kept = keeping(out, valid_for, force=force, execute=execute)
    chosen = (("all", everything), ("include-protection", include_protection))
    arguments = _arguments(ids or (), symbol, [name for name, is_set in chosen if is_set])
    return run_with_context(
        invocation.settings(),
        lambda context: _cancel(context, invocation, arguments, execute=execute, kept=kept),
    )


def _arguments(ids: Sequence[str], symbol: str, flags: Sequence[str]) -> Arguments:
    """What is meant, in the words that a saved plan keeps."""
    if sum((bool(ids), bool(symbol), "all" in flags)) != 1:
        raise ConfigError(
            "Say which orders: by their ids, by --symbol, or --all.",
            hint="See `zoe orders` for what there is.",
        )
    told: list[tuple[str, str]] = [("id", each) for each in ids]
    if symbol:
        told.append(("symbol", symbol))
    return (*told, *((flag, _YES) for flag in flags))


def planner(context: Context, arguments: Arguments) -> Regather:
    """How this command looks and plans, by its `id`, `symbol`, `all` and `include-protection`."""

    async def look() -> tuple[Snapshot, Plan]:
        snapshot = await context.look(_NEEDS)
        choice = Choice(
            ids=values_of(arguments, "id"),
            symbol=symbol_of(value_of(arguments, "symbol"), snapshot.catalogue),
            include_protection=value_of(arguments, "include-protection") == _YES,
        )
        return snapshot, plan_orders_cancel(snapshot, choice)

    return with_arguments(look, arguments)


async def _cancel(
    context: Context,
    invocation: Invocation,
    arguments: Arguments,
    *,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    look = planner(context, arguments)
    line = kept.invitation(_line(arguments))
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(
        context, approver=approver, command="orders cancel", environ=invocation.environ
    )
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    return approver.finish(receipt, saved=kept.keep(plan))


def _line(arguments: Arguments) -> str:
    """The line that carries it out."""
    words = ["zoe orders cancel"]
    for name, value in arguments:
        if name == "id":
            words.append(shlex.quote(value))
        elif name == "symbol":
            words.append(f"--symbol {shlex.quote(value)}")
        else:
            words.append(f"--{name}")
    return " ".join([*words, "--execute"])
