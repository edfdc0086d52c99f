"""How long something has lasted, in words."""

from __future__ import annotations

import pytest

from zoe_tools.domain.ages import lasted


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_says_enough(seconds: float, told: str) -> None:
    """A unit is used from two of it on."""
    assert lasted(seconds) == told
