"""Reports of the executions stream in the books: any order, any number of times, one story."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import BTC, NOON, d, make_fill, make_order, make_position
from fakes import Desk, at_the_desk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport

ORDER = VenueOrderId("OAAAAA-AAAAA-AAAAA1")
CLIENT = ClientOrderId("11111111-2222-4333-8444-555555555555")


def report(kind: ExecutionKind, status: OrderStatus, **more: Any) -> ExecutionReport:
    """A sparse row about the entry."""
    values: dict[str, Any] = {"venue_order_id": ORDER, "reported_at": NOON, **more}
    return ExecutionReport(kind=kind, status=status, **values)


def trade(number: int, quantity: str, cumulative: str) -> ExecutionReport:
    """A trade row: as the venue sends it, `partially_filled` even when it completes the order."""
    fill: Fill = make_fill(
        fill_id=FillId(f"T{number}"),
        venue_order_id=ORDER,
        quantity=d(quantity),
        price=d("60000"),
        fee=d("0.04"),
        filled_at=NOON + timedelta(seconds=number),
    )
    return report(
        ExecutionKind.TRADE,
        OrderStatus.PARTIALLY_FILLED,
        cumulative_quantity=d(cumulative),
        fill=fill,
    )


STORY = (
    report(ExecutionKind.PENDING_NEW, OrderStatus.PENDING_NEW, client_order_id=CLIENT),
    report(ExecutionKind.NEW, OrderStatus.OPEN),
    trade(1, "0.0001", "0.0001"),
    trade(2, "0.0003", "0.0004"),
    report(ExecutionKind.FILLED, OrderStatus.FILLED, cumulative_quantity=d("0.0004")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(STORY * 2))
def test_the_books_do_not_depend_on_order_or_number_of_reports(
    tmp_path_factory: pytest.TempPathFactory, reports: list[ExecutionReport]
) -> None:
    """Late and repeated rows change nothing: same order, same two fills, same position."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_order(make_order(status=OrderStatus.PENDING_NEW)))
        for each in reports:
            await desk.gate().record_report(each)

        order = await desk.read(lambda tx: tx.order(CLIENT))
        positions = await desk.read(lambda tx: tx.positions())
        assert order is not None
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, d("0.0004"))
        assert (order.average_price, order.fees) == (d("60000"), d("0.08"))
        assert len(await desk.read(lambda tx: tx.fills())) == 2
        assert [(each.quantity, each.fees) for each in positions] == [(d("0.0004"), d("0.08"))]

    at_the_desk(tmp_path_factory.mktemp("books"), story)


def test_a_report_about_somebody_else_s_order_is_ignored(tmp_path: Path) -> None:
    """No order, no fill, no position."""

    async def story(desk: Desk) -> None:
        await desk.gate().record_report(trade(1, "0.0004", "0.0004"))
        assert await desk.read(lambda tx: (tx.orders(), tx.fills(), tx.positions())) == ((), (), ())

    at_the_desk(tmp_path, story)


def test_an_impossible_report_is_not_booked_but_its_fill_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A fill on an order that was rejected: logged as a broken invariant, and the coins counted."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_order(make_order(status=OrderStatus.REJECTED)))
        with caplog.at_level(logging.ERROR):
            await desk.gate().record_report(trade(1, "0.0004", "0.0004"))

        assert "INVARIANT_VIOLATION" in caplog.text
        order = await desk.read(lambda tx: tx.order(CLIENT))
        positions = await desk.read(lambda tx: tx.positions(open_only=True))
        assert order is not None
        assert order.status is OrderStatus.REJECTED
        assert [each.quantity for each in positions] == [d("0.0004")]

    at_the_desk(tmp_path, story)


def test_a_sale_beyond_the_position_is_reported_and_never_makes_it_negative(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The excess was not zoe's to sell: logged, not booked."""

    async def story(desk: Desk) -> None:
        position = make_position(quantity=d("0.0003"), position_id=PositionId("P1"))
        order = make_order(
            side=Side.SELL,
            order_type=OrderType.MARKET,
            purpose="exit",
            position_id=PositionId("P1"),
            limit_price=None,
        )
        await desk.read(lambda tx: tx.record_position(position))
        await desk.read(lambda tx: tx.record_order(order))
        fill = make_fill(side=Side.SELL, quantity=d("0.0004"), price=d("60000"), fee=d("0"))
        await desk.gate().record_report(
            report(
                ExecutionKind.TRADE,
                OrderStatus.FILLED,
                cumulative_quantity=d("0.0004"),
                fill=fill,
            )
        )

        after = await desk.read(lambda tx: tx.position(PositionId("P1")))
        assert after is not None
        assert (after.quantity, after.status.value) == (d("0"), "closed")
        assert "0.0001 BTC/USD more than is managed" in caplog.text

    at_the_desk(tmp_path, story)


def test_a_second_entry_adds_to_the_open_position_of_its_instrument(tmp_path: Path) -> None:
    """One open position per instrument."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(make_position()))
        await desk.read(lambda tx: tx.record_order(make_order()))
        await desk.gate().record_report(trade(1, "0.0004", "0.0004"))

        order = await desk.read(lambda tx: tx.order(CLIENT))
        positions = await desk.read(lambda tx: tx.positions())
        assert order is not None
        assert order.position_id == PositionId("P1")
        assert [(each.symbol, each.quantity) for each in positions] == [(BTC, d("0.0008"))]

    at_the_desk(tmp_path, story)
