"""Invariant K: a position is protected from its first fill on, or nothing else is entered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders import ETH, d, make_catalogue, make_order, make_position, snapshot_with
from fakes import Desk, at_the_desk
from zoe_tools.core.position_invariants import naked_positions
from zoe_tools.core.run import plan_run
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import OutcomeState, PlaceOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.errors import VenueRejected

HELD = make_position()
ROOMY = Policy(max_daily_notional=d("500"))


def sell(purpose: str = "stop", **changes: Any) -> OrderRecord:
    """A working sell of ours for the position."""
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId("C-sell"),
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS,
        "purpose": purpose,
        "position_id": PositionId("P1"),
    }
    return make_order(**{**values, **changes})


@pytest.mark.parametrize(
    ("position", "orders", "is_naked"),
    [
        (HELD, (), True),
        (HELD, (sell(),), False),
        (HELD, (sell(status=OrderStatus.PENDING_NEW),), False),
        (HELD, (sell("exit"),), False),
        (HELD, (sell("take_profit"),), False),
        (HELD, (sell(status=OrderStatus.CANCELED),), True),
        (HELD, (sell(position_id=PositionId("P2")),), True),
        (HELD, (sell(side=Side.BUY, purpose="entry"),), True),
        (make_position(quantity=d("0.00001")), (), False),
        (make_position(quantity=d("0"), status=PositionStatus.PENDING), (), False),
    ],
)
def test_a_position_that_no_order_holds_is_naked(
    position: Position,
    orders: tuple[OrderRecord, ...],
    is_naked: bool,  # noqa: FBT001 - a table
) -> None:
    """What is on its way counts, what is over does not; dust cannot be protected."""
    assert bool(list(naked_positions((position,), orders, make_catalogue()))) is is_naked


def test_nothing_is_entered_beside_a_position_without_a_stop(tmp_path: Path) -> None:
    """Its stop goes first, in the same plan; where that fails, the gate withholds the entry."""
    wanted = Decision(symbol=ETH, action="enter", reason="r")
    snapshot = snapshot_with(policy=ROOMY, positions=(HELD,))
    plan = plan_run(snapshot, (wanted,), frozenset())
    assert [each.request.purpose for each in plan.steps if isinstance(each, PlaceOrder)] == [
        "stop",
        "entry",
    ]

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(HELD))
        desk.venue.totals["BTC"] = d("1")
        desk.venue.cue("place", VenueRejected("no", code="EOrder:Invalid price"))
        receipt = await desk.gate().carry_out(plan, snapshot=snapshot, execute=True)
        assert [each.state for each in receipt.outcomes] == [
            OutcomeState.REJECTED,
            OutcomeState.SKIPPED,
        ]
        assert "without its stop" in receipt.outcomes[1].evidence
        assert desk.venue.resting == []

    at_the_desk(tmp_path, story)
