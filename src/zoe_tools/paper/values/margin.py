"""What borrowed money costs and how much of it an account carries: arithmetic alone (section 13.7).

Costs, fees and margins are in the pair's quote at its `cost_decimals`, half-up; a margin level is
percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from msgspec import Struct

from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.rounding import half_up
from zoe_tools.paper.values.times import NS

_HUNDRED = Decimal(100)
_ZERO = Decimal(0)
_HOUR_NS = 3600 * NS


class MarginRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms of margin trading at one exchange; percents of the position's cost.

    `opening_pct` is charged once, `rollover_pct` every `rollover_hours` from the opening. At
    `call_pct` of margin level nothing more is opened, at `stop_pct` positions are liquidated.
    `allowance`: the most an account may have borrowed, in the exchange's reference currency;
    `most_positions`: how many it may have; `pools`: how much of an asset (v2 name) there is to
    lend, to all accounts together. None, and an asset that is not named, is without bound.
    """

    opening_pct: Decimal = Decimal("0.02")
    rollover_pct: Decimal = Decimal("0.02")
    rollover_hours: int = 4
    call_pct: Decimal = Decimal(80)
    stop_pct: Decimal = Decimal(40)
    allowance: Decimal | None = None
    most_positions: int | None = None
    pools: dict[str, Decimal] = {}

    @property
    def rollover_ns(self) -> int:
        """How long a position is good before it is charged again."""
        return self.rollover_hours * _HOUR_NS

    @property
    def fault(self) -> str | None:
        """What no exchange could go by; None if nothing is wrong."""
        amounts = {
            "opening_pct": self.opening_pct,
            "rollover_pct": self.rollover_pct,
            "stop_pct": self.stop_pct,
            "call_pct": self.call_pct,
            "allowance": self.allowance or _ZERO,
            "most_positions": Decimal(self.most_positions or 0),
            **{f"pools of {name}": amount for name, amount in self.pools.items()},
        }
        wrong = [name for name, value in amounts.items() if not (value.is_finite() and value >= 0)]
        if wrong:
            return f"{wrong[0]} must be a number, 0 at least"
        if self.call_pct < self.stop_pct:
            return "call_pct must not be below stop_pct"
        return None if self.rollover_hours >= 1 else "rollover_hours must be at least 1"


def terms_text(rollover_pct: Decimal, rollover_ns: int) -> str:
    """`0.0200% per 4 hours`."""
    return f"{half_up(rollover_pct, 4):f}% per {rollover_ns // _HOUR_NS} hours"


def margin_of(spec: PairSpec, cost: Decimal, leverage: int) -> Decimal:
    """What a position of this cost ties up: cost over leverage."""
    return half_up(cost / leverage, spec.cost_decimals)


def charge_of(spec: PairSpec, cost: Decimal, rate: Decimal) -> Decimal:
    """An opening fee or one rollover: the rate (percent) of the cost."""
    return half_up(cost * rate / _HUNDRED, spec.cost_decimals)


def share_of(spec: PairSpec, amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """What of an amount goes with a part of the quantity; with all that is left, all of it."""
    if part >= whole:
        return amount
    return half_up(amount * part / whole, spec.cost_decimals)


def profit_of(*, is_long: bool, opened: Decimal, closed: Decimal) -> Decimal:
    """What closing at this cost made, before fees; a short gains where it buys back for less."""
    return closed - opened if is_long else opened - closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands, in one asset (TradeBalance, section 6).

    `worth` is everything it owns at last prices, `collateral` that less what does not count as
    security, `used` the margin of its positions, `profit` what they have made so far, `cost` what
    they were opened for, `value` what they are worth, `orders_margin` what its open orders would
    tie up, `unexecuted` what they are for.
    """

    worth: Decimal
    collateral: Decimal
    used: Decimal
    profit: Decimal
    cost: Decimal
    value: Decimal
    orders_margin: Decimal
    unexecuted: Decimal

    @property
    def equity(self) -> Decimal:
        """Collateral and open profit."""
        return self.collateral + self.profit

    @property
    def free(self) -> Decimal:
        """What new positions may use."""
        return self.equity - self.used

    @property
    def free_for_orders(self) -> Decimal:
        """What new orders may use."""
        return self.free - self.orders_margin

    @property
    def level(self) -> Decimal | None:
        """Equity over used margin, percent; None without positions."""
        return self.equity / self.used * _HUNDRED if self.used > 0 else None


def is_called(standing: Standing, rules: MarginRules) -> bool:
    """Whether the level has fallen to the margin call: nothing more may be opened."""
    return standing.level is not None and standing.level <= rules.call_pct


def is_stopped(standing: Standing, rules: MarginRules) -> bool:
    """Whether the level has fallen to the stop: positions are liquidated."""
    return standing.level is not None and standing.level <= rules.stop_pct
