"""Whether an entry was repriced beyond what its first order allows, by the exchange's log.

By amendment, or by another order in the place of one that was cancelled: which orders belong
together, the books tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from chaos_world import Chronicle, Trial
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import BASIS_POINT
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.events import OrderEvent

_ROOM = Decimal("1.01")
"""A step is a part of the mid price, which is a little above the first limit."""


def too_dear(trial: Trial, chronicle: Chronicle, records: Sequence[OrderRecord]) -> Iterator[str]:
    """Every repricing beyond all steps of the ladder from the first limit, in a sentence."""
    policy = trial.policy
    steps = policy.max_reprice_attempts * (policy.max_reprice_attempts + 1) // 2
    reach = 1 + policy.reprice_step_bps * BASIS_POINT * steps * _ROOM
    groups = {str(each.client_order_id): str(each.group_id) for each in records}
    worst: dict[str, Decimal] = {}
    for each in chronicle.events:
        if not isinstance(each, OrderEvent) or each.order.side != "buy":
            continue
        order, limit = each.order, each.order.limit_price
        if limit is None or each.kind not in ("new", "amended"):
            continue
        group = groups.get(str(order.cl_ord_id), order.order_id)
        if group not in worst:
            worst[group] = limit * reach + 2 * spec_named(order.symbol).tick_size
        elif limit > worst[group]:
            yield (
                f"entry {order.order_id} of {order.symbol} was repriced to {limit},"
                f" {worst[group]:f} is the worst of its ladder"
            )
