"""Reads of many at once: what comes back, and how often the database is asked."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import event

from builders import NOON, PAPER, make_fill, make_order, make_venue_order
from zoe_tools.core.order_lifecycle import event_of
from zoe_tools.domain.identifiers import ClientOrderId, FillId, VenueOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.engine.reconciling import _books
from zoe_tools.store.rows import NAMES_AT_ONCE, parts_of
from zoe_tools.store.store import Store, Transaction

LONG_AGO = NOON - timedelta(days=30)


def booked(transaction: Transaction, count: int) -> None:
    """So many old orders, each with an event and a fill."""
    for number in range(count):
        name = ClientOrderId(f"c{number}")
        transaction.record_order(
            make_order(
                client_order_id=name,
                venue_order_id=VenueOrderId(f"O{number}"),
                created_at=LONG_AGO,
                updated_at=LONG_AGO,
            )
        )
        transaction.append_order_event(
            event_of(name, OrderStatus.OPEN, occurred_at=LONG_AGO, source="test")
        )
        transaction.record_fill(
            make_fill(fill_id=FillId(f"T{number}"), venue_order_id=VenueOrderId(f"O{number}"))
        )


def test_many_orders_are_read_by_our_ids_and_by_the_venues(store: Store) -> None:
    """Each once, whichever id found it; what is not ours is left out."""
    with store.transaction() as transaction:
        booked(transaction, 4)
        book = transaction.reconciliation
        ours = {ClientOrderId("c0"), ClientOrderId("c1"), ClientOrderId("other")}
        theirs = {VenueOrderId("O1"), VenueOrderId("O2"), VenueOrderId("OX")}
        found = book.orders_shown(ours, theirs)

        assert sorted(each.client_order_id for each in found) == ["c0", "c1", "c2"]
        assert [each.fill_id for each in book.fills_of_orders({VenueOrderId("O3")})] == ["T3"]
        assert book.order_log({ClientOrderId("c2")}).keys() == {"c2"}
        assert book.order_log().keys() == {"c0", "c1", "c2", "c3"}
        assert book.orders_shown((), ()) == ()


def test_names_come_so_many_at_a_time() -> None:
    """All of them, in order, and no empty part."""
    names = list(range(NAMES_AT_ONCE * 2 + 1))
    parts = list(parts_of(names))

    assert [len(each) for each in parts] == [NAMES_AT_ONCE, NAMES_AT_ONCE, 1]
    assert [each for part in parts for each in part] == names
    assert list(parts_of(())) == []


def test_a_compare_asks_the_store_no_more_often_for_more_orders(store: Store) -> None:
    """The loop's only writer waits for it: statements, not one for each order and each fill."""
    asked: list[int] = []
    for count in (2, 20):
        with store.transaction() as transaction:
            booked(transaction, count)
            shown = tuple(
                make_venue_order(
                    venue_order_id=VenueOrderId(f"OX{number}"),
                    client_order_id=ClientOrderId(f"x{number}"),
                )
                for number in range(count)
            )
            statements: list[str] = []

            def note(*given: object, told: list[str] = statements) -> None:
                told.append(str(given[2]))

            connection = transaction._connection
            event.listen(connection, "before_cursor_execute", note)
            _books(transaction, Snapshot(taken_at=NOON, account=PAPER, policy=Policy()), shown)
            event.remove(connection, "before_cursor_execute", note)
            asked.append(len(statements))

    assert asked[0] == asked[1]
