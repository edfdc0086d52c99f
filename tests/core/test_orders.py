"""Books and venue side by side: each order once, and who knows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_order, make_venue_order, snapshot_with
from zoe_tools.core.orders import FOREIGN, OrderLine, Seen, list_orders
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.snapshot import Missing

OURS = make_order()
RESTING = make_venue_order(venue_order_id=OURS.venue_order_id, client_order_id=OURS.client_order_id)
STRANGER = make_venue_order(venue_order_id=VenueOrderId("OSTRANGER"), client_order_id=None)
DONE = make_order(
    client_order_id=ClientOrderId("done"),
    venue_order_id=VenueOrderId("ODONE"),
    symbol=ETH,
    status=OrderStatus.FILLED,
    created_at=NOON - timedelta(hours=2),
)


def seen(lines: tuple[OrderLine, ...]) -> list[tuple[str | None, Seen]]:
    """Which orders, and by whom."""
    return [(each.venue_order_id, each.seen) for each in lines]


WORLDS: list[tuple[dict[str, Any], list[tuple[str | None, Seen]]]] = [
    ({}, []),
    ({"orders": (OURS,), "open_orders": (RESTING,)}, [(OURS.venue_order_id, Seen.BOTH)]),
    ({"orders": (OURS,)}, [(OURS.venue_order_id, Seen.BOOKS)]),
    ({"open_orders": (STRANGER,)}, [("OSTRANGER", Seen.VENUE)]),
    ({"orders": (OURS,), "open_orders": Missing("down")}, [(OURS.venue_order_id, Seen.UNASKED)]),
    ({"orders": (DONE,)}, []),
]


@pytest.mark.parametrize(("world", "expected"), WORLDS)
def test_each_order_is_listed_once_with_who_knows_it(
    world: dict[str, Any], expected: list[tuple[str | None, Seen]]
) -> None:
    """Working orders alone; a venue that was not asked contradicts nobody."""
    assert seen(list_orders(snapshot_with(**world))) == expected


def test_where_both_know_an_order_the_venue_says_how_much_is_left() -> None:
    """And the books what it is for."""
    half = make_venue_order(
        venue_order_id=OURS.venue_order_id,
        client_order_id=OURS.client_order_id,
        filled_quantity=d("0.0001"),
    )
    (line,) = list_orders(snapshot_with(orders=(OURS,), open_orders=(half,)))

    assert (line.filled_quantity, line.purpose) == (d("0.0001"), "entry")
    assert list_orders(snapshot_with(open_orders=(STRANGER,)))[0].purpose == FOREIGN


def test_an_order_that_the_venue_does_not_show_is_disputed_unless_it_is_over() -> None:
    """What has ended is not open anywhere."""
    world = snapshot_with(orders=(OURS, DONE))
    disputed = [each.is_disputed for each in list_orders(world, with_finished=True)]

    assert disputed == [True, False]


def test_time_and_instrument_narrow_the_list() -> None:
    """Both are inclusive of what they name."""
    world = snapshot_with(orders=(OURS, DONE))
    hours = NOON - timedelta(hours=2)

    assert len(list_orders(world, since=hours, with_finished=True)) == 2
    assert len(list_orders(world, since=NOON, with_finished=True)) == 1
    assert len(list_orders(world, symbol=ETH, with_finished=True)) == 1
    assert len(list_orders(world, symbol=BTC)) == 1
