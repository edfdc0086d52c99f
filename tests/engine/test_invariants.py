"""The invariants of a running loop: measured, told once, latched with the right reason."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path

import pytest

from builders import BTC, ETH, d
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.invariants import SafetyState
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.invariants import INVARIANTS
from zoe_tools.errors import OutcomeUnknown, VenueError
from zoe_tools.kraken.api_errors import ApiErrors
from zoe_tools.store.store import Transaction

LOOKED_S = 12


def with_errors(rig: LoopRig) -> None:
    """Give the loop a count of failed calls."""
    rig.api_errors = ApiErrors(rig.clock)


async def worth(rig: LoopRig, gross: str, *, flow: str = "0", lacks: tuple[str, ...] = ()) -> None:
    """The next point of the equity curve, as the watch of the worth would make it."""

    def write(transaction: Transaction) -> None:
        base = transaction.latest_equity()
        start = base.gross if base is not None else d(gross)
        kept = (d(gross) - d(flow)) / start
        index = kept if base is None else base.return_index * kept
        peak = max(index, Decimal(1) if base is None else base.peak_index)
        transaction.record_equity(
            EquityPoint(
                taken_at=rig.clock.now(),
                currency="USD",
                gross=d(gross),
                net=d(gross),
                cash=d(gross),
                holdings=d("0"),
                flow=d(flow),
                return_index=index,
                peak_index=peak,
                lacks=lacks,
            )
        )

    await rig.read(write)
    await rig.pass_time(LOOKED_S)


def held(rig: LoopRig) -> list[Symbol]:
    """What the loop has positions in."""
    assert rig.loop is not None
    return [each.symbol for each in rig.loop.books.positions]


def safety(rig: LoopRig) -> SafetyState:
    """How the loop says that the account stands."""
    assert rig.loop is not None
    return rig.loop.safety


def level(rig: LoopRig) -> KillLevel:
    """What is latched, as the loop knows it."""
    assert rig.loop is not None
    return rig.loop.books.trading_state.level


def test_vector_10_a_drawdown_latches_escalates_and_never_clears_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Halted at 15 %, an emergency with a second critical; better times change nothing."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert rig.api_errors is not None
        await rig.enter()
        await worth(rig, "1000")
        await worth(rig, "850")
        state = rig.loop.books.trading_state
        assert (state.level, state.cause) == (
            KillLevel.CANCEL_OPEN,
            KillReason.INVARIANT_VIOLATION,
        )
        assert safety(rig) is SafetyState.HALTED
        assert [each.order_type for each in rig.resting(Side.SELL)] == [OrderType.STOP_LOSS]

        for _ in range(10):
            with pytest.raises(VenueError), rig.api_errors.noting():
                raise OutcomeUnknown("lost")
        await rig.pass_time(LOOKED_S)
        assert (level(rig), safety(rig)) == (KillLevel.REDUCE_ONLY, SafetyState.EMERGENCY)

        await worth(rig, "1000")
        await rig.pass_time(3600)
        assert (level(rig), safety(rig)) == (KillLevel.REDUCE_ONLY, SafetyState.ACTIVE)
        stored = await rig.read(lambda tx: tx.trading_state())
        assert stored.cause is KillReason.INVARIANT_VIOLATION
        rig.strategy.wanted[BTC] = "exit"
        await rig.close_candle(BTC)
        assert held(rig) == []

    with caplog.at_level(logging.INFO):
        run_loop(tmp_path, story, prepare=with_errors)
    kills = [each for each in caplog.records if each.message == "KILL_SWITCH_ACTIVATED"]
    assert len(kills) == 2
    assert "INVARIANT_VIOLATION" in caplog.messages


def test_vector_5_a_withdrawal_is_no_drawdown(tmp_path: Path) -> None:
    """1000, of which 300 are taken out: nothing is lost, and nothing is latched."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await worth(rig, "1000")
        await worth(rig, "700", flow="-300")
        assert (level(rig), safety(rig)) == (KillLevel.NONE, SafetyState.ACTIVE)

    run_loop(tmp_path, story)


def test_a_point_that_lacks_a_price_halts_nobody(tmp_path: Path) -> None:
    """Less than all is no equity; that nothing is judged any more is told, and when it is again."""

    async def story(rig: LoopRig) -> None:
        def told() -> list[str]:
            return [note for _, note in rig.narrator.notes if note.startswith("Equity")]

        await worth(rig, "1000")
        await worth(rig, "400", lacks=("BTC",))
        assert level(rig) is KillLevel.NONE
        await worth(rig, "400", lacks=("BTC",))
        (lost,) = told()
        assert lost.startswith("Equity and drawdown are not judged: no price is known of BTC")
        await worth(rig, "1000")
        assert told() == [lost, "Equity and drawdown are judged again."]

    run_loop(tmp_path, story)


def test_two_warnings_keep_entries_back_until_one_is_over(tmp_path: Path) -> None:
    """DEGRADED is no kill: nothing is latched."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.close_candle(BTC, ETH)
        await worth(rig, "1000")
        await worth(rig, "890")
        assert safety(rig) is SafetyState.ACTIVE
        await rig.pass_time(300)
        assert safety(rig) is SafetyState.DEGRADED
        assert len(rig.loop.standing.of(INVARIANTS)) == 2
        assert level(rig) is KillLevel.NONE
        await rig.close_candle(BTC, ETH)
        await rig.pass_time(LOOKED_S)
        assert rig.loop.standing.of(INVARIANTS) == ()

    run_loop(tmp_path, story)


def test_a_shadow_tells_and_stops_nobody(tmp_path: Path) -> None:
    """It holds nothing that a level could protect."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await worth(rig, "1000")
        await worth(rig, "500")
        assert (level(rig), safety(rig)) == (KillLevel.NONE, SafetyState.HALTED)

    run_loop(tmp_path, story, is_shadow=True)
