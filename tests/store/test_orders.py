"""Orders are projections of a log that only grows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import NOON, d, make_order
from zoe_tools.domain.identifiers import ClientOrderId, IntentId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderEvent
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.store.store import Store

FULL = make_order(
    intent_id=IntentId("I1"),
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS_LIMIT,
    purpose="stop",
    quantity=d("12345678901234.12345678901234"),
    trigger_price=d("0.00000001"),
    filled_quantity=d("1E-8"),
    average_price=Decimal(1) / Decimal(3),
    fees=d("0.26000"),
    position_id=PositionId("P1"),
    reason="a reason",
    notional=d("24.00"),
)


def event(key: str = "k1", **changes: Any) -> OrderEvent:
    """An order's opening, as the stream told it."""
    values: dict[str, Any] = {
        "event_key": key,
        "client_order_id": make_order().client_order_id,
        "status": OrderStatus.OPEN,
        "occurred_at": NOON,
        "source": "stream",
    }
    return OrderEvent(**{**values, **changes})


def test_an_order_comes_back_as_it_was_written(store: Store) -> None:
    """Every field, filled and empty; found by our id and by the venue's."""
    bare = make_order(client_order_id=ClientOrderId("bare"), venue_order_id=None, limit_price=None)
    with store.transaction() as transaction:
        transaction.record_order(FULL)
        transaction.record_order(bare)
        assert transaction.order(FULL.client_order_id) == FULL
        assert transaction.order(bare.client_order_id) == bare
        assert transaction.order_by_venue_id(VenueOrderId("OAAAAA-AAAAA-AAAAA1")) == FULL
        assert transaction.order_by_venue_id(VenueOrderId("none")) is None
        assert transaction.order(ClientOrderId("none")) is None


def test_recording_an_order_again_brings_its_row_up_to_date(store: Store) -> None:
    """One row an order; the time of its making stays."""
    later = NOON + timedelta(minutes=1)
    after = replace(
        FULL, status=OrderStatus.FILLED, filled_quantity=d("2"), created_at=later, updated_at=later
    )
    with store.transaction() as transaction:
        transaction.record_order(FULL)
        transaction.record_order(after)
        assert transaction.orders() == (replace(after, created_at=NOON),)


def test_open_orders_are_those_to_which_something_may_still_happen(store: Store) -> None:
    """Unknown is open: it may yet turn out to rest at the venue."""
    with store.transaction() as transaction:
        for status in OrderStatus:
            order = make_order(client_order_id=ClientOrderId(status.value), status=status)
            transaction.record_order(order)
        found = {order.client_order_id for order in transaction.orders(open_only=True)}
    assert found == {"pending_new", "open", "partially_filled", "cancel_pending", "unknown"}


def test_an_event_is_appended_once(store: Store) -> None:
    """A repeated report is recognised by its key; the log keeps the order of writing."""
    first = event("k2", filled_quantity=d("0.00000001"), reason="why")
    second = event("k1", occurred_at=NOON - timedelta(seconds=1))
    with store.transaction() as transaction:
        assert transaction.append_order_event(first)
        assert transaction.append_order_event(second)
        assert not transaction.append_order_event(replace(first, reason="another telling"))
        assert transaction.order_events(first.client_order_id) == (first, second)


DAY_CASES = [
    ("an open entry counts its notional", [{"notional": d("24.5")}], "24.5"),
    ("without a notional, quantity times limit", [{}], "24"),
    ("exits and stops count nothing", [{"purpose": "exit"}, {"purpose": "stop"}], "0"),
    ("rejected counts nothing", [{"status": OrderStatus.REJECTED, "notional": d("9")}], "0"),
    (
        "cancelled counts what filled",
        [
            {
                "status": OrderStatus.CANCELED,
                "notional": d("24"),
                "filled_quantity": d("0.0001"),
                "average_price": d("59000"),
            }
        ],
        "5.9",
    ),
    ("expired unfilled counts nothing", [{"status": OrderStatus.EXPIRED}], "0"),
    ("unknown counts whole", [{"status": OrderStatus.UNKNOWN, "notional": d("7")}], "7"),
    (
        "a fill dearer than planned counts as it filled",
        [
            {
                "status": OrderStatus.FILLED,
                "notional": d("24"),
                "filled_quantity": d("0.0004"),
                "average_price": d("61000"),
            }
        ],
        "24.4",
    ),
    ("yesterday is another day", [{"created_at": NOON - timedelta(hours=12, seconds=1)}], "0"),
    ("midnight begins the day", [{"created_at": NOON - timedelta(hours=12)}], "24"),
    ("and ends it", [{"created_at": NOON + timedelta(hours=12)}], "0"),
    (
        "exact sums",
        [{"notional": d("0.1")}, {"notional": d("0.2")}, {"notional": d("1E-8")}],
        "0.30000001",
    ),
]


@pytest.mark.parametrize(
    ("rule", "changes", "expected"), DAY_CASES, ids=[case[0] for case in DAY_CASES]
)
def test_the_days_notional(
    store: Store, rule: str, changes: list[dict[str, Any]], expected: str
) -> None:
    """What a UTC day's entries put at stake."""
    with store.transaction() as transaction:
        for number, each in enumerate(changes):
            order = make_order(client_order_id=ClientOrderId(f"C{number}"), **each)
            transaction.record_order(order)
        assert transaction.daily_notional(NOON.date()) == d(expected), rule


def test_the_newest_orders_are_told_by_the_last_one_and_not_by_a_clock(store: Store) -> None:
    """How long nobody has traded since does not matter."""
    made = [
        make_order(client_order_id=ClientOrderId(name), created_at=NOON - timedelta(hours=hours))
        for name, hours in {"old": 9, "late": 2, "newest": 0}.items()
    ]
    with store.transaction() as transaction:
        assert transaction.reconciliation.newest_orders(timedelta(hours=6)) == ()
        for each in made:
            transaction.record_order(each)
        found = transaction.reconciliation.newest_orders(timedelta(hours=6))

    assert [each.client_order_id for each in found] == ["late", "newest"]
