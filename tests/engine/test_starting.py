"""A start that is slow, or fails: what is held is protected from the first turn on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from builders import BTC, ETH, NOON, make_intent, make_venue_order
from loop_rig import LoopRig, ScriptedFeed, with_rig
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState
from zoe_tools.domain.order import OrderType, Side, VenueOrder
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.engine.starting import (
    ASK_AGAIN_S,
    LONGEST_PAUSE_S,
    NO_STREAMS,
    START_TIMEOUT_S,
    STREAMS,
    Readiness,
)
from zoe_tools.errors import StoreUnavailable, VenueUnavailable

PROOF_S = 120.0


def proof_of(rig: LoopRig, seconds: float = PROOF_S) -> Readiness:
    """A clean account that is slow to prove, as one with a long history is."""

    async def readiness() -> tuple[str, ...]:
        await rig.clock.sleep(seconds)
        return ()

    return readiness


async def leave_behind(rig: LoopRig, *, rests: bool = False) -> None:
    """A loop that is killed: it bought, or has an entry that rests."""
    rig.come_up()
    rig.quote()
    first = asyncio.create_task(rig.supervised())
    await rig.pass_time(1)
    await rig.enter(rests=rests)
    first.cancel()
    await asyncio.wait({first})


def begin(
    rig: LoopRig, readiness: Readiness | None = None, *, is_heard: bool = True
) -> asyncio.Task[object]:
    """The next loop; its streams come up at once, or not at all."""
    rig.feed = ScriptedFeed()
    if is_heard:
        rig.come_up()
        rig.quote()
    return asyncio.create_task(
        rig.supervised(run_id="run-2", is_gone=lambda _: True, readiness=readiness)
    )


async def phase_of(rig: LoopRig) -> tuple[str, str]:
    """How far the newest start has come, and why no further."""
    boot = (await rig.read(lambda tx: tx.boots()))[-1]
    return str(boot.details["phase"]), str(boot.details["reason"])


def stops(rig: LoopRig) -> list[OrderType]:
    """What sells at the venue."""
    return [each.order_type for each in rig.resting(Side.SELL)]


async def took_s(rig: LoopRig, work: Awaitable[object]) -> float:
    """How long it takes, in the venue's seconds."""
    began = rig.clock.now()
    await work
    return (rig.clock.now() - began).total_seconds()


def test_a_stop_does_not_wait_for_the_proof(tmp_path: Path) -> None:
    """It was gone when the loop came back: it rests within two seconds, not after two minutes."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig)
        (stop,) = rig.resting(Side.SELL)
        assert await rig.venue.cancel(stop.venue_order_id) == 1
        running = begin(rig, proof_of(rig))
        await rig.pass_time(2)
        (again,) = rig.resting(Side.SELL)
        assert (again.quantity, again.trigger_price) == (stop.quantity, stop.trigger_price)
        assert await phase_of(rig) == ("RECONCILING", "")
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_an_exit_does_not_wait_for_the_proof(tmp_path: Path) -> None:
    """The target is reached while the account is looked at: what is held is sold."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig)
        running = begin(rig, proof_of(rig))
        await rig.pass_time(5)
        rig.move("90000.0", "90000.1")
        await rig.pass_time(5)
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()
        assert (await phase_of(rig))[0] == "RECONCILING"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_a_stop_of_the_run_is_heeded_during_the_proof(tmp_path: Path) -> None:
    """Within seconds: who ends has nothing to prove."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig)
        running = begin(rig, proof_of(rig))
        await rig.pass_time(5)
        rig.stop.set()
        assert await took_s(rig, running) < 3
        assert stops(rig) == [OrderType.STOP_LOSS]

    with_rig(tmp_path, story)


def test_a_stop_of_the_run_ends_the_proof_at_once(tmp_path: Path) -> None:
    """While entries are still cancelled: the venue's calls are for those."""
    ended: list[datetime] = []

    async def story(rig: LoopRig) -> None:
        async def readiness() -> tuple[str, ...]:
            try:
                await rig.clock.sleep(PROOF_S)
            finally:
                ended.append(rig.clock.now())
            return ()

        await leave_behind(rig, rests=True)
        running = begin(rig, readiness)
        await rig.pass_time(5)
        for _ in range(3):
            rig.venue.cue("cancel", VenueUnavailable("down"))
        told_at = rig.clock.now()
        rig.stop.set()
        assert await took_s(rig, running) > 1
        assert ended == [told_at]

    with_rig(tmp_path, story)


def test_a_kill_is_heeded_during_the_proof(tmp_path: Path) -> None:
    """Somebody latches it: the entry that the last loop left is cancelled within a second."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig, rests=True)
        running = begin(rig, proof_of(rig))
        await rig.pass_time(5)
        assert len(rig.resting(Side.BUY)) == 1
        state = TradingState(
            level=KillLevel.CANCEL_OPEN, reason="drill", changed_at=rig.clock.now()
        )
        await rig.read(lambda tx: tx.latch(state))
        await rig.pass_time(1)
        assert rig.resting(Side.BUY) == []
        assert (await phase_of(rig))[0] == "RECONCILING"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_nothing_is_entered_before_the_account_is_proved(tmp_path: Path) -> None:
    """The wish of the strategy comes to nothing until then; a later one is carried out."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        running = asyncio.create_task(rig.supervised(readiness=proof_of(rig)))
        await rig.enter()
        assert (rig.writes, (await phase_of(rig))[0]) == ([], "RECONCILING")
        await rig.pass_time(60)
        assert await phase_of(rig) == ("READY", "")
        await rig.enter()
        assert stops(rig) == [OrderType.STOP_LOSS]
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_an_entry_of_the_last_run_is_neither_cancelled_nor_made_anew_by_the_proof(
    tmp_path: Path,
) -> None:
    """It was made by a loop that was ready; its desk takes it on when this one is."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig, rests=True)
        running = begin(rig, proof_of(rig))
        await rig.pass_time(5)
        (entry,) = rig.resting(Side.BUY)
        before = list(rig.writes)
        rig.quote()
        await rig.pass_time(5)
        assert rig.resting(Side.BUY) == [entry]
        assert rig.writes == before
        for _ in range(16):
            rig.quote()
            await rig.pass_time(5)
        assert {"place", "amend"}.isdisjoint(rig.writes[len(before) :])
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_an_account_that_cannot_be_proved_is_asked_less_and_less_often(tmp_path: Path) -> None:
    """FAILED meanwhile; the pauses double, up to ten minutes; then it is READY."""
    asked: list[datetime] = []

    async def story(rig: LoopRig) -> None:
        async def readiness() -> tuple[str, ...]:
            asked.append(rig.clock.now())
            return ("a fill is missing",) if len(asked) < 7 else ()

        await leave_behind(rig)
        running = begin(rig, readiness)
        await rig.pass_time(2)
        assert await phase_of(rig) == ("FAILED", "a fill is missing")
        await rig.pass_time(2400)
        assert await phase_of(rig) == ("READY", "")
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
    pauses = [(b - a).total_seconds() for a, b in pairwise(asked)]
    assert pauses == pytest.approx([ASK_AGAIN_S, 120, 240, 480, LONGEST_PAUSE_S, LONGEST_PAUSE_S])


def test_a_proof_that_takes_long_is_not_begun_again_before_as_long_has_passed(
    tmp_path: Path,
) -> None:
    """Half of the time the venue's counter is left to others."""
    asked: list[datetime] = []

    async def story(rig: LoopRig) -> None:
        async def readiness() -> tuple[str, ...]:
            asked.append(rig.clock.now())
            await rig.clock.sleep(300)
            return ("a fill is missing",)

        await leave_behind(rig)
        running = begin(rig, readiness)
        await rig.pass_time(650)
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
    assert [(each - asked[0]).total_seconds() for each in asked] == pytest.approx([0, 600])


async def asked_after(
    rig: LoopRig, *, takes_s: float, set_by: timedelta, within_s: float
) -> list[float]:
    """When a proof that finds something is begun, while the first one sees the clock set."""
    asked: list[float] = []
    machine = asyncio.get_running_loop()

    async def readiness() -> tuple[str, ...]:
        asked.append(machine.time())
        await rig.clock.sleep(takes_s)
        rig.clock.set_by = set_by
        return ("a fill is missing",)

    await leave_behind(rig)
    running = begin(rig, readiness)
    await rig.pass_time(within_s)
    rig.stop.set()
    await running
    return [each - asked[0] for each in asked]


@pytest.mark.parametrize("set_by", [timedelta(hours=8), timedelta(hours=-8)])
def test_a_clock_that_is_set_during_a_proof_does_not_put_off_the_next_one(
    tmp_path: Path, set_by: timedelta
) -> None:
    """What a proof took is told by no clock: it is asked again after a minute."""

    async def story(rig: LoopRig) -> list[float]:
        return await asked_after(rig, takes_s=5, set_by=set_by, within_s=100)

    assert with_rig(tmp_path, story) == pytest.approx([0, 5 + ASK_AGAIN_S])


def test_after_a_proof_that_took_half_an_hour_ten_minutes_pass(tmp_path: Path) -> None:
    """The longest pause is the longest, whatever a proof took."""

    async def story(rig: LoopRig) -> list[float]:
        return await asked_after(rig, takes_s=1800, set_by=timedelta(0), within_s=2500)

    assert with_rig(tmp_path, story) == pytest.approx([0, 1800 + LONGEST_PAUSE_S])


@pytest.mark.parametrize(
    "error", [StoreUnavailable("The books cannot be read."), ValueError("a mistake")]
)
def test_a_proof_that_breaks_does_not_end_the_protection(tmp_path: Path, error: Exception) -> None:
    """It is one more reason, and asked again."""
    asked: list[datetime] = []

    async def story(rig: LoopRig) -> None:
        async def readiness() -> tuple[str, ...]:
            asked.append(rig.clock.now())
            if len(asked) == 1:
                raise error
            return ()

        await leave_behind(rig)
        running = begin(rig, readiness)
        await rig.pass_time(2)
        phase, reason = await phase_of(rig)
        assert (phase, str(error) in reason) == ("FAILED", True)
        await rig.pass_time(ASK_AGAIN_S)
        assert (await phase_of(rig))[0] == "READY"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_a_proof_that_breaks_with_nothing_held_ends_the_run(tmp_path: Path) -> None:
    """With its own exit code, as everything else that cannot be read at a start."""

    async def readiness() -> tuple[str, ...]:
        raise StoreUnavailable("The books cannot be read.")

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await rig.supervised(readiness=readiness)
        assert await rig.read(lambda tx: tx.lease()) is None

    with_rig(tmp_path, story)


def test_an_account_with_an_unknown_outcome_is_not_refused(tmp_path: Path) -> None:
    """What was sent may have bought: somebody has to look after it."""

    async def readiness() -> tuple[str, ...]:
        return ("an outcome is unknown",)

    async def story(rig: LoopRig) -> None:
        async def slow(_: object) -> tuple[VenueOrder, ...]:
            await rig.clock.sleep(60)
            return ()

        lost = make_intent(
            kind=IntentKind.CANCEL,
            state=IntentState.UNKNOWN,
            venue_order_id=VenueOrderId("O1"),
            deadline=NOON,
        )
        await rig.read(lambda tx: tx.record_intent(lost))
        rig.venue.orders = slow  # type: ignore[method-assign, assignment]
        running = begin(rig, readiness)
        await rig.pass_time(2)
        assert not running.done()
        assert await phase_of(rig) == ("FAILED", "an outcome is unknown")
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_an_account_that_was_protected_is_not_refused_once_it_holds_nothing(
    tmp_path: Path,
) -> None:
    """The refusal is for a start that had nothing to do; this loop goes on and asks again."""
    answers = [("a fill is missing",)] * 3

    async def story(rig: LoopRig) -> None:
        async def readiness() -> tuple[str, ...]:
            return answers.pop() if answers else ()

        await leave_behind(rig)
        running = begin(rig, readiness)
        await rig.pass_time(5)
        rig.move("90000.0", "90000.1")
        await rig.pass_time(500)
        assert await rig.read(lambda tx: tx.positions(open_only=True)) == ()
        assert (await phase_of(rig))[0] == "READY"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


# --- streams that do not come up -----------------------------------------------------------------


def test_without_streams_a_loop_that_holds_something_goes_on(tmp_path: Path) -> None:
    """FAILED after a minute, and told; by REST it protects; once they are up it is READY."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig)
        (stop,) = rig.resting(Side.SELL)
        running = begin(rig, is_heard=False)
        await rig.pass_time(START_TIMEOUT_S + 1)
        assert await phase_of(rig) == ("FAILED", NO_STREAMS)
        assert rig.loop is not None
        assert rig.loop.standing.of(STREAMS) == (NO_STREAMS,)
        rig.is_deaf = True
        assert await rig.venue.cancel(stop.venue_order_id) == 1
        assert stops(rig) == []
        await rig.pass_time(5)
        assert stops(rig) == [OrderType.STOP_LOSS]
        await rig.pass_time(600)
        rig.is_deaf = False
        rig.come_up()
        rig.quote()
        await rig.pass_time(1)
        assert (await phase_of(rig))[0] == "READY"
        for _ in range(2):
            rig.quote(ETH)
            await rig.enter(ETH)
        assert {each.symbol for each in rig.resting(Side.SELL)} == {BTC, ETH}
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_without_streams_an_entry_that_rests_is_looked_after(tmp_path: Path) -> None:
    """It may fill at any time: the loop stays, cancels it, and stays on."""

    async def story(rig: LoopRig) -> None:
        await leave_behind(rig, rests=True)
        running = begin(rig, is_heard=False)
        await rig.pass_time(START_TIMEOUT_S + 10)
        assert (running.done(), rig.resting(Side.BUY)) == (False, [])
        assert (await phase_of(rig))[0] == "FAILED"
        rig.stop.set()
        assert await took_s(rig, running) < 3

    with_rig(tmp_path, story)


def test_without_streams_an_order_that_only_the_venue_knows_keeps_the_loop(
    tmp_path: Path,
) -> None:
    """The books lack it, and it carries a name as zoe gives them."""

    async def story(rig: LoopRig) -> None:
        rig.venue.insert(make_venue_order())
        running = begin(rig, is_heard=False)
        await rig.pass_time(START_TIMEOUT_S + 10)
        assert not running.done()
        assert await phase_of(rig) == ("FAILED", NO_STREAMS)
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
