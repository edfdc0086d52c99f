"""How long fills stood without a stop: counted by bound, and never told as less than it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.core.protection_times import BOUNDS_MS, ProtectionTimes, sentence

TIMES = st.lists(st.integers(min_value=-5, max_value=400_000), max_size=60)


def times_of(took: list[int]) -> ProtectionTimes:
    """So many fills."""
    times = ProtectionTimes()
    for each in took:
        times = times.with_one(each)
    return times


@given(took=TIMES, percent=st.integers(min_value=1, max_value=100))
def test_a_share_is_told_by_a_bound_that_holds_it(took: list[int], percent: int) -> None:
    """So many percent took no longer, and the bound is no longer than the slowest."""
    times = times_of(took)
    bound = times.within_ms(percent)

    assert times.fills == len(took) == sum(times.by_bound().values())
    assert sum(max(0, each) <= bound for each in took) * 100 >= percent * len(took)
    assert bound <= times.longest_ms == max([0, *took])


def test_each_bound_belongs_to_the_count_below_it() -> None:
    """Two seconds are within two seconds."""
    times = times_of([*BOUNDS_MS, BOUNDS_MS[-1] + 1])

    assert times.counts == (1,) * (len(BOUNDS_MS) + 1)


@pytest.mark.parametrize(
    ("took", "told"),
    [
        ([], "no fill to protect yet"),
        ([12], "1 fill, within 12 ms"),
        ([999, 1500, 2000], "3 fills, half of them within 2 s, 99 % within 2 s, the slowest 2 s"),
        ([7, 42], "2 fills, half of them within 10 ms, 99 % within 42 ms, the slowest 42 ms"),
    ],
)
def test_people_are_told_in_a_sentence(took: list[int], told: str) -> None:
    """With the unit."""
    assert sentence(times_of(took).told()) == told
