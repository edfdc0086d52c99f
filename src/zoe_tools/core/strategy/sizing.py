"""How much an entry of `edge` may cost: Kelly on what was really won and lost, and caps.

No floor: what comes out too small for an order is no order, and a negative edge is no bet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from statistics import fmean

from zoe_tools.core.strategy.edge_rules import EdgeRules
from zoe_tools.core.strategy.protocol import AccountView, ClosedTrade
from zoe_tools.domain.money import ZERO

ENOUGH_TRADES = 20
"""Of fewer closed trades nothing is concluded, and the prior holds."""

PRIOR_WIN_RATE = 0.45
PRIOR_PAYOFF = 2.0
"""What a win brings, in losses."""

CALM_VOLATILITY = 0.5
"""Up to this annualised volatility a position may be as large as any; above, it shrinks with it."""

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kelly:
    """The share of equity that grows it fastest: `share` = p - (1 - p) / b; below 0 is no edge.

    `trades` is how many closed ones it was concluded from, 0 for the prior.
    """

    share: float
    win_rate: float
    payoff: float
    trades: int = 0


def kelly_of(closed: Sequence[ClosedTrade]) -> Kelly:
    """From what each trade returned on what was put in; ties count as lost."""
    returns = [float(each.result / each.cost) for each in closed if each.cost > ZERO]
    if len(returns) < ENOUGH_TRADES:
        return _kelly(PRIOR_WIN_RATE, PRIOR_PAYOFF, trades=0)
    wins = [each for each in returns if each > 0]
    losses = [-each for each in returns if each <= 0]
    rate = len(wins) / len(returns)
    lost = fmean(losses) if losses else 0.0
    won = fmean(wins) if wins else 0.0
    if won == 0:
        return Kelly(share=-1.0, win_rate=rate, payoff=0.0, trades=len(returns))
    if lost == 0:
        return Kelly(share=rate, win_rate=rate, payoff=float("inf"), trades=len(returns))
    return _kelly(rate, won / lost, trades=len(returns))


def _kelly(rate: float, payoff: float, *, trades: int) -> Kelly:
    return Kelly(share=rate - (1 - rate) / payoff, win_rate=rate, payoff=payoff, trades=trades)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What scales a size: the signal's strength and the regime's share, 0 to 1; the volatility."""

    strength: float
    regime: float
    volatility: float


def size_of(account: AccountView, conditions: Conditions, rules: EdgeRules) -> Decimal | str:
    """What the entry may cost, in quote, rounded down to cents; or why there is none."""
    equity = account.equity
    if equity is None or equity <= ZERO:
        return "the account's equity is not known"
    kelly = kelly_of(account.closed)
    if kelly.share <= 0:
        return f"{kelly.trades} closed trades have no edge: no bet"
    share = min(rules.kelly_fraction * kelly.share, rules.max_position)
    share *= conditions.regime * (0.5 + 0.5 * conditions.strength)
    share = min(share, rules.max_position * _calm(conditions.volatility))
    wanted = min(equity * Decimal(f"{share:.12f}"), account.max_notional)
    notional = wanted.quantize(_CENT, rounding=ROUND_DOWN)
    if notional < rules.min_notional or notional <= ZERO:
        return f"a size of {notional:f} is too small for an order"
    left = equity - account.open_notional - notional
    if left < rules.min_remaining:
        return f"too little would be left: {left.quantize(_CENT, rounding=ROUND_DOWN):f}"
    return notional


def _calm(volatility: float) -> float:
    return 1.0 if volatility <= CALM_VOLATILITY else CALM_VOLATILITY / volatility
