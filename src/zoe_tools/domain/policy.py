"""The limits an operator sets; they belong to the account and are enforced in the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from zoe_tools.domain.invariants import InvariantLimits
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.take_profit import TargetMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Money in the account's quote currency (USD); percentages as percent; times in seconds.

    None of the three caps that follow from others: see the properties. `allowed_symbols` None is
    no list; spellings are for the catalogue to resolve, as those of `max_quantities`, in base.
    """

    max_notional_per_trade: Decimal = Decimal(25)
    max_daily_notional: Decimal = Decimal(50)
    max_open_positions: int = 3
    stop_loss_pct: Decimal = Decimal(2)
    stop_refusals_until_sale: int = 3
    """So many definite refusals of its stop, and a position is sold; 0: never."""
    trailing_stop_pct: Decimal = ZERO
    """How far below the highest bid the stop follows; 0: it stays."""
    break_even_at_pct: Decimal = ZERO
    """From this profit on the stop rests where a sale loses nothing; 0: never."""
    max_position_age_s: float = 0.0
    """A position that is held for longer is left; 0: never."""
    take_profit_pct: Decimal = Decimal(4)
    take_profit_levels: tuple[tuple[Decimal, Decimal], ...] = ()
    """Share and profit of each level, in percent, lowest first; empty: all at one."""

    take_profit_mode: TargetMode = TargetMode.MANAGED
    allow_targets_without_stop: bool = False
    """Whether targets may rest at all: what one holds at the venue, no stop can hold there."""
    quote_stale_s: float = 10.0
    market_stale_s: float = 60.0
    """Safe mode of an instrument: so long without a quote; the two below: a print, a candle."""
    trades_stale_s: float = 300.0
    candle_stale_s: float = 120.0
    max_api_errors: int = 3
    api_error_window_s: float = 300.0
    max_empty_scans: int = 3
    invariants: InvariantLimits = field(default_factory=InvariantLimits)
    price_collar_pct: Decimal = Decimal(5)
    liquidity_guard_spread_pct: Decimal = Decimal("0.5")
    reconcile_cash_tolerance: Decimal = Decimal("2.0")
    reconcile_quantity_tolerance: Decimal = Decimal("0.000001")
    reconcile_clean_runs: int = 3
    stop_trading_on_degraded: bool = True
    order_deadline_s: float = 5.0
    stop_deadline_s: float = 1.0
    """The same for a stop's first send; and how long the answer to a reduction is waited for."""
    visibility_lag_s: float = 60.0
    plan_lifetime_s: float = 300.0
    order_ttl_entry_s: float = 60.0
    order_ttl_exit_s: float = 30.0
    max_reprice_attempts: int = 3
    reprice_step_bps: Decimal = Decimal(5)
    max_cross_spread_bps: Decimal = Decimal(20)
    max_average_slippage_bps: Decimal = Decimal(50)
    duplicate_window_s: float = 10.0
    max_quantities: tuple[tuple[str, Decimal], ...] = ()
    allowed_symbols: tuple[str, ...] | None = None
    max_open_orders: int = 30
    max_orders_per_minute: int = 60
    max_cancel_ratio_pct: Decimal = Decimal(95)
    max_unexecuted_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_exposure_notional: Decimal | None = None
    allow_withdrawal_key: bool = False

    @property
    def unexecuted_cap(self) -> Decimal:
        """What working entries may be worth together: by default one for each position."""
        if self.max_unexecuted_notional is not None:
            return self.max_unexecuted_notional
        return self.max_notional_per_trade * self.max_open_positions

    @property
    def position_cap(self) -> Decimal:
        """What one instrument may hold, working entries included: by default two entries."""
        if self.max_position_notional is not None:
            return self.max_position_notional
        return self.max_notional_per_trade * 2

    @property
    def exposure_cap(self) -> Decimal:
        """What all positions and working entries may be worth: by default all that fit."""
        if self.max_exposure_notional is not None:
            return self.max_exposure_notional
        return self.position_cap * self.max_open_positions
