"""When a lost wire is tried again: soon at first, then patiently, and never near the ban."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON
from zoe_tools.kraken.reconnect import (
    FASTEST_S,
    MOST_TRIES,
    SLOWEST_S,
    WINDOW,
    AttemptBudget,
    ReconnectPolicy,
)


def later(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def test_two_tries_are_fast_and_the_rest_take_five_to_thirty_seconds() -> None:
    """kraken-spot section 13.6."""
    policy = ReconnectPolicy(random.Random(1))
    delays = [policy.delay_s(later(100 * number)) for number in range(40)]

    assert delays[:2] == [0.0, 0.0]
    assert all(FASTEST_S <= delay <= SLOWEST_S for delay in delays[2:])
    assert len(set(delays[2:])) == len(delays[2:])
    assert max(delays) > 20


@pytest.mark.parametrize(("up_s", "is_fresh"), [(1.0, False), (59.0, False), (60.0, True)])
def test_only_a_wire_that_stayed_up_for_a_minute_starts_over(
    up_s: float, *, is_fresh: bool
) -> None:
    """One that comes and goes is tried ever more patiently."""
    policy = ReconnectPolicy(random.Random(1))
    now = NOON
    for _ in range(4):
        now += timedelta(seconds=policy.delay_s(now))
        policy.connected(now)
        now += timedelta(seconds=up_s)

    assert (policy.delay_s(now) == 0.0) == is_fresh


def test_the_venue_may_ask_for_more() -> None:
    """A lockout of fifteen minutes is waited out."""
    policy = ReconnectPolicy(random.Random(1))

    assert policy.delay_s(NOON, at_least_s=900.0) == 900.0


Losses = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0.0, 40.0), st.booleans()), min_size=150, max_size=400
)


@given(Losses, st.integers(0, 2**16))
def test_two_wires_together_never_exceed_the_budget_of_one_address(
    losses: list[tuple[int, float, bool]], seed: int
) -> None:
    """Whatever comes and goes: at most 120 attempts in any ten minutes."""
    budget = AttemptBudget()
    rng = random.Random(seed)
    policies = [ReconnectPolicy(rng, budget), ReconnectPolicy(rng, budget)]
    free_at = [NOON, NOON]
    tries: list[datetime] = []
    for which, lived_s, was_up in losses:
        now = free_at[which]
        delay = policies[which].delay_s(now)
        at = now + timedelta(seconds=delay)
        tries.append(at)
        if was_up:
            policies[which].connected(at)
        free_at[which] = at + timedelta(seconds=lived_s)
    tries.sort()

    for first, one_too_many in zip(tries, tries[MOST_TRIES:], strict=False):
        assert one_too_many - first >= WINDOW - timedelta(microseconds=MOST_TRIES)


def test_a_full_budget_makes_even_a_fast_try_wait() -> None:
    """The window, not the patience of one wire, decides."""
    budget = AttemptBudget()
    for _ in range(MOST_TRIES):
        budget.spend(NOON)
    policy = ReconnectPolicy(random.Random(1), budget)

    assert policy.delay_s(later(10)) == WINDOW.total_seconds() - 10
