"""What a step asks of margin; a step without leverage in it never does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal

from zoe_tools.paper.engine.book import PairBook
from zoe_tools.paper.engine.records import Records
from zoe_tools.paper.values.order import OrderView


class MarginHooks(Records, ABC):
    """Where a step leaves off for an order with leverage, and goes on after it."""

    @abstractmethod
    def _hold_margin(self, order: OrderView) -> None:
        """Hold what it needs."""

    @abstractmethod
    def _on_margin(self, order: OrderView) -> OrderView:
        """Before it trades; it may end."""

    @abstractmethod
    def _closable(self, order: OrderView) -> Decimal:
        """How much of positions it could close."""

    @abstractmethod
    def _cut(self, order: OrderView) -> OrderView:
        """A reducing order that comes to rest, no larger than what it can close."""

    @abstractmethod
    def _can_carry(
        self, book: PairBook, order: OrderView, price: Decimal, quantity: Decimal
    ) -> bool:
        """Whether there is margin for such a fill."""

    @abstractmethod
    def _fill_on_margin(
        self,
        book: PairBook,
        order: OrderView,
        price: Decimal,
        quantity: Decimal,
        public_id: int,
        *,
        is_maker: bool,
    ) -> OrderView:
        """Execute part of an order with leverage."""

    @abstractmethod
    def _watch_margin(self) -> None:
        """Prices may have moved against somebody."""
