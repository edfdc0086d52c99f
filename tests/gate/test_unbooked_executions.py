"""An order's row that shows more than its own executions: nothing is sold, or counted, twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import BTC, NOON, d, make_fill, make_order, make_position, make_request, place
from fakes import fresh_store
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, PlaceOrder, PositionStill
from zoe_tools.domain.position import PositionStatus
from zoe_tools.gate.books import Sighting, book_missed_fill, record_execution
from zoe_tools.gate.fence import Withheld
from zoe_tools.gate.preconditions import demand_preconditions

P1 = PositionId("P1")
ENTRY = make_order(
    status=OrderStatus.PENDING_NEW, venue_order_id=None, quantity=d("1"), position_id=P1
)


def own(name: str, purpose: Any, quantity: str, **changes: Any) -> OrderRecord:
    """An order that sells of the position."""
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId(name),
        "venue_order_id": None,
        "position_id": P1,
        "side": Side.SELL,
        "status": OrderStatus.PENDING_NEW,
        "purpose": purpose,
        "quantity": d(quantity),
    }
    return make_order(**{**values, **changes})


STOP = own("C1", "stop", "0.6", order_type=OrderType.STOP_LOSS, limit_price=None)
TARGET = own("C2", "take_profit", "0.4")
BOUGHT = make_fill(
    quantity=d("1"), fee=d("0"), venue_order_id=VenueOrderId(f"O-{ENTRY.client_order_id}")
)
SOLD = make_fill(
    fill_id=FillId("TSOLDD-AAAAA-AAAAA1"),
    venue_order_id=VenueOrderId("O-C2"),
    client_order_id=ClientOrderId("C2"),
    side=Side.SELL,
    quantity=d("0.4"),
    fee=d("0"),
    filled_at=NOON + timedelta(seconds=9),
)


def told(tx: Any, order: OrderRecord, status: OrderStatus, filled: str, *fills: Fill) -> None:
    """The venue's record of an order, and those of its executions that are shown."""
    if tx.order(order.client_order_id) is None:
        tx.record_order(order)
    sighting = Sighting(
        venue_order_id=VenueOrderId(f"O-{order.client_order_id}"),
        client_order_id=order.client_order_id,
        status=status,
        seen_at=NOON + timedelta(seconds=1),
        source="test",
        filled_quantity=d(filled),
    )
    record_execution(tx, sighting, fills)


def sold_unseen(tx: Any) -> None:
    """One coin is held; its target is filled by the orders, and no trade of it is shown yet."""
    tx.record_position(
        make_position(quantity=d("0"), entry_quantity=d("0"), status=PositionStatus.PENDING)
    )
    told(tx, ENTRY, OrderStatus.FILLED, "1", BOUGHT)
    told(tx, STOP, OrderStatus.OPEN, "0")
    told(tx, TARGET, OrderStatus.FILLED, "0.4")


def sale(purpose: Any, quantity: str) -> PlaceOrder:
    """A new order that sells so much."""
    request = make_request(side=Side.SELL, quantity=d(quantity), purpose=purpose)
    return place(request, position_id=P1)


def resize(quantity: str | None, trigger: str | None = None) -> AmendOrder:
    """The stop at another size, or another price."""
    amendment = OrderAmendment(
        venue_order_id=VenueOrderId("O-C1"),
        symbol=BTC,
        quantity=None if quantity is None else d(quantity),
        trigger_price=None if trigger is None else d(trigger),
    )
    return AmendOrder(amendment=amendment, reason="test", position_id=P1)


@pytest.mark.parametrize(
    ("step", "passes"),
    [
        (sale("exit", "1"), False),
        (sale("exit", "0.6"), True),
        (sale("stop", "1"), False),
        (sale("stop", "0.6"), True),
        (resize("1"), False),
        (resize("0.61"), False),
        (resize("0.6"), True),
        (resize("0.5"), True),
        (resize(None, "59000"), True),
    ],
)
def test_what_an_order_shows_as_sold_counts_before_its_trades_do(
    tmp_path: Path, step: PlaceOrder | AmendOrder, *, passes: bool
) -> None:
    """Neither a sale nor a stop takes it again, and no stop grows over it; smaller ones pass."""
    with fresh_store(tmp_path).transaction() as tx:
        sold_unseen(tx)
        if passes:
            demand_preconditions(tx, step, NOON + timedelta(seconds=5))
            return
        with pytest.raises(Withheld, match=r"0\.4 of the position's 1 are being sold already"):
            demand_preconditions(tx, step, NOON + timedelta(seconds=5))


def test_an_execution_that_is_shown_late_is_booked_once_whoever_tells_it(tmp_path: Path) -> None:
    """By the records and by the stream, with the row above it before; nothing is lost either."""
    with fresh_store(tmp_path).transaction() as tx:
        sold_unseen(tx)
        before = tx.position(P1)
        assert before is not None
        assert before.quantity == d("1")

        book_missed_fill(tx, SOLD)
        told(tx, TARGET, OrderStatus.FILLED, "0.4", SOLD)
        book_missed_fill(tx, SOLD)

        position, order = tx.position(P1), tx.order(ClientOrderId("C2"))
        assert position is not None
        assert order is not None
        assert (position.quantity, position.exit_quantity) == (d("0.6"), d("0.4"))
        assert (order.filled_quantity, len(tx.fills(venue_order_id=VenueOrderId("O-C2")))) == (
            d("0.4"),
            1,
        )
        demand_preconditions(tx, sale("exit", "0.6"), NOON + timedelta(seconds=5))
        with pytest.raises(Withheld):
            demand_preconditions(tx, sale("exit", "0.61"), NOON + timedelta(seconds=5))


COMING = make_order(
    client_order_id=ClientOrderId("C3"),
    venue_order_id=None,
    status=OrderStatus.PENDING_NEW,
    quantity=d("1"),
)
OWN = PositionId("P-C3")


def of_entry(purpose: Any, quantity: str, *, counts_on: str) -> PlaceOrder:
    """A new order for the entry's own position, planned while that held so much."""
    request = make_request(side=Side.SELL, quantity=d(quantity), purpose=purpose)
    still = PositionStill(position_id=OWN, quantity=d(counts_on))
    return place(request, position_id=OWN, preconditions=(still,))


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED])
@pytest.mark.parametrize("is_seen_before", [True, False])
def test_an_entry_whose_trades_are_not_shown_yet_stays_alive(
    tmp_path: Path, status: OrderStatus, *, is_seen_before: bool
) -> None:
    """It is never noted as cancelled; its trades make it a held one."""
    with fresh_store(tmp_path).transaction() as tx:
        if is_seen_before:
            told(tx, COMING, OrderStatus.OPEN, "0")
        told(tx, COMING, status, "0.6")
        position = tx.position(OWN)
        assert position is not None
        assert (position.status, position.quantity) == (PositionStatus.PENDING, d("0"))

        fill = replace(BOUGHT, venue_order_id=VenueOrderId("O-C3"), quantity=d("0.6"))
        told(tx, COMING, status, "0.6", fill)
        position = tx.position(OWN)
        assert position is not None
        assert (position.status, position.quantity) == (PositionStatus.OPEN, d("0.6"))


@pytest.mark.parametrize(
    ("booked", "step", "told_no"),
    [
        ("", of_entry("stop", "1", counts_on="1"), ""),
        ("0.4", of_entry("stop", "1", counts_on="1"), ""),
        ("0.4", of_entry("stop", "1", counts_on="0.4"), ""),
        ("0.4", of_entry("stop", "1.1", counts_on="0.4"), "own executions leave 1"),
        ("", of_entry("stop", "1", counts_on="1.1"), "the position holds 1,"),
        ("", of_entry("exit", "1", counts_on="1"), "the position holds 0,"),
        ("0.4", of_entry("exit", "0.4", counts_on="0.4"), ""),
        ("0.4", of_entry("exit", "1", counts_on="0.4"), "being sold already"),
    ],
)
def test_a_stop_may_hold_what_was_bought_and_a_sale_only_what_is_booked(
    tmp_path: Path, booked: str, step: PlaceOrder, told_no: str
) -> None:
    """By what the entry's events tell, before its trades do."""
    with fresh_store(tmp_path).transaction() as tx:
        told(tx, COMING, OrderStatus.OPEN, "0")
        if booked:
            fill = replace(BOUGHT, venue_order_id=VenueOrderId("O-C3"), quantity=d(booked))
            told(tx, COMING, OrderStatus.PARTIALLY_FILLED, booked, fill)
        told(tx, COMING, OrderStatus.FILLED, "1")
        if not told_no:
            demand_preconditions(tx, step, NOON + timedelta(seconds=5))
            return
        with pytest.raises(Withheld, match=told_no):
            demand_preconditions(tx, step, NOON + timedelta(seconds=5))


def test_a_row_that_says_more_than_its_events_lets_no_stop_grow(tmp_path: Path) -> None:
    """It was changed by hand: beyond what its own executions leave, coins are not zoe's."""
    with fresh_store(tmp_path).transaction() as tx:
        fill = replace(BOUGHT, venue_order_id=VenueOrderId("O-C3"), quantity=d("0.4"))
        told(tx, COMING, OrderStatus.PARTIALLY_FILLED, "0.4", fill)
        row = tx.order(ClientOrderId("C3"))
        assert row is not None
        tx.record_order(replace(row, filled_quantity=d("1"), status=OrderStatus.FILLED))

        with pytest.raises(Withheld, match=r"the position holds 0\.4"):
            demand_preconditions(
                tx, of_entry("stop", "1", counts_on="1"), NOON + timedelta(seconds=5)
            )
