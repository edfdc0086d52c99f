"""Tells the log that trading was stopped: one event, whoever stopped it."""

from __future__ import annotations

import logging

from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)


def tell_kill_of(books: Snapshot, state: TradingState) -> None:
    """The same, by the books as they were before."""
    tell_kill(
        state,
        before=books.trading_state.level,
        positions=len(books.positions),
        orders=sum(not each.status.is_terminal for each in books.orders),
    )


def tell_kill(state: TradingState, *, before: KillLevel, positions: int, orders: int) -> None:
    """`KILL_SWITCH_ACTIVATED`, if the level is higher than before."""
    if state.level <= before:
        return
    event(
        _LOG,
        "KILL_SWITCH_ACTIVATED",
        "critical",
        level=state.level.label,
        before=before.label,
        scope="account",
        cause=state.cause.value,
        reason=state.reason,
        by=state.changed_by,
        open_positions=positions,
        open_orders=orders,
    )
