"""`EService: Throttled: <unix>`: nothing happened, and new risk is silent until that time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from test_transactions_against_paper import ENTRY, Trader, trading

from zoe_tools.errors import VenueThrottled
from zoe_tools.paper.exchange.faults import FaultRule

METHODS = {"socket": "add_order", "rest": "AddOrder"}


@pytest.mark.parametrize("wire", ["socket", "rest"])
def test_the_time_that_the_venue_names_is_honoured_over_either_wire(wire: str) -> None:
    """Refused at the venue once; then here, unsent; from that second on orders go out again."""

    async def story(trader: Trader) -> None:
        exchange, clock = trader.client.desk.exchange, trader.clock
        exchange.arm_fault(FaultRule(name="throttled", where=METHODS[wire], delay_s=8.0))
        until = clock.now() + timedelta(seconds=8)
        with pytest.raises(VenueThrottled) as refused:
            await trader.place()
        assert refused.value.code.startswith("EService:Throttled")
        await trader.agree()

        with pytest.raises(VenueThrottled, match="nothing was sent") as held_back:
            await trader.place()
        assert held_back.value.code == "", "a code is a refusal of the exchange"
        assert abs(held_back.value.retry_after_s - 8) <= 1
        await trader.agree()

        await clock.sleep(held_back.value.retry_after_s)
        assert abs((clock.now() - until).total_seconds()) <= 1
        order = await trader.place()
        assert await trader.venue.cancel(order) == 1
        await trader.agree()

    trading(wire, story)


@pytest.mark.parametrize("wire", ["socket", "rest"])
def test_what_was_told_over_one_wire_holds_for_the_other(wire: str) -> None:
    """The key was throttled, not the connection."""

    async def story(trader: Trader) -> None:
        exchange = trader.client.desk.exchange
        exchange.arm_fault(FaultRule(name="throttled", where=METHODS[wire], delay_s=8.0))
        with pytest.raises(VenueThrottled):
            await trader.place()
        other = Trader(trader.client, "rest" if wire == "socket" else "socket")
        await other.rest.aclose()
        other.venue._rest = trader.rest
        other.venue._transactions = trader.rest.budgets.transactions
        with pytest.raises(VenueThrottled, match="nothing was sent"):
            await other.venue.place(
                ENTRY, client_order_id=trader.called(), deadline=trader.deadline
            )

    trading(wire, story)
