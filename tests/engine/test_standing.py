"""Reasons against entries: each watch speaks for itself."""

from __future__ import annotations

from datetime import datetime

import pytest

from builders import NOON
from loop_rig import RecordingNarrator
from zoe_tools.engine.standing import Standing


class NoonClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        """Noon."""
        return NOON

    async def sleep(self, seconds: float) -> None:
        """Not at all."""


@pytest.fixture
def narrator() -> RecordingNarrator:
    """What was told."""
    return RecordingNarrator()


@pytest.fixture
def standing(narrator: RecordingNarrator) -> Standing:
    """Nobody has said anything."""
    return Standing(NoonClock(), narrator)


def test_one_watch_cannot_take_back_what_another_has_against_entries(standing: Standing) -> None:
    """Two reasons; one ends, and entries are still kept back."""
    standing.set("readiness", ("the clock is wrong",))
    standing.set("safe mode", ("no quotes",))
    assert standing.set("readiness", ())
    assert standing.only_protects
    assert standing.reasons == ("no quotes",)
    assert not standing.of("readiness")


def test_entries_are_allowed_when_the_last_reason_is_gone(standing: Standing) -> None:
    """And as long as nobody has spoken against them."""
    seen = [standing.only_protects]
    for reasons in (("the clock is wrong",), ()):
        standing.set("readiness", reasons)
        seen.append(standing.only_protects)
    assert seen == [False, True, False]


def test_only_changes_are_told(standing: Standing, narrator: RecordingNarrator) -> None:
    """A watch that says the same each minute is heard once."""
    assert not standing.set("readiness", ())
    for _ in range(3):
        standing.set("readiness", ("the clock is wrong",))
    standing.set("readiness", ())
    assert [reasons for _, reasons in narrator.standings] == [("the clock is wrong",), ()]
