"""`zoe recover-sl`: find and link each position's stop, place the one that is missing."""

from __future__ import annotations

from dataclasses import replace

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ExecuteOption,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
)
from zoe_tools.core.recover_sl import as_booked, left_without_a_stop, plan_recover_sl, restoring
from zoe_tools.domain.plan import Arguments, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.gate.gate import Regather
from zoe_tools.gather import Need
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.countdowns import countdown_warning
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
from zoe_tools.runtime.reconciling import look_by_id

_NEEDS = frozenset(
    {
        Need.MODE,
        Need.CATALOGUE,
        Need.BALANCES,
        Need.OPEN_ORDERS,
        Need.NEW_FILLS,
        Need.QUOTES,
    }
)
_FINDINGS = 3


def recover_sl(
    ctx: typer.Context,
    *,
    execute: ExecuteOption = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Find and link each position's stop at the venue, and place a missing one.

    A stop matches by side, quantity and price, never by symbol alone; stops that others placed
    are named and left alone.

    Examples:
      zoe recover-sl
      zoe recover-sl --execute
      zoe recover-sl --out stops.plan --valid-for 3d
    """
    invocation: Invocation = ctx.obj
    kept = keeping(out, valid_for, force=force, execute=execute)
    return run_with_context(
        invocation.settings(),
        lambda context: _recover(context, invocation, execute=execute, kept=kept),
    )


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans."""

    async def look() -> tuple[Snapshot, Plan]:
        snapshot = as_booked(await look_by_id(context, _NEEDS))
        return snapshot, plan_recover_sl(snapshot)

    return with_arguments(look, arguments)


async def _recover(
    context: Context, invocation: Invocation, *, execute: bool, kept: Keeping = NOT_KEPT
) -> int:
    look = planner(context)
    line = kept.invitation("zoe recover-sl --execute")
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="recover-sl", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    again = restoring(snapshot, receipt.outcomes)
    if again:
        fresh, _ = await look()
        after = replace(plan, created_at=fresh.taken_at, steps=again, notes=())
        restored = await gate.carry_out(after, snapshot=fresh, execute=True)
        receipt = replace(receipt, outcomes=(*receipt.outcomes, *restored.outcomes))
    if told := await countdown_warning(context.store, context.clock.now()):
        invocation.printer().warn(told)
    left = _FINDINGS if left_without_a_stop(snapshot) else 0
    return approver.finish(receipt, saved=kept.keep(plan), left=left)
