"""Orders made anew of what is append-only: intents, events, fills."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from builders import NOON, d, make_fill, make_intent, make_order, make_request, place
from zoe_tools.core.order_lifecycle import event_of
from zoe_tools.core.order_records import Origins, origins_of, placed_by, rebuilt
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderEvent
from zoe_tools.domain.order import OrderAmendment, OrderStatus
from zoe_tools.domain.plan import AmendOrder, canonical_json

ORDER = make_order()
NAME, AT_VENUE = ORDER.client_order_id, VenueOrderId("OAAAAA-AAAAA-AAAAA1")
STEP = place(make_request(quantity=d("0.0004"), limit_price=d("60000.0")))
PLACED = make_intent(
    kind=IntentKind.PLACE,
    state=IntentState.CONFIRMED,
    client_order_id=NAME,
    venue_order_id=AT_VENUE,
    payload=canonical_json(STEP),
)
HALF = make_fill(quantity=d("0.0002"), price=d("60000"), fee=d("0.048"))


def said(*words: OrderStatus) -> list[OrderEvent]:
    """The order's log."""
    return [
        event_of(NAME, word, occurred_at=NOON + timedelta(seconds=number), source="test")
        for number, word in enumerate(words)
    ]


def amended(state: IntentState, quantity: Decimal) -> Intent:
    """It was to be changed at the venue."""
    step = AmendOrder(
        amendment=OrderAmendment(venue_order_id=AT_VENUE, symbol=ORDER.symbol, quantity=quantity),
        reason="test",
    )
    return replace(PLACED, kind=IntentKind.AMEND, state=state, payload=canonical_json(step))


def test_an_order_is_what_its_intent_its_events_and_its_fills_say() -> None:
    """Status by the events; what has filled, at which average and fees, by the fills."""
    origins = origins_of((PLACED,), (HALF, replace(HALF, venue_order_id=VenueOrderId("OX"))))
    found = rebuilt(NAME, origins, said(OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED))

    begun = placed_by(STEP, PLACED, NAME)
    assert found == replace(
        begun,
        venue_order_id=AT_VENUE,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=d("0.0002"),
        average_price=d("60000"),
        fees=d("0.048"),
        updated_at=NOON + timedelta(seconds=1),
    )


@pytest.mark.parametrize(
    ("state", "quantity"),
    [(IntentState.CONFIRMED, "0.0003"), (IntentState.REJECTED, "0.0004")],
)
def test_an_amendment_counts_where_it_was_confirmed(state: IntentState, quantity: str) -> None:
    """What the venue refused changed nothing."""
    origins = origins_of((PLACED, amended(state, d("0.0003"))), ())
    found = rebuilt(NAME, origins, said(OrderStatus.OPEN))

    assert found is not None
    assert found.quantity == d(quantity)


@pytest.mark.parametrize(
    "origins",
    [
        origins_of((), ()),
        origins_of((replace(PLACED, payload="{}"),), ()),
        origins_of((replace(PLACED, client_order_id=ClientOrderId("other")),), ()),
    ],
    ids=["no intent", "an unreadable one", "another's"],
)
def test_where_no_intent_tells_nothing_is_made_up(origins: Origins) -> None:
    """The finding says so, and nothing is written."""
    assert rebuilt(NAME, origins, said(OrderStatus.OPEN)) is None
