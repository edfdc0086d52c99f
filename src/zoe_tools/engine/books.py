"""The loop's copy of its own books: refreshed from the store after every change.

The store is the truth; this is what the turns read without waiting.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import RECENT
from zoe_tools.domain.trading_state import ARMED, LATCHED_SWITCH, KillLevel, TradingState
from zoe_tools.gather import effective_trading_state
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction


class Books:
    """Positions, working and recent orders, open intents, the day's notional, the kill state."""

    def __init__(self, store: StoreRunner) -> None:
        self._store = store
        self.positions: tuple[Position, ...] = ()
        self.orders: tuple[OrderRecord, ...] = ()
        self.recent_orders: tuple[OrderRecord, ...] = ()
        self.unresolved: tuple[Intent, ...] = ()
        self.daily_notional: Decimal = ZERO
        self.trading_state: TradingState = ARMED
        self.day: date | None = None
        self._closed: list[Position] = []

    async def refresh(self, now: datetime) -> None:
        """Read everything again."""
        await self._store.run(lambda transaction: self._read(transaction, now))

    async def refresh_trading_state(self, now: datetime) -> bool:
        """Read the kill state, and latch what the switch demands; True if it changed."""
        state = await self._store.run(lambda transaction: _latched_state(transaction, now))
        changed = state != self.trading_state
        self.trading_state = state
        return changed

    def take_closed(self) -> tuple[Position, ...]:
        """Positions that closed since the last call; each is given once."""
        closed, self._closed = tuple(self._closed), []
        return closed

    def _read(self, transaction: Transaction, now: datetime) -> None:
        before = {position.position_id for position in self.positions}
        self.positions = transaction.positions(open_only=True)
        gone = before - {position.position_id for position in self.positions}
        closed = (transaction.position(each) for each in sorted(gone))
        self._closed.extend(each for each in closed if each is not None)
        self.orders = transaction.orders(open_only=True)
        self.recent_orders = transaction.orders(since=now - RECENT)
        self.unresolved = transaction.unresolved_intents()
        self.day = now.date()
        self.daily_notional = transaction.daily_notional(now.date())
        self.trading_state = _latched_state(transaction, now)


def _latched_state(transaction: Transaction, now: datetime) -> TradingState:
    """The state in force. Once seen, the switch stays: setting its row back re-arms nothing."""
    if transaction.kill_switch() and transaction.trading_state().level < KillLevel.REDUCE_ONLY:
        transaction.set_trading_state(
            TradingState(
                level=KillLevel.REDUCE_ONLY,
                reason="kill_switch was set in the table config",
                changed_at=now,
                changed_by=LATCHED_SWITCH,
            )
        )
    return effective_trading_state(transaction)
