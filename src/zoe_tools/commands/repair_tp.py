"""`zoe repair-tp`: fit each position's targets, quantity against quantity."""

from __future__ import annotations

from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.commands.planning import (
    DEFAULT_LIFE,
    ExecuteOption,
    ForceOption,
    OutOption,
    ValidForOption,
    keeping,
    value_of,
)
from zoe_tools.core.check_tp_coverage import Coverage, check_tp_coverage
from zoe_tools.core.repair_tp import TARGETS_ALONE, plan_repair_tp
from zoe_tools.domain.plan import Arguments, Plan, SetTargets
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.take_profit import TargetMode
from zoe_tools.errors import ConfigError
from zoe_tools.gate.gate import Regather
from zoe_tools.gather import Need
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate
from zoe_tools.runtime.loop_lock import is_running
from zoe_tools.runtime.plan_files import NOT_KEPT, Keeping, with_arguments
from zoe_tools.runtime.reconciling import look_by_id

_NEEDS = frozenset({Need.MODE, Need.CATALOGUE, Need.BALANCES, Need.OPEN_ORDERS, Need.QUOTES})
_FINDINGS = 3


def repair_tp(
    ctx: typer.Context,
    *,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="Where targets live from now on: managed, split or resting.",
            show_default=False,
        ),
    ] = "",
    execute: ExecuteOption = False,
    out: OutOption = "",
    valid_for: ValidForOption = DEFAULT_LIFE,
    force: ForceOption = False,
) -> int:
    """Fit the targets of each position: place what is missing, take back what is too much.

    Each level stands for itself: one that the venue would not take is named, and the others are
    placed. Exits 3 while something remains that targets alone cannot mend, e.g. a missing stop.

    Examples:
      zoe repair-tp
      zoe repair-tp --mode split --execute
      zoe repair-tp --out targets.plan --valid-for 3d
    """
    invocation: Invocation = ctx.obj
    kept = keeping(out, valid_for, force=force, execute=execute)
    arguments: Arguments = (("mode", mode),) if mode else ()
    return run_with_context(
        invocation.settings(),
        lambda context: _repair(context, invocation, arguments, execute=execute, kept=kept),
    )


def planner(context: Context, arguments: Arguments = ()) -> Regather:
    """How this command looks and plans."""
    mode = _mode_of(value_of(arguments, "mode"))
    if mode in {TargetMode.SPLIT, TargetMode.RESTING}:
        _demand_leave(context, mode)

    async def look() -> tuple[Snapshot, Plan]:
        snapshot = await look_by_id(context, _NEEDS)
        runs = await _loop_runs(context, snapshot)
        return snapshot, plan_repair_tp(snapshot, loop_is_running=runs, mode=mode)

    return with_arguments(look, arguments)


def _mode_of(text: str) -> TargetMode | None:
    if not text:
        return None
    try:
        return TargetMode(text.lower())
    except ValueError as error:
        raise ConfigError(
            f"--mode {text}: there is no such mode.", hint="managed, split or resting."
        ) from error


def _demand_leave(context: Context, mode: TargetMode) -> None:
    if not context.policy.allow_targets_without_stop:
        raise ConfigError(
            f"--mode {mode.value}: what rests in a target has no stop at the venue.",
            hint="Stay with --mode managed, or allow it: ALLOW_TARGETS_WITHOUT_STOP=true.",
        )


async def _loop_runs(context: Context, snapshot: Snapshot) -> bool:
    return await context.store.read(
        lambda tx: is_running(tx.lease(), tx.lease_time(snapshot.taken_at))
    )


async def _repair(
    context: Context,
    invocation: Invocation,
    arguments: Arguments = (),
    *,
    execute: bool,
    kept: Keeping = NOT_KEPT,
) -> int:
    look = planner(context, arguments)
    options = "".join(f" --{name} {value}" for name, value in arguments)
    line = kept.invitation(f"zoe repair-tp{options} --execute")
    approver = PlanPrinter(invocation.printer(), invitation=line)
    gate = open_gate(context, approver=approver, command="repair-tp", environ=invocation.environ)
    if execute:
        await gate.recover()
    snapshot, plan = await look()
    plan = kept.lasting(plan)
    receipt = await gate.carry_out(plan, snapshot=snapshot, execute=execute, regather=look)
    is_left = not receipt.exit_code and await _is_something_left(context, snapshot, plan)
    return approver.finish(receipt, saved=kept.keep(plan), left=_FINDINGS if is_left else 0)


async def _is_something_left(context: Context, snapshot: Snapshot, plan: Plan) -> bool:
    """Whether a position is still not covered: to have done nothing about it is not to be well.

    What a running loop was just told to do is on its way.
    """
    runs = await _loop_runs(context, snapshot)
    is_on_its_way = runs and any(isinstance(step, SetTargets) for step in plan.steps)
    if not plan.is_empty:
        snapshot = await look_by_id(context, _NEEDS)
    found = {row.coverage for row in check_tp_coverage(snapshot, loop_is_running=runs)}
    found -= {Coverage.OK}
    return bool(found - TARGETS_ALONE if is_on_its_way else found)
