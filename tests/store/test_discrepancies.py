"""Runs, discrepancies, the account's state and adjustments, as they come back from the store."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from audit_rig import opened, owner_of
from builders import BTC, NOON, d, make_cost_basis, make_discrepancy, make_run
from zoe_tools.core.audit_books import LastTold, differences
from zoe_tools.core.order_lifecycle import event_of
from zoe_tools.domain.discrepancy import (
    NEVER_COMPARED,
    Adjustment,
    DiscrepancyId,
    DiscrepancyState,
    Level,
    ReconciliationState,
)
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode
from zoe_tools.errors import StoreError
from zoe_tools.store.store import Store

LATER = NOON + timedelta(hours=1)
ADJUSTMENT = Adjustment(
    adjustment_id="A-1",
    asset="BTC",
    quantity=d("-0.0004"),
    author="ada",
    reason="sold elsewhere",
    adjusted_at=NOON,
    discrepancy_id=DiscrepancyId("D-1"),
    position_id=PositionId("P1"),
)


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    """Both sides, what differs, and the report."""
    run = make_run(
        status="degraded",
        reason="cash mismatch",
        venue_cash=d("997.99"),
        venue_holdings=(("BTC", d("0.4")),),
    )
    with store.transaction() as transaction:
        book = transaction.reconciliation
        book.record_run(run)
        alone = make_run(run_id="R-2", taken_at=LATER, local_cash=None)
        book.record_run(alone)

        assert book.runs() == (run, alone)
        assert [each.run_id for each in book.runs(LATER)] == ["R-2"]
    assert (run.cash_diff, run.holdings_diff) == (d("2.01"), (("BTC", d("0.1")),))
    assert alone.cash_diff is None
    assert make_run(venue_holdings=(("BTC", d("2")),)).holdings_diff == ()


def test_a_discrepancy_is_one_row_from_first_seen_to_resolved(store: Store) -> None:
    """What is over is not active any more, and stays."""
    first, other = make_discrepancy(), make_discrepancy(discrepancy_id="D-2", subject="BTC")
    over = replace(first, state=DiscrepancyState.RESOLVED, resolved_at=LATER, times_seen=4)
    with store.transaction() as transaction:
        book = transaction.reconciliation
        book.record((first, other))
        assert set(book.active()) == {first, other}
        book.record((over,))
        assert book.active() == (other,)
        assert book.discrepancy("D-0123456789") == over
        assert book.discrepancy("D-3") is None
        assert len(book.all()) == 2
        assert book.all(LATER) == ()


def test_where_the_account_stands_survives(store: Store) -> None:
    """A restart does not forget that it is degraded."""
    state = ReconciliationState(
        level=Level.CRIT,
        is_degraded=True,
        reason="cash mismatch",
        since=NOON,
        clean_runs=2,
        last_run_at=LATER,
        paused=(BTC,),
    )
    with store.transaction() as transaction:
        assert transaction.reconciliation.state() == NEVER_COMPARED
        transaction.reconciliation.set_state(state, NOON)
    with store.transaction() as transaction:
        assert transaction.reconciliation.state() == state


def test_an_adjustment_is_posted_once_and_stays(store: Store) -> None:
    """With whoever said it, and why."""
    with store.transaction() as transaction:
        assert transaction.reconciliation.post(ADJUSTMENT)
        assert not transaction.reconciliation.post(ADJUSTMENT)
        assert transaction.reconciliation.adjustments() == (ADJUSTMENT,)


def test_an_adjustment_cannot_be_changed_at_a_prompt(store: Store) -> None:
    """The table is append-only in the database itself."""
    with store.transaction() as transaction:
        transaction.reconciliation.post(ADJUSTMENT)
    with pytest.raises((StoreError, SQLAlchemyError)), store.transaction() as transaction:
        transaction._connection.exec_driver_sql("UPDATE adjustments SET reason = 'none'")


def test_the_log_of_all_orders_is_read_at_once(store: Store) -> None:
    """Each order's events in the order of writing."""
    first, second = ClientOrderId("one"), ClientOrderId("two")
    events = [
        event_of(name, status, occurred_at=NOON, source="test")
        for name, status in (
            (first, OrderStatus.OPEN),
            (second, OrderStatus.OPEN),
            (first, OrderStatus.CANCELED),
        )
    ]
    with store.transaction() as transaction:
        for each in events:
            transaction.append_order_event(each)
        log = transaction.reconciliation.order_log()

    assert log == {first: [events[0], events[2]], second: [events[1]]}


BASIS = make_cost_basis()


def differing(store: Store) -> list[str]:
    """Where the books say something else than the audit log."""
    told = LastTold()
    with store.transaction() as books:
        for row in books.audit.rows():
            told.hear(row)
        return [message for _, message in differences(told, books.audit.books())]


def level(number: int, quantity: str, **changes: Any) -> TakeProfitLevel:
    """A managed level of P1 that waits."""
    values: dict[str, Any] = {"status": LevelStatus.WAITING, "mode": TargetMode.MANAGED, **changes}
    return TakeProfitLevel(
        position_id=PositionId("P1"),
        level=number,
        price=d("70000.10"),
        quantity=d(quantity),
        updated_at=NOON,
        **values,
    )


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE take_profit_levels SET quantity = '4' WHERE level = 1",
        "UPDATE take_profit_levels SET price = '1' WHERE level = 2",
        "UPDATE take_profit_levels SET status = 'filled' WHERE level = 2",
        "DELETE FROM take_profit_levels",
    ],
)
def test_targets_that_were_changed_at_a_prompt_are_found_by_the_log(
    sqlite_url: str, forgery: str
) -> None:
    """They say at which price coins are sold; set anew, the last word counts."""
    with closing(opened(sqlite_url, None)) as store:
        with store.transaction() as books:
            books.set_targets(PositionId("P1"), [level(1, "0.4")])
            books.set_targets(PositionId("P1"), [level(1, "0.2"), level(2, "0.20")])
            books.set_targets(PositionId("P2"), [level(1, "1")])
            books.set_targets(PositionId("P2"), [])
            books.set_targets(PositionId("P3"), [])
        with store.transaction() as books:
            books.set_targets(PositionId("P1"), [level(1, "0.20"), level(2, "0.2")])
        with store.transaction() as books:
            assert [row.kind for row in books.audit.rows()].count("targets") == 4
        assert differing(store) == []
    with owner_of(sqlite_url) as connection:
        connection.execute(text(forgery))
    with closing(opened(sqlite_url, None)) as store:
        (found,) = differing(store)

    assert found.startswith("the targets of P1 are ")
    assert "says 0.2 at 70000.1 (managed, waiting), 0.2 at 70000.1" in found


@pytest.mark.parametrize(
    ("forgery", "about"),
    [
        ("UPDATE adjustments SET quantity = '-4' WHERE adjustment_id = 'A-1'", "adjustment A-1"),
        ("UPDATE adjustments SET unit_price = '9' WHERE adjustment_id = 'A-2'", "adjustment A-2"),
        ("UPDATE adjustments SET unit_price = NULL", "adjustment A-2"),
        ("UPDATE adjustments SET author = 'eve' WHERE adjustment_id = 'A-1'", "adjustment A-1"),
        ("DELETE FROM adjustments WHERE adjustment_id = 'A-1'", "adjustment A-1"),
        ("UPDATE cost_basis SET unit_cost = '1'", "cost of L1"),
        ("DELETE FROM cost_basis", "cost of L1"),
    ],
)
def test_a_statement_that_was_changed_past_its_triggers_is_found_by_the_log(
    sqlite_url: str, forgery: str, about: str
) -> None:
    """An adjustment or a cost moves money in the books by a person's word alone."""
    priced = replace(ADJUSTMENT, adjustment_id="A-2", unit_price=d("5.0"), currency="USD")
    with closing(opened(sqlite_url, None)) as store:
        with store.transaction() as books:
            assert books.reconciliation.post(ADJUSTMENT)
            assert not books.reconciliation.post(ADJUSTMENT)
            assert books.reconciliation.post(priced)
            books.declare_cost(BASIS)
        assert differing(store) == []
    with owner_of(sqlite_url) as connection:
        connection.execute(text(forgery))
    with closing(opened(sqlite_url, None)) as store:
        (found,) = differing(store)

    assert found.startswith(about)
