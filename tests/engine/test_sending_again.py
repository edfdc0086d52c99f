"""A stop that a dead process may have sent is looked after beside the turns, and before nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from builders import make_intent, make_stop_request, place
from loop_rig import LoopRig, run_loop
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import canonical_json
from zoe_tools.domain.position import PositionStatus

AT_WORK_S = 20
"""Shorter than the records' silence, which ends the doubt."""


def test_a_stop_of_which_nobody_knows_and_that_is_not_wanted_keeps_no_exit_waiting(
    tmp_path: Path,
) -> None:
    """Another one rests: the doubt stays for a minute, and the position is left meanwhile."""

    async def story(rig: LoopRig) -> None:
        assert rig.loop is not None
        await rig.enter()
        await rig.pass_time(5)
        (held,) = await rig.read(lambda tx: tx.positions())
        (stop,) = rig.resting(Side.SELL)
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
