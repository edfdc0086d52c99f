"""The two counters: what a call costs, and when the next one fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.order import OrderName
from zoe_tools.errors import ConfigError, VenueThrottled
from zoe_tools.kraken.budgets import Budgets
from zoe_tools.kraken.limits import (
    CALL,
    TIERS,
    Counters,
    PlannedCall,
    Transaction,
    call_costs,
    engine_cost,
    engine_counter,
    reserved_room,
    rest_cost,
    rest_counter,
    tier_of,
)
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.transactions import Transactions
from zoe_tools.ports import Urgency
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual


@pytest.mark.parametrize(
    ("method", "by_client_id", "expected"),
    [
        ("BalanceEx", False, 1),
        ("OpenOrders", False, 1),
        ("OpenOrders", True, 2),
        ("ClosedOrders", True, 2),
        ("Ledgers", False, 2),
        ("TradesHistory", False, 2),
        ("AddOrder", True, 0),
        ("CancelOrderBatch", False, 0),
    ],
)
def test_what_a_private_call_costs(method: str, by_client_id: bool, expected: int) -> None:  # noqa: FBT001 - a column of the table
    """History costs two, orders cost nothing here, everything else one."""
    assert expected * CALL == rest_cost(method, by_client_id=by_client_id)


@pytest.mark.parametrize(
    ("transaction", "age_s", "expected"),
    [
        ("add", 0, 1),
        ("amend", 0, 4),
        ("amend", 7, 3),
        ("amend", 14.9, 2),
        ("amend", 15, 1),
        ("cancel", 2, 8),
        ("cancel", 8, 6),
        ("cancel", 36, 4),
        ("cancel", 299, 1),
        ("cancel", 300, 0),
    ],
)
def test_young_orders_are_dear_to_change(
    transaction: Transaction, age_s: float, expected: int
) -> None:
    """The table of kraken-spot section 3.2, its worked example among the rows."""
    assert expected * CALL == engine_cost(transaction, age_s=age_s)


def test_the_venues_own_example_of_the_engine_counter() -> None:
    """Intermediate: 50 adds at once, then 10 s idle, leave 26.6."""
    counter = engine_counter(tier_of("intermediate"))
    for _ in range(50):
        counter = counter.after(NOON, engine_cost("add"))

    assert counter.level(NOON + timedelta(seconds=10)) == 266 * CALL // 10


def test_seven_fresh_cancels_pass_the_starters_threshold() -> None:
    """Section 17.7: 7 orders at 0 s, all cancelled at 2 s, count 61."""
    counter = engine_counter(TIERS["starter"])
    for _ in range(7):
        counter = counter.after(NOON, engine_cost("add"))
    later = NOON + timedelta(seconds=2)
    for _ in range(6):
        counter = counter.after(later, engine_cost("cancel", age_s=2))

    assert counter.wait_s(later, engine_cost("cancel", age_s=2)) == 1.0


def test_a_starter_has_fifteen_calls_and_then_one_every_three_seconds() -> None:
    """Section 17.7."""
    counter = rest_counter(TIERS["starter"])
    for _ in range(15):
        assert counter.wait_s(NOON, CALL) == 0
        counter = counter.after(NOON, CALL)

    assert counter.wait_s(NOON, CALL) == 3.030304


@given(
    st.lists(st.tuples(st.floats(0, 60), st.sampled_from([CALL, 2 * CALL])), max_size=40),
    st.sampled_from(sorted(TIERS)),
)
def test_whoever_waits_as_told_never_passes_the_maximum(
    calls: list[tuple[float, int]], tier: str
) -> None:
    """The promise of `wait_s`."""
    counter, now = rest_counter(TIERS[tier]), NOON
    for idle_s, cost in calls:
        now += timedelta(seconds=idle_s)
        now += timedelta(seconds=counter.wait_s(now, cost))
        counter = counter.after(now, cost)

        assert counter.level(now) <= counter.maximum


def test_a_clock_that_steps_back_forgives_nothing() -> None:
    """A negative age counts as none."""
    counter = rest_counter(TIERS["starter"]).after(NOON, 5)

    assert counter.level(NOON - timedelta(hours=1)) == 5


def test_an_unknown_tier_is_a_setting_to_fix() -> None:
    """The hint lists the three."""
    with pytest.raises(ConfigError) as raised:
        tier_of("gold")

    assert raised.value.hint == "KRAKEN_TIER is one of starter, intermediate, pro."


@given(
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 3)), max_size=60),
    st.sampled_from(sorted(TIERS)),
)
def test_however_late_a_call_arrives_the_venue_counts_no_more_than_the_client(
    calls: list[tuple[float, float, float]], tier: str
) -> None:
    """A call under way may be counted at any time until its answer is in."""
    ours = venues = rest_counter(TIERS[tier])
    now = NOON
    for idle_s, there_s, back_s in calls:
        now += timedelta(seconds=idle_s)
        now += timedelta(seconds=ours.wait_s(now, CALL))
        ours = ours.after(now, CALL)
        now += timedelta(seconds=there_s)

        assert venues.wait_s(now, CALL) == 0

        venues = venues.after(now, CALL)
        now += timedelta(seconds=back_s)
        ours = ours.settled(now, CALL)

        assert venues.level(now) <= ours.level(now)


def test_a_plan_knows_its_cost_and_its_wait_before_it_runs() -> None:
    """Ten looks of a starter after five others, then a stop and a cancel, which never wait."""
    tier = TIERS["starter"]
    counters = Counters(rest=rest_counter(tier).after(NOON, 5 * CALL))
    looks = [PlannedCall(method="BalanceEx")] * 10
    orders = [
        PlannedCall(transaction="add", symbol=Symbol("BTC/USD"), is_urgent=True),
        PlannedCall(transaction="cancel", symbol=Symbol("BTC/USD"), age_s=4, is_urgent=True),
    ]

    costs = call_costs([*looks, *orders], tier=tier, counters=counters, now=NOON)

    # The tenth look must leave the margin; the cancelled order is seven seconds old by then.
    assert [each.cost // CALL for each in costs] == [1] * 10 + [1, 6]
    assert [each.wait_us for each in costs] == [0] * 9 + [3_030_304, 0, 0]
    assert {each.symbol for each in costs[10:]} == {Symbol("BTC/USD")}


def test_new_risk_in_a_plan_waits_for_the_room_that_is_kept_for_exits() -> None:
    """A starter's pair holds 60, of which new risk leaves 20 free."""
    tier = TIERS["starter"]
    full = engine_counter(tier).after(NOON, 40 * CALL)
    counters = Counters(rest=rest_counter(tier), engine={Symbol("BTC/USD"): full})
    entry = PlannedCall(transaction="add", symbol=Symbol("BTC/USD"))
    leaving = replace(entry, is_urgent=True)

    waits = [
        call_costs([each], tier=tier, counters=counters, now=NOON)[0].wait_us
        for each in (entry, leaving)
    ]

    assert waits == [1_000_000, 0]


@pytest.mark.parametrize("name", TIERS)
def test_a_stop_and_its_growth_have_room_where_new_risk_has_none(name: str) -> None:
    """At least 20 of each tier's points: a stop, and an amendment a second for six seconds."""
    tier = TIERS[name]
    room = reserved_room(tier)
    counter = engine_counter(tier).after(NOON, tier.engine_calls * CALL - room)
    assert room >= 20 * CALL
    assert counter.wait_s(NOON, engine_cost("add") + room) > 0

    counter = counter.after(NOON, engine_cost("add"))
    for second in range(1, 7):
        at = NOON + timedelta(seconds=second)
        cost = engine_cost("amend", age_s=1)
        assert counter.wait_s(at, cost) == 0
        counter = counter.after(at, cost)


def test_a_refused_stop_leaves_the_counter_where_the_cancels_put_it() -> None:
    """Past the maximum: what the refusal proves is less than what is known already."""
    clock = VirtualClock(NOON)
    tier = tier_of("pro")
    coordination = NonceSource(clock)
    transactions = Transactions(coordination, clock, tier, urgency=Urgency.LOOP)
    symbol = Symbol("BTC/USD")

    async def counted() -> int:
        budgets = Budgets(coordination, clock, tier)
        standing = await budgets.standing()
        assert standing is not None
        return standing.engine[symbol].level(clock.now())

    async def story() -> tuple[int, int]:
        for number in range(30):
            transactions.changed(VenueOrderId(f"O{number}"), symbol)
        names = [OrderName(venue_order_id=VenueOrderId(f"O{number}")) for number in range(30)]
        async with transactions.cancelling(names):
            pass
        before = await counted()
        with pytest.raises(VenueThrottled):
            async with transactions.adding(symbol, ["a-stop"], is_urgent=True):
                raise VenueThrottled("full", code="EOrder:Rate limit exceeded")
        return before, await counted()

    before, after = run_virtual(story())

    assert (before, after) == (240 * CALL, 240 * CALL)
