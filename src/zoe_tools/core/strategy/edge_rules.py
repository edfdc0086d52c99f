"""What an operator may turn on `edge`: thresholds, sizes, and how often it may trade."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """Settings `EDGE_FACTORY_*`. Shares are fractions of equity, money is in quote.

    `uses_funding`: a source is configured, so that its rule is on.
    """

    attention_min: float = 0.8
    funding_max: float = 0.0005
    funding_stale_s: float = 600.0
    uses_funding: bool = False
    spread_max: float = 0.006
    expected_move_min_pct: float = 3.0
    kelly_fraction: float = 0.5
    max_position: float = 0.15
    heat_max: float = 0.6
    losses_max: int = 4
    max_age_h: float = 48.0
    cooldown_h: float = 4.0
    turnover_cap: float = 2.0
    min_notional: Decimal = Decimal(1)
    min_remaining: Decimal = Decimal(10)
