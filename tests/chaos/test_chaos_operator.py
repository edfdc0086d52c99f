"""When somebody stops trading in a trial, and which entries that makes violations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import NOON, make_intent
from chaos_operator import (
    BEFORE_CLOSE_S,
    LASTS_S,
    LEVELS,
    QUIET_S,
    Stopped,
    entered_while_stopped,
    stops,
)
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.trading_state import KillLevel

DONE = [
    Stopped(since=NOON, until=NOON + timedelta(seconds=10), level=KillLevel.CANCEL_OPEN),
]


@pytest.mark.parametrize(
    ("second", "changes", "is_bad"),
    [
        (0.001, {}, True),
        (9.999, {}, True),
        (0, {}, False),
        (10, {}, False),
        (-1, {}, False),
        (5, {"purpose": "exit"}, False),
        (5, {"kind": IntentKind.CANCEL}, False),
    ],
)
def test_no_entry_is_journaled_while_a_level_stands(
    second: float, changes: dict[str, object], *, is_bad: bool
) -> None:
    """Stops, sales and cancels are; what fell into the very moment may have come before it."""
    intent = make_intent(created_at=NOON + timedelta(seconds=second), **changes)

    assert bool(list(entered_while_stopped(DONE, [intent]))) is is_bad


def test_stops_fall_into_the_moment_before_a_close() -> None:
    """Each level in turn; the same seed draws the same."""
    planned = stops(3, 7_200, 8, 60)

    assert planned == stops(3, 7_200, 8, 60) != stops(4, 7_200, 8, 60)
    assert {each.level for each in planned} == set(LEVELS)
    assert all(QUIET_S < each.at_s <= 3_600 for each in planned)
    assert sorted(each.at_s for each in planned) == [each.at_s for each in planned]
    before = [-each.at_s % 60 for each in planned]
    assert all(BEFORE_CLOSE_S[0] <= each <= BEFORE_CLOSE_S[1] for each in before)
    assert all(LASTS_S[0] <= each.for_s <= LASTS_S[1] for each in planned)
