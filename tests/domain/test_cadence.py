"""Cadence: a replay stretches every period by the same factor and never shortens one."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.domain.cadence import Cadence


@given(st.floats(min_value=1, max_value=1e6))
def test_stretching_keeps_the_proportions(factor: float) -> None:
    """Every field takes part, so no period is forgotten when one is added."""
    live = astuple(Cadence())

    assert astuple(Cadence().stretched(factor)) == tuple(each * factor for each in live)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0, -3.0])
def test_nothing_ever_runs_faster_than_live(factor: float) -> None:
    """A factor of one or less leaves the live periods."""
    assert Cadence().stretched(factor) == Cadence()
