"""Whether the account may take new risk: a latched level that only an operator lowers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from zoe_tools.domain.identifiers import Symbol


class KillLevel(IntEnum):
    """How hard trading is stopped; each level includes those below it."""

    NONE = 0
    PAUSE_ENTRIES = 1
    CANCEL_OPEN = 2
    REDUCE_ONLY = 3
    FLATTEN = 4

    @property
    def label(self) -> str:
        """The word an operator types: `pause-entries`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> KillLevel:
        """The level so called.

        Raises:
            ValueError: no level has that name.
        """
        try:
            return cls[label.strip().upper().replace("-", "_")]
        except KeyError as error:
            raise ValueError(f"{label!r} is not a kill level") from error


class KillReason(StrEnum):
    """Why trading is stopped, in a word; stored as the beginning of the state's reason.

    `MARGIN_CRITICAL` is for margin alone.
    """

    MANUAL = "manual"
    API_ERROR = "api_error"
    MARGIN_CRITICAL = "margin_critical"
    INVARIANT_VIOLATION = "invariant_violation"
    LIQUIDATION_BREACH = "liquidation_breach"
    DATA_FAILURE = "data_failure"
    RECONCILIATION_FAILURE = "reconciliation_failure"

    def worded(self, details: str) -> str:
        """The reason as it is stored: `drawdown` as `invariant_violation: drawdown`."""
        return f"{self.value}: {details}"

    @classmethod
    def of(cls, reason: str) -> KillReason:
        """What a stored reason begins with; what names no cause was somebody's own word."""
        word, colon, _ = reason.partition(":")
        return cls(word) if colon and word in set(cls) else cls.MANUAL


class KillScope(StrEnum):
    """What is stopped: every account of a store, one account, or one instrument of it."""

    GLOBAL = "global"
    ACCOUNT = "account"
    INSTRUMENT = "instrument"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingState:
    """The latched state of one account, or of one of its instruments.

    `stopped` holds the account's instruments that are stopped for themselves, by name.
    """

    level: KillLevel
    reason: str
    changed_at: datetime | None
    changed_by: str = ""
    stopped: tuple[tuple[Symbol, TradingState], ...] = ()

    @property
    def may_enter(self) -> bool:
        """Whether new risk may be taken, but for the instruments that are `stopped`."""
        return self.level is KillLevel.NONE

    @property
    def scope(self) -> KillScope:
        """Whether the row that stops all accounts demands it, or it is this account's own."""
        is_switch = self.changed_by in {CONFIG_SWITCH, CONFIG_SWITCH_TOO, LATCHED_SWITCH}
        return KillScope.GLOBAL if is_switch else KillScope.ACCOUNT

    def of(self, symbol: Symbol | None) -> TradingState:
        """What is latched of the instrument alone; of the account without a symbol."""
        if symbol is None:
            return self
        return next((state for name, state in self.stopped if name == symbol), ARMED)

    def in_force(self, symbol: Symbol) -> TradingState:
        """What holds for the instrument: its own state, or the account's where that is harder."""
        own = self.of(symbol)
        return own if own.level > self.level else self

    @property
    def cause(self) -> KillReason:
        """Why, in a word."""
        return KillReason.of(self.reason)


def takes_over(state: TradingState, reason: str) -> bool:
    """Whether a kill for this reason becomes that of a level that is in force as high already.

    What is margin's may pass by itself: it does not stand for any other cause.
    """
    is_margins = state.cause is KillReason.MARGIN_CRITICAL
    return is_margins and KillReason.of(reason) is not KillReason.MARGIN_CRITICAL


def raised(stands: TradingState, wanted: TradingState) -> TradingState:
    """What is latched of two: the higher level, with who wanted it, since when and why.

    Two causes outlast a higher level, as their own condition for arming again is part of them: that
    the store was restored, and what was latched for anything else, where margin raises it. With
    margin alone it would pass by itself, and the other order with it.
    """
    if wanted.level is KillLevel.NONE:
        raise ValueError("nothing is stopped by level none")
    is_stopped = stands.level is not KillLevel.NONE
    both = replace(
        wanted,
        level=max(stands.level, wanted.level),
        reason=f"{stands.reason}; then {wanted.reason}",
        stopped=stands.stopped,
    )
    if is_stopped and wanted.changed_by == RESTORED:
        return both
    if wanted.level > stands.level:
        if is_stopped and stands.changed_by == RESTORED:
            return replace(both, changed_by=RESTORED)
        is_over_another = is_stopped and takes_over(wanted, stands.reason)
        return both if is_over_another else replace(wanted, stopped=stands.stopped)
    if takes_over(stands, wanted.reason):
        return replace(both, reason=wanted.reason)
    return stands


ARMED = TradingState(level=KillLevel.NONE, reason="", changed_at=None)

CONFIG_SWITCH = "config"
"""Who changed a state that only the row `kill_switch` of the table `config` demands."""

SWITCHED = "kill_switch is set in the table config"
"""Why, in words, where only that row demands it."""

CONFIG_SWITCH_TOO = "latched, and config"
"""Who changed a state that is latched, while that row stands in the way of lowering it as well."""

RESTORED = "a restored store"
"""Who changed a state because the books were put back to an earlier time."""

LATCHED_SWITCH = "kill_switch"
"""Who changed a state that a loop latched because of that row; the row may be back at `false`."""
