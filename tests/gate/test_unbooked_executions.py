"""An order's row that shows more than its own executions: nothing is sold, or counted, twice."""

from __future__ import annotations

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
from zoe_tools.domain.plan import AmendOrder, PlaceOrder
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
