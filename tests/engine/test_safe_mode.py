"""Safe mode in a running loop: one silent market stops entries there, and nowhere else."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from builders import BTC, ETH
from loop_rig import LoopRig, run_loop
from zoe_tools.core.risk import veto
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.engine.safe_mode import ERRORS, SCANS
from zoe_tools.errors import OutcomeUnknown, VenueError, VenueRejected
from zoe_tools.kraken.api_errors import ApiErrors


def held(rig: LoopRig) -> list[Symbol]:
    """What the loop has positions in."""
    assert rig.loop is not None
    return [each.symbol for each in rig.loop.books.positions]


async def told_of_eth_alone(rig: LoopRig, minutes: int) -> None:
    """ETH is quoted and trades; of BTC nothing is heard."""
    for _ in range(minutes):
        await rig.close_candle(ETH)


def test_a_silent_market_is_not_entered_and_another_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One dead pair masks nothing, and costs the live ones nothing; its own comes back."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.close_candle(BTC, ETH)
        await told_of_eth_alone(rig, 2)
        now = rig.clock.now()
        reasons = dict(rig.loop.safe_mode.held_back(now))
        assert "no quote for 60 s" in reasons[BTC]
        assert ETH not in reasons
        assert not rig.loop.standing.only_protects

        await rig.enter(ETH)
        assert held(rig) == [ETH]
        await rig.enter(BTC)
        assert held(rig) == [ETH, BTC]

    with caplog.at_level(logging.INFO, logger="zoe_tools.engine.safe_mode"):
        run_loop(tmp_path, story)
    told = [each.message for each in caplog.records if each.name == "zoe_tools.engine.safe_mode"]
    assert (told[0], told[-1]) == ("SAFE_MODE_ENTERED", "SAFE_MODE_LEFT")


def test_defect_6_safe_mode_takes_back_entries_and_lets_exits_go(tmp_path: Path) -> None:
    """A working entry of the silent market is cancelled; a stop stays, and an exit is sold."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(ETH)
        await rig.enter(BTC, rests=True)
        assert [each.symbol for each in rig.resting(Side.BUY)] == [BTC]
        await told_of_eth_alone(rig, 2)
        assert rig.resting(Side.BUY) == []
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

        await rig.pass_time(400)
        rig.quote(ETH)
        assert rig.loop is not None
        assert ETH in dict(rig.loop.safe_mode.held_back(rig.clock.now()))
        rig.strategy.wanted[ETH] = "exit"
        await rig.close_candle(ETH)
        assert held(rig) == []

    run_loop(tmp_path, story)


def test_the_gate_refuses_what_is_planned_all_the_same(tmp_path: Path) -> None:
    """The register is part of the snapshot: SAFE_MODE for an entry there, and nowhere else."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.close_candle(BTC)
        entry = Decision(symbol=BTC, action="enter", reason="scripted")
        snapshot, plan = rig.loop.planner.of_all(rig.clock.now(), rig.loop.key, (entry,))
        assert (len(plan.steps), veto(plan, snapshot)) == (1, ())
        silent = replace(snapshot, held_back=((BTC, "no quote for 60 s"),))
        assert [each.code for each in veto(plan, silent)] == ["SAFE_MODE"]
        elsewhere = replace(snapshot, held_back=((ETH, "no quote for 60 s"),))
        assert veto(plan, elsewhere) == ()

    run_loop(tmp_path, story)


def with_errors(rig: LoopRig) -> None:
    """Give the loop a count of failed calls."""
    rig.api_errors = ApiErrors(rig.clock)


def fail(errors: ApiErrors, error: VenueError) -> None:
    """A call ends so."""
    with pytest.raises(VenueError), errors.noting():
        raise error


def test_three_failed_calls_in_five_minutes_stop_entries_until_the_window_is_over(
    tmp_path: Path,
) -> None:
    """A definite no is an answer, and no error; exits go on."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert rig.api_errors is not None
        for error in (OutcomeUnknown("lost"), OutcomeUnknown("lost"), VenueRejected("no")):
            fail(rig.api_errors, error)
        await rig.pass_time(1)
        assert rig.loop.standing.of(ERRORS) == ()
        fail(rig.api_errors, OutcomeUnknown("lost"))
        await rig.pass_time(1)
        reason = "safe mode: 3 calls or more failed within 300 s"
        assert rig.loop.standing.of(ERRORS) == (reason,)
        await rig.pass_time(300)
        assert rig.loop.standing.of(ERRORS) == ()

    run_loop(tmp_path, story, prepare=with_errors)


def test_rounds_without_a_market_stop_entries_until_one_has_one(tmp_path: Path) -> None:
    """Candles close, and no quote is fresh: three times in a row, and nothing is entered."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        for _ in range(3):
            assert rig.loop.standing.of(SCANS) == ()
            await rig.close_candle(BTC, is_quoted=False)
        assert len(rig.loop.standing.of(SCANS)) == 1
        await rig.close_candle(BTC)
        assert rig.loop.standing.of(SCANS) == ()

    run_loop(tmp_path, story)


def test_the_heartbeat_says_which_instruments_are_in_safe_mode(tmp_path: Path) -> None:
    """`zoe status` reads it there."""

    async def story(rig: LoopRig) -> None:
        await rig.close_candle(BTC)
        await told_of_eth_alone(rig, 2)
        beats = await rig.read(lambda tx: tx.heartbeats())
        (told,) = [each.details["safe_mode"] for each in beats if each.component == "loop"]
        assert str(told).startswith("BTC/USD: no quote for 60 s")

    run_loop(tmp_path, story)
