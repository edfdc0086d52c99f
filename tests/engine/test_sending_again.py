"""A stop that a dead process may have sent is looked after beside the turns, and before nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, make_intent, make_stop_request, place
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import canonical_json
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.errors import OutcomeUnknown, VenueRejected

AT_WORK_S = 20
"""Shorter than the records' silence, which ends the doubt."""


async def a_position_with_a_doubtful_stop(rig: LoopRig) -> Intent:
    """Its own stop rests; of another one that somebody may have sent it is not known yet."""
    assert rig.loop is not None
    await rig.enter()
    await rig.pass_time(5)
    (held,) = await rig.read(lambda tx: tx.positions())
    step = place(make_stop_request(quantity=held.quantity), position_id=held.position_id)
    now = rig.clock.now()
    lost = make_intent(
        side=Side.SELL,
        purpose="stop",
        payload=canonical_json(step),
        deadline=now - timedelta(seconds=1),
        created_at=now,
        position_id=held.position_id,
        client_order_id=None,
    )
    await rig.read(lambda tx: tx.record_intent(lost))
    await rig.loop.books.refresh(now)
    return lost


def test_a_stop_of_which_nobody_knows_and_that_is_not_wanted_keeps_no_exit_waiting(
    tmp_path: Path,
) -> None:
    """Another one rests: the doubt stays for a minute, and the position is left meanwhile."""

    async def story(rig: LoopRig) -> None:
        lost = await a_position_with_a_doubtful_stop(rig)
        (stop,) = rig.resting(Side.SELL)
        await rig.pass_time(AT_WORK_S)
        assert rig.resting(Side.SELL) == [stop]

        rig.move("64000.0", "64000.1")
        await rig.pass_time(8)
        (over,) = await rig.read(lambda tx: tx.positions())
        known = await rig.read(lambda tx: tx.intent(lost.intent_id))
        assert over.status is PositionStatus.CLOSED
        assert known is not None
        assert not known.state.is_terminal

    run_loop(tmp_path, story)


def test_a_store_that_goes_while_a_doubtful_stop_is_looked_after_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known stays so; the turns go on with the copy, and protect."""

    async def story(rig: LoopRig) -> None:
        await a_position_with_a_doubtful_stop(rig)
        read = rig.disk.read

        async def gone(work: Any, *, is_urgent: bool = False) -> Any:
            asked = getattr(work, "_work", work)
            if "send_again" in getattr(asked, "__qualname__", ""):
                rig.disk.is_away = True
            return await read(work, is_urgent=is_urgent)

        monkeypatch.setattr(rig.disk, "read", gone)
        await rig.pass_time(5)
        assert rig.disk.is_away
        assert rig.loop is not None
        before = rig.loop.cycles
        rig.disk.is_away = False
        monkeypatch.setattr(rig.disk, "read", read)
        await rig.pass_time(5)
        assert rig.loop.cycles > before

    run_loop(tmp_path, story, has_spare=True)


def test_a_stop_in_doubt_waits_for_a_closed_market_and_goes_as_soon_as_it_opens(
    tmp_path: Path,
) -> None:
    """Its first send is unknown, its second was refused: nothing of it is on its way."""

    async def story(rig: LoopRig) -> None:
        lost = OutcomeUnknown("Service unavailable.")
        closed = VenueRejected("no", code="EService:Market in cancel_only mode", is_passing=True)
        rig.quote()
        await rig.enter(rests=True)
        (order,) = rig.resting(Side.BUY)
        rig.venue.cue("place", lost)
        rig.venue.cue("place", closed)
        rig.fill(order, f"{order.quantity}")
        await rig.pass_time(0.5)
        rig.feed.tell(InstrumentsUpdate(statuses=((BTC, InstrumentStatus.CANCEL_ONLY),)))
        await rig.pass_time(2)
        sent = rig.writes.count("place")
        await rig.pass_time(2)
        assert (rig.resting(Side.SELL), rig.writes.count("place")) == ([], sent)

        rig.feed.tell(InstrumentsUpdate(statuses=((BTC, InstrumentStatus.ONLINE),)))
        await rig.pass_time(0.1)
        (stop,) = rig.resting(Side.SELL)
        assert stop.quantity == order.quantity

    run_loop(tmp_path, story)
