"""What the order commands of an account cost at the engine's counters, where it has a tier."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from zoe_tools.paper.exchange_base import Commands
from zoe_tools.paper.order import AmendOrder, EditOrder, OrderView
from zoe_tools.paper.rate_counters import (
    CALL,
    TIERS,
    Kind,
    Tier,
    batch_cost,
    engine_cost,
)


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

    def _charge(self, account_id: str, symbol: str, cost: int, now: int) -> None:
        """Count what may be refused.

        Raises:
            Refusal: `EOrder:Rate limit exceeded`.
        """
        if self.tier is not None and symbol in self._floor.pairs:
            self._floor.rates.charge(account_id, symbol, cost, now, self.tier)

    def _charge_add(self, account_id: str, symbol: str, now: int) -> None:
        self._charge(account_id, symbol, engine_cost("add"), now)

    def _charge_batch(self, account_id: str, symbols: Iterable[str], now: int) -> None:
        """Half a call for each order; a batch is of one pair, so the first one's is charged."""
        named = tuple(symbols)
        if named:
            self._charge(account_id, named[0], batch_cost(len(named)), now)

    def _charge_amend(self, account_id: str, request: AmendOrder, now: int) -> None:
        """By the age of the order; one that is not there is nobody's pair."""
        account = self._floor.account(account_id)
        order = account.find_open(order_id=request.order_id, cl_ord_id=request.cl_ord_id)
        if order is not None:
            self._charge(account_id, order.symbol, self._cost("amend", order, now), now)

    def _charge_edit(self, account_id: str, request: EditOrder, now: int) -> None:
        """By the age of the order; what names none costs the fixed part."""
        account = self._floor.account(account_id)
        order = account.open.get(request.order_id or "")
        cost = engine_cost("edit") if order is None else self._cost("edit", order, now)
        self._charge(account_id, request.symbol, cost, now)

    def _charge_cancels(self, orders: Iterable[OrderView], now: int) -> None:
        """By the age of each: cancels are counted, never refused. Before they are carried out."""
        if self.tier is None:
            return
        for order in orders:
            cost = self._cost("cancel", order, now)
            self._floor.rates.add(order.account_id, order.symbol, cost, now, self.tier)

    def _charge_cancel_all(self, account_id: str, now: int) -> None:
        """A call for each pair with orders."""
        if self.tier is None:
            return
        for symbol in {order.symbol for order in self._floor.account(account_id).open.values()}:
            self._floor.rates.add(account_id, symbol, CALL, now, self.tier)

    def _cost(self, kind: Kind, order: OrderView, now: int) -> int:
        trail = self._floor.account(order.account_id).amends.get(order.order_id)
        return engine_cost(kind, now - (trail[-1].at if trail else order.opened_at))
