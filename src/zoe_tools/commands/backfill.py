"""`zoe backfill`: which candles the store lacks, and the ones the venue can give."""

from __future__ import annotations

from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.backfill import expected_starts, plan_backfill
from zoe_tools.domain.candle import Timeframe
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate


def backfill(
    ctx: typer.Context,
    *,
    symbol: Annotated[str, typer.Option("--symbol", help="One instrument, any spelling.")],
    timeframe: Annotated[
        str, typer.Option("--tf", help="1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w or 15d.")
    ] = Timeframe.H1.value,
    execute: Annotated[bool, typer.Option("--execute", help="Write the candles.")] = False,
) -> int:
    """Find the candles that the store lacks, and fetch those that the venue still has.

    Kraken's OHLC reaches back 720 candles. A second run writes nothing.

    Examples:
      zoe backfill --symbol BTC/USD --tf 1h
      zoe backfill --symbol ETHUSD --tf 15m --execute
    """
    invocation: Invocation = ctx.obj
    length = _timeframe(timeframe)
    return run_with_context(
        invocation.settings(),
        lambda context: _backfill(
            context, invocation, symbol=symbol, timeframe=length, execute=execute
        ),
    )


async def _backfill(
    context: Context,
    invocation: Invocation,
    *,
    symbol: str,
    timeframe: Timeframe,
    execute: bool,
) -> int:
    instrument = (await context.venue.catalogue()).resolve(symbol)

    async def look() -> tuple[Snapshot, Plan]:
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

    line = f"zoe backfill --symbol {instrument.symbol} --tf {timeframe.value} --execute"
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="backfill", environ=invocation.environ)
    snapshot, plan = await look()
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute)
    return approver.finish(receipt)


def _timeframe(name: str) -> Timeframe:
    try:
        return Timeframe(name)
    except ValueError as error:
        names = ", ".join(each.value for each in Timeframe)
        raise ConfigError(f"--tf {name}: no such timeframe.", hint=f"One of {names}.") from error
