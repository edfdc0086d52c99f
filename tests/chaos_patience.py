"""Whether the order desk's orders lived no longer than its ladder, by the exchange's own log."""

from __future__ import annotations

from collections.abc import Iterator

from chaos_excuses import excuses, uncovered_s
from chaos_world import Chronicle, Trial
from zoe_tools.core.reprice import longest_life_s
from zoe_tools.domain.policy import Policy
from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

ACTS_WITHIN_S = 5.0
"""From the end of an order's time until something is done about it: some turns of the loop."""

_ENDS = frozenset({"filled", "canceled", "expired"})


def overlong(trial: Trial, chronicle: Chronicle) -> Iterator[str]:
    """Every order that worked when its desk should have ended it, in a sentence.

    Entries are given up, exits go to the market. A stop rests for as long as it protects.
    """
    explained = excuses(chronicle)
    began: dict[str, int] = {}
    working: dict[str, OrderView] = {}
    for each in chronicle.events:
        if not isinstance(each, OrderEvent) or each.order.trigger_price is not None:
            continue
        name = each.order.order_id
        if each.kind in _ENDS:
            working.pop(name, None)
            yield from _judged(trial, each.order, began.pop(name, each.at), each.at, explained)
        elif name not in began:
            began[name], working[name] = each.at, each.order
    end = chronicle.lives[-1][1]
    for name, order in working.items():
        yield from _judged(trial, order, began[name], end, explained)


def _judged(
    trial: Trial, order: OrderView, since: int, until: int, explained: list[tuple[int, int]]
) -> Iterator[str]:
    allowed_s = _allowed_s(trial.policy, order) + ACTS_WITHIN_S
    if (until - since) / NS <= allowed_s:
        return
    lived_s = uncovered_s(since, until, explained)
    if lived_s > allowed_s:
        yield (
            f"{order.side} order {order.order_id} of {order.symbol} worked for {lived_s:.1f} s"
            f" from {since}, {allowed_s:.0f} s are allowed"
        )


def _allowed_s(policy: Policy, order: OrderView) -> float:
    """Its time to live, once for each repricing; an exit's once more, where the collar is."""
    if order.side == "buy":
        return longest_life_s(policy)
    return policy.order_ttl_exit_s * (policy.max_reprice_attempts + 2)
