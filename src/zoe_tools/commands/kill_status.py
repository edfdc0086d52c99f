"""`zoe kill status`: the latched level, why, and since when; what waits to be latched."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gather import effective_trading_state
from zoe_tools.runtime.context import Context, run_with_context
from zoe_tools.runtime.gates import emergency_journal
from zoe_tools.runtime.known_accounts import known_accounts, run_with_books

_WAITS = "the loop, or the next command with --execute, latches it"


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
        found = run_with_books(each.account, each.settings or named[-1], _look)
        invocation.printer().account(each.account)
        _show(invocation, found)
        invocation.printer().line()
        answers.append({"account": each.account.account_id, **_told(found)})
    invocation.printer().result({"accounts": answers})
    return 0


async def _status(context: Context, invocation: Invocation) -> int:
    found = await _look(context)
    invocation.printer().account(context.account)
    _show(invocation, found)
    invocation.printer().result(_told(found))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the store has, and what waits in the emergency journal for it."""

    state: TradingState
    waiting: tuple[tuple[Symbol | None, TradingState], ...] = ()
    trouble: str = ""

    @property
    def may_enter(self) -> bool:
        """A level that waits for the store counts: whoever ordered it means it."""
        is_meant = not self.trouble and all(symbol is not None for symbol, _ in self.waiting)
        return self.state.may_enter and is_meant

    @property
    def new_risk(self) -> str:
        """In words."""
        if not self.state.may_enter:
            return "stopped; `zoe resume` is the way back"
        if self.trouble:
            return "not known: a level may wait in emergency.jnl"
        return "allowed" if self.may_enter else f"to be stopped: {_WAITS}"


async def _look(context: Context) -> _Found:
    state = await context.store.read(effective_trading_state)
    try:
        return _Found(state=state, waiting=emergency_journal(context).waiting_levels())
    except StoreUnavailable as error:
        return _Found(state=state, trouble=error.message)


def _show(invocation: Invocation, found: _Found) -> None:
    state = found.state
    if found.trouble:
        invocation.printer().warn(f"What waits in emergency.jnl is not known: {found.trouble}")
    invocation.printer().report(
        "Trading state",
        (
            ("level", state.level.label),
            ("scope", "-" if state.may_enter else state.scope.value),
            ("reason", state.reason or "-"),
            ("since", state.changed_at),
            ("by", state.changed_by or "-"),
            ("new risk", found.new_risk),
        ),
    )
    for symbol, each in found.waiting:
        invocation.printer().report(
            f"Waiting in emergency.jnl{f' for {symbol}' if symbol else ''}",
            (
                ("level", each.level.label),
                ("reason", each.reason or "-"),
                ("since", each.changed_at),
                ("by", each.changed_by or "-"),
                ("latched", f"not yet: {_WAITS}"),
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


def _told(found: _Found) -> dict[str, object]:
    state = found.state
    return {
        "level": state.level.label,
        "scope": state.scope.value,
        "reason": state.reason,
        "since": state.changed_at,
        "by": state.changed_by,
        "may_enter": found.may_enter,
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
        "waiting": [
            {
                "symbol": symbol,
                "level": each.level.label,
                "reason": each.reason,
                "since": each.changed_at,
                "by": each.changed_by,
            }
            for symbol, each in found.waiting
        ],
    }
