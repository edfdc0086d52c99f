"""The two counters: what a call costs, and when the next one fits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.limits import (
    TIERS,
    CallCounter,
    Transaction,
    engine_cost,
    engine_counter,
    rest_cost,
    rest_counter,
    tier_of,
)


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
def test_what_a_private_call_costs(method: str, by_client_id: bool, expected: float) -> None:  # noqa: FBT001 - a column of the table
    """History costs two, orders cost nothing here, everything else one."""
    assert expected == rest_cost(method, by_client_id=by_client_id)


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
    transaction: Transaction, age_s: float, expected: float
) -> None:
    """The table of kraken-spot section 3.2, its worked example among the rows."""
    assert expected == engine_cost(transaction, age_s=age_s)


def test_the_venues_own_example_of_the_engine_counter() -> None:
    """Intermediate: 50 adds at once, then 10 s idle, leave 26.6."""
    counter = engine_counter(tier_of("intermediate"))
    for _ in range(50):
        counter = counter.after(NOON, engine_cost("add"))

    assert counter.level(NOON + timedelta(seconds=10)) == pytest.approx(26.6)


def test_seven_fresh_cancels_pass_the_starters_threshold() -> None:
    """Section 17.7: 7 orders at 0 s, all cancelled at 2 s, count 61."""
    counter = engine_counter(TIERS["starter"])
    for _ in range(7):
        counter = counter.after(NOON, engine_cost("add"))
    later = NOON + timedelta(seconds=2)
    for _ in range(6):
        counter = counter.after(later, engine_cost("cancel", age_s=2))

    assert counter.wait_s(later, engine_cost("cancel", age_s=2)) == pytest.approx(1.0)


def test_a_starter_has_fifteen_calls_and_then_one_every_three_seconds() -> None:
    """Section 17.7."""
    counter = rest_counter(TIERS["starter"])
    for _ in range(15):
        assert counter.wait_s(NOON, 1) == 0
        counter = counter.after(NOON, 1)

    assert counter.wait_s(NOON, 1) == pytest.approx(3.03, abs=0.01)


@given(
    st.lists(st.tuples(st.floats(0, 60), st.sampled_from([1.0, 2.0])), max_size=40),
    st.sampled_from(sorted(TIERS)),
)
def test_whoever_waits_as_told_never_passes_the_maximum(
    calls: list[tuple[float, float]], tier: str
) -> None:
    """The promise of `wait_s`."""
    counter, now = rest_counter(TIERS[tier]), NOON
    for idle_s, cost in calls:
        now += timedelta(seconds=idle_s)
        now += timedelta(seconds=counter.wait_s(now, cost))
        counter = counter.after(now, cost)

        assert counter.level(now) <= counter.maximum + 1e-4


def test_a_clock_that_steps_back_forgives_nothing() -> None:
    """A negative age counts as none."""
    counter = CallCounter(maximum=15, decay=0.33).after(NOON, 5)

    assert counter.level(NOON - timedelta(hours=1)) == 5


def test_an_unknown_tier_is_a_setting_to_fix() -> None:
    """The hint lists the three."""
    with pytest.raises(ConfigError) as raised:
        tier_of("gold")

    assert raised.value.hint == "KRAKEN_TIER is one of starter, intermediate, pro."
