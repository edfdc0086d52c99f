"""The paper exchange's time, known without asking it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOON
from zoe_tools.runtime import paper_clock
from zoe_tools.runtime.clocks import ScaledClock
from zoe_tools.runtime.paper_clock import clock_of_paper, note_clock, time_after_a_break


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that has had an exchange."""
    (tmp_path / "paper").mkdir()
    return tmp_path


def test_commands_without_a_venue_know_its_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Venue time then, plus what passed since, times the speed."""
    monkeypatch.setattr(paper_clock, "_wall_now", lambda: NOON)
    note_clock(home, venue=NOON + timedelta(days=3), speed=60.0)
    monkeypatch.setattr(paper_clock, "_wall_now", lambda: NOON + timedelta(seconds=10))
    clock = clock_of_paper(home)

    assert isinstance(clock, ScaledClock)
    passed = clock.now() - (NOON + timedelta(days=3))
    assert timedelta(minutes=10) <= passed < timedelta(minutes=11)


@pytest.mark.parametrize("text", [None, "", "{}", '{"venue": "soon", "wall": 1, "speed": "x"}'])
def test_a_clock_that_was_never_noted_is_none(home: Path, text: str | None) -> None:
    """Nor one that cannot be read."""
    if text is not None:
        (home / "paper" / "clock.json").write_text(text)

    assert clock_of_paper(home) is None


@pytest.mark.parametrize(
    ("away", "speed", "expected"),
    [
        pytest.param(timedelta(seconds=10), 60.0, timedelta(minutes=10), id="a short break"),
        pytest.param(timedelta(hours=8), 60.0, timedelta(0), id="a night"),
        pytest.param(timedelta(seconds=10), 1.0, timedelta(0), id="another speed"),
        pytest.param(timedelta(seconds=-10), 60.0, timedelta(0), id="a clock set back"),
    ],
)
def test_time_goes_on_over_a_short_break(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    away: timedelta,
    speed: float,
    expected: timedelta,
) -> None:
    """As at a venue whose server is away: who waits for it finds the time it counted on."""
    monkeypatch.setattr(paper_clock, "_wall_now", lambda: NOON)
    note_clock(home, venue=NOON, speed=60.0)
    served = timedelta(seconds=30)
    left_at = NOON + served * 60
    monkeypatch.setattr(paper_clock, "_wall_now", lambda: NOON + served + away)

    assert time_after_a_break(home, left_at=left_at, speed=speed) == left_at + expected


def test_time_after_a_break_without_a_clock_file_is_where_it_was_left(home: Path) -> None:
    """There is nothing to count from."""
    assert time_after_a_break(home, left_at=NOON, speed=60.0) == NOON
