"""The one transition table of orders."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_order
from zoe_tools.core.order_lifecycle import TRANSITIONS, UndefinedTransition, advance, event_of
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.order import OrderStatus

S = OrderStatus


def event(status: OrderStatus, filled: str | None = None, seconds: int = 1) -> OrderEvent:
    """What some source said."""
    return event_of(
        make_order().client_order_id,
        status,
        occurred_at=NOON + timedelta(seconds=seconds),
        source="test",
        filled_quantity=None if filled is None else d(filled),
    )


def order(status: OrderStatus, filled: str = "0") -> OrderRecord:
    """An order of 10 in that state."""
    return make_order(status=status, quantity=d("10"), filled_quantity=d(filled))


CASES = [
    # before, filled, report, its cumulative quantity, after, filled
    (S.PENDING_NEW, "0", S.OPEN, None, S.OPEN, "0"),
    (S.PENDING_NEW, "0", S.REJECTED, None, S.REJECTED, "0"),
    (S.UNKNOWN, "0", S.OPEN, "4", S.PARTIALLY_FILLED, "4"),
    (S.OPEN, "0", S.PENDING_NEW, None, S.OPEN, "0"),
    (S.OPEN, "0", S.PARTIALLY_FILLED, "10", S.FILLED, "10"),
    (S.PARTIALLY_FILLED, "6", S.PARTIALLY_FILLED, "4", S.PARTIALLY_FILLED, "6"),
    (S.PARTIALLY_FILLED, "6", S.OPEN, "6", S.PARTIALLY_FILLED, "6"),
    (S.PARTIALLY_FILLED, "6", S.CANCELED, "6", S.CANCELED, "6"),
    (S.CANCEL_PENDING, "0", S.PARTIALLY_FILLED, "4", S.PARTIALLY_FILLED, "4"),
    (S.CANCELED, "4", S.PARTIALLY_FILLED, "5", S.CANCELED, "5"),
    (S.CANCELED, "4", S.FILLED, "10", S.FILLED, "10"),
    (S.FILLED, "10", S.CANCELED, "10", S.FILLED, "10"),
    (S.FILLED, "10", S.OPEN, None, S.FILLED, "10"),
    (S.EXPIRED, "0", S.OPEN, None, S.EXPIRED, "0"),
]


@pytest.mark.parametrize(("before", "had", "report", "says", "after", "has"), CASES)
def test_a_report_moves_an_order_as_the_table_says(
    before: OrderStatus,
    had: str,
    report: OrderStatus,
    says: str | None,
    after: OrderStatus,
    has: str,
) -> None:
    """Late fills after a cancel count; the cumulative quantity never falls."""
    moved = advance(order(before, had), event(report, says))

    assert (moved.status, moved.filled_quantity) == (after, d(has))


UNDEFINED = [
    (S.REJECTED, S.OPEN),
    (S.REJECTED, S.FILLED),
    (S.FILLED, S.REJECTED),
    (S.CANCELED, S.EXPIRED),
    (S.EXPIRED, S.CANCELED),
    (S.OPEN, S.REJECTED),
]


@pytest.mark.parametrize(("before", "report"), UNDEFINED)
def test_a_contradiction_raises_and_changes_nothing(
    before: OrderStatus, report: OrderStatus
) -> None:
    """What is proved is not overwritten."""
    record = order(before, "10" if before is S.FILLED else "0")

    with pytest.raises(UndefinedTransition):
        advance(record, event(report))
    assert record == order(before, "10" if before is S.FILLED else "0")


def test_more_filled_than_ordered_is_a_contradiction() -> None:
    """An overfill is reported, not recorded."""
    with pytest.raises(UndefinedTransition, match="is for 10; test reports 11 filled"):
        advance(order(S.OPEN), event(S.PARTIALLY_FILLED, "11"))


def test_every_state_has_a_row() -> None:
    """Nothing is undefined by oversight."""
    assert set(TRANSITIONS) == set(OrderStatus)


def test_two_sources_telling_one_fact_tell_one_event() -> None:
    """The key is the fact: order, status, cumulative quantity."""
    key = event(S.OPEN, "4.0", seconds=1).event_key

    assert event(S.OPEN, "4.00", seconds=9).event_key == key
    assert event(S.OPEN, "5", seconds=1).event_key != key


reports = st.lists(
    st.tuples(
        st.sampled_from([s for s in OrderStatus if s is not S.REJECTED]),
        st.integers(min_value=0, max_value=9),
    ),
    max_size=12,
)


@given(reports)
def test_whatever_is_reported_quantity_only_rises_and_the_end_is_the_end(
    story: list[tuple[OrderStatus, int]],
) -> None:
    """Also when reports contradict each other: those are refused."""
    record = order(S.PENDING_NEW)
    for status, filled in story:
        try:
            moved = advance(record, event(status, str(filled)))
        except UndefinedTransition:
            continue
        assert moved.filled_quantity >= record.filled_quantity
        assert moved.status.is_terminal or not record.status.is_terminal
        record = moved
