"""A position's prices by its own story: what was written into a row by hand is not believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_position
from zoe_tools.core.position_rows import as_told, prices_changed, stop_was_lowered
from zoe_tools.domain.discrepancy import FindingKind
from zoe_tools.domain.plan import AdjustPosition
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import STOP_LOOSENED, event_of, events_between

BEFORE = make_position(
    initial_quantity=d("0.0004"), initial_price=d("60000"), updated_at=NOON, stop_price=None
)


def told(*stages: Position) -> tuple[Any, ...]:
    """The story of a position that became one stage after the other, a second apart."""
    events: list[Any] = []
    before: Position | None = None
    for second, stage in enumerate(stages):
        after = replace(stage, updated_at=NOON + timedelta(seconds=second))
        events += events_between(before, after)
        before = after
    return tuple(events)


STOPPED = replace(BEFORE, stop_price=d("58800.0"), initial_stop_price=d("58800.0"))
RAISED = replace(STOPPED, stop_price=d("59500.0"))
AIMED = replace(STOPPED, take_profit_price=d("62400.0"), initial_take_profit_price=d("62400.0"))
SOLD = replace(
    STOPPED,
    status=PositionStatus.CLOSED,
    quantity=d("0"),
    exit_quantity=STOPPED.entry_quantity,
    exit_reason="stop_loss",
)


@pytest.mark.parametrize(
    ("stages", "changes"),
    [
        ((BEFORE, STOPPED), {"stop_price": d("70000")}),
        ((BEFORE, STOPPED), {"stop_price": None}),
        ((BEFORE,), {"stop_price": d("70000")}),
        ((BEFORE, STOPPED, RAISED), {"stop_price": d("58800.0")}),
        ((BEFORE, STOPPED), {"initial_stop_price": d("1")}),
        ((BEFORE, STOPPED), {"initial_price": d("1")}),
        ((BEFORE, STOPPED), {"initial_quantity": d("9")}),
        ((BEFORE, STOPPED), {"take_profit_price": d("60001")}),
        ((BEFORE, STOPPED, AIMED), {"take_profit_price": d("99999")}),
        ((BEFORE, STOPPED, AIMED), {"initial_take_profit_price": d("99999")}),
        ((BEFORE, STOPPED, SOLD), {"exit_reason": "take_profit"}),
        ((BEFORE, STOPPED, SOLD), {"exit_reason": ""}),
    ],
)
def test_what_a_hand_wrote_into_a_row_is_told_otherwise_by_its_story(
    stages: tuple[Position, ...], changes: dict[str, Any]
) -> None:
    """The row is named, and its step puts back exactly what the story tells."""
    right = stages[-1]
    row = replace(right, **changes)

    assert as_told(row, told(*stages)) == right
    finding, (step,) = prices_changed(row, right)
    assert finding.kind is FindingKind.STORE_TAMPERED
    assert isinstance(step, AdjustPosition)
    assert (step.before, step.after, step.is_retelling) == (row, right, True)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "stop_price": st.none() | st.decimals("1", "9", places=2),
                "take_profit_price": st.none() | st.decimals("1", "9", places=2),
            }
        ),
        max_size=6,
    )
)
def test_a_row_that_only_its_own_changes_made_is_always_believed(
    changes: list[dict[str, Any]],
) -> None:
    """Whatever was set, in whichever order, one change a second."""
    stages = [BEFORE]
    for each in changes:
        last = replace(stages[-1], **each)
        stages.append(
            replace(
                last,
                initial_stop_price=last.initial_stop_price or last.stop_price,
                initial_take_profit_price=last.initial_take_profit_price or last.take_profit_price,
            )
        )

    assert as_told(stages[-1], told(*stages)) == stages[-1]


def test_prices_that_went_to_and_fro_within_a_moment_are_no_finding() -> None:
    """The same change at the same moment makes no second event."""
    back = replace(RAISED, stop_price=STOPPED.stop_price)
    events = (
        *events_between(None, BEFORE),
        *events_between(BEFORE, STOPPED),
        *events_between(STOPPED, RAISED),
    )

    assert as_told(back, events) == back


def test_a_position_that_is_older_than_its_story_is_believed() -> None:
    """What nobody wrote down cannot contradict it."""
    assert as_told(RAISED, told(BEFORE, STOPPED)[1:]) == RAISED
    assert as_told(SOLD, ()) == SOLD


def test_a_position_that_began_anew_is_held_to_its_new_story() -> None:
    """A row that was lost and adopted again has none of the old prices."""
    assert as_told(BEFORE, (*told(BEFORE, STOPPED), *told(BEFORE))) == BEFORE


def test_a_stop_is_lowered_until_somebody_sets_it_again() -> None:
    """By what was told last of its price."""
    lowered = event_of(
        BEFORE.position_id, STOP_LOOSENED, NOON, (BEFORE.status, BEFORE.status), {"price": "1"}
    )

    assert not stop_was_lowered(told(BEFORE, STOPPED))
    assert stop_was_lowered((*told(BEFORE, STOPPED), lowered))
    assert not stop_was_lowered((lowered, *told(BEFORE, STOPPED)))
