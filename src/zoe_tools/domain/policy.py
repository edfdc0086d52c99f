"""The limits an operator sets; they belong to the account and are enforced in the gate."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Money in the account's quote currency (USD); percentages as percent; times in seconds."""

    max_notional_per_trade: Decimal = Decimal(25)
    max_daily_notional: Decimal = Decimal(50)
    max_open_positions: int = 3
    stop_loss_pct: Decimal = Decimal(2)
    take_profit_pct: Decimal = Decimal(4)
    quote_stale_s: float = 10.0
    price_collar_pct: Decimal = Decimal(5)
    liquidity_guard_spread_pct: Decimal = Decimal("0.5")
    reconcile_cash_tolerance: Decimal = Decimal("2.0")
    reconcile_quantity_tolerance: Decimal = Decimal("0.000001")
    order_deadline_s: float = 5.0
    visibility_lag_s: float = 60.0
    plan_lifetime_s: float = 300.0
    order_ttl_entry_s: float = 60.0
    order_ttl_exit_s: float = 30.0
