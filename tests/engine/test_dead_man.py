"""The venue's countdown: armed while an entry works, and at no other time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import BTC, ETH
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.observation import COUNTDOWN, Heartbeat
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.stream import VenueModeUpdate
from zoe_tools.errors import PlanRefused, StoreUnavailable, VenueUnavailable


class Countdown:
    """The venue's: cancels everything when it goes off; may be out of reach."""

    def __init__(self, rig: LoopRig) -> None:
        self._rig = rig
        self.calls: list[int] = []
        self.goes_off: datetime | None = None
        self.is_away = False
        self.answers = True
        self.hangs = False

    async def __call__(self, seconds: int) -> datetime | None:
        """Set it, or take it back."""
        if self.is_away:
            raise VenueUnavailable("HTTP 502")
        if self.hangs:
            await self._rig.clock.sleep(10)
            raise VenueUnavailable("no answer")
        self.calls.append(seconds)
        now = self._rig.clock.now()
        self.goes_off = now + timedelta(seconds=seconds) if seconds else None
        if not self.answers:
            raise VenueUnavailable("no answer")
        return self.goes_off

    def is_armed(self) -> bool:
        """Whether it runs."""
        return self.goes_off is not None

    def fire(self) -> None:
        """Every order goes, stops too."""
        for order in list(self._rig.venue.resting):
            self._rig.venue.end(order.venue_order_id, OrderStatus.CANCELED)
        self._rig.tell_orders()


def with_countdown(rig: LoopRig) -> None:
    """The venue has one."""
    rig.dead_man = Countdown(rig)


def countdown_of(rig: LoopRig) -> Countdown:
    """That of the rig's venue."""
    assert isinstance(rig.dead_man, Countdown)
    return rig.dead_man


def test_it_is_armed_while_an_entry_works_and_a_position_alone_arms_nothing(
    tmp_path: Path,
) -> None:
    """A stop that rests is never put at stake for nothing."""

    async def story(rig: LoopRig) -> None:
        countdown = countdown_of(rig)
        await rig.enter(ETH)
        await rig.pass_time(30)
        assert not countdown.is_armed()

        await rig.enter(BTC, rests=True)
        await rig.pass_time(50)
        assert set(countdown.calls) == {60}
        assert len(countdown.calls) >= 2
        assert countdown.is_armed()
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(3)
        assert (countdown.is_armed(), countdown.calls[-1]) == (False, 0)

    run_loop(tmp_path, story, prepare=with_countdown)


def test_it_is_disarmed_before_a_maintenance_and_at_an_orderly_end(tmp_path: Path) -> None:
    """Nobody can set it anew then, and stops would go with the entries."""
    ended: list[Countdown] = []

    async def story(rig: LoopRig) -> None:
        countdown = countdown_of(rig)
        ended.append(countdown)
        await rig.enter(BTC, rests=True)
        await rig.pass_time(3)
        assert countdown.is_armed()
        rig.feed.tell(VenueModeUpdate(mode=VenueMode.CANCEL_ONLY))
        await rig.pass_time(3)
        assert not countdown.is_armed()
        rig.feed.tell(VenueModeUpdate(mode=VenueMode.ONLINE))
        await rig.pass_time(1)

    run_loop(tmp_path, story, prepare=with_countdown)
    assert not ended[0].is_armed()


def test_what_was_armed_without_an_answer_is_disarmed_all_the_same(tmp_path: Path) -> None:
    """Once the entry is over, and at an end: else the stops go while nobody thinks of it."""
    ended: list[Countdown] = []

    async def story(rig: LoopRig) -> None:
        countdown = countdown_of(rig)
        ended.append(countdown)
        countdown.answers = False
        await rig.enter(BTC, rests=True)
        await rig.pass_time(3)
        assert countdown.is_armed()
        (entry,) = rig.resting(Side.BUY)
        countdown.answers = True
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(3)
        assert not countdown.is_armed()

        countdown.answers = False
        await rig.enter(ETH, rests=True)
        await rig.pass_time(0.5)
        assert countdown.is_armed()
        countdown.answers = True

    run_loop(tmp_path, story, prepare=with_countdown)
    assert not ended[0].is_armed()


def test_when_it_has_gone_off_the_stops_are_placed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The venue was out of reach for longer than the countdown."""

    async def story(rig: LoopRig) -> None:
        countdown = countdown_of(rig)
        await rig.enter(ETH)
        await rig.enter(BTC, rests=True)
        await rig.pass_time(3)
        countdown.is_away = True
        await rig.pass_time(61)
        countdown.fire()
        countdown.is_away = False
        await rig.pass_time(5)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

    with caplog.at_level(logging.INFO, logger="zoe_tools.engine.dead_man"):
        run_loop(tmp_path, story, prepare=with_countdown)
    assert "DEAD_MAN_FIRED" in caplog.messages


def test_an_end_that_cannot_disarm_it_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has to look after the stops."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(BTC, rests=True)
        await rig.pass_time(3)
        countdown_of(rig).is_away = True

    with caplog.at_level(logging.INFO, logger="zoe_tools.engine.dead_man"):
        run_loop(tmp_path, story, prepare=with_countdown)
    assert "DEAD_MAN_LEFT_ARMED" in caplog.messages


def test_who_armed_it_and_what_came_of_it_is_in_the_audit_log(tmp_path: Path) -> None:
    """Before it is sent and after; that it is set anew is no news."""
    told: list[tuple[str, str]] = []

    async def story(rig: LoopRig) -> None:
        await rig.enter(BTC, rests=True)
        await rig.pass_time(50)
        assert len(countdown_of(rig).calls) > 1
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(3)
        rows = await rig.read(lambda tx: list(tx.audit.rows()))
        told.extend(
            (str(row.facts["countdown_s"]), str(row.facts["result"]).partition(" ")[0])
            for row in rows
            if "countdown_s" in row.facts
        )

    run_loop(tmp_path, story, prepare=with_countdown)
    assert told == [("60", "begun"), ("60", "goes"), ("0", "begun"), ("0", "disarmed")]


def test_that_it_is_disarmed_after_an_arming_without_an_answer_is_in_the_audit_log(
    tmp_path: Path,
) -> None:
    """Nobody knew whether it was armed: then either is news."""
    told: list[str] = []

    async def story(rig: LoopRig) -> None:
        countdown_of(rig).answers = False
        await rig.enter(BTC, rests=True)
        await rig.pass_time(0.5)
        countdown_of(rig).answers = True
        (entry,) = rig.resting(Side.BUY)
        rig.fill(entry, str(entry.quantity))
        await rig.pass_time(3)
        rows = await rig.read(lambda tx: list(tx.audit.rows()))
        told.extend(str(row.facts["result"]) for row in rows if "countdown_s" in row.facts)

    run_loop(tmp_path, story, prepare=with_countdown)
    assert told[:2] == ["begun", "not known: no answer"]
    assert told[-2:] == ["begun", "disarmed"]


def test_a_loop_that_lost_its_lease_leaves_the_countdown_of_the_next_one_alone(
    tmp_path: Path,
) -> None:
    """Disarmed by the old one, it would be missing for what the new one has working."""

    async def story(rig: LoopRig) -> None:
        with_countdown(rig)
        gate, now = rig._parts().gate, rig.clock.now()
        lease = await rig.read(lambda tx: tx.acquire_lease("old", "testhost", 1, now, 30.0, ""))
        gate.trade_under(lease)
        await gate.count_down(60)
        await rig.read(lambda tx: tx.release_lease("old"))
        await rig.read(lambda tx: tx.acquire_lease("new", "testhost", 2, now, 30.0, ""))
        with pytest.raises(PlanRefused):
            await gate.count_down(0)
        assert countdown_of(rig).is_armed()

    with_rig(tmp_path, story)


async def killed_with_an_entry(rig: LoopRig) -> Countdown:
    """A position with its stop, a working entry, the countdown armed; then nobody looks any more.

    What the killed loop's end would do, nobody does: it is put back as the kill found it.
    """
    with_countdown(rig)
    countdown = countdown_of(rig)
    rig.come_up()
    rig.quote()
    running = asyncio.create_task(rig.supervised())
    await rig.pass_time(1)
    await rig.enter(ETH)
    await rig.enter(BTC, rests=True)
    await rig.pass_time(3)
    assert countdown.is_armed()
    armed = countdown.goes_off
    (remembered,) = [each for each in await rig.read(lambda tx: tx.heartbeats()) if is_it(each)]
    countdown.is_away = True
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await rig.read(
        lambda tx: tx.beat(
            remembered.component, remembered.status, remembered.beat_at, remembered.details
        )
    )
    countdown.is_away, countdown.goes_off = False, armed
    countdown.calls.clear()
    rig.reconnect()
    return countdown


def is_it(beat: Heartbeat) -> bool:
    """Whether it tells of the countdown."""
    return beat.component == COUNTDOWN


@pytest.mark.parametrize("seconds", [0, 60])
def test_the_countdown_of_a_loop_that_was_killed_is_disarmed_before_anything_is_looked_at(
    tmp_path: Path, seconds: int
) -> None:
    """Whatever is set for the next loop; what is armed again is for its own entries."""

    async def story(rig: LoopRig) -> None:
        countdown = await killed_with_an_entry(rig)
        rig.dead_man_s = seconds
        rig.venue.calls.clear()
        seen: list[int] = []
        orders = rig.venue.orders

        async def looked(names: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
            seen.append(len(countdown.calls))
            return await orders(names)

        rig.venue.orders = looked  # type: ignore[method-assign, assignment]
        running = asyncio.create_task(rig.supervised(run_id="run-2", is_gone=lambda _: True))
        await rig.pass_time(3)

        assert countdown.calls[0] == 0
        assert seen[0] == 1
        assert countdown.is_armed() is bool(seconds)
        rig.stop.set()
        await running
        assert not countdown.is_armed()
        (told,) = [each for each in await rig.read(lambda tx: tx.heartbeats()) if is_it(each)]
        assert told.status == "ok"

    with_rig(tmp_path, story)


def test_a_venue_that_does_not_disarm_it_keeps_no_stop_waiting(tmp_path: Path) -> None:
    """The start gives it two seconds; it is tried again beside the turns until somebody answers."""

    async def story(rig: LoopRig) -> None:
        countdown = await killed_with_an_entry(rig)
        rig.dead_man_s = 0
        for order in rig.resting(Side.SELL):
            rig.venue.end(order.venue_order_id, OrderStatus.CANCELED)
        countdown.hangs = True
        running = asyncio.create_task(rig.supervised(run_id="run-2", is_gone=lambda _: True))
        await rig.pass_time(4)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        assert countdown.is_armed()

        countdown.hangs = False
        await rig.pass_time(15)
        assert not countdown.is_armed()
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_no_countdown_is_taken_back_that_nobody_armed(tmp_path: Path) -> None:
    """Nor one that an orderly end disarmed: no call is spent on it."""

    async def story(rig: LoopRig) -> None:
        with_countdown(rig)
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await rig.enter(BTC, rests=True)
        await rig.pass_time(3)
        rig.stop.set()
        await running
        calls = countdown_of(rig).calls
        assert calls[-1] == 0
        calls.clear()

        rig.stop.clear()
        rig.reconnect()
        running = asyncio.create_task(rig.supervised(run_id="run-2"))
        await rig.pass_time(3)
        rig.stop.set()
        await running
        assert calls == []

    with_rig(tmp_path, story)


def test_nothing_is_armed_that_the_store_does_not_know_of(tmp_path: Path) -> None:
    """Should the loop be killed then, nobody would take it back; entries are cancelled anyway."""

    async def story(rig: LoopRig) -> None:
        rig.disk.is_away = True
        gate = rig._parts().gate
        with pytest.raises(StoreUnavailable):
            await gate.count_down(60)
        rig.disk.is_away = False
        assert countdown_of(rig).calls == []

    run_loop(tmp_path, story, prepare=with_countdown, has_spare=True)
