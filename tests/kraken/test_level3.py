"""The book order by order: queues by time, changes in place, the cut, the checksum."""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

from zoe_tools.kraken.level3 import Level3Book
from zoe_tools.kraken.wire_stream import OrderRow


def order(name: str, price: str, quantity: str, at: str, event: str = "add") -> OrderRow:
    """One row."""
    return OrderRow(
        order_id=name,
        limit_price=Decimal(price),
        order_qty=Decimal(quantity),
        timestamp=f"2026-01-05T18:20:{at}Z",
        event=event,
    )


def book(depth: int = 10) -> Level3Book:
    """Two orders at the best ask, one behind, one bid."""
    known = Level3Book(price_decimals=1, quantity_decimals=8, depth=depth)
    known.replace(
        [order("B1", "69999.9", "1.00000000", "01")],
        [
            order("A2", "70000.1", "0.20000000", "02"),
            order("A1", "70000.1", "0.10000000", "01"),
            order("A3", "70001.0", "0.30000000", "03"),
        ],
    )
    return known


def names(known: Level3Book) -> list[str]:
    """The asks in their order."""
    return [each.order_id for each in known.asks(10)]


def test_the_checksum_goes_through_each_queue_in_the_order_of_time() -> None:
    """Asks, then bids; price and quantity of each order without dots and leading zeros."""
    text = "700001100000007000012000000070001030000000699999100000000"

    assert names(book()) == ["A1", "A2", "A3"]
    assert book().checksum() == crc32(text.encode())


def test_a_changed_quantity_keeps_its_place_and_a_changed_price_does_not() -> None:
    """kraken-spot section 10.5: add, modify, delete."""
    known = book()
    known.update([], [order("A1", "70000.1", "0.05000000", "09", "modify")])
    assert names(known) == ["A1", "A2", "A3"]
    assert str(known.asks(1)[0].order_qty) == "0.05000000"

    known.update([], [order("A1", "70001.0", "0.05000000", "09", "modify")])
    assert names(known) == ["A2", "A3", "A1"]

    known.update([], [order("A2", "70000.1", "0.20000000", "02", "delete")])
    assert names(known) == ["A3", "A1"]


def test_levels_beyond_the_depth_are_forgotten_with_their_orders() -> None:
    """And come back as new ones when the venue says so."""
    known = book(depth=2)
    known.update([], [order("A0", "70000.0", "1.00000000", "04")])
    assert names(known) == ["A0", "A1", "A2"]

    known.update(
        [],
        [
            order("A0", "70000.0", "1.00000000", "04", "delete"),
            order("A3", "70001.0", "0.30000000", "03"),
        ],
    )
    assert names(known) == ["A1", "A2", "A3"]


def test_what_is_not_known_is_neither_deleted_nor_lost() -> None:
    """A delete of a stranger is nothing; a change of one is an order."""
    known = book()
    known.update(
        [],
        [
            order("A7", "70000.5", "1.00000000", "04", "delete"),
            order("A8", "70000.5", "1.00000000", "04", "modify"),
        ],
    )

    assert names(known) == ["A1", "A2", "A8", "A3"]
