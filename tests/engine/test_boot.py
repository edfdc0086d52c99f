"""The start of a loop: its phases in log and `boot_audit`, and what a failed one still does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_request, place, plan_with, snapshot_with
from loop_rig import LoopRig, ScriptedFeed, run_loop, sides, with_rig
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.observation import Boot, Details
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.engine import summary
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import PlanRefused, VenueUnavailable
from zoe_tools.kraken.breaker import CircuitBreaker
from zoe_tools.kraken.nonce import NonceSource

Told = Callable[[str], list[dict[str, Any]]]


class Listening:
    """A service manager that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, state: str) -> None:
        """See `ServiceManager`."""
        self.told.append(state)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """The fields of each event of that name, with its severity."""
    caplog.set_level(logging.INFO)

    def of(name: str) -> list[dict[str, Any]]:
        return [
            {**record.__dict__["zoe_fields"], "severity": record.levelname.lower()}
            for record in caplog.records
            if record.__dict__.get("zoe_event") == name
        ]

    return of


async def the_boot(rig: LoopRig) -> Boot:
    """The row of the newest start."""
    return (await rig.read(lambda tx: tx.boots()))[-1]


async def hold_a_position(rig: LoopRig) -> None:
    """Bought by a run that is over, without its stop."""
    gate = rig._parts().gate
    bought = place(make_request(limit_price=d("60000.1")))
    await gate.carry_out(plan_with(bought), snapshot=snapshot_with(), execute=True)


def test_a_start_goes_through_its_phases_each_with_its_time(tmp_path: Path, told: Told) -> None:
    """In the log and in the row; the service manager is told once it is ready."""
    manager = Listening()

    async def story(rig: LoopRig) -> Boot:
        make = rig._parts
        rig._parts = lambda: replace(make(), service=manager)  # type: ignore[method-assign]
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(3)
        rig.come_up()
        await rig.clock.sleep(7)
        boot = await the_boot(rig)
        rig.stop.set()
        await running
        return boot

    boot = with_rig(tmp_path, story)
    phases = [(each["phase"], each["before"]) for each in told("STARTUP")]
    assert phases == [
        ("INITIALIZING", ""),
        ("SYNCING", "INITIALIZING"),
        ("RECONCILING", "SYNCING"),
        ("READY", "RECONCILING"),
        ("STOPPING", "READY"),
    ]
    assert told("STARTUP")[3]["duration_ms"] == pytest.approx(3000, abs=200)
    assert (boot.status, boot.details["phase"], boot.finished_at) == ("ok", "READY", None)
    assert boot.details["resume_policy"] == "normal"
    assert {"initializing_ms", "syncing_ms", "reconciling_ms"} <= boot.details.keys()
    kept = [each for each in manager.told if not each.startswith("STATUS=")]
    assert (kept.count("READY=1"), "WATCHDOG=1" in kept) == (1, True)
    assert kept[-1] == "STOPPING=1"
    assert "STATUS=READY NORMAL, 0 open" in manager.told


def test_a_start_under_a_kill_level_is_noted_as_halted(tmp_path: Path) -> None:
    """It resumes nothing by itself."""

    async def story(rig: LoopRig) -> Boot:
        state = TradingState(level=KillLevel.PAUSE_ENTRIES, reason="drill", changed_at=NOON)
        await rig.read(lambda tx: tx.latch(state))
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(2)
        boot = await the_boot(rig)
        rig.stop.set()
        await running
        assert ("READY", "trading is stopped") in rig.narrator.phases
        return boot

    boot = with_rig(tmp_path, story)
    assert (boot.status, boot.details["resume_policy"]) == ("halted", "halt")


def test_a_failed_start_protects_and_enters_nothing_until_it_is_mended(
    tmp_path: Path, told: Told
) -> None:
    """FAILED, with why; the stop is placed all the same; READY once the account is."""
    answers = [("a fill is missing",), ("a fill is missing",)]

    async def readiness() -> tuple[str, ...]:
        return answers.pop(0) if answers else ()

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        await hold_a_position(rig)
        running = asyncio.create_task(rig.supervised(readiness=readiness))
        await rig.pass_time(2)
        boot = await the_boot(rig)
        assert (boot.status, boot.details["phase"]) == ("safe_mode", "FAILED")
        assert (boot.details["resume_policy"], boot.details["reason"]) == (
            "safe_mode",
            "a fill is missing",
        )
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        await rig.enter(ETH)
        assert rig.writes == ["place", "place"]
        await rig.pass_time(120)
        assert (await the_boot(rig)).status == "ok"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
    severities = {each["phase"]: each["severity"] for each in told("STARTUP")}
    assert severities["FAILED"] == "error"
    assert [each["phase"] for each in told("STARTUP")][-3:] == ["FAILED", "READY", "STOPPING"]


def test_records_that_cannot_be_read_fail_the_start_and_not_the_protection(
    tmp_path: Path,
) -> None:
    """What is held gets its stop; entries wait until the venue has told what happened."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        await hold_a_position(rig)
        answers, asked = rig.venue.fills, []

        async def fills(**span: Any) -> tuple[Fill, ...]:
            asked.append(rig.clock.now())
            if rig.clock.now() < begun + timedelta(seconds=20):
                raise VenueUnavailable("down")
            return await answers(**span)

        begun = rig.clock.now()
        rig.venue.fills = fills  # type: ignore[method-assign]
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(15)
        assert rig.loop is not None
        boot = await the_boot(rig)
        assert (boot.status, boot.details["phase"]) == ("safe_mode", "FAILED")
        assert "cannot be asked: down" in str(boot.details["reason"])
        assert len(asked) > 2
        rig.quote()
        await rig.pass_time(2)
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        await rig.pass_time(20)
        assert (await the_boot(rig)).details["phase"] == "READY"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


def test_records_that_are_slow_keep_no_stop_waiting(tmp_path: Path) -> None:
    """The streams come up meanwhile; nothing new is risked before the records have told."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        await hold_a_position(rig)
        answers = rig.venue.fills

        async def fills(**span: Any) -> tuple[Fill, ...]:
            await rig.clock.sleep(8)
            return await answers(**span)

        rig.venue.fills = fills  # type: ignore[method-assign]
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(2)
        assert rig.loop is not None
        behind = [rig.loop.following.is_behind]
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        await rig.pass_time(20)
        behind.append(rig.loop.following.is_behind)
        assert behind == [True, False]
        assert (await the_boot(rig)).details["phase"] == "READY"
        rig.stop.set()
        await running

    with_rig(tmp_path, story)


@pytest.mark.parametrize("has_arrived", [False, True])
def test_a_sale_that_a_killed_loop_sent_keeps_no_stop_waiting(
    tmp_path: Path, *, has_arrived: bool
) -> None:
    """Whether it arrived the slow records tell later; where it did, the venue refuses the stop."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        first = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await rig.enter()
        await rig.pass_time(5)
        answers, place_order, is_sent = rig.venue.fills, rig.venue.place, asyncio.Event()

        async def without_answer(request: OrderRequest, **terms: Any) -> VenueOrderId:
            if has_arrived:
                rig.is_deaf = True
                rig.venue.prices[BTC] = (d("50000.0"), d("50000.1"))  # where it does not fill
                await place_order(request, **terms)
            is_sent.set()
            return await asyncio.Event().wait()  # type: ignore[return-value]

        async def fills(**span: Any) -> tuple[Fill, ...]:
            await rig.clock.sleep(8)
            return await answers(**span)

        rig.venue.place = without_answer  # type: ignore[method-assign]
        rig.strategy.wanted[BTC] = "exit"
        closing = asyncio.create_task(rig.close_candle())
        await is_sent.wait()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        rig.venue.place, rig.venue.fills = place_order, fills  # type: ignore[method-assign]
        rig.reconnect()
        second = asyncio.create_task(
            rig.supervised(run_id="run-2", is_gone=lambda lease: lease.holder != "run-2")
        )
        await closing
        rig.quote()
        await rig.pass_time(2)
        assert rig.loop is not None
        assert rig.loop.following.is_behind
        found = [each.order_type for each in rig.resting(Side.SELL)]
        assert found == [OrderType.LIMIT if has_arrived else OrderType.STOP_LOSS]
        rig.stop.set()
        await second

    with_rig(tmp_path, story)


def test_a_start_is_ready_when_books_and_venue_were_compared(tmp_path: Path, told: Told) -> None:
    """What is held is protected meanwhile; nothing is entered before."""

    async def story(rig: LoopRig) -> None:
        listed, began = rig.venue.open_orders, rig.clock.now()

        async def open_orders(*asked: Any) -> Any:
            if rig.clock.now() < began + timedelta(seconds=100):
                raise VenueUnavailable("down")
            return await listed(*asked)

        rig.venue.open_orders = open_orders  # type: ignore[method-assign, assignment]
        rig.come_up()
        rig.quote()
        await hold_a_position(rig)
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(5)
        assert (await the_boot(rig)).details["phase"] == "RECONCILING"
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]
        rig.quote(ETH)
        await rig.enter(ETH)
        assert (await the_boot(rig)).details["phase"] == "FAILED"
        assert rig.resting(Side.BUY) == []
        await rig.pass_time(50)
        assert (await the_boot(rig)).details["phase"] == "READY"
        rig.quote(ETH)
        await rig.enter(ETH)
        assert {each.symbol for each in rig.resting(Side.SELL)} == {BTC, ETH}
        rig.stop.set()
        await running

    with_rig(tmp_path, story, compares=True)
    phases = [each["phase"] for each in told("STARTUP")]
    assert phases[-4:] == ["RECONCILING", "FAILED", "READY", "STOPPING"]


def test_a_run_that_ends_by_an_error_says_so(tmp_path: Path, told: Told) -> None:
    """In the row, and as an event that alerts, with the exit code."""

    async def never() -> tuple[str, ...]:
        return ("the key may withdraw",)

    async def story(rig: LoopRig) -> Boot:
        rig.come_up()
        with pytest.raises(PlanRefused):
            await rig.supervised(readiness=never)
        return await the_boot(rig)

    boot = with_rig(tmp_path, story)
    assert boot.status == "error"
    assert "the key may withdraw" in str(boot.details["reason"])
    [ended] = told("LOOP_ENDED")
    assert (ended["severity"], ended["exit_code"]) == ("error", 4)


def test_pending_entries_survive_a_restart(tmp_path: Path) -> None:
    """A vector of the start-up: an entry whose answer was lost is found, and not sent twice."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        first = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(1)
        rig.quote()
        await rig.enter(rests=True)
        first.cancel()
        await asyncio.wait({first})
        rig.reconnect()
        pending = await rig.read(lambda tx: tx.orders(open_only=True))
        running = asyncio.create_task(rig.supervised(run_id="run-2"))
        await rig.clock.sleep(2)
        assert rig.loop is not None
        assert [each.client_order_id for each in rig.loop.books.orders] == [
            each.client_order_id for each in pending
        ]
        assert [(each.symbol, each.side) for each in rig.venue.resting] == [(BTC, Side.BUY)]
        rig.stop.set()
        await running
        assert rig.writes.count("place") == 1

    with_rig(tmp_path, story)


class Unread:
    """An output that nobody takes for so many beats."""

    def __init__(self, beats: int) -> None:
        self._beats = beats
        self.lines_lost = 0

    def trouble(self) -> str:
        """See `Output`."""
        self._beats -= 1
        self.lines_lost += 1
        return "nobody reads stdout" if self._beats >= 0 else ""


def test_an_output_that_nobody_takes_is_told_once_and_in_each_beat(
    tmp_path: Path, told: Told
) -> None:
    """In the log, which is a place of its own; what was not shown stays told."""

    async def story(rig: LoopRig) -> list[Details]:
        make = rig._parts
        rig._parts = lambda: replace(make(), output=Unread(4))  # type: ignore[method-assign]
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.clock.sleep(8)
        beats = [(await rig.read(lambda tx: tx.heartbeats()))[0].details]
        await rig.clock.sleep(30)
        beats.append((await rig.read(lambda tx: tx.heartbeats()))[0].details)
        rig.stop.set()
        await running
        return beats

    first, second = with_rig(tmp_path, story)
    assert [each["reason"] for each in told("OUTPUT_HELD_UP")] == ["nobody reads stdout"]
    assert (first["output"], second["output"]) == ("nobody reads stdout", "")
    assert int(second["lines_lost"]) > int(first["lines_lost"]) > 0


# --- the summary of each minute ------------------------------------------------------------------


def test_each_minute_is_summed_up_also_while_halted(tmp_path: Path, told: Told) -> None:
    """With the fields that dashboards know, and why nothing is entered."""

    async def story(rig: LoopRig) -> None:
        await rig.enter()
        await rig.pass_time(60)
        state = TradingState(level=KillLevel.PAUSE_ENTRIES, reason="drill", changed_at=NOON)
        await rig.read(lambda tx: tx.latch(state))
        await rig.pass_time(60)

    run_loop(tmp_path, story)
    first, second, *_ = told("CYCLE_SUMMARY")
    assert {
        *("cycle", "duration_ms", "positions", "universe", "system_state"),
        *("cooldowns_active", "breaker", "breaker_failures"),
    } <= first.keys()
    assert (first["positions"], second["positions"]) == (0, 1)
    assert (first["mode"], first["phase"]) == ("trading", "READY")
    assert second["cycle"] > first["cycle"]
    last = told("CYCLE_SUMMARY")[-1]
    assert (last["system_state"], last["why_no_entries"]) == (
        "KILL_SWITCH",
        "halted at pause-entries: drill",
    )


def test_the_summary_tells_the_api_circuit_breaker(tmp_path: Path, told: Told) -> None:
    """Its state and its count, in the words that dashboards know."""

    async def story(rig: LoopRig) -> None:
        rig.breaker = CircuitBreaker(NonceSource(rig.clock), rig.clock)
        rig.come_up()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(62)
        await rig.breaker.force(is_open=True)
        await rig.pass_time(60)
        rig.stop.set()
        await running

    with_rig(tmp_path, story)
    states = [(each["breaker"], each["system_state"]) for each in told("CYCLE_SUMMARY")]
    assert states == [("closed", "NORMAL"), ("open", "DEGRADED")]


def test_a_summary_that_fails_is_told_and_stops_nothing(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop takes its turns; the next minute tries again."""

    def broken(loop: TradingLoop, parts: LoopParts) -> str:
        raise ZeroDivisionError(f"{parts.account.title}, {loop.cycles}")

    async def story(rig: LoopRig) -> None:
        monkeypatch.setattr(summary, "system_state", broken)
        await rig.pass_time(121)

    _, tally = run_loop(tmp_path, story)
    failed = told("CYCLE_SUMMARY_FAILED")
    assert (len(failed), failed[0]["severity"]) == (2, "error")
    assert tally.cycles > 100


def test_the_operator_hears_how_far_the_loop_has_come(tmp_path: Path) -> None:
    """A loop that has nothing to do said nothing, from its start to its end."""

    async def story(rig: LoopRig) -> None:
        await rig.pass_time(1)

    rig, _ = run_loop(tmp_path, story, compares=True)
    assert [phase for phase, _ in rig.narrator.phases] == [
        "INITIALIZING",
        "SYNCING",
        "RECONCILING",
        "READY",
        "STOPPING",
    ]


@pytest.mark.parametrize("purpose", ["entry", "stop"])
def test_a_row_that_holds_no_word_keeps_no_loop_from_starting(tmp_path: Path, purpose: str) -> None:
    """What it holds stays protected, by the one stop that rests."""

    async def story(rig: LoopRig) -> None:
        rig.come_up()
        rig.quote()
        running = asyncio.create_task(rig.supervised())
        await rig.pass_time(1)
        await rig.enter()
        with sqlite3.connect(tmp_path / "zoe.db") as by_hand:
            wrong = "UPDATE crypto_orders SET status = 'cancelled' WHERE purpose = ?"
            assert by_hand.execute(wrong, (purpose,)).rowcount == 1
        by_hand.close()
        await rig.pass_time(10)
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})
        rig.feed = ScriptedFeed()
        rig.come_up()
        rig.quote()
        again = asyncio.create_task(rig.supervised(run_id="run-2", is_gone=lambda _lease: True))
        await rig.pass_time(10)

        assert not again.done()
        assert sides(rig.venue.resting) == [("sell", "stop-loss")]
        rig.stop.set()
        await again

    with_rig(tmp_path, story)
