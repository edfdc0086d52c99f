"""`zoe backfill`: which candles the store lacks, and the ones the venue can give."""

from __future__ import annotations

from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    value_of,
)
from zoe_tools.core.backfill import expected_starts, plan_backfill
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments


def backfill(
    ctx: typer.Context,
    *,
    symbol: Annotated[str, typer.Option("--symbol", help="One instrument, any spelling.")],
    timeframe: Annotated[
        str, typer.Option("--tf", help="1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w or 15d.")
    ] = Timeframe.H1.value,
    execute: Annotated[bool, typer.Option("--execute", help="Write the candles.")] = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Find the candles that the store lacks, and fetch those that the venue still has.

    Kraken's OHLC reaches back 720 candles. A second run writes nothing.

    Examples:
      zoe backfill --symbol BTC/USD --tf 1h
      zoe backfill --symbol ETHUSD --tf 15m --execute
    """
    invocation: Invocation = ctx.obj
    length = _timeframe(timeframe)
    kept = keeping(out, valid_for, force=force, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _backfill(
            context, invocation, symbol=symbol, timeframe=length, execute=execute, kept=kept
        ),
    )


def planner(context: Context, arguments: Arguments) -> Regather:
    """How this command looks and plans: candles of `symbol`, of the length `tf`.

    Raises:
        ConfigError: there is no such length.
    """
    timeframe = _timeframe(value_of(arguments, "tf"))

    async def look() -> tuple[Snapshot, Plan]:
        instrument = (await context.venue.catalogue()).resolve(value_of(arguments, "symbol"))
        snapshot = await context.look(frozenset())
        first = expected_starts(timeframe, snapshot.taken_at)[0]
        stored = await context.store.run(
            lambda transaction: transaction.candles(instrument.symbol, timeframe, since=first)
        )
        plan = plan_backfill(
            account=context.account,
            now=snapshot.taken_at,
            symbol=instrument.symbol,
            timeframe=timeframe,
            stored=stored,
            fetched=await context.venue.candles(instrument.symbol, timeframe),
            lifetime_s=context.policy.plan_lifetime_s,
        )
        return snapshot, plan

    return with_arguments(look, arguments)


async def _backfill(
    context: Context,
    invocation: Invocation,
    *,
    symbol: str,
    timeframe: Timeframe,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    instrument = (await context.venue.catalogue()).resolve(symbol)
    arguments = (("symbol", instrument.symbol), ("tf", timeframe.value))
    look = planner(context, arguments)
    options = "".join(f" --{name} {text}" for name, text in arguments)
    line = kept.invitation(f"zoe backfill{options} --execute")
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="backfill", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute)
    return approver.finish(receipt, saved=kept.keep(plan))


def _timeframe(name: str) -> Timeframe:
    try:
        return Timeframe(name)
    except ValueError as error:
        names = ", ".join(each.value for each in Timeframe)
        raise ConfigError(f"--tf {name}: no such timeframe.", hint=f"One of {names}.") from error
