"""A growing position: its stop does not change with each fill, and no fill waits for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_instrument, make_position, make_quote, make_stop
from zoe_tools.core.protection import GATHER_S, Held, grows_at, protect
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.plan import AmendOrder, PlaceOrder
from zoe_tools.domain.policy import Policy

FILL = d("0.001")
POSITION = make_position(quantity=FILL)
"""As it is after the first fill."""


def after(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def held(fills: int, stops: list[OrderRecord], at: float, since: float | None) -> Held:
    """So many fills, and since when they are more than the stop covers."""
    return Held(
        position=make_position(quantity=FILL * fills, stop_price=d("58800.0")),
        instrument=make_instrument(),
        policy=Policy(),
        working=stops,
        quote=make_quote(),
        at=after(at),
        growing_since=None if since is None else after(since),
    )


@pytest.mark.parametrize(
    ("changed_s", "since_s", "at_s", "grows"),
    [
        (0, 0.3, 0.3, False),
        (0, 0.3, 0.99, False),
        (0, 0.3, 1.0, True),
        (0, 1.0, 1.0, True),  # it has stood for a second: at once
        (0, 60, 60, True),
        (0.6, 0.3, 1.2, False),  # told of again meanwhile
        (0.6, 0.3, 1.3, True),  # which holds nothing up for longer
        (900, 0.3, 1.3, True),  # the venue's clock is ahead
        (0, 0.3, -900, True),  # ours was set back
        (0, None, 0.3, True),  # a command, and an orderly end, gather nothing
    ],
)
def test_a_stop_that_has_just_changed_waits_a_moment_to_grow(
    changed_s: float,
    since_s: float | None,
    at_s: float,
    grows: bool,  # noqa: FBT001 - a table
) -> None:
    """A second at most from the fill on, whatever is told of the stop, and whatever clocks do."""
    rests = make_stop(POSITION, updated_at=after(changed_s))

    assert bool(list(protect(held(2, [rests], at_s, since_s)))) is grows


@pytest.mark.parametrize("is_gathering", [True, False])
def test_what_is_too_much_goes_at_once(
    is_gathering: bool,  # noqa: FBT001 - a table
) -> None:
    """A stop beyond the position would sell coins that are nobody's here."""
    rests = make_stop(POSITION, quantity=FILL * 3)
    (step,) = protect(held(2, [rests], 0.1, 0.1 if is_gathering else None))

    assert isinstance(step, AmendOrder)


@given(pauses=st.lists(st.integers(min_value=0, max_value=2500), min_size=1, max_size=30))
def test_bursts_of_fills_cost_one_change_a_second_and_none_waits_longer(
    pauses: list[int],
) -> None:
    """Turns are taken at each fill, and when a stop that waits is to grow."""
    moments = [sum(pauses[: index + 1]) / 1000 for index in range(len(pauses))]
    stops: list[OrderRecord] = []
    covered_at: list[float] = []
    changes: list[float] = []
    since: float | None = None
    fills = 0
    ahead = list(moments)
    while len(covered_at) < len(moments):
        due = None
        if since is not None:
            due = (grows_at(stops[0], since=after(since)) - NOON).total_seconds()
        at = (
            min(ahead[0], due)
            if ahead and due is not None
            else due
            if due is not None
            else ahead[0]
        )
        while ahead and ahead[0] <= at:
            ahead.pop(0)
            fills += 1
        if stops and fills > len(covered_at) and since is None:
            since = at
        for step in protect(held(fills, stops, at, since)):
            assert isinstance(step, PlaceOrder | AmendOrder)
            stops = [make_stop(POSITION, quantity=FILL * fills, updated_at=after(at))]
            changes.append(at)
            covered_at += [at] * (fills - len(covered_at))
            since = None

    waits = [covered - filled for covered, filled in zip(covered_at, moments, strict=True)]
    assert max(waits) <= GATHER_S + 1e-6
    assert all(later - earlier >= GATHER_S - 1e-6 for earlier, later in pairwise(changes))
    assert replace(stops[0], updated_at=NOON).quantity == FILL * len(moments)
