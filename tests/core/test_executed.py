"""What was executed is held, whoever is late to tell it; books that may be short end nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import BTC, ETH, d, make_fill, make_order, make_position, make_stop, snapshot_with
from zoe_tools.core.executed import as_booked, as_executed, booked_of, is_over, unbooked
from zoe_tools.core.run import plan_run
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import CancelOrder, PlaceOrder, PositionStill, Step
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.snapshot import Snapshot

P1 = PositionId("P1")
ENTRY = make_order(
    client_order_id=ClientOrderId("E"),
    venue_order_id=VenueOrderId("OE"),
    status=OrderStatus.FILLED,
    quantity=d("1"),
    filled_quantity=d("1"),
    limit_price=d("60000"),
)
OWN = PositionId("P-E")
HELD = make_position(quantity=d("0.4"), average_cost=d("50000"))
PENDING = make_position(
    position_id=OWN, status=PositionStatus.PENDING, quantity=ZERO, average_cost=ZERO
)
SOLD = make_order(
    client_order_id=ClientOrderId("S"),
    venue_order_id=VenueOrderId("OS"),
    side=Side.SELL,
    purpose="stop",
    order_type=OrderType.STOP_LOSS,
    status=OrderStatus.FILLED,
    quantity=d("0.4"),
    filled_quantity=d("0.4"),
    position_id=P1,
)


def entry(**changes: Any) -> OrderRecord:
    """The entry, otherwise."""
    return replace(ENTRY, **changes)


def trade(quantity: str, order: OrderRecord = ENTRY) -> Fill:
    """A trade of the order that is booked."""
    assert order.venue_order_id is not None
    return make_fill(venue_order_id=order.venue_order_id, quantity=d(quantity), fee=d("0"))


@pytest.mark.parametrize(
    ("order", "fills", "expected"),
    [
        (ENTRY, (), "1"),
        (ENTRY, (trade("0.3"), trade("0.3")), "0.4"),
        (ENTRY, (trade("1"),), "0"),
        (ENTRY, (trade("1.5"),), "0"),
        (ENTRY, (trade("1", SOLD),), "1"),
        (entry(venue_order_id=None), (), "0"),
    ],
)
def test_what_no_trade_tells_is_what_the_order_filled_beyond_them(
    order: OrderRecord, fills: tuple[Fill, ...], expected: str
) -> None:
    """Never less than nothing, and only of its own trades."""
    assert unbooked(order, booked_of(fills)) == d(expected)


@pytest.mark.parametrize(
    ("active", "order", "fills", "quantities", "coming"),
    [
        ((), ENTRY, (), {OWN: "1"}, {OWN: "1"}),
        ((PENDING,), ENTRY, (), {OWN: "1"}, {OWN: "1"}),
        ((PENDING,), entry(status=OrderStatus.CANCELED), (), {OWN: "1"}, {OWN: "1"}),
        ((HELD,), entry(position_id=P1), (trade("0.4"),), {P1: "1.0"}, {P1: "0.6"}),
        ((HELD,), ENTRY, (), {P1: "1.4"}, {P1: "1"}),
        ((HELD,), entry(symbol=ETH), (), {P1: "0.4", OWN: "1"}, {OWN: "1"}),
        ((HELD,), ENTRY, (trade("1"),), {P1: "0.4"}, {}),
        ((HELD,), SOLD, (), {P1: "0.4"}, {}),
        ((PENDING,), entry(limit_price=None), (), {OWN: "0"}, {}),
        ((PENDING,), entry(limit_price=None, average_price=d("9")), (), {OWN: "1"}, {OWN: "1"}),
    ],
)
def test_a_position_holds_what_its_entry_executed(
    active: tuple[Position, ...],
    order: OrderRecord,
    fills: tuple[Fill, ...],
    quantities: dict[PositionId, str],
    coming: dict[PositionId, str],
) -> None:
    """Where a trade of it will be booked; what was sold counts once it is."""
    found = as_executed(active, (order, order), fills)

    assert {each.position_id: each.quantity for each in found.positions} == {
        name: d(quantity) for name, quantity in quantities.items()
    }
    assert dict(found.unbooked) == {name: d(quantity) for name, quantity in coming.items()}
    snapshot = snapshot_with(positions=found.positions, unbooked=found.unbooked)
    for each in found.positions:
        assert each.status.holds == (each.quantity > ZERO)
        before = next((one for one in active if one.position_id == each.position_id), None)
        assert as_booked(each, snapshot).quantity == (before.quantity if before else ZERO)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"positions": (HELD,)}, False),
        ({"may_lack": True}, False),
        ({"orders": (entry(status=OrderStatus.OPEN, position_id=P1),)}, False),
        ({"orders": (entry(status=OrderStatus.UNKNOWN, position_id=P1),)}, False),
        ({"orders": (entry(position_id=P1),)}, True),
        ({"orders": (entry(status=OrderStatus.OPEN),)}, True),
        ({"positions": (make_position(position_id=OWN),)}, True),
    ],
)
def test_over_is_what_nobody_can_turn_out_to_hold(
    changes: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """Not what an order still buys for, nor anything while books may lack executions."""
    snapshot = snapshot_with(**changes)
    stop = make_stop(make_position())
    took_back = plan_run(
        snapshot_with(**{**changes, "orders": (*snapshot.orders, stop)}), (), frozenset()
    )

    assert is_over(P1, snapshot) is expected
    cancels = [
        each for each in took_back.steps if isinstance(each, CancelOrder) and each.purpose == "stop"
    ]
    assert bool(cancels) is expected


def test_the_stop_of_a_working_entry_stays() -> None:
    """Its name tells whose it is before any trade of the entry does."""
    working = entry(status=OrderStatus.OPEN, filled_quantity=ZERO)

    assert not is_over(OWN, snapshot_with(orders=(working,)))


def short(booked: str, *orders: OrderRecord, exiting: bool = False) -> tuple[Step, ...]:
    """What is done about one coin of which so much is booked."""
    position = make_position(quantity=d("1"))
    snapshot: Snapshot = snapshot_with(
        positions=(position,), unbooked=((P1, d("1") - d(booked)),), orders=orders
    )
    return plan_run(snapshot, (), frozenset({P1}) if exiting else frozenset()).steps


def test_a_stop_holds_what_was_executed() -> None:
    """Booked or not."""
    (stop,) = short("0")

    assert isinstance(stop, PlaceOrder)
    assert (stop.request.purpose, stop.request.quantity) == ("stop", d("1"))
    assert stop.preconditions == (PositionStill(position_id=P1, quantity=d("1")),)


def test_sold_is_what_is_booked_and_where_nothing_is_the_stop_stays() -> None:
    """A sale that is booked before its purchase would sell what is not managed."""
    resting = make_stop(make_position(quantity=d("1")))

    assert short("0", resting, exiting=True) == ()
    (cancel,) = short("0.4", resting, exiting=True)
    assert isinstance(cancel, CancelOrder)
    (sale,) = short("0.4", exiting=True)
    assert isinstance(sale, PlaceOrder)
    assert (sale.request.purpose, sale.request.quantity) == ("exit", d("0.4"))
    assert sale.preconditions == (PositionStill(position_id=P1, quantity=d("0.4")),)
    assert sale.request.symbol == BTC
