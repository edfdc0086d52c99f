"""Where the books lack nothing, though nobody has told what the venue did meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from builders import BTC, ETH, d, make_fill, make_intent, make_order, make_position
from zoe_tools.core.untold import known_whole
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.order import OrderStatus

BOUGHT = make_fill(symbol=BTC)
HELD = make_position(symbol=BTC)
ENTRY = make_order(symbol=BTC, status=OrderStatus.FILLED, quantity=d("1"), filled_quantity=d("1"))


def stop(**changes: object) -> OrderRecord:
    """A second order of the instrument, which filled nothing."""
    name = VenueOrderId("OAAAAA-AAAAA-AAAAA2")
    return make_order(symbol=BTC, venue_order_id=name, **changes)


ENDED = stop(status=OrderStatus.CANCELED)


def test_where_all_orders_ended_and_all_they_filled_is_booked_nothing_can_have_moved() -> None:
    """Entry and stop are over, the one filled and booked, the other not filled at all."""
    assert known_whole((HELD,), (ENTRY, ENDED), (), (BOUGHT,)) == {BTC}


@pytest.mark.parametrize(
    ("orders", "unresolved", "fills"),
    [
        pytest.param((ENTRY, stop(status=OrderStatus.OPEN)), (), (BOUGHT,), id="one is open"),
        pytest.param(
            (ENTRY, stop(status=OrderStatus.PARTIALLY_FILLED)), (), (BOUGHT,), id="one is partly"
        ),
        pytest.param(
            (ENTRY, stop(status=OrderStatus.UNKNOWN)), (), (BOUGHT,), id="of one nobody knows"
        ),
        pytest.param((ENTRY, ENDED), (), (), id="a fill is not booked"),
        pytest.param(
            (ENTRY, stop(status=OrderStatus.CANCELED, filled_quantity=d("0.5"))),
            (),
            (BOUGHT,),
            id="what ended filled in part",
        ),
        pytest.param((ENTRY, ENDED), (make_intent(symbol=BTC),), (BOUGHT,), id="an intent is open"),
    ],
)
def test_what_may_have_filled_unheard_of_leaves_its_instrument_in_the_dark(
    orders: tuple[OrderRecord, ...], unresolved: tuple[Intent, ...], fills: tuple[Fill, ...]
) -> None:
    """And no other one."""
    other = make_position(symbol=ETH)
    assert known_whole((HELD, other), orders, unresolved, fills) == {ETH}


@pytest.mark.parametrize(
    ("order", "intent", "whole"),
    [
        pytest.param({}, {}, {BTC}, id="it may have arrived"),
        pytest.param({"filled_quantity": d("0.5")}, {}, set(), id="it did"),
        pytest.param({"status": OrderStatus.OPEN}, {}, set(), id="it rests"),
        pytest.param({"purpose": "entry"}, {}, set(), id="an entry"),
        pytest.param({}, {"client_order_id": None}, set(), id="something else is open"),
    ],
)
def test_a_sale_that_nobody_has_seen_keeps_no_stop_back(
    order: dict[str, Any], intent: dict[str, Any], whole: set[str]
) -> None:
    """The venue refuses the stop where the sale has the coins, and that proves it."""
    sale = stop(**{"purpose": "exit", "status": OrderStatus.UNKNOWN, **order})
    asked = make_intent(**{"symbol": BTC, "client_order_id": sale.client_order_id, **intent})
    assert known_whole((HELD,), (ENTRY, ENDED, sale), (asked,), (BOUGHT,)) == whole


def test_an_instrument_that_holds_nothing_is_not_told() -> None:
    """Entries wait for the records in any case."""
    assert known_whole((), (ENTRY, ENDED), (), (BOUGHT,)) == frozenset()
