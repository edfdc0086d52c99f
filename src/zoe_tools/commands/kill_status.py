"""`zoe kill status`: the latched level, why, and since when. Reads the store alone."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.gather import effective_trading_state
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.known_accounts import known_accounts, run_with_books


def kill_status(ctx: typer.Context) -> int:
    """Show whether trading is stopped, at which level, why and since when.

    Of every account known here, unless --account names one, and of each of their instruments that
    is stopped for itself.

    Examples:
      zoe kill status
      zoe --account live kill status --json
    """
    invocation: Invocation = ctx.obj
    named = invocation.named_settings()
    known = known_accounts(named) if len(named) > 1 else ()
    if len(known) < 2:  # noqa: PLR2004 - one account, or none yet: as if it had been named
        settings = next((each.settings for each in known if each.settings), named[-1])
        return run_with_context(
            settings, lambda context: _status(context, invocation), needs_venue=False
        )
    answers = []
    for each in known:
        state = run_with_books(each.account, each.settings or named[-1], _state)
        invocation.printer().account(each.account)
        _show(invocation, state)
        invocation.printer().line()
        answers.append({"account": each.account.account_id, **_told(state)})
    invocation.printer().result({"accounts": answers})
    return 0


async def _status(context: Context, invocation: Invocation) -> int:
    state = await _state(context)
    invocation.printer().account(context.account)
    _show(invocation, state)
    invocation.printer().result(_told(state))
    return 0


async def _state(context: Context) -> TradingState:
    return await context.store.read(effective_trading_state)


def _show(invocation: Invocation, state: TradingState) -> None:
    invocation.printer().report(
        "Trading state",
        (
            ("level", state.level.label),
            ("scope", "-" if state.may_enter else state.scope.value),
            ("reason", state.reason or "-"),
            ("since", state.changed_at),
            ("by", state.changed_by or "-"),
            ("new risk", "allowed" if state.may_enter else "stopped; `zoe resume` is the way back"),
        ),
    )
    for name, each in state.stopped:
        invocation.printer().report(
            name,
            (
                ("level", each.level.label),
                ("reason", each.reason or "-"),
                ("since", each.changed_at),
                ("by", each.changed_by or "-"),
                ("new risk", f"stopped; `zoe resume --instrument {name}` is the way back"),
            ),
        )


def _told(state: TradingState) -> dict[str, object]:
    return {
        "level": state.level.label,
        "scope": state.scope.value,
        "reason": state.reason,
        "since": state.changed_at,
        "by": state.changed_by,
        "may_enter": state.may_enter,
        "instruments": [
            {
                "symbol": name,
                "level": each.level.label,
                "reason": each.reason,
                "since": each.changed_at,
                "by": each.changed_by,
            }
            for name, each in state.stopped
        ],
    }
