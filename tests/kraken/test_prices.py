"""What a plan costs and how long it waits, told before it runs, and then held to what happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_request, make_stop_request, place, plan_with
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, Plan, SetTradingState, VenueStep
from zoe_tools.domain.rate_cost import PlanRateCost, RateCost, VenueRead
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.kraken.limits import (
    CALL,
    TIERS,
    CallCounter,
    Counters,
    engine_counter,
    rest_counter,
)
from zoe_tools.kraken.prices import Standing, priced

ORDER = VenueOrderId("OQCLML-BW3P3-BUCMWZ")
STARTER = TIERS["starter"]
CANCEL = CancelOrder(venue_order_id=ORDER, symbol=BTC, reason="r")
ENTRY = place()
STOP = place(make_stop_request())
SALE = place(make_request(side=Side.SELL, purpose="exit"))
TRAIL = AmendOrder(
    amendment=OrderAmendment(venue_order_id=ORDER, symbol=BTC, trigger_price=d("1")), reason="r"
)
REPRICE = AmendOrder(
    amendment=OrderAmendment(venue_order_id=ORDER, symbol=BTC, limit_price=d("1")), reason="r"
)

REPRICED_EXIT = AmendOrder(
    amendment=OrderAmendment(venue_order_id=ORDER, symbol=BTC, limit_price=d("1"), ends_risk=True),
    reason="r",
)


def standing(
    *, rest: int = 0, engine: int = 0, age_s: float | None = None, silent_s: int = 0
) -> Standing:
    """A starter's key with so many calls on its counters, and the order so many seconds old."""
    counters = Counters(
        rest=rest_counter(STARTER).after(NOON, rest * CALL),
        engine={BTC: engine_counter(STARTER).after(NOON, engine * CALL)},
    )
    ages = {} if age_s is None else {ORDER: age_s}
    return Standing(tier=STARTER, counters=counters, ages_s=ages, silent_us=silent_s * 1_000_000)


def nothing(_: VenueStep) -> Sequence[VenueRead]:
    """A stream proves the steps."""
    return ()


def the_order(_: VenueStep) -> Sequence[VenueRead]:
    """A look at the order proves it."""
    return (VenueRead.ORDERS,)


def price(
    plan: Plan,
    at: Standing,
    looks: Sequence[VenueRead] = (),
    proofs: Callable[[VenueStep], Sequence[VenueRead]] = nothing,
) -> Plan:
    """The plan priced at noon."""
    return priced(plan, looks=looks, proofs=proofs, standing=at, now=NOON)


@pytest.mark.parametrize(
    ("step", "age_s", "points"),
    [
        (ENTRY, None, "1"),
        (STOP, None, "1"),
        (TRAIL, 7, "3"),
        (TRAIL, None, "1"),
        (CANCEL, 1, "8"),
        (CANCEL, 44, "4"),
        (CANCEL, 301, "0"),
        (CANCEL, None, "0"),
    ],
)
def test_a_step_carries_what_it_costs_its_pair(
    step: VenueStep, age_s: float | None, points: str
) -> None:
    """Section 3.2, by the age of the order; one that nobody knows is taken to be old."""
    plan = price(plan_with(step), standing(age_s=age_s), proofs=the_order)

    cost = RateCost(rest=Decimal(1), engine=Decimal(points), symbol=BTC)
    assert [each.rate_cost for each in plan.steps if isinstance(each, VenueStep)] == [cost]


def test_a_plan_sums_up_looks_steps_and_proofs() -> None:
    """Two looks and three proofs on the key's counter, each pair's transactions on its own."""
    ether = place(make_request(symbol=ETH))
    halt = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="r")
    plan = price(
        plan_with(halt, ENTRY, CANCEL, ether),
        standing(age_s=20),
        looks=(VenueRead.OPEN_ORDERS, VenueRead.FILLS),
        proofs=the_order,
    )

    assert plan.rate_cost == PlanRateCost(
        rest=Decimal(6), engine=((BTC, Decimal(5)), (ETH, Decimal(1)))
    )
    assert plan.steps[0] == halt


@pytest.mark.parametrize("step", [STOP, SALE, TRAIL, CANCEL, REPRICED_EXIT])
def test_a_full_budget_holds_up_no_cancel_and_no_protection(step: VenueStep) -> None:
    """The pair's counter is at its maximum; what ends risk waits for nothing."""
    plan = price(plan_with(step), standing(engine=60, age_s=1))

    assert plan.rate_cost is not None
    assert plan.rate_cost.wait_s == 0


@pytest.mark.parametrize("step", [ENTRY, REPRICE])
def test_new_risk_is_told_how_long_it_waits(step: VenueStep) -> None:
    """At 60 of 60, with 20 kept free, a starter's entry waits until 39 are left: 21 s."""
    plan = price(plan_with(step), standing(engine=60))

    assert plan.rate_cost is not None
    assert plan.rate_cost.wait_s == 21


def test_a_pause_that_the_venue_asked_for_is_part_of_the_wait() -> None:
    """Throttled for seven seconds, in which the counters go on to empty."""
    plan = price(plan_with(ENTRY), standing(engine=60, silent_s=7))

    assert plan.rate_cost is not None
    assert plan.rate_cost.wait_s == 21


def test_a_plan_for_the_store_alone_costs_nothing() -> None:
    """No look, no transaction: the venue does not hear of it."""
    halt = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="r")
    plan = price(plan_with(halt), standing(rest=15), looks=(VenueRead.OPEN_ORDERS,))

    assert plan.rate_cost == PlanRateCost()


def test_the_wait_told_is_the_wait_that_the_counters_make() -> None:
    """Forty cancels and entries from any standing: stepped by hand they wait as long as told."""
    for rest, engine in ((0, 0), (10, 30), (15, 60)):
        at = standing(rest=rest, engine=engine, age_s=2)
        steps = [each for _ in range(10) for each in (ENTRY, CANCEL, STOP, REPRICE)]
        told = price(plan_with(*steps), at, proofs=the_order).rate_cost
        assert told is not None
        assert abs(float(told.wait_s) - _walked(at, steps)) < 0.001


def _walked(at: Standing, steps: Sequence[Any]) -> float:
    """Seconds, by letting time pass in hundredths until each call fits. Costs as told."""
    now, waited = NOON, timedelta()
    rest, engine = at.counters.rest, at.counters.engine[BTC]
    one = plan_with(*steps)
    for step in price(one, at, proofs=the_order).steps:
        assert isinstance(step, VenueStep)
        assert step.rate_cost is not None
        cost = int(step.rate_cost.engine * CALL)
        if step in (ENTRY, REPRICE):
            now, waited = _until(now, waited, engine, cost + 15 * CALL)
        engine = engine.after(now, cost)
        now, waited = _until(now, waited, rest, 2 * CALL)
        rest = rest.after(now, CALL)
    return waited.total_seconds()


def _until(now: Any, waited: timedelta, counter: CallCounter, room: int) -> tuple[Any, timedelta]:
    """The first microsecond at which there is room, by halving."""
    low, high = 0, 120_000_000
    while low < high:
        middle = (low + high) // 2
        fits = counter.level(now + timedelta(microseconds=middle)) + room <= counter.maximum
        low, high = (low, middle) if fits else (middle + 1, high)
    step = timedelta(microseconds=low)
    return now + step, waited + step


def test_pricing_changes_nothing_of_the_plan() -> None:
    """Same steps, same hash; only the costs are new."""
    plan = plan_with(ENTRY, CANCEL)

    assert price(plan, standing()) == plan
    assert price(plan, standing()).plan_hash == plan.plan_hash
    assert replace(ENTRY, rate_cost=RateCost(rest=Decimal(9))) == ENTRY
