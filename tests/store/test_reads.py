"""Rows that are read again and again are made into values once, and never told as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from builders import NOON, d, make_intent, make_order
from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.errors import StoreError
from zoe_tools.store import orders
from zoe_tools.store.reads import REMEMBERED
from zoe_tools.store.store import Store

ORDER = make_order(average_price=d("60000.10"), fees=d("0.26"), reason="a reason")


def test_a_row_is_read_as_it_stands_by_whatever_way_it_is_asked_for(store: Store) -> None:
    """All, the working ones, those since then: each the same value, field for field."""
    over = replace(
        ORDER, client_order_id=ClientOrderId("over"), venue_order_id=None, status=OrderStatus.FILLED
    )
    with store.transaction() as transaction:
        transaction.record_order(ORDER)
        transaction.record_order(over)
        assert transaction.orders() == (ORDER, over)
        assert transaction.orders(open_only=True) == (ORDER,)
        assert transaction.orders(since=NOON) == (ORDER, over)
        assert transaction.orders(since=NOON + timedelta(microseconds=1)) == ()
        assert transaction.orders(open_only=True, since=NOON) == (ORDER,)
        assert transaction.order(ORDER.client_order_id) == ORDER


def test_a_row_that_somebody_changed_by_hand_is_read_anew(store: Store) -> None:
    """It was read twice before, and nothing told that it is another one now."""
    change = text("UPDATE crypto_orders SET reason = 'by hand'")
    with store.transaction() as transaction:
        transaction.record_order(ORDER)
        assert transaction.orders() == transaction.orders() == (ORDER,)
        transaction._connection.execute(change)
        assert transaction.orders() == (replace(ORDER, reason="by hand"),)


def test_a_row_that_cannot_be_read_says_so_each_time(store: Store) -> None:
    """What was never made is not remembered."""
    change = text("UPDATE order_intents SET kind = 'nonsense'")
    with store.transaction() as transaction:
        transaction.record_intent(make_intent())
        transaction._connection.execute(change)
        for _ in range(2):
            with pytest.raises(StoreError, match="nonsense"):
                transaction.intents()


def test_what_is_remembered_is_bounded(store: Store) -> None:
    """A table that grows for years costs no memory."""
    with store.transaction() as transaction:
        transaction.record_order(ORDER)
        for number in range(3):
            orders._READER._known.update({(str(each),): ORDER for each in range(REMEMBERED)})
            transaction.record_order(replace(ORDER, reason=f"number {number}"))
            transaction.orders()
            assert len(orders._READER._known) <= REMEMBERED
        orders._READER._known.clear()
