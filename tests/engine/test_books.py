"""The loop's copy of its books: the store's truth, read again after each change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import NOON, d, make_intent, make_order, make_position, make_request, place
from fakes import Desk, at_the_desk
from zoe_tools import gather
from zoe_tools.core.position_rows import as_told
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import STOP_PRICE_SET, PositionEvent, event_of
from zoe_tools.domain.trading_state import KillLevel, KillReason, TradingState
from zoe_tools.engine.books import Books
from zoe_tools.store.store import Transaction


def test_a_refresh_reads_what_is_open(tmp_path: Path) -> None:
    """Positions, working orders, unresolved intents; what is over stays out."""

    async def story(desk: Desk) -> None:
        over = make_order(
            client_order_id=ClientOrderId("22222222-2222-4333-8444-555555555555"),
            venue_order_id=VenueOrderId("OBBBBB-BBBBB-BBBBB1"),
            status=OrderStatus.CANCELED,
        )
        await desk.read(lambda tx: tx.record_intent(make_intent()))
        await desk.read(lambda tx: tx.record_order(make_order()))
        await desk.read(lambda tx: tx.record_order(over))
        await desk.read(lambda tx: tx.record_position(make_position()))
        books = Books(desk.store)
        await books.refresh(NOON)

        assert [each.status for each in books.orders] == [OrderStatus.OPEN]
        assert [each.position_id for each in books.positions] == ["P1"]
        assert [each.intent_id for each in books.unresolved] == ["I1"]

    at_the_desk(tmp_path, story)


def test_the_day_s_notional_is_that_of_the_utc_day(tmp_path: Path) -> None:
    """A minute past midnight nothing is used up."""

    async def story(desk: Desk) -> None:
        await desk.do(place(make_request(limit_price=d("60000.1")), notional=d("24.00004")))
        books = Books(desk.store)
        await books.refresh(desk.clock.now())
        used = books.daily_notional
        await books.refresh(NOON + timedelta(hours=12, minutes=1))

        assert used == d("24.00004")
        assert (books.daily_notional, books.day) == (d("0"), (NOON + timedelta(days=1)).date())

    at_the_desk(tmp_path, story)


def test_a_position_that_closed_is_told_once(tmp_path: Path) -> None:
    """With its result; one that was closed before the first look is history."""

    async def story(desk: Desk) -> None:
        position = make_position()
        await desk.read(lambda tx: tx.record_position(position))
        books = Books(desk.store)
        await books.refresh(NOON)
        assert books.take_closed() == ()
        closed = replace(
            position,
            status=PositionStatus.CLOSED,
            quantity=d("0"),
            exit_quantity=position.quantity,
            realised_pnl=d("1.5"),
            closed_at=NOON + timedelta(hours=1),
        )
        await desk.read(lambda tx: tx.record_position(closed))
        await books.refresh(NOON)

        assert [each.realised_pnl for each in books.take_closed()] == [d("1.5")]
        assert books.take_closed() == ()
        fresh = Books(desk.store)
        await fresh.refresh(NOON)
        assert fresh.take_closed() == ()

    at_the_desk(tmp_path, story)


def test_a_changed_trading_state_is_noticed_once(tmp_path: Path) -> None:
    """True when it changed, False when it is as it was."""

    async def story(desk: Desk) -> None:
        books = Books(desk.store)
        await books.refresh(NOON)
        killed = TradingState(level=KillLevel.PAUSE_ENTRIES, reason="lunch", changed_at=NOON)
        assert not await books.refresh_trading_state(NOON)
        await desk.read(lambda tx: tx.latch(killed))

        assert await books.refresh_trading_state(NOON)
        assert books.trading_state.level is KillLevel.PAUSE_ENTRIES
        assert not await books.refresh_trading_state(NOON)

    at_the_desk(tmp_path, story)


def test_the_switch_latches(tmp_path: Path) -> None:
    """Anything but false in the row reads as reduce-only, and false does not re-arm."""

    async def story(desk: Desk) -> None:
        books = Books(desk.store)
        await desk.read(lambda tx: tx.set_config("kill_switch", "TRUE", NOON))
        await books.refresh_trading_state(NOON)
        on = books.trading_state.level
        await desk.read(lambda tx: tx.set_config("kill_switch", "false", NOON))
        await books.refresh_trading_state(NOON)

        assert (on, books.trading_state.level) == (KillLevel.REDUCE_ONLY, KillLevel.REDUCE_ONLY)

    at_the_desk(tmp_path, story)


def test_the_switch_lowers_no_harder_level(tmp_path: Path) -> None:
    """Flatten stays flatten."""

    async def story(desk: Desk) -> None:
        killed = TradingState(level=KillLevel.FLATTEN, reason="fire", changed_at=NOON)
        await desk.read(lambda tx: tx.latch(killed))
        await desk.read(lambda tx: tx.set_config("kill_switch", "true", NOON))
        books = Books(desk.store)
        await books.refresh(NOON)

        assert books.trading_state.level is KillLevel.FLATTEN

    at_the_desk(tmp_path, story)


def switched(value: str, transaction: Transaction) -> None:
    """What the runbooks' SQL does."""
    transaction.set_config("kill_switch", value, NOON)


def test_the_switch_takes_over_what_was_latched_for_margin(tmp_path: Path) -> None:
    """Else margin that comes down would re-arm what the switch had stopped."""

    async def story(desk: Desk) -> None:
        reason = KillReason.MARGIN_CRITICAL.worded("93 %")
        margins = TradingState(level=KillLevel.REDUCE_ONLY, reason=reason, changed_at=NOON)
        await desk.read(lambda tx: tx.latch(margins))
        books = Books(desk.store)
        for value in ("true", "false"):
            await desk.read(partial(switched, value))
            await books.refresh_trading_state(NOON)

        state = books.trading_state
        assert (state.level, state.cause) == (KillLevel.REDUCE_ONLY, KillReason.MANUAL)

    at_the_desk(tmp_path, story)


def test_what_a_story_tells_is_worked_out_once_for_each_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the row or of the story; a row that was changed by hand is told, and not believed."""
    worked_out: list[Position] = []

    def count(row: Position, story: list[PositionEvent]) -> Position:
        worked_out.append(row)
        return as_told(row, story)

    monkeypatch.setattr(gather, "as_told", count)
    monkeypatch.setattr(gather, "_TOLD", {})

    def change_by_hand(transaction: Transaction) -> None:
        transaction._connection.execute(text("UPDATE crypto_positions SET stop_price = '1'"))

    async def story(desk: Desk) -> None:
        first = make_position(stop_price=d("57000"))
        second = make_position(stop_price=d("58000"), updated_at=NOON + timedelta(seconds=1))
        told = []
        await desk.read(lambda tx: tx.record_position(first))
        told += [await desk.read(gather.registry_of) for _ in range(3)]
        await desk.read(change_by_hand)
        told += [await desk.read(gather.registry_of) for _ in range(2)]
        await desk.read(lambda tx: tx.restore_position(first, at=NOON))
        await desk.read(lambda tx: tx.record_position(second))
        told += [await desk.read(gather.registry_of) for _ in range(2)]
        statuses, later = (second.status, second.status), NOON + timedelta(seconds=2)
        raised = event_of(second.position_id, STOP_PRICE_SET, later, statuses, {"after": "59000"})
        await desk.read(lambda tx: tx.append_position_event(raised))
        told += [await desk.read(gather.registry_of) for _ in range(2)]

        stops = [str(each.positions[0].stop_price) for each in told]
        assert stops == ["57000"] * 5 + ["58000"] * 2 + ["59000"] * 2
        assert [len(each.retold) for each in told] == [0, 0, 0, 1, 1, 0, 0, 1, 1]
        assert len(worked_out) == 4

    at_the_desk(tmp_path, story)
