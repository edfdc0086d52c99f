"""Fills and ledger rows are booked once, exactly, and come back oldest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from builders import NOON, book_ledger, d, make_fill, make_ledger_entry, make_order, make_position
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    FillId,
    LedgerId,
    PositionId,
    VenueOrderId,
)
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.observation import BalanceSnapshot
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import PositionKind, PositionStatus
from zoe_tools.store.store import Store

P1 = PositionId("P1")


def test_a_fill_is_booked_once_and_comes_back_exactly(store: Store) -> None:
    """Every digit; the second report of the same execution changes nothing."""
    fill = make_fill(
        quantity=d("0.00000001"),
        price=d("60000.1"),
        cost=d("0.000600001"),
        fee=d("1E-8"),
        side=Side.SELL,
        liquidity="maker",
        client_order_id=ClientOrderId("C1"),
    )
    with store.transaction() as transaction:
        assert transaction.record_fill(fill)
        assert not transaction.record_fill(replace(fill, price=d("1")))
    with store.transaction() as transaction:
        assert transaction.fills() == (fill,)


def test_a_fill_may_be_told_which_order_it_belongs_to(store: Store) -> None:
    """The venue's trades history does not name our order."""
    with store.transaction() as transaction:
        transaction.record_fill(make_fill(), client_order_id=ClientOrderId("C1"), purpose="entry")
        assert transaction.fills() == (make_fill(client_order_id=ClientOrderId("C1")),)


def test_fills_come_oldest_first_and_from_a_moment_on(store: Store) -> None:
    """Whatever the order of booking; `since` includes its own moment."""
    at = [NOON + timedelta(microseconds=us) for us in (0, 1, 2)]
    made = [
        make_fill(fill_id=FillId(f"T{n}"), filled_at=moment, venue_order_id=VenueOrderId(f"O{n}"))
        for n, moment in enumerate(at)
    ]
    with store.transaction() as transaction:
        for fill in (made[2], made[0], made[1]):
            transaction.record_fill(fill)
        assert transaction.fills() == tuple(made)
        assert transaction.fills(at[1]) == tuple(made[1:])
        assert transaction.fills(venue_order_id=VenueOrderId("O1")) == (made[1],)


def test_the_fills_of_a_position_are_its_own_and_those_of_its_orders(store: Store) -> None:
    """An entry learns its position only when its first fill is booked already."""
    entry = make_fill(fill_id=FillId("T1"), client_order_id=ClientOrderId("C1"))
    named = make_fill(fill_id=FillId("T2"), filled_at=NOON + timedelta(seconds=1))
    other = make_fill(fill_id=FillId("T3"), client_order_id=ClientOrderId("C3"))
    with store.transaction() as transaction:
        transaction.record_order(make_order(client_order_id=ClientOrderId("C1"), position_id=P1))
        transaction.record_order(make_order(client_order_id=ClientOrderId("C3")))
        transaction.record_fill(entry)
        transaction.record_fill(named, position_id=P1)
        transaction.record_fill(other)
        assert transaction.fills_of_position(P1) == (entry, named)


def test_ledger_rows_are_booked_once_and_keep_their_chain(store: Store) -> None:
    """Rows of one moment stand as they were booked: their balances chain."""
    first = make_ledger_entry(ledger_id=LedgerId("LZ"), balance=d("100"))
    second = make_ledger_entry(ledger_id=LedgerId("LA"), amount=d("-1E-8"), balance=d("99"))
    later = make_ledger_entry(ledger_id=LedgerId("LM"), booked_at=NOON + timedelta(seconds=1))
    with store.transaction() as transaction:
        assert book_ledger(transaction, first, second) == 2
        assert book_ledger(transaction, first, second, later, source="test/1") == 1
        assert transaction.ledger() == (first, second, later)
        assert transaction.ledger(NOON + timedelta(seconds=1)) == (later,)


def test_a_position_comes_back_as_it_was_written_last(store: Store) -> None:
    """Every field, filled and empty; open ones can be asked for alone."""
    bare = make_position(average_cost=d("1") / d("3"))
    full = make_position(
        position_id=PositionId("P2"),
        status=PositionStatus.CLOSED,
        quantity=d("0"),
        exit_quantity=d("0.0004"),
        opened_at=NOON - timedelta(days=1),
        closed_at=NOON,
        realised_pnl=d("-0.00000001"),
        fees=d("0.52"),
        stop_price=d("58800.0"),
        stop_client_order_id=ClientOrderId("C9"),
        stop_venue_order_id=VenueOrderId("O9"),
        take_profit_price=d("63000.0"),
        origin="adopted",
        position_kind=PositionKind.DERIVATIVE,
        initial_quantity=d("0.0005"),
        initial_price=d("60000"),
        initial_stop_price=d("58000"),
        initial_take_profit_price=d("62000"),
        exit_reason="stop_loss",
        updated_at=NOON + timedelta(seconds=1),
    )
    with store.transaction() as transaction:
        begun = replace(full, status=PositionStatus.OPEN, quantity=d("0.0004"))
        transaction.record_position(replace(begun, exit_quantity=d("0"), closed_at=None))
        transaction.record_position(full)
        transaction.record_position(bare)
        assert transaction.positions() == (full, bare)
        assert transaction.positions(open_only=True) == (bare,)
        assert transaction.position(full.position_id) == full
        assert transaction.position(PositionId("none")) is None


def test_the_latest_balances_are_those_of_one_moment(store: Store) -> None:
    """Cash and holdings stand in two tables and come back together."""
    usd = Balance(asset="USD", total=d("1000.5"), hold=d("24"))
    btc = Balance(asset="BTC", total=d("0.00000001"))
    eth = Balance(asset="ETH", total=d("2"), hold=d("1"))
    with store.transaction() as transaction:
        assert transaction.latest_balances() is None
        transaction.record_balances((usd, btc), at=NOON, source="rest")
        transaction.record_balances(
            (usd, eth, btc),
            at=NOON + timedelta(seconds=1),
            source="stream",
            marks={"BTC": d("60000")},
        )
        assert transaction.latest_balances() == BalanceSnapshot(
            taken_at=NOON + timedelta(seconds=1),
            source="stream",
            quote="USD",
            balances=(usd, eth, btc),
            marks={"BTC": d("60000")},
        )


def test_balances_without_cash_are_balances_too(store: Store) -> None:
    """An asset that the venue does not list has no row, rather than a zero."""
    btc = Balance(asset="BTC", total=d("2"))
    with store.transaction() as transaction:
        transaction.record_balances((btc,), at=NOON, source="rest")
        latest = transaction.latest_balances()
    assert latest is not None
    assert latest.balances == (btc,)
