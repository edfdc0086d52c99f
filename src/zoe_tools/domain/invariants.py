"""Limits on the account as a whole, and the states that follow when they do not hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.trading_state import KillLevel, KillReason


class SafetyState(StrEnum):
    """How the account stands by its invariants: each is worse than the one before."""

    ACTIVE = "ACTIVE"
    DEGRADED = "DEGRADED"
    HALTED = "HALTED"
    EMERGENCY = "EMERGENCY"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantLimits:
    """What is bad enough to be told, and what stops trading; percentages as percent, times in s.

    None is no limit. `halt_level` is latched at one critical violation, `emergency_level` at two.
    What was latched for margin alone may be taken back `margin_rearm_after_s` later, once margin is
    below `margin_warn_pct`, and so often within a day; 0: never.
    """

    drawdown_warn_pct: Decimal | None = Decimal(10)
    drawdown_crit_pct: Decimal | None = Decimal(15)
    equity_floor: Decimal | None = None
    open_notional_crit: Decimal | None = Decimal(500_000)
    positions_warn: Decimal | None = Decimal(22)
    positions_crit: Decimal | None = Decimal(27)
    position_warn_pct: Decimal | None = Decimal(35)
    rejects_warn: Decimal | None = Decimal(5)
    api_errors_crit: Decimal | None = Decimal(10)
    clock_skew_warn_s: Decimal | None = Decimal(30)
    clock_skew_crit_s: Decimal | None = Decimal(300)
    candle_age_warn_s: Decimal | None = Decimal(120)
    blind_crit_s: Decimal | None = Decimal(3600)
    naked_crit_s: Decimal | None = Decimal(240)
    unreconciled_crit_s: Decimal | None = Decimal(1800)
    margin_warn_pct: Decimal | None = Decimal(85)
    margin_crit_pct: Decimal | None = Decimal(92)
    liquidation_crit_pct: Decimal | None = Decimal(125)
    margin_rearm_after_s: Decimal = Decimal(300)
    margin_rearms_per_day: int = 2
    halt_level: KillLevel = KillLevel.CANCEL_OPEN
    emergency_level: KillLevel = KillLevel.REDUCE_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The account as it is; None is what cannot be told now, and violates nothing.

    `drawdown_pct` is of the return index, from which deposits and withdrawals are taken out.
    `rejects` and `api_errors` are of the last minute; `candle_age_s` is by how much the most
    overdue candle is overdue; `blind_s` how long the streams have been down, `naked_s` how long a
    position has stood without a stop, `unreconciled_s` how long the comparison with the venue has
    been critical. `margin_pct` is margin in use, of equity. `unpriced` is what is held and never
    had a price: it counts as nothing, in `equity` and in the peak behind `drawdown_pct` alike.
    """

    drawdown_pct: Decimal | None = None
    equity: Decimal | None = None
    open_notional: Decimal | None = None
    positions: int = 0
    largest_position_pct: Decimal | None = None
    rejects: int = 0
    api_errors: int = 0
    clock_skew_s: Decimal | None = None
    candle_age_s: Decimal | None = None
    blind_s: Decimal | None = None
    naked_s: Decimal | None = None
    unreconciled_s: Decimal | None = None
    margin_pct: Decimal | None = None
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One limit that does not hold; `cause` is what a kill for it is latched with."""

    invariant: str
    is_critical: bool
    value: Decimal
    limit: Decimal
    cause: KillReason
