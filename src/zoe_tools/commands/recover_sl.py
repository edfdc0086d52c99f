"""`zoe recover-sl`: find and link each position's stop, place the one that is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.recover_sl import plan_recover_sl
from zoe_tools.domain.plan import Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.gather import Need
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate

_NEEDS = frozenset({Need.MODE, Need.CATALOGUE, Need.BALANCES, Need.OPEN_ORDERS, Need.QUOTES})


def recover_sl(
    ctx: typer.Context,
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Carry the plan out.")] = False,
) -> int:
    """Find and link each position's stop at the venue, and place a missing one.

    A stop matches by side, quantity and price, never by symbol alone; stops that others placed
    are named and left alone.

    Examples:
      zoe recover-sl
      zoe recover-sl --execute
    """
    invocation: Invocation = ctx.obj
    return run_with_context(
        invocation.settings(), lambda context: _recover(context, invocation, execute=execute)
    )


async def _recover(context: Context, invocation: Invocation, *, execute: bool) -> int:
    async def look() -> tuple[Snapshot, Plan]:
        snapshot = await context.look(_NEEDS)
        return snapshot, plan_recover_sl(snapshot)

    approver = PlanPrinter(invocation.printer(), invitation="zoe recover-sl --execute")
    gate = open_gate(context, approver=approver, command="recover-sl", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    return approver.finish(receipt)
