"""The life of a discrepancy, and the one table of classes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import NOON
from zoe_tools.domain.discrepancy import (
    RULES,
    DiscrepancyState,
    FindingKind,
    discrepancy_id,
)
from zoe_tools.domain.discrepancy_lifecycle import TRANSITIONS, IllegalStep, demand_step


def test_every_class_has_exactly_one_rule() -> None:
    """A class without a severity and a response would be nobody's business."""
    assert set(RULES) == set(FindingKind)


def test_every_state_has_its_line_and_only_the_last_is_the_end() -> None:
    """What is resolved stays so."""
    assert set(TRANSITIONS) == set(DiscrepancyState)
    assert [state for state, after in TRANSITIONS.items() if not after] == [
        DiscrepancyState.RESOLVED
    ]


@pytest.mark.parametrize("now", DiscrepancyState)
@pytest.mark.parametrize("then", DiscrepancyState)
def test_only_the_steps_of_the_table_are_taken(
    now: DiscrepancyState, then: DiscrepancyState
) -> None:
    """An undefined step raises."""
    if then in TRANSITIONS[now]:
        demand_step(now, then)
        return
    with pytest.raises(IllegalStep, match=f"{now.value} cannot become {then.value}"):
        demand_step(now, then)


def test_a_later_return_of_the_same_trouble_has_another_name() -> None:
    """The name holds class, subject and the time when it was first seen."""
    first = discrepancy_id(FindingKind.ORPHANED, "P1", NOON)

    assert first == discrepancy_id(FindingKind.ORPHANED, "P1", NOON)
    assert first != discrepancy_id(FindingKind.ORPHANED, "P1", NOON + timedelta(hours=1))
    assert first != discrepancy_id(FindingKind.QTY_MISMATCH, "P1", NOON)
