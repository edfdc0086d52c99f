"""Broken answers to orders over the private wire: only our errors, and never a made-up yes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from feed_rig import START, Rig, run
from stream_server import StreamServer
from test_mutated_payloads import with_odd_value

from builders import BTC, d, make_instrument, make_request
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderAmendment, OrderEdit, OrderName, OrderType
from zoe_tools.errors import VenueError
from zoe_tools.kraken.order_answers import NewOrder
from zoe_tools.kraken.order_socket import OrderSocket

INSTRUMENT = make_instrument()
DEADLINE = START + timedelta(days=1)
O1 = VenueOrderId("O1")
OURS = ClientOrderId("ours")
TWO: tuple[NewOrder, ...] = ((OURS, make_request()), (ClientOrderId("more"), make_request()))
NAMES = (OrderName(venue_order_id=O1), OrderName(client_order_id=OURS))
EDIT = OrderEdit(venue_order_id=O1, symbol=BTC, order_type=OrderType.LIMIT, quantity=d("1"))
CHANGE = OrderAmendment(venue_order_id=O1, symbol=BTC, quantity=d("1"))
Use = Callable[[OrderSocket], Awaitable[Any]]
CASES: tuple[tuple[Any, Use], ...] = (
    ({"order_id": "O1"}, lambda orders: orders.place(TWO[0][1], OURS, DEADLINE, INSTRUMENT)),
    ({"order_id": ""}, lambda orders: orders.validate(TWO[0][1], INSTRUMENT)),
    (
        [{"order_id": "O1"}, {"error": "EOrder:Insufficient funds"}],
        lambda orders: orders.place_batch(TWO, DEADLINE, INSTRUMENT),
    ),
    ([{}, {}], lambda orders: orders.validate_batch(TWO, DEADLINE, INSTRUMENT)),
    ({"amend_id": "T1"}, lambda orders: orders.amend(CHANGE, DEADLINE, INSTRUMENT)),
    (
        {"order_id": "O2", "original_order_id": "O1"},
        lambda orders: orders.edit(EDIT, DEADLINE, INSTRUMENT),
    ),
    ({"original_order_id": "O1"}, lambda orders: orders.validate_edit(EDIT, DEADLINE, INSTRUMENT)),
    ({"order_id": "O1"}, lambda orders: orders.cancel(O1)),
    ({"order_id": "O1"}, lambda orders: orders.cancel(OrderName(userref=7))),
    ({"order_id": "O1"}, lambda orders: orders.cancel_each(NAMES)),
    ({"count": 2}, lambda orders: orders.cancel_batch(NAMES)),
    ({"count": 2}, lambda orders: orders.cancel_all()),
    ({"triggerTime": "0"}, lambda orders: orders.cancel_all_after(60)),
)
"""The result of each method, and how it is asked for."""


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_answer_raises_only_our_errors(seed: int) -> None:
    """1,300 answers of every method with values that are odd, missing or too many."""
    rng = random.Random(seed)
    result: list[Any] = [None]
    counted = {"read": 0, "refused": 0}

    async def reply(server: StreamServer, request: dict[str, Any]) -> bool:
        if request["method"] in ("subscribe", "unsubscribe", "ping"):
            return False
        frame = {"method": request["method"], "success": True, "result": result[0]}
        for _ in range(rng.randint(1, 2)):
            changed = with_odd_value(rng, frame)
            frame = changed if isinstance(changed, dict) else frame
        await server.send(json.dumps({**frame, "req_id": request["req_id"]}))
        return True

    async def script(rig: Rig) -> None:
        assert rig.feed.orders is not None
        beating = asyncio.create_task(rig.beat(20_000))
        for number in range(1300):
            result[0], use = CASES[number % len(CASES)]
            if not rig.feed.orders.is_up:
                await asyncio.sleep(60)
            try:
                await use(rig.feed.orders)
                counted["read"] += 1
            except VenueError:
                counted["refused"] += 1
        beating.cancel()

    run(script, private=True, answers=(reply,))

    assert min(counted.values()) > 100, counted
