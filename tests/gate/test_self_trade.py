"""A stop that fires into our own resting entry sells all the same: the entry goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from builders import PAPER, d, make_position, make_request, make_stop_request, place
from fakes import Desk, RecordingApprover, at_the_desk, fresh_store
from paper_desk import BTC_USD, ScriptedSource, change, levels, snapshot, traded
from paper_venue import STARTS_AT, PaperVenue, visited
from zoe_tools.core.self_trade import as_sent
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderPurpose, OrderStatus, OrderTerms, OrderType, SelfTrade
from zoe_tools.domain.plan import AdoptPosition, OutcomeState, PlaceOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.paper.markets.pair_specs import spec_named
from zoe_tools.paper.values.market import BookSnapshot
from zoe_tools.paper.values.times import NS
from zoe_tools.store.runner import InlineRunner

POLICY = Policy(
    max_notional_per_trade=d("90000"), max_daily_notional=d("90000"), allow_withdrawal_key=True
)
THINS_AT, FALLS_AT = STARTS_AT + 180 * NS, STARTS_AT + 200 * NS
FALL = ScriptedSource(
    (
        snapshot(["60000.0 5", "58500.0 5"], ["60000.1 5"], STARTS_AT),
        BookSnapshot(
            at=STARTS_AT, symbol="ETH/USD", bids=levels("3000.0 50"), asks=levels("3000.1 50")
        ),
        change(bids=["60000.0 0"], at=THINS_AT),
        traded("59500.0", "0.01", at=FALLS_AT),
    ),
    (BTC_USD, spec_named("ETH/USD")),
    STARTS_AT,
)
"""All bids above our own entry are taken back; then the stop's trigger is traded at."""


def test_a_stop_that_meets_our_own_entry_sells_beyond_it(tmp_path: Path) -> None:
    """It was cancelled by the venue instead, and the position stood without one."""

    async def story(venue: PaperVenue) -> dict[str, OrderStatus]:
        store = InlineRunner(fresh_store(tmp_path, PAPER))
        desk = Desk(
            venue=cast("Any", venue.spot),
            clock=venue.clock,
            store=store,
            approver=RecordingApprover(),
            account=PAPER,
            policy=POLICY,
            home=tmp_path,
        )
        bought = await desk.do(place(make_request(quantity=d("0.5"), limit_price=d("60000.1"))))
        (position,) = await desk.read(lambda tx: tx.positions(open_only=True))
        stop = make_stop_request(quantity=d("0.5"), trigger_price=d("59500.0"))
        stopped = await desk.do(
            PlaceOrder(request=stop, reason="test", position_id=position.position_id)
        )
        entered = await desk.do(place(make_request(quantity=d("0.1"), limit_price=d("59000.0"))))
        receipts = (bought, stopped, entered)
        assert [each.outcomes[0].state for each in receipts] == [OutcomeState.DONE] * 3
        await venue.clock.sleep(120)
        ids = [VenueOrderId(str(each.outcomes[0].venue_order_id)) for each in receipts]
        seen = {each.venue_order_id: each for each in await venue.spot.orders(ids)}
        await store.close()
        return {
            name: seen[each].status
            for name, each in zip(("first", "stop", "entry"), ids, strict=True)
        }

    assert visited(story, market=FALL) == {
        "first": OrderStatus.FILLED,
        "stop": OrderStatus.FILLED,
        "entry": OrderStatus.CANCELED,
    }


@pytest.mark.parametrize("purpose", ["exit", "stop", "take_profit", "flatten", "repair"])
def test_what_reduces_risk_has_the_older_order_cancelled(
    tmp_path: Path, purpose: OrderPurpose
) -> None:
    """The journal holds what was sent; the plan says nothing of it."""

    async def story(desk: Desk) -> object:
        desk.venue.totals["BTC"] = d("0.5")
        position = make_position(quantity=d("0.5"))
        await desk.do(AdoptPosition(position=position, reason="test"))
        kind: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": d("61000.0")}
        if purpose == "stop":
            kind = {"order_type": OrderType.STOP_LOSS, "trigger_price": d("59000.0")}
        request = make_stop_request(**{"trigger_price": None, "purpose": purpose, **kind})
        sale = PlaceOrder(request=request, reason="test", position_id=position.position_id)
        (outcome,) = (await desk.do(sale)).outcomes
        assert isinstance(outcome.step, PlaceOrder)
        assert outcome.step.request.terms is None
        (intent,) = await desk.read(lambda tx: tx.intents())
        return json.loads(intent.payload)["request"]["terms"]["self_trade"]

    assert at_the_desk(tmp_path, story) == "cancel-oldest"


def test_an_entry_and_what_says_so_itself_go_as_they_are() -> None:
    """An entry that meets an own offer is the one to go: that is what the venue does by itself."""
    both = OrderTerms(self_trade=SelfTrade.CANCEL_BOTH)
    for request in (make_request(), make_stop_request(terms=both)):
        assert as_sent(place(request)) == place(request)
