"""The invariants of a running loop: measured, told once, latched with the right reason."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, ETH, d, make_catalogue
from loop_rig import LoopRig, run_loop
from zoe_tools.core.equity import Outdated, advanced
from zoe_tools.core.lot_history import Flow
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.invariants import InvariantLimits, SafetyState
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.trading_state import KillLevel, KillReason
from zoe_tools.engine.invariants import INVARIANTS
from zoe_tools.engine.price_doubts import PRICES
from zoe_tools.engine.worth_watch import WorthWatch
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
        now = rig.clock.now()
        base = transaction.latest_equity()
        point = EquityPoint(
            taken_at=now,
            currency="USD",
            gross=d(gross),
            net=d(gross),
            cash=d(gross),
            holdings=d("0"),
            lacks=lacks,
        )
        came = Flow(
            ledger_id="L", at=now, asset="USD", quantity=d(flow), value=d(flow), is_estimated=False
        )
        transaction.record_equity(advanced(base, point, [came] if came.quantity else []))

    await rig.read(write)
    await rig.pass_time(LOOKED_S)


def told_of_prices(rig: LoopRig) -> list[str]:
    """What was said of prices, in order."""
    return [note for _, note in rig.narrator.notes if "price" in note and "held" in note]


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


def test_a_point_that_lost_a_price_halts_nobody(tmp_path: Path) -> None:
    """The store has no price of it any more: that is no loss, and it is told, as is its end."""

    async def story(rig: LoopRig) -> None:
        await worth(rig, "1000")
        await worth(rig, "400", lacks=("BTC",))
        assert level(rig) is KillLevel.NONE
        await worth(rig, "400", lacks=("BTC",))
        (lost,) = told_of_prices(rig)
        assert lost.startswith("No price was ever known of BTC, which is held")
        await worth(rig, "1000")
        assert told_of_prices(rig) == [lost, "All that is held has a price."]
        assert level(rig) is KillLevel.NONE

    run_loop(tmp_path, story)


def test_what_never_had_a_price_switches_no_limit_off(tmp_path: Path) -> None:
    """Fee credits lie on the account all the time: the drawdown of all else halts as ever."""

    async def story(rig: LoopRig) -> None:
        await worth(rig, "1000", lacks=("KFEE",))
        await worth(rig, "900", lacks=("KFEE",))
        assert level(rig) is KillLevel.NONE
        await worth(rig, "840", lacks=("KFEE",))
        assert level(rig) is KillLevel.CANCEL_OPEN
        assert safety(rig) is SafetyState.HALTED
        assert len(told_of_prices(rig)) == 1

    run_loop(tmp_path, story)


def test_the_floor_holds_beside_what_never_had_a_price(tmp_path: Path) -> None:
    """It counts as nothing: whoever set a floor meant what is known."""

    async def story(rig: LoopRig) -> None:
        await worth(rig, "1000", lacks=("KFEE",))
        assert level(rig) is KillLevel.NONE
        await worth(rig, "940", lacks=("KFEE",))
        assert level(rig) is KillLevel.CANCEL_OPEN

    run_loop(tmp_path, story, policy=Policy(invariants=InvariantLimits(equity_floor=d("950"))))


@pytest.mark.parametrize(("share", "waits"), [("3", False), ("3.1", True)])
def test_entries_wait_while_too_much_has_an_old_price_and_exits_do_not(
    tmp_path: Path,
    share: str,
    waits: bool,  # noqa: FBT001 - a scenario's column
) -> None:
    """What it is worth now is a guess; the last price counts, and its age is told once."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        assert rig.worth is not None
        await rig.enter()
        rig.worth.outdated = Outdated(
            assets=("SOL",),
            oldest=rig.clock.now() - timedelta(minutes=20),
            worth=d("10"),
            share_pct=d(share),
        )
        await rig.pass_time(2 * LOOKED_S)
        assert bool(rig.loop.standing.of(PRICES)) == waits
        (note,) = told_of_prices(rig)
        assert note.startswith("The price of SOL, which is held, is 20 min old")
        rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(ETH)
        assert (ETH in held(rig)) is not waits
        assert [each.order_type for each in rig.resting(Side.SELL)][:1] == [OrderType.STOP_LOSS]
        rig.strategy.wanted[BTC] = "exit"
        await rig.close_candle(BTC)
        assert BTC not in held(rig)

        rig.worth.outdated = None
        await rig.pass_time(LOOKED_S)
        assert rig.loop.standing.of(PRICES) == ()
        assert told_of_prices(rig)[1:] == ["All prices of what is held are of now again."]
        assert level(rig) is KillLevel.NONE

    def with_worth(rig: LoopRig) -> None:
        rig.worth = WorthWatch(rig.venue, rig.store, rig.clock, make_catalogue())

    run_loop(tmp_path, story, prepare=with_worth)


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


def test_a_store_that_goes_in_the_very_look_takes_nothing_back(tmp_path: Path) -> None:
    """Its copy knows no equity: what was found stands until the store itself tells otherwise."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        await worth(rig, "1000", lacks=("KFEE",))
        await worth(rig, "900", lacks=("KFEE",))
        await rig.pass_time(6)
        why = rig.loop.standing.of(INVARIANTS)
        assert why == (
            "drawdown_pct is beyond 5 (warning)",
            "positions is beyond 1 (warning)",
        )
        notes, looks = len(rig.narrator.notes), rig.disk.read

        async def read(work: Callable[[Transaction], Any], *, is_urgent: bool = False) -> Any:
            asked = getattr(work, "_work", work)  # patience wraps it
            if "_measured" in str(getattr(asked, "__qualname__", "")):
                rig.disk.is_away = True
            return await looks(work, is_urgent=is_urgent)

        rig.disk.read = read  # type: ignore[method-assign]
        for _ in range(60):
            await rig.pass_time(0.1)
            assert rig.loop.standing.of(INVARIANTS) == why
            assert rig.loop.safety is SafetyState.DEGRADED
        assert rig.disk.is_away
        rig.disk.read = looks  # type: ignore[method-assign]
        rig.disk.is_away = False
        for _ in range(60):
            await rig.pass_time(0.1)
            assert rig.loop.standing.of(INVARIANTS) == why
        told = [note for _, note in rig.narrator.notes[notes:]]
        assert any("store is away" in note for note in told)
        assert "All that is held has a price." not in told

    limits = InvariantLimits(
        drawdown_warn_pct=d("5"), drawdown_crit_pct=d("50"), positions_warn=d("1")
    )
    run_loop(tmp_path, story, policy=Policy(invariants=limits), has_spare=True)
