"""What an account is worth: marks, points of the equity curve, and the result of a day.

All money is in one currency. A mark is an observed price and keeps its time: its age is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from zoe_tools.domain.money import HUNDRED, ONE, ZERO

CURRENCY = "USD"
"""What an account is reckoned in: the currency of its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one unit of an asset was worth in `currency` when it was seen."""

    asset: str
    currency: str
    price: Decimal
    marked_at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """The account's worth at one moment.

    `gross` is cash and marked assets, `net` is gross less liabilities and what leaving all assets
    would cost in fees. `flow` is what came from outside since the point before, at its worth when
    it came. `return_index` is one unit of money that was there from the beginning, flows left out;
    `peak_index` its highest so far. `lacks`: assets without a price, which are in no sum.
    `flow_ids`: the ledger rows that `flow` is of. `is_blind`: one of them had no price, so that
    nothing can be said of the time since the point before.
    """

    taken_at: datetime
    currency: str
    gross: Decimal
    net: Decimal
    cash: Decimal
    holdings: Decimal
    flow: Decimal = ZERO
    return_index: Decimal = ONE
    peak_index: Decimal = ONE
    is_estimated: bool = False
    lacks: tuple[str, ...] = ()
    flow_ids: tuple[str, ...] = ()
    is_blind: bool = False

    @property
    def drawdown_pct(self) -> Decimal:
        """How far the index is below its peak, in percent."""
        return (ONE - self.return_index / self.peak_index) * HUNDRED


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlDay:
    """One UTC day. `daily_pnl` is the change of gross equity less what came from outside.

    `realised_pnl` is net of fees; `expectancy` the mean result of a closed trade, None without one.
    `restated_at`: when a row that was there already got other figures. `is_final`: the day is over
    and the books agreed with the venue after its end.
    """

    date: date
    currency: str
    opening_equity: Decimal
    gross_equity: Decimal
    net_equity: Decimal
    net_deposits: Decimal
    daily_pnl: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees_paid: Decimal
    return_pct: Decimal
    drawdown_pct: Decimal
    trades: int
    wins: int
    losses: int
    expectancy: Decimal | None
    is_estimated: bool
    is_final: bool
    updated_at: datetime
    restated_at: datetime | None = None
