"""Where the books lack nothing, though nobody has told what the venue did meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    BTC,
    ETH,
    d,
    make_fill,
    make_intent,
    make_order,
    make_position,
    make_request,
    make_stop_request,
    place,
    plan_with,
)
from zoe_tools.core.untold import known_of, narrowed
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType
from zoe_tools.domain.plan import AmendOrder, CancelOrder, SetTargets, Step


def change(order: OrderRecord, **values: Any) -> AmendOrder:
    """A step that changes it."""
    assert order.venue_order_id is not None
    amendment = OrderAmendment(venue_order_id=order.venue_order_id, symbol=order.symbol, **values)
    return AmendOrder(amendment=amendment, reason="r", purpose=order.purpose)


def cancel(order: OrderRecord) -> CancelOrder:
    """A step that ends it."""
    assert order.venue_order_id is not None
    return CancelOrder(
        venue_order_id=order.venue_order_id, symbol=order.symbol, reason="r", purpose=order.purpose
    )


BOUGHT = make_fill(symbol=BTC)
HELD = make_position(symbol=BTC)
ENTRY = make_order(symbol=BTC, status=OrderStatus.FILLED, quantity=d("1"), filled_quantity=d("1"))


def stop(**changes: object) -> OrderRecord:
    """A second order of the instrument, which filled nothing."""
    names = {
        "client_order_id": ClientOrderId("S"),
        "venue_order_id": VenueOrderId("OAAAAA-AAAAA-AAAAA2"),
    }
    return make_order(**{"symbol": BTC, **names, **changes})


ENDED = stop(status=OrderStatus.CANCELED)


def test_where_all_orders_ended_and_all_they_filled_is_booked_nothing_can_have_moved() -> None:
    """Entry and stop are over, the one filled and booked, the other not filled at all."""
    assert known_of((HELD,), (ENTRY, ENDED), (), (BOUGHT,)).whole == {BTC}


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
    assert known_of((HELD, other), orders, unresolved, fills).whole == {ETH}


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
    assert known_of((HELD,), (ENTRY, ENDED, sale), (asked,), (BOUGHT,)).whole == whole


WORKING = make_order(
    symbol=BTC,
    status=OrderStatus.PARTIALLY_FILLED,
    quantity=d("2"),
    filled_quantity=d("1"),
    purpose="entry",
)
RESTING = stop(purpose="stop", order_type=OrderType.STOP_LOSS, quantity=d("0.4"))
GROWS = change(RESTING, quantity=d("1"))
SHRINKS = change(RESTING, quantity=d("0.2"))
MOVES = change(RESTING, trigger_price=d("90"))
REPRICES = change(WORKING, limit_price=d("101"))
CANCELS = cancel(WORKING)
CANCELS_STOP = cancel(RESTING)
PLACES = place(make_stop_request(quantity=d("1")))
ENTERS = place(make_request(symbol=BTC))
BOOKS = SetTargets(symbol=BTC, position_id=HELD.position_id, levels=(), reason="r")
ALL = (GROWS, SHRINKS, MOVES, REPRICES, CANCELS, CANCELS_STOP, PLACES, ENTERS, BOOKS)


@pytest.mark.parametrize(
    ("orders", "unresolved", "may"),
    [
        pytest.param((WORKING,), (), (PLACES,), id="bare, an entry works"),
        pytest.param((WORKING, RESTING), (), (GROWS,), id="a stop covers a part"),
        pytest.param((ENTRY, RESTING), (), (GROWS,), id="a stop covers a part, the entry is over"),
        pytest.param(
            (WORKING, replace(RESTING, filled_quantity=d("0.1"))), (), (), id="the stop has sold"
        ),
        pytest.param(
            (WORKING, replace(RESTING, status=OrderStatus.PENDING_NEW)), (), (), id="it may rest"
        ),
        pytest.param(
            (WORKING, RESTING, stop(purpose="take_profit", client_order_id=ClientOrderId("T"))),
            (),
            (),
            id="a target rests beside it",
        ),
        pytest.param(
            (WORKING, RESTING), (make_intent(symbol=BTC, purpose="stop"),), (), id="one was sent"
        ),
        pytest.param(
            (WORKING, RESTING),
            (make_intent(symbol=BTC, purpose="stop", kind=IntentKind.AMEND),),
            (GROWS,),
            id="whether it has grown is in doubt",
        ),
        pytest.param(
            (WORKING, RESTING),
            (make_intent(symbol=BTC, purpose="entry"),),
            (GROWS,),
            id="the entry is in doubt",
        ),
        pytest.param((WORKING, stop(purpose="exit")), (), (), id="a sale works"),
    ],
)
def test_what_was_bought_is_covered_though_more_may_be_bought(
    orders: tuple[OrderRecord, ...], unresolved: tuple[Intent, ...], may: tuple[Step, ...]
) -> None:
    """A stop that sold unheard of keeps what it sold; nothing is sold twice, and nothing risked."""
    known = known_of((HELD,), (*orders, *orders), unresolved, (BOUGHT,))
    assert narrowed(plan_with(*ALL), known).steps == may
    assert known.whole == frozenset()


def test_where_the_books_lack_nothing_all_of_a_plan_may_be_done() -> None:
    """Nothing of it elsewhere, and nothing that adds risk."""
    known = known_of((HELD,), (ENTRY, ENDED), (), (BOUGHT,))
    elsewhere = place(make_stop_request(symbol=ETH, quantity=d("1")))
    assert narrowed(plan_with(*ALL, elsewhere), known).steps == (
        GROWS,
        SHRINKS,
        MOVES,
        CANCELS,
        CANCELS_STOP,
        PLACES,
        BOOKS,
    )


def test_an_instrument_that_holds_nothing_is_not_told() -> None:
    """Entries wait for the records in any case."""
    assert known_of((), (ENTRY, stop(purpose="stop")), (), (BOUGHT,)).is_empty
