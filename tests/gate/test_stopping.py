"""Stopping an account at the paper exchange while every second call fails."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import builders
from builders import BTC, d, make_request
from fakes import RecordingApprover, fresh_store
from paper_venue import PaperVenue, visited
from zoe_tools.core.sync_positions import plan_sync_positions
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.stopping import KILL_NEEDS, Stopper
from zoe_tools.gather import EVERYTHING, Need, gather
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.values.times import ns_of
from zoe_tools.store.runner import InlineRunner

BOUGHT, MANAGED = d("0.03"), d("0.01")
TRIES = 3


class Desk:
    """A position with its stop, three open buys, and coins that are nobody's business."""

    def __init__(self, venue: PaperVenue, folder: Path) -> None:
        self.venue = venue
        self.store = InlineRunner(fresh_store(folder))
        self.gate = Gate(
            venue=venue.spot,
            store=self.store,
            clock=venue.clock,
            approver=RecordingApprover(),
            account=builders.PAPER,
            policy=Policy(),
            command="kill",
            operator="tester",
            host="testhost",
            live_consent=False,
        )

    async def look(
        self, needs: frozenset[Need] = KILL_NEEDS, adopted: Decimal | None = None
    ) -> Snapshot:
        """What is there now."""
        return await gather(
            venue=self.venue.spot,
            store=self.store,
            clock=self.venue.clock,
            account=builders.PAPER,
            policy=Policy(),
            needs=needs,
            adopted=() if adopted is None else ((BTC, adopted),),
        )

    async def open(self) -> None:
        """Buy, take a part of it over, and rest some buys; none of that fails."""
        market = {"order_type": OrderType.MARKET, "limit_price": None, "quantity": BOUGHT}
        await self.place(**market)
        snapshot = await self.look(EVERYTHING, adopted=MANAGED)
        receipt = await self.gate.carry_out(
            plan_sync_positions(snapshot), snapshot=snapshot, execute=True
        )
        assert receipt.is_done
        (quote,) = await self.venue.spot.quotes((BTC,))
        for percent in (90, 91, 92):
            await self.place(limit_price=d(str(int(quote.bid * percent / 100))))

    async def place(self, **fields: object) -> None:
        """An order that somebody placed by hand."""
        await self.venue.spot.place(
            make_request(**fields),
            client_order_id=ClientOrderId(str(uuid.uuid4())),
            deadline=self.venue.clock.now() + timedelta(seconds=5),
        )

    async def stop(self, level: KillLevel) -> bool:
        """Whether it is proved."""
        stopper = Stopper(
            gate=self.gate,
            store=self.store,
            clock=self.venue.clock,
            account=builders.PAPER,
            policy=Policy(),
            look=self.look,
            tell=lambda _: None,
        )
        return (await stopper.stop(level, "drill")).receipt.is_verified is True


@pytest.mark.parametrize("level", [KillLevel.CANCEL_OPEN, KillLevel.REDUCE_ONLY, KillLevel.FLATTEN])
def test_a_kill_gets_through_while_half_of_the_answers_are_bad_gateways(
    level: KillLevel, tmp_path: Path
) -> None:
    """No buy is left; below flatten the stop stands, and flat sells what is managed, once."""

    async def story(venue: PaperVenue) -> None:
        desk = Desk(venue, tmp_path)
        await desk.open()
        rule = FaultRule(name="http-502", times=None, probability=0.5)
        venue.exchange.faults.arm(rule, ns_of(venue.clock.now()))
        proved = [await desk.stop(level) for _ in range(TRIES)]
        venue.exchange.faults.disarm()

        assert any(proved)
        resting = await venue.spot.open_orders()
        held = {each.asset: each.total for each in await venue.spot.balances()}
        is_flat = level is KillLevel.FLATTEN
        assert [each.side for each in resting] == ([] if is_flat else [Side.SELL])
        assert held["BTC"] == BOUGHT - (MANAGED if is_flat else 0)
        await desk.store.close()

    visited(story)
