"""Tells the log that trading was stopped: one event, whoever stopped it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillScope, TradingState
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


def tell_kill_of(books: Snapshot, state: TradingState, symbol: Symbol | None = None) -> None:
    """`KILL_SWITCH_ACTIVATED`, if the level is higher than in the books; of a `symbol` alone."""
    working = tuple(each for each in books.orders if not each.status.is_terminal)
    before = books.trading_state.of(symbol)
    _tell(state, before=before, positions=books.positions, orders=working, symbol=symbol)


def tell_kills(
    state: TradingState,
    *,
    before: TradingState,
    positions: Sequence[Position],
    orders: Sequence[OrderRecord],
) -> None:
    """One for the account, and one for each instrument, whose level is higher than `before`."""
    for symbol in (None, *(name for name, _ in state.stopped)):
        _tell(
            state.of(symbol),
            before=before.of(symbol),
            positions=positions,
            orders=orders,
            symbol=symbol,
        )


def _tell(
    state: TradingState,
    *,
    before: TradingState,
    positions: Sequence[Position],
    orders: Sequence[OrderRecord],
    symbol: Symbol | None,
) -> None:
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
        open_positions=sum(symbol in (None, each.symbol) for each in positions),
        open_orders=sum(symbol in (None, each.symbol) for each in orders),
    )
