"""What a plan costs at Kraken's counters, and how long they will hold it up, before it runs.

Pure: counters, ages and time are handed in (kraken-spot sections 3.1 and 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderAmendment, OrderRequest, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Plan, Step, VenueStep
from zoe_tools.domain.rate_cost import PlanRateCost, RateCost, VenueRead
from zoe_tools.kraken import limits
from zoe_tools.kraken.limits import CallCost, Counters, PlannedCall, Tier

_METHODS: Mapping[VenueRead, str] = {
    VenueRead.BALANCES: "BalanceEx",
    VenueRead.OPEN_ORDERS: "OpenOrders",
    VenueRead.CLOSED_ORDERS: "ClosedOrders",
    VenueRead.ORDERS: "QueryOrders",
    VenueRead.FILLS: "TradesHistory",
    VenueRead.LEDGER: "Ledgers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a key stands: its counters, and how old the orders are that are dear to change.

    `silent_us`: microseconds that the venue still wants to hear nothing.
    """

    tier: Tier
    counters: Counters
    ages_s: Mapping[VenueOrderId, float]
    silent_us: int = 0


def is_urgent_order(request: OrderRequest) -> bool:
    """Whether a new order may use the reserved room: on spot, stops and whatever ends risk."""
    return request.side is Side.SELL or request.order_type.is_stop


def is_urgent_change(amendment: OrderAmendment) -> bool:
    """The same of an amendment: a stop's trigger, any order's size, or an exit's price.

    A limit alone is else an entry that is priced anew.
    """
    moves_trigger = amendment.trigger_price is not None or amendment.trigger_offset is not None
    moves_limit = amendment.limit_price is not None or amendment.limit_offset is not None
    return amendment.ends_risk or moves_trigger or not moves_limit


def priced(
    plan: Plan,
    *,
    looks: Sequence[VenueRead],
    proofs: Callable[[VenueStep], Sequence[VenueRead]],
    standing: Standing,
    now: datetime,
) -> Plan:
    """As `ports.Pricing.priced` says."""
    at_venue = [step for step in plan.steps if isinstance(step, VenueStep)]
    if not at_venue:
        return replace(plan, rate_cost=PlanRateCost())
    groups = [_reads(looks)] + [
        [_transaction(step, standing.ages_s), *_reads(proofs(step))] for step in at_venue
    ]
    flat = limits.call_costs(
        [call for group in groups for call in group],
        tier=standing.tier,
        counters=standing.counters,
        now=now + timedelta(microseconds=standing.silent_us),
    )
    costs = iter(flat)
    by_group = [[next(costs) for _ in group] for group in groups]
    by_step = iter(by_group[1:])
    steps: tuple[Step, ...] = tuple(
        replace(step, rate_cost=_of_step(next(by_step))) if isinstance(step, VenueStep) else step
        for step in plan.steps
    )
    return replace(plan, steps=steps, rate_cost=_of_plan(flat, standing.silent_us))


def _reads(reads: Iterable[VenueRead]) -> list[PlannedCall]:
    return [PlannedCall(method=_METHODS[each]) for each in reads]


def _transaction(step: VenueStep, ages_s: Mapping[VenueOrderId, float]) -> PlannedCall:
    match step:
        case PlaceOrder(request=request):
            return PlannedCall(
                transaction="add", symbol=request.symbol, is_urgent=is_urgent_order(request)
            )
        case AmendOrder(amendment=change):
            return PlannedCall(
                transaction="amend",
                symbol=change.symbol,
                age_s=ages_s.get(change.venue_order_id, limits.FORGOTTEN_AFTER_S),
                is_urgent=is_urgent_change(change),
            )
        case CancelOrder(venue_order_id=order_id, symbol=symbol):
            return PlannedCall(
                transaction="cancel",
                symbol=symbol,
                age_s=ages_s.get(order_id, limits.FORGOTTEN_AFTER_S),
                is_urgent=True,
            )


def _of_step(costs: Sequence[CallCost]) -> RateCost:
    symbol = next((each.symbol for each in costs if each.symbol is not None), None)
    return RateCost(
        rest=_points(each.cost for each in costs if each.symbol is None),
        engine=_points(each.cost for each in costs if each.symbol is not None),
        symbol=symbol,
    )


def _of_plan(costs: Sequence[CallCost], silent_us: int) -> PlanRateCost:
    engine: dict[Symbol, Decimal] = {}
    for each in costs:
        if each.symbol is not None:
            engine[each.symbol] = engine.get(each.symbol, ZERO) + _points([each.cost])
    wait_us = silent_us + sum(each.wait_us for each in costs)
    return PlanRateCost(
        rest=_points(each.cost for each in costs if each.symbol is None),
        engine=tuple(engine.items()),
        wait_s=Decimal(-(-wait_us // 1_000)) / 1_000,
    )


def _points(costs: Iterable[int]) -> Decimal:
    return Decimal(sum(costs)) / limits.CALL
