"""`zoe kill status`: the latched level, why, and since when. Reads the store alone."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.gather import effective_trading_state
from zoe_tools.runtime.context import Context, run_with_context


def kill_status(ctx: typer.Context) -> int:
    """Show whether trading is stopped, at which level, why and since when.

    Examples:
      zoe kill status
      zoe kill status --json
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    return run_with_context(
        settings, lambda context: _status(context, invocation), needs_venue=False
    )


async def _status(context: Context, invocation: Invocation) -> int:
    state = await context.store.run(effective_trading_state)
    printer = invocation.printer()
    printer.account(context.account)
    printer.report(
        "Trading state",
        (
            ("level", state.level.label),
            ("reason", state.reason or "-"),
            ("since", state.changed_at),
            ("by", state.changed_by or "-"),
            ("new risk", "allowed" if state.may_enter else "stopped"),
        ),
    )
    printer.result(
        {
            "level": state.level.label,
            "reason": state.reason,
            "since": state.changed_at,
            "by": state.changed_by,
            "may_enter": state.may_enter,
        }
    )
    return 0
