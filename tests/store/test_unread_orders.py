"""Rows of orders that hold a word that there is not: read for what is known, and told by name."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from sqlalchemy import text

from builders import NOON, d, make_order
from zoe_tools.core.order_lifecycle import event_of
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.store.database import engine_for
from zoe_tools.store.store import Store


def spoilt(url: str, what: str) -> None:
    """By hand, in every row."""
    engine = engine_for(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE crypto_orders SET {what}"))  # noqa: S608 - ours
    engine.dispose()


def kept(store: Store, order: OrderRecord, *events: OrderStatus) -> None:
    """The row, and what happened to it."""
    with store.transaction() as transaction:
        transaction.record_order(order)
        for number, status in enumerate(events):
            at = NOON + timedelta(seconds=number)
            event = event_of(order.client_order_id, status, occurred_at=at, source="test")
            transaction.append_order_event(event)


@pytest.mark.parametrize(
    ("events", "status", "is_open"),
    [
        ((), OrderStatus.UNKNOWN, True),
        ((OrderStatus.OPEN,), OrderStatus.OPEN, True),
        ((OrderStatus.OPEN, OrderStatus.CANCELED), OrderStatus.CANCELED, False),
        ((OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.OPEN), OrderStatus.FILLED, False),
    ],
)
def test_a_status_that_is_no_word_is_told_by_the_order_s_own_events(
    url: str,
    store: Store,
    events: tuple[OrderStatus, ...],
    status: OrderStatus,
    *,
    is_open: bool,
) -> None:
    """Nobody can change those; by every question that finds it, among rows that are sound."""
    bad, good = make_order(), make_order(client_order_id="b" * 8, venue_order_id="OTHER")
    kept(store, bad, *events)
    spoilt(url, "status = 'cancelled'")
    kept(store, good)
    with store.transaction() as books:
        found = (
            *(each for each in books.orders() if each != good),
            books.order(bad.client_order_id),
            books.order_by_venue_id(bad.venue_order_id or ""),  # type: ignore[arg-type]
            *(each for each in books.orders(since=bad.created_at) if each != good),
        )
        working = books.orders(open_only=True)
        at_stake = books.daily_notional(bad.created_at.date())

    assert [each and each.status for each in found] == [status] * 4
    assert (bad.client_order_id in {each.client_order_id for each in working}) is is_open
    assert good in working
    assert at_stake > d("0")


def test_a_side_and_a_type_that_are_no_words_follow_from_the_rest(url: str, store: Store) -> None:
    """An entry buys, and what has a trigger is a stop."""
    entry = make_order(purpose="entry", side=Side.BUY)
    stop = make_order(
        client_order_id="s" * 8,
        venue_order_id="STOP",
        purpose="stop",
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        limit_price=None,
        trigger_price=d("50000"),
    )
    kept(store, entry)
    kept(store, stop)
    spoilt(url, "side = 'long', order_type = 'stopp'")
    with store.transaction() as books:
        found = {each.purpose: each for each in books.orders()}

    assert (found["entry"].side, found["entry"].order_type) == (Side.BUY, OrderType.LIMIT)
    assert (found["stop"].side, found["stop"].order_type) == (Side.SELL, OrderType.STOP_LOSS)


def test_such_a_row_is_named_once_until_it_is_put_right(
    url: str, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The alarm says which order, what it holds, and where one sees them all."""
    order = make_order(client_order_id="named-once-" + ("p" if "postgres" in url else "s"))
    kept(store, order)
    spoilt(url, "status = 'cancelled'")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with store.transaction() as books:
                books.orders()
    told = [each.getMessage() for each in caplog.records]
    spoilt(url, "status = 'canceled'")
    with store.transaction() as books:
        (after,) = books.orders()

    assert after.status is OrderStatus.CANCELED
    assert len(told) == 1
    assert told[0].startswith(f"ROW_UNREADABLE order {order.client_order_id}, status: ")
    assert "'cancelled'" in told[0]
