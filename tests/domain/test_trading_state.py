"""Kill levels: their order, their names, and what they let through."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState

LABELS = ["none", "pause-entries", "cancel-open", "reduce-only", "flatten"]


def test_each_level_is_harder_than_the_one_before() -> None:
    """The order is that of the words an operator types."""
    assert [level.label for level in sorted(KillLevel)] == LABELS


@pytest.mark.parametrize("level", list(KillLevel))
def test_a_label_names_its_level(level: KillLevel) -> None:
    """What is printed can be typed."""
    assert KillLevel.parse(level.label) is level


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("PAUSE-ENTRIES", KillLevel.PAUSE_ENTRIES),
        (" flatten ", KillLevel.FLATTEN),
        ("reduce_only", KillLevel.REDUCE_ONLY),
    ],
)
def test_a_level_is_understood_however_it_is_cased(typed: str, expected: KillLevel) -> None:
    """At three in the morning nobody should have to mind the case."""
    assert KillLevel.parse(typed) is expected


@pytest.mark.parametrize("typed", ["", "off", "stop", "3", "flat", "pause entries"])
def test_an_unknown_level_is_refused_and_never_means_none(typed: str) -> None:
    """A misspelt kill must not pass for no kill."""
    with pytest.raises(ValueError, match="kill level"):
        KillLevel.parse(typed)


@pytest.mark.parametrize("level", list(KillLevel))
def test_only_the_armed_state_takes_new_risk(level: KillLevel) -> None:
    """The mildest level already stops entries."""
    state = TradingState(level=level, reason="test", changed_at=datetime(2026, 3, 1, tzinfo=UTC))

    assert state.may_enter is (level is KillLevel.NONE)


def test_an_account_nobody_stopped_is_armed() -> None:
    """With no reason and no time, because nothing happened."""
    assert ARMED.may_enter
    assert (ARMED.reason, ARMED.changed_at) == ("", None)


def test_a_state_is_not_changed_in_place() -> None:
    """A change of state is a new, recorded state."""
    with pytest.raises(FrozenInstanceError):
        ARMED.level = KillLevel.FLATTEN  # type: ignore[misc]
