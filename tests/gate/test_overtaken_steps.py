"""Steps of the books against what the loop has booked since they were planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from builders import NOON, d, make_fill, make_order, make_position
from fakes import Desk, at_the_desk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AdjustPosition, OutcomeState, RebuildOrder, StepOutcome, StoreStep
from zoe_tools.domain.position import PositionStatus
from zoe_tools.gate.books import Sighting, record_execution
from zoe_tools.gate.store_steps import apply_store_step

P1 = PositionId("P1")
ENTRY = make_order(
    status=OrderStatus.PENDING_NEW, venue_order_id=None, quantity=d("1"), position_id=P1
)
STOP = make_order(
    client_order_id=ClientOrderId("C1"),
    venue_order_id=None,
    position_id=P1,
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("90"),
    status=OrderStatus.PENDING_NEW,
    purpose="stop",
    quantity=d("1"),
)
BOUGHT = make_fill(fee=d("0"), venue_order_id=VenueOrderId(f"O-{ENTRY.client_order_id}"))
SOLD = make_fill(
    fill_id=FillId("TSOLDD-AAAAA-AAAAA1"),
    venue_order_id=VenueOrderId("O-C1"),
    side=Side.SELL,
    price=d("90"),
    fee=d("0"),
    filled_at=NOON + timedelta(seconds=9),
)


def told(transaction: Any, order: OrderRecord, status: OrderStatus, *fills: Fill) -> None:
    """The venue tells of an order, and of these fills of it, as a stream does."""
    if transaction.order(order.client_order_id) is None:
        transaction.record_order(order)
    sighting = Sighting(
        venue_order_id=VenueOrderId(f"O-{order.client_order_id}"),
        client_order_id=order.client_order_id,
        status=status,
        seen_at=NOON + timedelta(seconds=1 + len(fills)),
        source="test",
        filled_quantity=sum((each.quantity for each in fills), d("0")),
    )
    record_execution(transaction, sighting, fills)


def held(transaction: Any) -> None:
    """One coin was bought and its stop rests."""
    transaction.record_position(
        make_position(quantity=d("0"), entry_quantity=d("0"), status=PositionStatus.PENDING)
    )
    told(transaction, ENTRY, OrderStatus.FILLED, BOUGHT)
    told(transaction, STOP, OrderStatus.OPEN)


def applied(transaction: Any, step: StoreStep) -> StepOutcome:
    """The step's outcome."""
    return apply_store_step(transaction, step, now=NOON, changed_by="tester")


def test_a_position_that_was_sold_since_is_not_opened_again(tmp_path: Path) -> None:
    """Planned on the row of before; the loop has sold all of it meanwhile."""

    def work(transaction: Any) -> None:
        held(transaction)
        right = transaction.position(P1)
        assert right.quantity == d("1")
        wrong = replace(right, quantity=d("0.9"), entry_quantity=d("0.9"))
        transaction.record_position(wrong)
        step = AdjustPosition(before=wrong, after=right, reason="r")
        told(transaction, STOP, OrderStatus.FILLED, SOLD)
        since = transaction.position(P1)

        outcome = applied(transaction, step)
        assert outcome.state is OutcomeState.SKIPPED
        assert outcome.evidence == "the position has changed since"
        assert transaction.position(P1) == since

    async def story(desk: Desk) -> None:
        await desk.read(work)

    at_the_desk(tmp_path, story)


def test_a_position_is_brought_to_its_fills_also_when_one_was_booked_by_the_same_plan(
    tmp_path: Path,
) -> None:
    """What changed meanwhile is what was planned: the fills make just that of it."""

    def work(transaction: Any) -> None:
        held(transaction)
        wrong = replace(transaction.position(P1), quantity=d("0.9"), entry_quantity=d("0.9"))
        transaction.record_position(wrong)
        half = replace(SOLD, quantity=d("0.5"), cost=d("45"))
        told(transaction, STOP, OrderStatus.PARTIALLY_FILLED, half)
        after = replace(
            transaction.position(P1),
            quantity=d("0.5"),
            entry_quantity=d("1"),
            exit_quantity=d("0.5"),
        )
        outcome = applied(transaction, AdjustPosition(before=wrong, after=after, reason="r"))
        assert outcome.state is OutcomeState.DONE
        assert transaction.position(P1).quantity == d("0.5")

    async def story(desk: Desk) -> None:
        await desk.read(work)

    at_the_desk(tmp_path, story)


def test_an_order_is_rebuilt_by_the_events_of_now(tmp_path: Path) -> None:
    """Planned as open; it has filled since, and stays so."""

    def work(transaction: Any) -> None:
        held(transaction)
        planned = transaction.order(STOP.client_order_id)
        assert planned.status is OrderStatus.OPEN
        told(transaction, STOP, OrderStatus.FILLED, SOLD)
        filled = transaction.order(STOP.client_order_id)

        outcome = applied(transaction, RebuildOrder(order=planned, reason="r"))
        assert outcome.state is OutcomeState.SKIPPED
        assert transaction.order(STOP.client_order_id) == filled

        transaction.record_order(replace(filled, status=OrderStatus.CANCELED))
        outcome = applied(transaction, RebuildOrder(order=planned, reason="r"))
        assert outcome.state is OutcomeState.DONE
        assert transaction.order(STOP.client_order_id).status is OrderStatus.FILLED

    async def story(desk: Desk) -> None:
        await desk.read(work)

    at_the_desk(tmp_path, story)
