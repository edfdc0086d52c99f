"""What a plan takes of the venue's limits is asked before anything is done, and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from builders import make_request, make_stop_request, place
from fakes import Desk, at_the_desk
from zoe_tools.core.proof import reads_to_prove
from zoe_tools.domain.order import OrderRequest, OrderType, TimeInForce
from zoe_tools.domain.plan import Plan, VenueStep
from zoe_tools.domain.rate_cost import PlanRateCost, VenueRead
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.looks import Proof
from zoe_tools.gather import Need

ENTRY = place()
NEEDS = frozenset({Need.MODE, Need.CATALOGUE, Need.QUOTES, Need.OPEN_ORDERS, Need.BALANCES})


class Counting:
    """A `Pricing` at which every read is a point; it remembers whether orders were out already."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.orders_sent: list[int] = []

    def priced(
        self,
        plan: Plan,
        *,
        looks: Sequence[VenueRead],
        proofs: Callable[[VenueStep], Sequence[VenueRead]],
    ) -> Plan:
        """The plan with as many points as reads."""
        self.orders_sent.append(len(self._desk.venue.writes))
        steps = [step for step in plan.steps if isinstance(step, VenueStep)]
        reads = len(looks) + sum(len(proofs(step)) for step in steps)
        return replace(plan, rate_cost=PlanRateCost(rest=Decimal(reads)))


def gate_with(desk: Desk, pricing: Counting, proof: Proof | None) -> Gate:
    """The desk's gate with these prices."""
    return desk.gate(proof=proof, pricing=pricing)


@pytest.mark.parametrize(
    ("looks_again", "by_stream", "points"),
    [(False, False, 1), (True, False, 3), (True, True, 2), (False, True, 0)],
)
def test_a_plan_is_priced_before_it_is_shown_or_done(
    tmp_path: Path, *, looks_again: bool, by_stream: bool, points: int
) -> None:
    """Two looks and a proof; what a stream proves is not asked for."""

    async def story(desk: Desk) -> None:
        pricing = Counting(desk)

        async def proof(*_: object) -> str:
            return "executions stream"

        async def look() -> tuple[Snapshot, Plan]:
            return await desk.look(needs=NEEDS), plan

        snapshot = await desk.look(needs=NEEDS)
        plan = desk.plan(ENTRY)
        receipt = await gate_with(desk, pricing, proof if by_stream else None).carry_out(
            plan, snapshot=snapshot, execute=True, regather=look if looks_again else None
        )

        cost = PlanRateCost(rest=Decimal(points))
        assert [each.rate_cost for each in desk.approver.plans] == [cost]
        assert set(pricing.orders_sent) == {0}
        assert len(desk.venue.writes) == 1
        assert receipt.plan.rate_cost is not None
        assert replace(receipt.plan, snapshot_hash="").plan_hash == plan.plan_hash

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (make_request(), (VenueRead.ORDERS,)),
        (make_stop_request(), (VenueRead.ORDERS,)),
        (
            make_request(order_type=OrderType.MARKET, limit_price=None),
            (VenueRead.ORDERS, VenueRead.FILLS),
        ),
        (make_request(time_in_force=TimeInForce.IOC), (VenueRead.ORDERS, VenueRead.FILLS)),
    ],
)
def test_what_trades_at_once_is_proved_by_its_fills_as_well(
    request_: OrderRequest, expected: tuple[VenueRead, ...]
) -> None:
    """What rests has none to be asked for."""
    assert reads_to_prove(place(request_)) == expected
