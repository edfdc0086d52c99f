"""What the order commands of an account cost at the engine's counters, where it has a tier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.paper.engine.rate_counters import (
    ACCOUNT_WIDE,
    CALL,
    TIERS,
    Kind,
    engine_cost,
)
from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.refusal import Refusal


@dataclass(slots=True)
class Bill:
    """What a transaction costs: `fixed` whatever comes of it, and all of `whole` if it is done."""

    fixed: int
    whole: int


class LimitedCommands(Commands):
    """Counts transactions per account and pair (section 3.2); without a tier nothing is counted."""

    def most_rate_count(self, account_id: str) -> int:
        """The engine counter's threshold of the tier; the middle one's where nothing is counted."""
        return (self.tier_of(account_id) or TIERS["intermediate"]).engine_calls

    def rate_count(self, account_id: str, symbol: str) -> Decimal:
        """The engine's counter of this account and pair now, in calls."""
        tier = self.tier_of(account_id)
        if tier is None:
            return Decimal(0)
        return self._floor.rates.count(account_id, symbol, self.now(), tier)

    @contextmanager
    def _charged(
        self, account_id: str, symbol: str, *, fixed: int, whole: int | None = None
    ) -> Iterator[Bill]:
        """Count the transaction done inside, which may correct its bill.

        One that is refused costs its fixed part, and that is on disk when the refusal is told.

        Raises:
            Refusal: `EOrder:Rate limit exceeded`; nothing was counted, nor anything done.
        """
        bill = Bill(fixed, fixed if whole is None else whole)
        tier = self.tier_of(account_id)
        if tier is None or (symbol not in self._floor.pairs and symbol != ACCOUNT_WIDE):
            yield bill
            return
        rates, now = self._floor.rates, self.now()
        rates.check(account_id, symbol, bill.whole, now, tier)
        try:
            yield bill
        except Refusal:
            rates.add(account_id, symbol, bill.fixed, now, tier)
            self.save()
            raise
        rates.add(account_id, symbol, bill.whole, now, tier)

    def _charge_cancels(self, account_id: str, orders: Iterable[OrderView], now: int) -> None:
        """By the age of each, once they are cancelled: that is counted however much it is."""
        tier = self.tier_of(account_id)
        if tier is None:
            return
        for order in orders:
            cost = self._cost("cancel", order, now)
            self._floor.rates.add(account_id, order.symbol, cost, now, tier)

    def _check_cancel(self, account_id: str, orders: Iterable[OrderView], now: int) -> None:
        """Whether a single cancel may be, where it is not always let through."""
        tier = self.tier_of(account_id)
        if tier is None or not self.quirks.refuses_cancels:
            return
        for order in orders:
            cost = self._cost("cancel", order, now)
            self._floor.rates.check(account_id, order.symbol, cost, now, tier)

    def _charge_cancel_all(self, account_id: str, orders: Iterable[OrderView], now: int) -> None:
        """A call for each pair of these orders."""
        tier = self.tier_of(account_id)
        if tier is None:
            return
        for symbol in {order.symbol for order in orders}:
            self._floor.rates.add(account_id, symbol, CALL, now, tier)

    @staticmethod
    def _cost(kind: Kind, order: OrderView, now: int) -> int:
        """By the time since the order was created or last amended."""
        changed_at = order.opened_at if order.amended_at is None else order.amended_at
        return engine_cost(kind, now - changed_at)
