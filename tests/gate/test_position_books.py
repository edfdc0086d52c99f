"""A position follows its orders: pending while the entry works, held until an exit has filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import ETH, NOON, d, make_fill, make_order, make_position
from fakes import Desk, at_the_desk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.gate.books import Sighting, record_execution

CLIENT = ClientOrderId("11111111-2222-4333-8444-555555555555")
OWN = PositionId(f"P-{CLIENT}")
P1 = PositionId("P1")
ENTRY = make_order(status=OrderStatus.PENDING_NEW, venue_order_id=None)
S = PositionStatus


def order_of(purpose: str, number: int, **more: Any) -> OrderRecord:
    """A sell of ours for P1."""
    values = {
        "client_order_id": ClientOrderId(f"C{number}"),
        "venue_order_id": None,
        "position_id": P1,
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS if purpose == "stop" else OrderType.MARKET,
        "limit_price": None,
        "status": OrderStatus.PENDING_NEW,
        "purpose": purpose,
    }
    return make_order(**{**values, **more})


STOP, EXIT = order_of("stop", 1, trigger_price=d("58800")), order_of("exit", 2)


async def seen(
    desk: Desk,
    order: OrderRecord,
    status: OrderStatus,
    *fills: Fill,
    trigger_price: Decimal | None = None,
) -> None:
    """The venue tells of an order, and of these fills of it."""
    sighting = Sighting(
        venue_order_id=VenueOrderId(f"O-{order.client_order_id}"),
        client_order_id=order.client_order_id,
        status=status,
        seen_at=NOON + timedelta(seconds=1),
        source="test",
        trigger_price=trigger_price or order.trigger_price,
        filled_quantity=sum((each.quantity for each in fills), d("0")),
    )

    def work(transaction: Any) -> None:
        if transaction.order(order.client_order_id) is None:
            transaction.record_order(order)
        record_execution(transaction, sighting, fills)

    await desk.read(work)


def filled(order: OrderRecord, quantity: str = "0.0004", price: str = "59000") -> Fill:
    """So much of an order."""
    return make_fill(
        fill_id=FillId(f"T-{order.client_order_id}-{quantity}"),
        venue_order_id=VenueOrderId(f"O-{order.client_order_id}"),
        side=order.side,
        quantity=d(quantity),
        price=d(price),
        fee=d("0"),
    )


async def held(desk: Desk, position_id: PositionId = P1) -> Position:
    """The position now."""
    position = await desk.read(lambda tx: tx.position(position_id))
    assert position is not None
    return position


async def a_protected_position(desk: Desk) -> None:
    """P1 with its stop."""
    await desk.read(lambda tx: tx.record_position(make_position()))
    await seen(desk, STOP, OrderStatus.OPEN)
    assert (await held(desk)).status is S.PROTECTED


def test_vector_7_a_working_entry_is_a_pending_position_and_opens_at_its_real_price(
    tmp_path: Path,
) -> None:
    """Vector 7 and defect 15: what has not filled is not closed by looking at it."""

    async def story(desk: Desk) -> None:
        await seen(desk, ENTRY, OrderStatus.OPEN)
        pending = await held(desk, OWN)
        assert (pending.status, pending.quantity) == (S.PENDING, d("0"))
        assert (pending.initial_quantity, pending.initial_price) == (d("0.0004"), d("60000.0"))
        assert await desk.read(lambda tx: tx.positions(open_only=True)) == ()

        await desk.gate().recover()  # looks at the venue, as a restart does
        await seen(desk, ENTRY, OrderStatus.OPEN)
        assert (await held(desk, OWN)).status is S.PENDING

        await seen(desk, ENTRY, OrderStatus.FILLED, filled(ENTRY, price="59990"))
        opened = await held(desk, OWN)
        assert (opened.status, opened.average_cost) == (S.OPEN, d("59990"))
        assert opened.initial_price == d("60000.0")
        assert len(await desk.read(lambda tx: tx.positions())) == 1

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((OrderStatus.OPEN, OrderStatus.CANCEL_PENDING), S.CANCEL_PENDING),
        ((OrderStatus.OPEN, OrderStatus.CANCEL_PENDING, OrderStatus.OPEN), S.PENDING),
        ((OrderStatus.OPEN, OrderStatus.CANCELED), S.CANCELLED),
        ((OrderStatus.OPEN, OrderStatus.EXPIRED), S.CANCELLED),
    ],
)
def test_a_pending_position_follows_its_entry(
    tmp_path: Path, words: tuple[OrderStatus, ...], expected: S
) -> None:
    """To its end without a fill, and back where a cancel was refused."""

    async def story(desk: Desk) -> None:
        for word in words:
            await seen(desk, ENTRY, word)
        assert (await held(desk, OWN)).status is expected

    at_the_desk(tmp_path, story)


def test_a_fill_that_arrives_after_its_cancel_opens_the_position(tmp_path: Path) -> None:
    """Cancel and fill may both happen, in either order of arrival."""

    async def story(desk: Desk) -> None:
        await seen(desk, ENTRY, OrderStatus.OPEN)
        await seen(desk, ENTRY, OrderStatus.CANCELED)
        await seen(desk, ENTRY, OrderStatus.CANCELED, filled(ENTRY, "0.0001"))
        after = await held(desk, OWN)
        assert (after.status, after.quantity, after.closed_at) == (S.OPEN, d("0.0001"), None)

    at_the_desk(tmp_path, story)


def test_a_second_entry_begins_no_second_position(tmp_path: Path) -> None:
    """Invariant A, met before it could be broken: its fills go to the one there is."""
    second = replace(ENTRY, client_order_id=ClientOrderId("C9"))

    async def story(desk: Desk) -> None:
        await seen(desk, ENTRY, OrderStatus.OPEN)
        await seen(desk, second, OrderStatus.OPEN)
        await seen(desk, second, OrderStatus.FILLED, filled(second))
        (only,) = await desk.read(lambda tx: tx.positions())
        assert (only.position_id, only.status, only.quantity) == (OWN, S.OPEN, d("0.0004"))

    at_the_desk(tmp_path, story)


def test_defect_4_an_unfilled_exit_is_not_booked_as_closed(tmp_path: Path) -> None:
    """Defect 4: while it works the position is held, and after it ended, too."""

    async def story(desk: Desk) -> None:
        await a_protected_position(desk)
        await seen(desk, STOP, OrderStatus.CANCELED)
        assert (await held(desk)).status is S.OPEN
        await seen(desk, EXIT, OrderStatus.OPEN)
        assert (await held(desk)).status is S.EXIT_PENDING

        await seen(desk, EXIT, OrderStatus.CANCELED)
        after = await held(desk)
        assert (after.status, after.quantity, after.realised_pnl) == (S.OPEN, d("0.0004"), d("0"))
        assert after.closed_at is None

    at_the_desk(tmp_path, story)


def test_an_exit_that_filled_in_part_leaves_the_rest_held(tmp_path: Path) -> None:
    """And the one that sells the last of it says why."""
    rest = order_of("flatten", 3, quantity=d("0.0003"))

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(make_position()))
        await seen(desk, EXIT, OrderStatus.PARTIALLY_FILLED, filled(EXIT, "0.0001"))
        assert (await held(desk)).quantity == d("0.0003")
        await seen(desk, EXIT, OrderStatus.CANCELED, filled(EXIT, "0.0001"))
        after = await held(desk)
        assert (after.status, after.exit_quantity) == (S.PARTIAL, d("0.0001"))
        assert (after.exit_reason, after.closed_at) == ("", None)

        await seen(desk, rest, OrderStatus.FILLED, filled(rest, "0.0003"))
        over = await held(desk)
        assert (over.status, over.quantity, over.exit_reason) == (S.CLOSED, d("0"), "kill_switch")

    at_the_desk(tmp_path, story)


def test_a_stop_that_fired_closes_the_position(tmp_path: Path) -> None:
    """At once, whatever was not told in between."""

    async def story(desk: Desk) -> None:
        await a_protected_position(desk)
        await seen(desk, STOP, OrderStatus.FILLED, filled(STOP, price="58790"))
        over = await held(desk)
        assert (over.status, over.exit_reason, over.stop_venue_order_id) == (
            S.CLOSED,
            "stop_loss",
            None,
        )

    at_the_desk(tmp_path, story)


def test_a_fill_that_the_registry_s_rules_forbid_is_booked_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two rows were merged, and the stop of the one that was dropped fills in part: it happened."""
    dropped = make_position(
        position_id=PositionId("P2"), status=S.ORPHANED, exit_reason="merge_collision"
    )
    stop = order_of("stop", 2, position_id=PositionId("P2"), trigger_price=d("58800"))

    async def story(desk: Desk) -> None:
        await a_protected_position(desk)
        await desk.read(lambda tx: tx.copy_position(dropped))
        kept = await held(desk)
        for _ in range(2):  # and the venue's records tell it again, as at a restart
            await seen(desk, stop, OrderStatus.PARTIALLY_FILLED, filled(stop, "0.0001"))

        order = await desk.read(lambda tx: tx.order(stop.client_order_id))
        assert order is not None
        assert (order.status, order.filled_quantity) == (
            OrderStatus.PARTIALLY_FILLED,
            d("0.0001"),
        )
        (fill,) = await desk.read(lambda tx: tx.fills())
        assert fill.quantity == d("0.0001")
        assert await held(desk) == kept
        assert (await held(desk, PositionId("P2"))).status is S.ORPHANED
        assert "INVARIANT_VIOLATION P2 was left as it was: rule A" in caplog.text

    at_the_desk(tmp_path, story)


def test_a_fill_whose_position_was_moved_to_another_instrument_by_hand_is_booked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stop of P1 fires; the row of P1 says ETH: the fill counts, the row is left as it is."""

    async def story(desk: Desk) -> None:
        await a_protected_position(desk)
        changed = replace(await held(desk), symbol=ETH)
        await desk.read(lambda tx: tx.copy_position(changed))
        await seen(desk, STOP, OrderStatus.PARTIALLY_FILLED, filled(STOP, "0.0001"))

        assert len(await desk.read(lambda tx: tx.fills())) == 1
        assert (await held(desk)).quantity == changed.quantity
        assert "INVARIANT_VIOLATION fill" in caplog.text

    at_the_desk(tmp_path, story)


def test_a_stop_is_linked_to_what_turned_out_not_to_be_sold_in_part(tmp_path: Path) -> None:
    """Its row says partial, its fills that nothing was sold: it is stopped and left like others."""

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.copy_position(make_position(status=S.PARTIAL)))
        await seen(desk, STOP, OrderStatus.OPEN)
        linked = await held(desk)
        assert (linked.status, linked.stop_price) == (S.PARTIAL, d("58800"))
        await seen(desk, EXIT, OrderStatus.OPEN)
        await seen(desk, EXIT, OrderStatus.CANCELED)
        assert (await held(desk)).status is S.PROTECTED

    at_the_desk(tmp_path, story)


def test_a_stop_that_somebody_moved_down_is_told_once_and_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant D: the registry keeps the price that the stop should have."""

    async def story(desk: Desk) -> None:
        await a_protected_position(desk)
        for _ in range(2):
            await seen(desk, STOP, OrderStatus.OPEN, trigger_price=d("50000"))
        after = await held(desk)
        assert (after.stop_price, after.initial_stop_price) == (d("58800"), d("58800"))
        assert caplog.text.count("was moved against its position") == 1

        await seen(desk, STOP, OrderStatus.OPEN, trigger_price=d("59000"))
        moved = await held(desk)
        assert (moved.stop_price, moved.initial_stop_price) == (d("59000"), d("58800"))

    at_the_desk(tmp_path, story)


def test_defect_7_a_new_trade_into_what_an_old_one_left_has_prices_of_its_own(
    tmp_path: Path,
) -> None:
    """Defect 7: no stop rests at a price of another market, where it would sell at once."""
    dust = make_position(
        status=S.PARTIAL,
        quantity=d("0.00000001"),
        exit_quantity=d("0.0004"),
        stop_price=d("58800"),
        take_profit_price=d("62400"),
    )
    entry = replace(ENTRY, client_order_id=ClientOrderId("C7"), limit_price=d("40000"))

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(replace(dust, status=S.OPEN)))
        await seen(desk, entry, OrderStatus.FILLED, filled(entry, price="40000"))
        after = await held(desk)
        assert after.quantity == d("0.00040001")
        assert (after.stop_price, after.take_profit_price) == (None, None)

        await seen(desk, STOP, OrderStatus.OPEN, trigger_price=d("39200"))
        assert (await held(desk)).stop_price == d("39200")

    at_the_desk(tmp_path, story)


def test_a_new_trade_into_what_an_old_one_left_is_as_old_as_its_first_fill(tmp_path: Path) -> None:
    """By the age of what an old trade left the new one would be sold at once, as too old."""
    dust = make_position(
        status=S.OPEN,
        quantity=d("0.00000001"),
        exit_quantity=d("0.0004"),
        opened_at=NOON - timedelta(days=3),
    )
    entry = replace(ENTRY, client_order_id=ClientOrderId("C7"))

    async def story(desk: Desk) -> None:
        await desk.read(lambda tx: tx.record_position(dust))
        fill = filled(entry, price="60000")
        await seen(desk, entry, OrderStatus.FILLED, fill)
        assert (await held(desk)).opened_at == fill.filled_at

    at_the_desk(tmp_path, story)
