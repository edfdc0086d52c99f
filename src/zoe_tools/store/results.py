"""The part of a transaction that is about worth: marks, the equity curve, results by day, costs.

Marks and the curve are observations. Results by day and declared costs are business: a dry run
leaves both alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.equity import EquityPoint, Mark, PnlDay
from zoe_tools.domain.lot import CostBasis
from zoe_tools.store import audit_notes, candles, marks, pnl
from zoe_tools.store.observing import Observing


class Results(Observing):
    """What a `Transaction` keeps and reads of the account's worth."""

    def record_marks(self, seen: Iterable[Mark], *, always: bool = False) -> int:
        """Keep prices, of each one in five minutes or `always`; returns how many were kept."""
        return marks.record_marks(self._connection, self.account_id, seen, always=always)

    def marks(self, since: datetime | None = None) -> tuple[Mark, ...]:
        """Marks at `since` or later, oldest first."""
        return marks.marks(self._connection, self.account_id, since)

    def latest_marks(self) -> tuple[Mark, ...]:
        """The newest mark of each asset and currency."""
        return marks.latest_marks(self._connection, self.account_id)

    def hourly_closes(self, since: datetime) -> tuple[Candle, ...]:
        """Finished hourly candles of all symbols, opened at `since` or later, oldest first."""
        return candles.closes(self._connection, self.account_id, Timeframe.H1, since)

    def record_equity(self, point: EquityPoint) -> None:
        """Keep a point of the equity curve; a second one of the same moment takes its place."""
        marks.record_equity(self._connection, self.account_id, point)

    def equity_points(self, since: datetime | None = None) -> tuple[EquityPoint, ...]:
        """The curve from `since` on, oldest first."""
        return marks.equity_points(self._connection, self.account_id, since)

    def latest_equity(self) -> EquityPoint | None:
        """The newest point; None if there is none."""
        return marks.latest_equity(self._connection, self.account_id)

    def record_pnl_days(self, days: Iterable[PnlDay]) -> None:
        """Insert the days, or bring their rows to these values."""
        pnl.record_days(self._connection, self.account_id, days)

    def pnl_days(self) -> tuple[PnlDay, ...]:
        """The result of each UTC day that was kept, oldest first."""
        return pnl.days(self._connection, self.account_id)

    def declare_cost(self, basis: CostBasis) -> None:
        """Add what a deposit is declared to have cost; the last word on a deposit counts."""
        pnl.declare_cost(self._connection, self.account_id, basis)
        audit_notes.cost(self._audit, basis)

    def declared_costs(self) -> tuple[CostBasis, ...]:
        """All declarations, in the order they were made."""
        return pnl.declared_costs(self._connection, self.account_id)
