"""What the desk's watch tells, and what it keeps back, through the loop."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from builders import BTC, ETH, d, make_fill, make_group, make_order
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.identifiers import FillId
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.engine.desk_watch import SLIPPAGE, STUCK
from zoe_tools.errors import VenueRejected
from zoe_tools.store.store import Transaction

NO = VenueRejected("no", code="EOrder:Insufficient funds")


async def try_to_enter(rig: LoopRig) -> None:
    """The strategy wants BTC, at one close after the other."""
    rig.strategy.wanted[BTC] = "enter"
    await rig.close_candle()


def told(caplog: pytest.LogCaptureFixture, name: str) -> int:
    """How often an event was told."""
    return sum(each.message == name for each in caplog.records)


def test_an_instrument_that_is_refused_three_times_rests_for_ten_minutes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each refusal is told with the venue's words; other instruments go on; it clears by itself."""

    async def story(rig: LoopRig) -> None:
        rig.venue.cue("place", NO, times=3)
        for _ in range(4):
            await try_to_enter(rig)
        assert rig.writes == ["place"] * 3
        rig.strategy.wanted[ETH] = "enter"
        await rig.close_candle(ETH)
        assert rig.writes[3:] == ["place", "place"]
        rig.clock.set_by = timedelta(minutes=10)
        rig.quote()
        await try_to_enter(rig)
        assert len(rig.resting(Side.SELL)) == 2

    run_loop(tmp_path, story)
    assert told(caplog, "ORDER_REJECTED_BY_VENUE") == 3
    assert told(caplog, "REPEATED_REJECTIONS") == 1


def slipped(transaction: Transaction) -> None:
    """Twenty fills, each one percent from where the market was."""
    now = make_group().created_at
    transaction.groups.record(make_group())
    transaction.record_order(make_order(group_id=make_group().group_id, status=OrderStatus.FILLED))
    for n in range(20):
        transaction.record_fill(
            make_fill(
                fill_id=FillId(f"S{n:02d}"),
                client_order_id=make_order().client_order_id,
                price=d("60600"),
                filled_at=now + timedelta(seconds=n),
            )
        )


def test_slippage_above_the_knob_keeps_entries_back_until_it_is_a_day_old(tmp_path: Path) -> None:
    """Fifty basis points on average over the last twenty fills."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.read(slipped)
        await rig.pass_time(65)
        (reason,) = rig.loop.standing.of(SLIPPAGE)
        assert "100 bps on average, 50 at most" in reason
        await try_to_enter(rig)
        assert rig.writes == []
        rig.clock.set_by = timedelta(days=1, minutes=5)
        await rig.pass_time(10)
        assert rig.loop.standing.of(SLIPPAGE) == ()

    run_loop(tmp_path, story)


def test_an_order_that_cannot_be_cancelled_is_told_as_stuck(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once; and nothing is entered beside it."""

    async def story(rig: LoopRig) -> None:
        await rig.enter(rests=True)
        rig.venue.cue("cancel", VenueRejected("no", code="EOrder:Cannot cancel"), times=500)
        await rig.pass_time(320)
        assert rig.loop is not None
        assert len(rig.loop.standing.of(STUCK)) == 1
        rig.venue._cues.clear()
        await rig.pass_time(10)
        assert rig.loop.standing.of(STUCK) == ()

    run_loop(tmp_path, story)
    assert told(caplog, "STUCK_ORDER") == 1
