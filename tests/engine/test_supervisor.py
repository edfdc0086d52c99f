"""The life of a run: one loop an account, nothing risked before it is ready, an end in order."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import BTC, ETH, NOON, d, make_intent, make_request, place, plan_with, snapshot_with
from fakes import fresh_store
from loop_rig import LoopRig, ScriptedFeed, leave_an_outcome_open, run_loop, with_rig
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.observation import Heartbeat, Lease
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.plan import OutcomeState
from zoe_tools.domain.snapshot import Reading
from zoe_tools.engine.starting import RECORDS, START_TIMEOUT_S
from zoe_tools.engine.supervisor import _weightiest
from zoe_tools.errors import (
    AccountBusy,
    OutcomeUnknown,
    PlanRefused,
    StoreUnavailable,
    VenueRejected,
    VenueUnavailable,
)


async def hold_lease(rig: LoopRig, holder: str = "somebody") -> Lease:
    """Another loop has the account."""
    return await rig.read(
        lambda tx: tx.acquire_lease(holder, "otherhost", 99, rig.clock.now(), 3600)
    )


async def loop_beat(rig: LoopRig) -> Heartbeat:
    """The loop's own sign of life."""
    beats = await rig.read(lambda tx: tx.heartbeats())
    return next(each for each in beats if each.component == "loop")


def test_a_second_loop_on_the_account_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    """Host, process and age; the other's lease stands."""

    async def story(rig: LoopRig) -> None:
        await hold_lease(rig)
        await rig.clock.sleep(40)
        with pytest.raises(AccountBusy, match=r"host otherhost, pid 99, for 40 s"):
            await rig.supervised()
        lease = await rig.read(lambda tx: tx.lease())
        assert lease is not None
        assert lease.holder == "somebody"

    with_rig(tmp_path, story)


def test_the_lease_of_a_dead_loop_is_taken_over(tmp_path: Path) -> None:
    """Whose process is known to be gone need not run out; the token grows."""

    async def story(rig: LoopRig) -> None:
        before = await hold_lease(rig)
        rig.come_up()
        running = asyncio.create_task(rig.supervised(is_gone=lambda lease: lease.pid == 99))
        await rig.clock.sleep(2)
        lease = await rig.read(lambda tx: tx.lease())
        rig.stop.set()
        await running
        assert lease is not None
        assert (lease.holder, lease.token) == ("run-1", before.token + 1)

    with_rig(tmp_path, story)


def test_a_standby_waits_for_the_lease_and_takes_over(tmp_path: Path) -> None:
    """It says whom it waits for, once; then it runs, under a token of its own."""

    async def story(rig: LoopRig) -> None:
        before = await hold_lease(rig)
        rig.come_up()
        running = asyncio.create_task(rig.supervised(is_standby=True))
        await rig.clock.sleep(120)
        waiting = await rig.read(lambda tx: tx.lease())
        await rig.read(lambda tx: tx.release_lease("somebody"))
        await rig.clock.sleep(2)
        taken = await rig.read(lambda tx: tx.lease())
        rig.stop.set()
        await running
        assert waiting == before
        assert taken is not None
        assert (taken.holder, taken.token) == ("run-1", before.token + 1)
        told = [note for _, note in rig.narrator.notes if note.startswith("Standing by")]
        assert told == [
            "Standing by: a loop runs on this account, host otherhost, pid 99, for 0 s."
        ]

    with_rig(tmp_path, story)


def test_a_standby_told_to_stop_has_taken_nothing(tmp_path: Path) -> None:
    """No boot is noted, the other's lease stands, and the streams are closed."""

    async def story(rig: LoopRig) -> None:
        before = await hold_lease(rig)
        running = asyncio.create_task(rig.supervised(is_standby=True))
        await rig.clock.sleep(5)
        rig.stop.set()
        _, tally = await running
        assert (tally.cycles, rig.feed.is_closed) == (0, True)
        assert await rig.read(lambda tx: tx.lease()) == before
        assert await rig.read(lambda tx: tx.boots()) == ()

    with_rig(tmp_path, story)


@pytest.mark.parametrize("deadline_s", [1, 40])
def test_a_takeover_waits_for_the_last_deadline_under_the_old_lease(
    tmp_path: Path, deadline_s: int
) -> None:
    """What the silent holder sent may still arrive until then."""

    async def story(rig: LoopRig) -> float:
        started = rig.clock.now()
        await rig.read(lambda tx: tx.acquire_lease("somebody", "otherhost", 99, started, 10))
        intent = make_intent(deadline=started + timedelta(seconds=deadline_s))
        await rig.read(lambda tx: tx.record_intent(intent))
        running = asyncio.create_task(rig.supervised(is_standby=True))
        while (lease := await rig.read(lambda tx: tx.lease())) and lease.holder == "somebody":
            await rig.clock.sleep(0.1)
        taken_after = (rig.clock.now() - started).total_seconds()
        running.cancel()
        await asyncio.wait({running})
        return taken_after

    assert with_rig(tmp_path, story) == pytest.approx(max(10, deadline_s), abs=1)


def test_the_lease_is_given_back_and_the_boot_noted(tmp_path: Path) -> None:
    """Who starts next need not wait."""

    async def story(rig: LoopRig) -> None:
        lease = await rig.read(lambda tx: tx.lease())
        assert lease is not None
        assert lease.holder == "run-1"

    run_loop(tmp_path, story)
    store = fresh_store(tmp_path)
    with store.transaction() as transaction:
        assert transaction.lease() is None
        (boot,) = transaction.boots()
    store.close()
    assert (boot.run_id, boot.status) == ("run-1", "ok")
    assert boot.finished_at is not None


def test_the_lease_is_renewed_while_the_loop_lives(tmp_path: Path) -> None:
    """It lasts six heartbeats; ten minutes later it is still this loop's."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(600)
        lease = await rig.read(lambda tx: tx.lease())
        assert lease is not None
        assert lease.expires_at > rig.clock.now()
        assert (rig.clock.now() - lease.renewed_at).total_seconds() <= 5

    run_loop(tmp_path, story)


def test_a_venue_that_is_slow_to_answer_does_not_cost_the_lease(tmp_path: Path) -> None:
    """A look that hangs for a minute: the lease is renewed, so that stops can still be placed."""

    async def story(rig: LoopRig) -> None:
        await leave_an_outcome_open(rig, asked_for_s=60)
        await rig.pass_time(50)
        lease = await rig.read(lambda tx: tx.lease())
        assert lease is not None
        assert (rig.clock.now() - lease.renewed_at).total_seconds() <= 5

    run_loop(tmp_path, story)


def test_a_key_that_is_given_more_rights_while_the_loop_runs_enters_nothing(
    tmp_path: Path,
) -> None:
    """What it may is asked again every five minutes; a look that fails changes nothing."""

    async def story(rig: LoopRig) -> None:
        async def told() -> KeyInfo:
            return KeyInfo(name="k", permissions=frozenset({"modify-trades", "withdraw-funds"}))

        rig.venue.cue("key_info", VenueUnavailable("down"))
        await rig.pass_time(330)
        await rig.enter()
        rig.venue.key_info = told  # type: ignore[method-assign]
        await rig.pass_time(300)
        rig.quote(ETH)
        await rig.enter(ETH)

        bought = [
            each.symbol for each in rig.venue.book_of_orders.values() if each.side is Side.BUY
        ]
        denied = [each.code for each in rig.narrator.outcomes if each.state is OutcomeState.DENIED]
        assert (bought, denied) == ([BTC], ["KEY_SCOPE"])

    run_loop(tmp_path, story)


def test_a_key_that_nobody_knows_yet_is_asked_about_again_soon(tmp_path: Path) -> None:
    """Nothing is entered until then: five minutes, as of a key that is known, would be long."""

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("key_info", VenueUnavailable("down"))
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(6)
        assert rig.loop is not None
        known = [isinstance(rig.loop.key, Reading)]
        await rig.pass_time(5)
        known.append(isinstance(rig.loop.key, Reading))
        assert known == [False, True]
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_a_loop_whose_lease_was_taken_stops_itself(tmp_path: Path) -> None:
    """Two hosts on one account: the one that lost says so, with the exit code of a busy account."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(2)
        await rig.read(lambda tx: tx.release_lease("run-1"))
        await hold_lease(rig)
        with pytest.raises(AccountBusy, match="Another loop took"):
            await running
        lease = await rig.read(lambda tx: tx.lease())
        assert lease is not None
        assert (lease.holder, rig.feed.is_closed) == ("somebody", True)
        assert [each.status for each in await rig.read(lambda tx: tx.boots())] == ["error"]

    with_rig(tmp_path, story)


@pytest.mark.parametrize("wires", [(), ("public",), ("private",)])
def test_streams_that_do_not_come_up_end_the_run(tmp_path: Path, wires: tuple[str, ...]) -> None:
    """After a minute, as the venue's fault; nothing was sent."""

    async def story(rig: LoopRig) -> None:
        for wire in wires:
            rig.come_up(wire)  # type: ignore[arg-type]
        with pytest.raises(VenueUnavailable, match="did not come up"):
            await rig.supervised()
        assert (rig.clock.now() - NOON).total_seconds() == pytest.approx(START_TIMEOUT_S, abs=1)
        assert rig.writes == []
        assert await rig.read(lambda tx: tx.lease()) is None

    with_rig(tmp_path, story)


def test_a_stop_that_went_meanwhile_is_put_back_before_the_streams_are_up(tmp_path: Path) -> None:
    """By REST, from what the records told; nothing is entered, and nobody says that it is ready."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        first = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(1)
        rig.quote()
        await rig.enter()
        first.cancel()
        await asyncio.wait({first})
        (stop,) = rig.resting(Side.SELL)
        assert await rig.venue.cancel(stop.venue_order_id) == 1
        rig.feed = ScriptedFeed()
        running = asyncio.create_task(rig.supervised(run_id="run-2"))
        await rig.clock.sleep(2)
        (again,) = rig.resting(Side.SELL)
        assert (again.quantity, again.trigger_price) == (stop.quantity, stop.trigger_price)
        assert rig.resting(Side.BUY) == []
        assert (await loop_beat(rig)).details["phase"] == "RECONCILING"
        running.cancel()
        await asyncio.wait({running})

    with_rig(tmp_path, story)


def test_a_stop_before_the_streams_are_up_is_heeded(tmp_path: Path) -> None:
    """Nothing is held, so nothing needs them."""

    async def story(rig: LoopRig) -> None:
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(1)
        rig.stop.set()
        _, tally = await running
        assert tally.ended_at < NOON.replace(minute=1)

    with_rig(tmp_path, story)


def test_the_heartbeat_proves_work(tmp_path: Path) -> None:
    """Cycles, positions, the age of the market; a lost wire is a warning."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(6)
        beat = await loop_beat(rig)
        assert (beat.component, beat.status) == ("loop", "ok")
        assert beat.details["run_id"] == "run-1"
        assert beat.details["cycles"] == 6
        assert beat.details["mode"] == "trading"
        for stage in ("turn_at", "protection_at"):
            done = datetime.fromisoformat(str(beat.details[stage]))
            assert (beat.beat_at - done).total_seconds() <= 1
        assert beat.details["follow_at"] == beat.details["public_at"] == NOON.isoformat()
        assert (beat.details["queue_events"], beat.details["why"]) == (0, "")
        rig.go_down("public")
        await rig.pass_time(6)
        beat = await loop_beat(rig)
        assert (beat.status, beat.details["is_live"]) == ("warning", 0)
        assert (beat.details["state"], beat.details["why"]) == (
            "DEGRADED",
            "a wire to the venue is down",
        )

    run_loop(tmp_path, story)


def test_what_the_last_run_left_open_is_resolved_before_anything_new_is_risked(
    tmp_path: Path,
) -> None:
    """A venue that cannot be asked: nothing is entered, and what rested is taken back."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        first = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(1)
        rig.quote()
        await rig.enter(rests=True)
        first.cancel()
        await asyncio.wait({first})
        assert len(rig.venue.resting) == 1
        rig.reconnect()
        rig.venue.cue("orders", VenueUnavailable("down"))
        running = asyncio.create_task(rig.supervised(run_id="run-2"))
        await rig.clock.sleep(1)
        assert rig.loop is not None
        assert rig.loop.standing.of(RECORDS) != ()
        await rig.clock.sleep(3)
        assert rig.venue.resting == []
        await rig.clock.sleep(10)
        assert rig.loop.standing.of(RECORDS) == ()
        rig.stop.set()
        await running
        assert rig.writes.count("place") == 1

    with_rig(tmp_path, story)


@pytest.mark.parametrize(
    ("errors", "index"),
    [
        ([VenueUnavailable("a"), OutcomeUnknown("b"), StoreUnavailable("c")], 1),
        ([AccountBusy("a"), VenueRejected("b", code="E"), StoreUnavailable("c")], 2),
        ([AccountBusy("a"), VenueUnavailable("b")], 1),
        ([OutcomeUnknown("a"), ValueError("b")], 1),
    ],
)
def test_of_several_ends_the_one_to_deal_with_first_is_told(
    errors: list[Exception], index: int
) -> None:
    """A bug, then 6 > 7 > 5 > 4; groups within groups are opened."""
    group = ExceptionGroup("run", [errors[0], ExceptionGroup("deep", errors[1:])])

    assert _weightiest(group) is errors[index]


# --- an account that is not ready ----------------------------------------------------------------


def test_an_account_that_is_not_ready_and_holds_nothing_is_not_traded(tmp_path: Path) -> None:
    """Refused with every reason; the lease is given back, and no turn was taken."""

    async def never() -> tuple[str, ...]:
        return ("the key may withdraw", "a fill is missing")

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        with pytest.raises(PlanRefused, match="the key may withdraw; a fill is missing"):
            await rig.supervised(readiness=never)
        assert await rig.read(lambda tx: tx.lease()) is None
        assert rig.writes == []

    with_rig(tmp_path, story)


def test_an_account_that_is_not_ready_is_protected_until_it_is(tmp_path: Path) -> None:
    """The position gets its stop, no entry is made; once ready, the loop trades."""
    answers = [("the venue is in maintenance",), ("the venue is in maintenance",)]

    async def readiness() -> tuple[str, ...]:
        return answers.pop(0) if answers else ()

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        gate = rig._parts().gate
        bought = place(make_request(limit_price=d("60000.1")))
        await gate.carry_out(plan_with(bought), snapshot=snapshot_with(), execute=True)
        running = asyncio.create_task(rig.supervised(readiness=readiness))
        await rig.pass_time(2)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        beat = await loop_beat(rig)
        assert beat.details["mode"] == "protect-only"
        await rig.enter(ETH)
        assert rig.writes == ["place", "place"]

        await rig.pass_time(120)
        await rig.enter(ETH)
        rig.stop.set()
        await running
        assert [reasons for _, reasons in rig.narrator.standings] == [
            ("the venue is in maintenance",),
            (),
        ]
        assert {each.symbol for each in await rig.read(lambda tx: tx.positions())} == {BTC, ETH}

    with_rig(tmp_path, story)


@pytest.mark.parametrize(("is_told", "noticed_s"), [(True, 0.0), (False, 0.4)])
def test_news_of_a_changed_state_are_heeded_before_it_is_asked_for(
    tmp_path: Path, noticed_s: float, *, is_told: bool
) -> None:
    """Told, at once; not told, when it is asked for the next time, half a second later at most."""

    async def story(rig: LoopRig) -> float:
        rig.news = asyncio.Event()
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(2.1)
        await rig.read(lambda tx: tx.set_config("kill_switch", "true", rig.clock.now()))
        changed_at = rig.clock.now()
        if is_told:
            rig.news.set()
        assert rig.loop is not None
        while rig.loop.books.trading_state.may_enter:
            await rig.clock.sleep(0.01)
        noticed_after = (rig.clock.now() - changed_at).total_seconds()
        rig.stop.set()
        await running
        return noticed_after

    assert with_rig(tmp_path, story) == pytest.approx(noticed_s, abs=0.05)
