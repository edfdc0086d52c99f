"""Writes down what was decided, and, in shadow, what would have been sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.money import ZERO, plain
from zoe_tools.domain.plan import PlaceOrder
from zoe_tools.store.store import Transaction


def write_decisions(transaction: Transaction, at: datetime, decisions: Sequence[Decision]) -> None:
    """Each with its reason and the features it was made from."""
    for decision in decisions:
        details = {"reason": decision.reason, **dict(decision.features)}
        transaction.record_decision(at, decision.symbol, decision.action, details)


def write_would_be(transaction: Transaction, at: datetime, orders: Sequence[PlaceOrder]) -> None:
    """Orders as they would have been sent."""
    for step in orders:
        request = step.request
        transaction.record_decision(
            at,
            request.symbol,
            "would_place",
            {
                "side": request.side.value,
                "order_type": request.order_type.value,
                "quantity": plain(request.quantity),
                "limit_price": plain(request.limit_price or ZERO),
                "reason": step.reason,
            },
        )
