"""Whether an entry was repriced beyond what its first order allows, by the exchange's log."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from chaos_world import Chronicle, Trial
from zoe_tools.domain.money import BASIS_POINT
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.events import OrderEvent

_ROOM = Decimal("1.01")
"""A step is a part of the mid price, which is a little above the first limit."""


def too_dear(trial: Trial, chronicle: Chronicle) -> Iterator[str]:
    """Every repricing beyond all steps of the ladder from the first limit, in a sentence."""
    policy = trial.policy
    steps = policy.max_reprice_attempts * (policy.max_reprice_attempts + 1) // 2
    reach = 1 + policy.reprice_step_bps * BASIS_POINT * steps * _ROOM
    worst: dict[str, Decimal] = {}
    for each in chronicle.events:
        if not isinstance(each, OrderEvent) or each.order.side != "buy":
            continue
        order, limit = each.order, each.order.limit_price
        if limit is None:
            continue
        if each.kind == "new":
            worst[order.order_id] = limit * reach + 2 * spec_named(order.symbol).tick_size
        elif each.kind == "amended" and limit > worst.get(order.order_id, limit):
            yield (
                f"entry {order.order_id} of {order.symbol} was repriced to {limit},"
                f" {worst[order.order_id]:f} is the worst of its ladder"
            )
