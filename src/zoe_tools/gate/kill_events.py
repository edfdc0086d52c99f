"""Tells the log that trading was stopped: one event, whoever stopped it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.position import Position
from zoe_tools.domain.trading_state import KillScope, TradingState
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


def tell_kills(
    state: TradingState,
    *,
    before: TradingState,
    positions: Sequence[Position],
    orders: Sequence[OrderRecord],
) -> None:
    """One for the account, and one for each instrument, whose level is higher than `before`."""
    for symbol in (None, *(name for name, _ in state.stopped)):
        tell_kill(
            state.of(symbol),
            before=before.of(symbol),
            positions=positions,
            orders=orders,
            symbol=symbol,
        )


def tell_kill(
    state: TradingState,
    *,
    before: TradingState,
    positions: Sequence[Position] | None,
    orders: Sequence[OrderRecord] | None,
    symbol: Symbol | None,
) -> None:
    """`KILL_SWITCH_ACTIVATED`, if the level is higher than `before`; of a `symbol` alone.

    What is not known of positions and orders is left out.
    """
    if state.level <= before.level:
        return
    scope = {"scope": state.scope.value}
    if symbol is not None:
        scope = {"scope": KillScope.INSTRUMENT.value, "symbol": symbol}
    event(
        _LOG,
        "KILL_SWITCH_ACTIVATED",
        "critical",
        level=state.level.label,
        before=before.level.label,
        **scope,
        cause=state.cause.value,
        reason=state.reason,
        by=state.changed_by,
        stopped_at=state.changed_at,
        **_counts(positions, orders, symbol),
    )


def _counts(
    positions: Sequence[Position] | None,
    orders: Sequence[OrderRecord] | None,
    symbol: Symbol | None,
) -> dict[str, int]:
    known = {"open_positions": positions, "open_orders": orders}
    return {
        name: sum(symbol in (None, each.symbol) for each in found)
        for name, found in known.items()
        if found is not None
    }
