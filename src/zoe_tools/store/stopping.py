"""The part of a transaction that stops trading and arms it again; nobody else writes that state.

Who stops raises the state to the higher of what stands and what is wanted, in the transaction that
reads it. Who arms lowers exactly what was looked at. On a server others wait meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.observation import KILL_ORDERS
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    SWITCHED,
    KillLevel,
    TradingState,
    raised,
)
from zoe_tools.store import audit, audit_notes, settings
from zoe_tools.store.observing import Observing

_ACCOUNT = "account"


class Stopping(Observing):
    """What a `Transaction` reads and writes of the trading state."""

    _audit: audit.Log

    def kill_switch(self) -> bool:
        """Whether the operator's global switch stops new risk: anything but `false` does."""
        return settings.kill_switch(self._connection)

    def trading_state(self) -> TradingState:
        """The account's latched state; armed if it was never set."""
        return settings.trading_state(self._connection, self.account_id)

    def times_stopped(self) -> tuple[tuple[Symbol | None, int], ...]:
        """How often it was ordered to stop, by instrument; None is the account.

        On a server it is to be read before the state: what is ordered in between shows, then.
        """
        return tuple(
            (None if scope == _ACCOUNT else Symbol(scope), int(count))
            for scope, count in self._orders().items()
        )

    def latch(self, wanted: TradingState, symbol: Symbol | None = None) -> TradingState:
        """Stop at this level, or at the higher one that stands; returns what stands then.

        `changed_at` must be set. That it was ordered is counted, whatever stood there before.
        """
        self._audit.lock()
        stands = self.trading_state().of(symbol)
        after = raised(stands, wanted)
        if after != stands:
            self._write(after, symbol)
        self._count(wanted.changed_at, symbol)
        return after

    def rearm(
        self,
        armed: TradingState,
        seen: TradingState,
        times_stopped: int | None,
        symbol: Symbol | None = None,
    ) -> TradingState | None:
        """Arm again, if what stands is what was `seen`, and nobody ordered a stop since.

        Returns what stands in the way instead; None once it is armed. Where it is not known how
        often it was stopped, the level and its time have to do.
        """
        if armed.level is not KillLevel.NONE:
            raise ValueError(f"{armed.level.label} is no state to arm to")
        self._audit.lock()
        stands = self.trading_state().of(symbol)
        is_same = (stands.level, stands.changed_at) == (seen.level, seen.changed_at)
        counted = dict(self.times_stopped()).get(symbol, 0)
        if not is_same or times_stopped not in (None, counted):
            return stands
        if symbol is None and self.kill_switch():
            level = max(stands.level, KillLevel.REDUCE_ONLY)
            return replace(stands, level=level, reason=SWITCHED, changed_by=CONFIG_SWITCH)
        self._write(armed, symbol)
        return None

    def _write(self, state: TradingState, symbol: Symbol | None) -> None:
        settings.set_trading_state(self._connection, self.account_id, state, symbol)
        audit_notes.trading_state(self._audit, state, symbol)

    def _orders(self) -> dict[str, str | int]:
        beats = (each for each in self.heartbeats() if each.component == KILL_ORDERS)
        return next((dict(each.details) for each in beats), {})

    def _count(self, at: datetime | None, symbol: Symbol | None) -> None:
        if at is None:
            raise ValueError("a state that is latched has a time")
        told, scope = self._orders(), symbol or _ACCOUNT
        self.beat(KILL_ORDERS, "ok", at, told | {scope: int(told.get(scope, 0)) + 1})
