"""One table says which status may follow which; what a change may never do raises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import ETH, NOON, d, make_position
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import ACTIVE, Position, PositionStatus
from zoe_tools.domain.position_event import events_between
from zoe_tools.domain.position_lifecycle import (
    TRANSITIONS,
    PositionRuleBroken,
    demand_change,
    demand_transition,
)

S = PositionStatus
RUNBOOK = {
    S.PENDING: {S.OPEN, S.CANCELLED},
    S.OPEN: {S.PROTECTED, S.PARTIAL, S.EXIT_PENDING},
    S.PROTECTED: {S.PARTIAL, S.EXIT_PENDING},
    S.PARTIAL: {S.EXIT_PENDING},
    S.EXIT_PENDING: {S.CLOSED, S.PARTIAL},
}
"""The transitions that the runbook promises."""


def test_every_status_has_a_row_and_the_runbook_s_transitions_are_in_it() -> None:
    """And from everywhere an error, but from an error."""
    assert set(TRANSITIONS) == set(S)
    for before, after in RUNBOOK.items():
        assert after <= TRANSITIONS[before]
    assert {each for each in S if S.ERROR in TRANSITIONS[each]} == set(S) - {S.ERROR}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, S.PROTECTED),
        (None, S.CLOSED),
        (S.PENDING, S.CLOSED),
        (S.PENDING, S.PROTECTED),
        (S.PENDING, S.ORPHANED),
        (S.PARTIAL, S.OPEN),
        (S.PARTIAL, S.PENDING),
        (S.CLOSED, S.PENDING),
        (S.CLOSED, S.EXIT_PENDING),
        (S.CANCELLED, S.PENDING),
        (S.ORPHANED, S.PROTECTED),
        (S.ERROR, S.OPEN),
    ],
)
def test_an_undefined_transition_raises(before: S | None, after: S) -> None:
    """A pair that the table does not have."""
    with pytest.raises(PositionRuleBroken, match="cannot become"):
        demand_transition(before, after)


def test_the_same_status_again_is_no_transition() -> None:
    """Also where nothing may follow it."""
    for each in S:
        demand_transition(each, each)


HELD = make_position(
    status=S.PROTECTED,
    exit_quantity=d("0.0001"),
    stop_price=d("58800"),
    initial_quantity=d("0.0005"),
    initial_price=d("60000"),
    initial_stop_price=d("58800"),
    initial_take_profit_price=d("62400"),
)
SHORT = replace(HELD, side=Side.SELL, stop_price=d("61200"))


def changed(position: Position = HELD, **changes: Any) -> Position:
    """The position with these changes."""
    return replace(position, **changes)


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (HELD, changed(quantity=d("0.0005")), "B"),
        (HELD, changed(quantity=d("0.0003"), entry_quantity=d("0.0003")), "B"),
        (HELD, changed(quantity=d("-0.0001"), exit_quantity=d("0.0006")), "B"),
        (None, make_position(quantity=d("1"), entry_quantity=d("2")), "B"),
        (HELD, changed(initial_quantity=d("0.0006")), "C"),
        (HELD, changed(initial_price=None), "C"),
        (HELD, changed(initial_stop_price=d("58801")), "C"),
        (HELD, changed(initial_take_profit_price=d("1")), "C"),
        (HELD, changed(stop_price=d("58799.9")), "D"),
        (SHORT, changed(SHORT, stop_price=d("61200.1")), "D"),
        (HELD, changed(side=Side.SELL, stop_price=None), "E"),
        (HELD, changed(symbol=ETH), "E"),
    ],
)
def test_a_change_that_breaks_an_invariant_raises(
    before: Position | None, after: Position, rule: str
) -> None:
    """B the remainder, C what was planned at the beginning, D the stop's direction, E the side."""
    with pytest.raises(PositionRuleBroken) as caught:
        demand_change(before, after)

    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HELD, changed(stop_price=d("58800.1"))),
        (HELD, changed(stop_price=None)),
        (SHORT, changed(SHORT, stop_price=d("61199"))),
        (make_position(), make_position(initial_price=d("1"))),
        (HELD, changed(quantity=d("0.0003"), exit_quantity=d("0.0002"))),
    ],
)
def test_a_change_that_keeps_them_passes(before: Position, after: Position) -> None:
    """A stop may follow the profit, and what was not planned yet may be planned once."""
    demand_change(before, after)


def test_an_operator_s_own_step_may_loosen_a_stop() -> None:
    """And nothing else."""
    demand_change(HELD, changed(stop_price=d("1")), by_operator=True)

    with pytest.raises(PositionRuleBroken):
        demand_change(HELD, changed(initial_price=d("1")), by_operator=True)


def test_a_row_that_was_changed_by_hand_stands_in_no_fill_s_way() -> None:
    """The audit of the registry finds it; what really happened is booked all the same."""
    tampered = changed(quantity=d("5"))

    demand_change(tampered, changed(tampered, quantity=d("4.9"), exit_quantity=d("0.0002")))


def test_the_events_tell_the_difference_and_nothing_twice() -> None:
    """In order; a change that changes nothing has no event."""
    sold = changed(
        status=S.PARTIAL,
        quantity=d("0.0003"),
        exit_quantity=d("0.0002"),
        stop_price=d("59000"),
        updated_at=NOON + timedelta(seconds=1),
    )

    told = events_between(HELD, sold)
    assert [each.what for each in told] == ["left", "stop_price_set", "partial"]
    assert told[0].details == {"quantity": "0.0001", "out": "0.0002", "realised_pnl": "0"}
    assert {each.occurred_at for each in told} == {NOON + timedelta(seconds=1)}
    assert len({each.event_key for each in told}) == 3
    assert events_between(sold, sold) == ()
    assert events_between(HELD, sold) == told
    assert [each.what for each in events_between(None, make_position())] == ["begun", "entered"]


def test_what_is_over_is_not_active() -> None:
    """Four ends; what is pending is active and holds nothing."""
    assert {each for each in S if each.is_terminal} == {S.CLOSED, S.CANCELLED, S.ERROR, S.ORPHANED}
    assert {each for each in S if each.is_active} == ACTIVE
    assert [each for each in ACTIVE if not each.holds and each is not S.CANCEL_PENDING] == [
        S.PENDING
    ]
