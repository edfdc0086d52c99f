"""`zoe kill`: stop trading, at a level; latched before the venue is called, proved afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.core.kill import plan_kill, plan_latch
from zoe_tools.domain.plan import OutcomeState, Plan
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import ConfigError, ConsentMissing, StoreError, VenueError
from zoe_tools.gate.consent import CONSENT_LINE
from zoe_tools.gate.emergency import cancel_without_journal
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.receipt import Receipt, strongest
from zoe_tools.gather import Need, gather, gather_store
from zoe_tools.render.plans import PlanPrinter
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import open_gate

ROUNDS = 6
"""How often the venue is looked at again before the result counts as unproved."""

_NEEDS = frozenset({Need.CATALOGUE, Need.OPEN_ORDERS, Need.QUOTES})
_NOTHING = "NOTHING HAS BEEN STOPPED"
_STORE_GONE, _UNPROVED = 7, 6


def kill(
    ctx: typer.Context,
    *,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            metavar="LEVEL",
            help="pause-entries, cancel-open, reduce-only or flatten.",
        ),
    ] = "cancel-open",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")
    ] = "ordered by the operator",
    execute: Annotated[
        bool, typer.Option("--execute", help="Really stop; without it nothing is stopped.")
    ] = False,
) -> int:
    """Stop trading: latch the level, cancel what could add risk, prove it at the venue.

    Protective stops stay below flatten; flatten sells what zoe manages and nothing else.

    Examples:
      zoe kill
      zoe kill --execute
      zoe kill --level flatten --reason "strange fills" --execute
    """
    invocation: Invocation = ctx.obj
    wanted = _level(level)
    settings = invocation.settings(lenient=True)
    try:
        return run_with_context(
            settings,
            lambda context: _kill(context, invocation, wanted, reason, execute=execute),
        )
    except StoreError as error:
        invocation.printer().warn(f"The store is gone, nothing can be latched: {error.message}")
    return run_with_context(
        settings,
        lambda context: _cancel_blindly(context, invocation, wanted, execute=execute),
        needs_store=False,
    )


async def _kill(
    context: Context, invocation: Invocation, level: KillLevel, reason: str, *, execute: bool
) -> int:
    invocation.printer().account(context.account)
    approver = PlanPrinter(
        invocation.printer(),
        invitation=f"zoe kill --level {level.label} --execute",
        closing=_NOTHING,
    )
    gate = open_gate(context, approver=approver, command="kill", environ=invocation.environ)
    if not execute:
        snapshot = await _look(context)
        plan = plan_kill(snapshot, level, reason)
        return approver.finish(await gate.carry_out(plan, snapshot=snapshot, execute=False))
    needs_consent = (
        level is KillLevel.FLATTEN
        and context.account.mode == "live"
        and not context.settings.live_consent
    )
    allowed = KillLevel.REDUCE_ONLY if needs_consent else level
    receipt = await _stop(context, gate, allowed, reason)
    if needs_consent:
        raise ConsentMissing(
            f"{context.account.title}: entries are stopped (reduce-only), nothing was sold:"
            " flattening a live account needs consent.",
            hint=f"If you mean it: {CONSENT_LINE}",
        )
    code = approver.finish(receipt)
    if receipt.is_verified is False:
        invocation.printer().warn("The result could not be proved at the venue. Look there.")
    return code


async def _stop(context: Context, gate: Gate, level: KillLevel, reason: str) -> Receipt:
    """Latch, then act and look again until there is nothing left to do."""
    snapshot = await gather_store(
        store=context.store, clock=context.clock, account=context.account, policy=context.policy
    )
    latch = plan_latch(snapshot, level, reason)
    receipts = [await gate.carry_out(latch, snapshot=snapshot, execute=True)]
    is_verified = level is KillLevel.PAUSE_ENTRIES
    for _ in range(0 if is_verified else ROUNDS):
        plan = await _next(context, level, reason)
        if plan is None:
            await context.clock.sleep(1.0)
            continue
        if plan[1].is_empty:
            is_verified = not plan[1].notes or not _is_stuck(plan[1])
            break
        receipts.append(await gate.carry_out(plan[1], snapshot=plan[0], execute=True))
        if all(each.state is not OutcomeState.DONE for each in receipts[-1].outcomes):
            await context.clock.sleep(1.0)
    return _together(receipts, is_verified=is_verified)


async def _next(context: Context, level: KillLevel, reason: str) -> tuple[Snapshot, Plan] | None:
    """What is left to do; None when the venue could not be read."""
    try:
        snapshot = await _look(context)
        return snapshot, plan_kill(snapshot, level, reason)
    except VenueError:
        return None


async def _look(context: Context) -> Snapshot:
    return await gather(
        venue=context.venue,
        store=context.store,
        clock=context.clock,
        account=context.account,
        policy=context.policy,
        needs=_NEEDS,
    )


def _is_stuck(plan: Plan) -> bool:
    return any("being sold already" in note for note in plan.notes)


def _together(receipts: list[Receipt], *, is_verified: bool) -> Receipt:
    steps = tuple(step for each in receipts for step in each.plan.steps)
    return Receipt(
        plan=replace(receipts[-1].plan, steps=steps),
        outcomes=tuple(outcome for each in receipts for outcome in each.outcomes),
        refusals=tuple(refusal for each in receipts for refusal in each.refusals),
        is_executed=True,
        is_verified=is_verified,
    )


async def _cancel_blindly(
    context: Context, invocation: Invocation, level: KillLevel, *, execute: bool
) -> int:
    """Without a store: cancel what could add risk, latch nothing, sell nothing."""
    printer = invocation.printer()
    printer.account(context.account)
    if not execute:
        printer.line(_NOTHING)
        printer.line(f"To carry it out: zoe kill --level {level.label} --execute")
        return _STORE_GONE
    result = await cancel_without_journal(context.venue, context.clock)
    for order in result.cancelled:
        printer.line(f"cancelled {order.venue_order_id} ({order.symbol}), without a journal")
    is_proved = result.still_open == ()
    printer.line(
        "No order that could add risk is open."
        if is_proved
        else "Orders that could add risk may still be open: look at the venue."
    )
    code = strongest({_STORE_GONE} if is_proved else {_STORE_GONE, _UNPROVED})
    printer.result({"cancelled": result.cancelled, "still_open": result.still_open}, exit_code=code)
    return code


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
