"""Reasons against entries: each watch speaks for itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from builders import ETH, NOON
from loop_rig import RecordingNarrator
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState
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


def test_entries_are_not_allowed_while_anything_is_latched(
    standing: Standing, narrator: RecordingNarrator
) -> None:
    """The last reason of a watch is gone, and the kill that it brought about is not."""
    stopped = TradingState(level=KillLevel.CANCEL_OPEN, reason="skew", changed_at=NOON)
    standing.set("invariants", ("the clock is wrong",))
    standing.note_latched(stopped)
    standing.note_latched(stopped)
    standing.set("invariants", ())
    standing.note_latched(replace(ARMED, stopped=((ETH, stopped),)))
    standing.note_latched(ARMED)

    assert [reasons for _, reasons in narrator.standings] == [
        ("the clock is wrong",),
        ("trading is at cancel-open: skew", "the clock is wrong"),
        ("trading is at cancel-open: skew",),
        ("ETH/USD is at cancel-open: skew",),
        (),
    ]
    assert not standing.only_protects
