"""What the order commands of an account cost at the engine's counters, where it has a tier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.paper.exchange_base import Commands
from zoe_tools.paper.order import OrderView
from zoe_tools.paper.rate_counters import (
    ACCOUNT_WIDE,
    CALL,
    TIERS,
    Kind,
    Tier,
    engine_cost,
)
from zoe_tools.paper.refusal import Refusal


@dataclass(slots=True)
class Bill:
    """What a transaction costs: `fixed` whatever comes of it, and all of `whole` if it is done."""

    fixed: int
    whole: int


class LimitedCommands(Commands):
    """Counts transactions per account and pair (section 3.2); without a tier nothing is counted."""

    tier: Tier | None

    @property
    def most_rate_count(self) -> int:
        """The engine counter's threshold of the tier; the middle one's where nothing is counted."""
        return (self.tier or TIERS["intermediate"]).engine_calls

    def rate_count(self, account_id: str, symbol: str) -> Decimal:
        """The engine's counter of this account and pair now, in calls."""
        if self.tier is None:
            return Decimal(0)
        return self._floor.rates.count(account_id, symbol, self.now(), self.tier)

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
        tier = self.tier
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

    def _charge_cancels(self, orders: Iterable[OrderView], now: int) -> None:
        """By the age of each, once they are cancelled: that is counted however much it is."""
        if self.tier is None:
            return
        for order in orders:
            cost = self._cost("cancel", order, now)
            self._floor.rates.add(order.account_id, order.symbol, cost, now, self.tier)

    def _check_cancel(self, orders: Iterable[OrderView], now: int) -> None:
        """Whether a single cancel may be, where it is not always let through."""
        if self.tier is None or not self.quirks.refuses_cancels:
            return
        for order in orders:
            cost = self._cost("cancel", order, now)
            self._floor.rates.check(order.account_id, order.symbol, cost, now, self.tier)

    def _charge_cancel_all(self, orders: Iterable[OrderView], now: int) -> None:
        """A call for each account and pair of these orders."""
        if self.tier is None:
            return
        for account_id, symbol in {(order.account_id, order.symbol) for order in orders}:
            self._floor.rates.add(account_id, symbol, CALL, now, self.tier)

    @staticmethod
    def _cost(kind: Kind, order: OrderView, now: int) -> int:
        """By the time since the order was created or last amended."""
        changed_at = order.opened_at if order.amended_at is None else order.amended_at
        return engine_cost(kind, now - changed_at)
