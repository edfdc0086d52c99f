"""What was missed is asked before entries that nobody has seen, and these less and less often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from builders import ETH, NOON, make_intent
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.domain.identifiers import IntentId
from zoe_tools.domain.journal import Intent, IntentKind
from zoe_tools.domain.policy import Policy
from zoe_tools.engine.records import Missed, UnseenLooks
from zoe_tools.errors import OutcomeUnknown

POLICY = Policy(visibility_lag_s=60.0)
ENTRY = make_intent(deadline=NOON + timedelta(seconds=5))


def looks_at(*seconds: float, intent: Intent = ENTRY) -> list[float]:
    """Of these moments after noon, those in which an order sent at noon is looked for."""
    looks = UnseenLooks()
    return [
        each for each in seconds if looks.due((intent,), NOON + timedelta(seconds=each), POLICY)
    ]


def test_an_entry_in_doubt_is_looked_for_less_often_until_its_silence_counts() -> None:
    """At once, then after a quarter of its age, eight seconds at most; from 65 s on each time."""
    found = looks_at(*range(1, 70))
    assert found == [1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 35, 43, 51, 59, 65, 66, 67, 68, 69]


def test_a_clock_that_is_set_back_keeps_nobody_from_looking() -> None:
    """It is looked for at once, and then as before."""
    assert looks_at(30, 10, 11, 12, 13, 14) == [30, 10, 14]


def test_what_a_position_waits_for_is_looked_for_twice_as_often_in_the_end() -> None:
    """Every four seconds."""
    sale = make_intent(deadline=NOON + timedelta(seconds=5), purpose="exit")
    found = looks_at(*range(40, 60), intent=sale)
    assert found == [40, 44, 48, 52, 56]


@pytest.mark.parametrize("kind", [IntentKind.CANCEL, IntentKind.AMEND])
def test_what_one_call_tells_is_no_order_that_nobody_has_seen(kind: IntentKind) -> None:
    """It is looked at each second, with all the others."""
    assert not UnseenLooks().due((make_intent(kind=kind),), NOON, POLICY)


def test_one_that_is_found_is_forgotten() -> None:
    """And another one of its own begins anew."""
    looks = UnseenLooks()
    other = make_intent(intent_id=IntentId("I2"))
    later = NOON + timedelta(seconds=30)
    assert looks.due((ENTRY, other), later, POLICY) == {"I1", "I2"}
    assert looks.due((other,), later, POLICY) == frozenset()
    assert looks.due((ENTRY, other), later, POLICY) == {"I1"}


def test_what_was_missed_meanwhile_is_not_told_by_an_older_question() -> None:
    """Only all that had been noted when the records were asked."""
    missed = Missed()
    missed.note()
    asked = missed.noted
    missed.note()
    missed.told(asked)
    assert missed.is_open
    missed.told(missed.noted)
    missed.told(asked)
    assert not missed.is_open


def test_what_was_missed_is_asked_before_an_entry_that_nobody_has_seen(tmp_path: Path) -> None:
    """Four calls each second for that would use up the counter, and a stop waits for the others."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        rig.venue.cue("place", OutcomeUnknown("lost"))
        await rig.enter(ETH)
        await rig.pass_time(20)
        (lost,) = await rig.read(lambda tx: tx.unresolved_intents())
        assert (lost.symbol, lost.purpose) == (ETH, "entry")

        rig.venue.calls.clear()
        rig.go_down("private")
        rig.come_up("private")
        await rig.pass_time(8)
        calls = [method for method, _ in rig.venue.calls]
        assert calls[:2] == ["orders", "fills"]
        assert 0 < calls.count("closed_orders") <= 2

    run_loop(tmp_path, story)


def test_while_no_wire_tells_of_fills_the_records_are_asked_every_two_seconds(
    tmp_path: Path,
) -> None:
    """From the moment when it went, whenever the chase asked last; else what works is not asked."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await rig.enter()
        await rig.pass_time(12)
        looks = []
        for is_deaf in (False, True):
            rig.venue.calls.clear()
            if is_deaf:
                rig.go_down("private")
            await rig.pass_time(10.5)
            looks.append([method for method, _ in rig.venue.calls].count("orders"))
        assert looks == [0, 6]
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
