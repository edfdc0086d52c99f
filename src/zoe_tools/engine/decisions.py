"""Writes down, in shadow, what would have been sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zoe_tools.domain.money import ZERO, plain
from zoe_tools.domain.plan import PlaceOrder
from zoe_tools.store.store import Transaction


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
