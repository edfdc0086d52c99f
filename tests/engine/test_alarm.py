"""SIGUSR1 to a running loop: no entry from that moment on, a latched level, stops left alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path

from builders import BTC, ETH, PAPER
from loop_rig import LoopRig, run_loop, with_rig
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.alarm import ALARM, StandbyAlarm
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.journal import Author
from zoe_tools.runtime.live_run import _wait_for_host, stopping_on_signals
from zoe_tools.runtime.loop_lock import AccountLock
from zoe_tools.runtime.virtual_loop import run_virtual


def with_alarm(rig: LoopRig) -> None:
    """Somebody can ring it."""
    rig.alarm = asyncio.Event()


def ring(rig: LoopRig) -> None:
    """The signal."""
    assert rig.alarm is not None
    rig.alarm.set()


def level(rig: LoopRig) -> KillLevel:
    """What is latched, as the loop knows it."""
    assert rig.loop is not None
    return rig.loop.books.trading_state.level


def test_vector_10_a_signal_stops_entries_and_a_second_one_escalates(tmp_path: Path) -> None:
    """The working entry goes, the stop stays; the latch outlives the loop, and names its cause."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(ETH)
        await rig.enter(BTC, rests=True)
        ring(rig)
        await rig.pass_time(3)
        assert rig.resting(Side.BUY) == []
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        stored = await rig.read(lambda tx: tx.trading_state())
        assert (stored.level, stored.cause) == (KillLevel.CANCEL_OPEN, KillReason.MANUAL)
        assert stored.reason == "manual: SIGUSR1 to the loop"

        ring(rig)
        await rig.pass_time(3)
        ring(rig)
        await rig.pass_time(3)
        assert level(rig) is KillLevel.REDUCE_ONLY
        assert rig.loop.standing.of(ALARM) == ()

    run_loop(tmp_path, story, prepare=with_alarm)


def test_a_shadow_keeps_its_own_entries_back_and_stops_nobody(tmp_path: Path) -> None:
    """The account is another loop's."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        ring(rig)
        await rig.pass_time(3)
        assert rig.loop.standing.of(ALARM) == ("SIGUSR1: trading is stopped",)
        assert level(rig) is KillLevel.NONE

    run_loop(tmp_path, story, is_shadow=True, prepare=with_alarm)


def test_without_a_store_entries_stop_at_once_and_the_latch_follows(tmp_path: Path) -> None:
    """The reason stands until there is something to latch it in."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter(ETH)
        rig.disk.is_away = True
        ring(rig)
        await rig.pass_time(3)
        assert rig.loop.standing.of(ALARM) == ("SIGUSR1: trading is stopped",)
        assert rig.emergency is not None
        assert rig.emergency.is_waiting()
        rig.disk.is_away = False
        await rig.pass_time(5)
        stored = await rig.read(lambda tx: tx.trading_state())
        assert stored.level is KillLevel.CANCEL_OPEN
        assert rig.loop.standing.of(ALARM) == ()

    run_loop(tmp_path, story, has_spare=True, prepare=with_alarm)


def test_a_signal_without_a_store_outlives_a_loop_that_is_killed_meanwhile(
    tmp_path: Path,
) -> None:
    """It waits on the disk: the next start latches it before it enters anything."""

    async def story(rig: LoopRig) -> None:
        run = asyncio.create_task(rig.supervised())
        await rig.pass_time(2)
        rig.disk.is_away = True
        ring(rig)
        await rig.pass_time(3)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError, StoreUnavailable):
            await run
        assert (await rig.read(lambda tx: tx.trading_state())).level is KillLevel.NONE

        rig.disk.is_away = False
        rig.reconnect()
        again = asyncio.create_task(rig.supervised(run_id="run-2", is_gone=lambda _: True))
        await rig.pass_time(2)
        stored = await rig.read(lambda tx: tx.trading_state())
        assert (stored.level, stored.changed_by) == (KillLevel.CANCEL_OPEN, "run")
        rig.stop.set()
        await again

    async def main() -> None:
        rig = LoopRig(tmp_path, policy=Policy(), is_shadow=False, has_spare=True)
        with_alarm(rig)
        rig.come_up()
        rig.quote()
        try:
            await story(rig)
        finally:
            await rig.store.close()

    run_virtual(main())


def told(rig: LoopRig) -> list[str]:
    """What was said of the signal."""
    return [note for _, note in rig.narrator.notes if "SIGUSR1" in note]


def test_a_loop_that_stands_by_latches_the_account_of_the_one_that_runs(tmp_path: Path) -> None:
    """Whoever signals means the account: once, then harder; and it goes on standing by."""

    async def story(rig: LoopRig) -> None:
        with_alarm(rig)
        now = rig.clock.now()
        await rig.read(lambda tx: tx.acquire_lease("other", "elsewhere", 9, now, 3600))
        running = asyncio.create_task(rig.supervised(is_standby=True))
        for level in (KillLevel.CANCEL_OPEN, KillLevel.REDUCE_ONLY):
            ring(rig)
            await rig.clock.sleep(2)
            stored = await rig.read(lambda tx: tx.trading_state())
            assert (stored.level, stored.changed_by) == (level, "run")
            assert stored.reason == "manual: SIGUSR1 to the loop"
        rig.stop.set()
        await running
        assert told(rig) == [
            "SIGUSR1: trading is stopped at cancel-open; the loop that runs is told.",
            "SIGUSR1: trading is stopped at reduce-only; the loop that runs is told.",
        ]

    with_rig(tmp_path, story)


def test_a_loop_that_stands_by_says_so_where_it_cannot_stop_anything(tmp_path: Path) -> None:
    """Neither without its store, nor as a shadow; a signal is never silent."""

    async def story(rig: LoopRig) -> None:
        parts = StandbyAlarm(
            alarm=asyncio.Event(),
            store=rig.disk,
            clock=rig.clock,
            account=PAPER,
            policy=rig.policy,
            author=Author(account=PAPER, command="run", operator="", host=""),
            narrator=rig.narrator,
        )
        await parts.heed()
        assert told(rig) == []
        rig.disk.is_away = True
        for each in (parts, replace(parts, is_shadow=True)):
            each.alarm.set()
            await each.heed()
            assert not each.alarm.is_set()
        assert "NOTHING IS STOPPED" in told(rig)[0]
        assert "this is a shadow" in told(rig)[1]

    with_rig(tmp_path, story)


def test_a_loop_that_waits_for_that_of_its_own_host_hears_the_signal_too(tmp_path: Path) -> None:
    """Before it has a run of its own."""

    async def story(rig: LoopRig) -> None:
        alarm, stop = asyncio.Event(), asyncio.Event()
        standby = StandbyAlarm(
            alarm=alarm,
            store=rig.store,
            clock=rig.clock,
            account=PAPER,
            policy=rig.policy,
            author=Author(account=PAPER, command="run", operator="", host=""),
            narrator=rig.narrator,
        )
        with AccountLock(tmp_path, PAPER) as first, AccountLock(tmp_path, PAPER) as second:
            first.take()
            waiting = asyncio.create_task(
                _wait_for_host(second, rig.narrator, rig.clock, stop, standby)
            )
            await rig.clock.sleep(1)
            alarm.set()
            await rig.clock.sleep(1)
            stored = await rig.read(lambda tx: tx.trading_state())
            assert stored.level is KillLevel.CANCEL_OPEN
            stop.set()
            await waiting

    with_rig(tmp_path, story)


def test_the_process_hears_the_signal_and_goes_on() -> None:
    """Without a handler SIGUSR1 would end it; it asks for no orderly stop either."""

    async def main() -> tuple[bool, bool]:
        stop, alarm = asyncio.Event(), asyncio.Event()
        with stopping_on_signals(stop, alarm):
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(alarm.wait(), timeout=5)
        return stop.is_set(), alarm.is_set()

    assert asyncio.run(main()) == (False, True)


def test_a_closed_terminal_asks_for_an_orderly_stop() -> None:
    """Without a handler it would end the loop at once, with its entries at work."""

    async def main() -> bool:
        stop = asyncio.Event()
        with stopping_on_signals(stop, asyncio.Event()):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.wait_for(stop.wait(), timeout=5)
        return stop.is_set()

    assert asyncio.run(main())


def test_under_nohup_the_loop_outlasts_its_terminal() -> None:
    """Who started it so wants it to trade on; what was ignored stays ignored."""

    async def main() -> bool:
        stop = asyncio.Event()
        with stopping_on_signals(stop, asyncio.Event()):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        return stop.is_set()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert not asyncio.run(main())
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
