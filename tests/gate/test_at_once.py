"""Two processes that reduce one position at the same moment, on a database that serves both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from builders import NOON, PAPER, make_position, make_request, make_stop_request, place, plan_with
from zoe_tools.domain.order import OrderRequest, OrderType, Side
from zoe_tools.domain.policy import Policy
from zoe_tools.gate.fence import Withheld
from zoe_tools.gate.journal import Author, journal
from zoe_tools.store.store import Store, Transaction

SALE = make_request(
    side=Side.SELL, order_type=OrderType.MARKET, limit_price=None, purpose="flatten"
)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """The books, as a process of its own opens them."""
    store = Store.open(url, PAPER, clock_now=NOON)
    try:
        yield store
    finally:
        store.close()


def take(transaction: Transaction, request: OrderRequest, command: str) -> None:
    """Journal it, as one of two commands whose plans were made of the same books."""
    plan = plan_with(place(request, position_id=make_position().position_id), command=command)
    author = Author(account=PAPER, command=command, operator="o", host="h")
    journal(transaction, plan, 0, author=author, policy=Policy(), now=NOON)


@pytest.mark.parametrize("request_", [SALE, make_stop_request()], ids=["a sale", "a stop"])
def test_of_two_that_reduce_at_once_only_one_does(
    request_: OrderRequest, migrated_url: str
) -> None:
    """Neither saw the other's order when it looked: the coins of somebody else would have gone."""
    refused: list[Withheld] = []

    with opened(migrated_url) as ours, opened(migrated_url) as theirs:
        with ours.transaction() as transaction:
            transaction.record_position(make_position())

        def other() -> None:
            try:
                with theirs.transaction() as transaction:
                    take(transaction, request_, "kill")
            except Withheld as error:
                refused.append(error)

        rival = threading.Thread(target=other)
        with ours.transaction() as transaction:
            take(transaction, request_, "run")
            rival.start()
            rival.join(0.5)  # it waits, or it is through
        rival.join(10)
        with ours.transaction() as transaction:
            assert len(transaction.orders()) == 1
    assert len(refused) == 1
