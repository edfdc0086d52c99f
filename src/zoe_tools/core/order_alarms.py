"""What of the orders somebody should know: one that is stuck, a venue that refuses time after time.

Both are told by the books alone, so that they are found beside a loop that is dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from zoe_tools.core.reprice import attempts_used
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.policy import Policy

STUCK_AFTER = timedelta(minutes=5)
REJECTIONS_WITHIN = timedelta(minutes=10)
REJECTIONS_OF_INSTRUMENT = 3
REJECTIONS_OF_ACCOUNT = 6
"""Over all instruments together."""


def stuck_orders(
    orders: Iterable[OrderRecord], now: datetime, policy: Policy
) -> tuple[OrderRecord, ...]:
    """The desk's orders that work for more than five minutes and have used up their attempts.

    By design there is none: it was cancelled with its last attempt, or somebody could not.
    """
    return tuple(
        order
        for order in orders
        if order.group_id is not None
        and not order.status.is_terminal
        and now - order.created_at > STUCK_AFTER
        and (attempts_used(order, now) or 0) >= policy.max_reprice_attempts
    )


def rejections(refusals: Iterable[Intent], now: datetime) -> Mapping[Symbol, int]:
    """How many orders the venue refused within the last ten minutes, by instrument."""
    found: dict[Symbol, int] = {}
    for each in refusals:
        if each.kind is IntentKind.PLACE and each.created_at > now - REJECTIONS_WITHIN:
            found[each.symbol] = found.get(each.symbol, 0) + 1
    return found


def refused_too_often(symbol: Symbol, refusals: Sequence[Intent], now: datetime) -> int:
    """How many refusals keep an instrument from being entered: its own, or all; 0: none does."""
    counts = rejections(refusals, now)
    if counts.get(symbol, 0) >= REJECTIONS_OF_INSTRUMENT:
        return counts[symbol]
    total = sum(counts.values())
    return total if total >= REJECTIONS_OF_ACCOUNT else 0
