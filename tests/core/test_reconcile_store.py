"""Rows of orders against their own events: what no event ever said is noticed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_fill, make_order
from zoe_tools.core.order_lifecycle import UndefinedTransition, advance, event_of
from zoe_tools.core.reconcile_store import changed_by_hand
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.order import OrderStatus

S = OrderStatus
NEW = make_order(status=S.PENDING_NEW)


def said(*words: OrderStatus, filled: str | None = None) -> list[OrderEvent]:
    """Events of the order; the last one with that filled quantity."""
    events = [
        event_of(NEW.client_order_id, word, occurred_at=NOON, source="test") for word in words
    ]
    if filled is not None:
        events[-1] = replace(events[-1], filled_quantity=d(filled))
    return events


def found(row: OrderRecord, events: Sequence[OrderEvent]) -> tuple[OrderStatus, ...]:
    """What the events say of each row that they contradict."""
    return tuple(
        told.status for _, told in changed_by_hand((row,), {row.client_order_id: events}, ())
    )


@pytest.mark.parametrize(
    ("words", "filled", "row", "told"),
    [
        ((S.OPEN,), None, S.CANCELED, (S.OPEN,)),
        ((S.OPEN,), None, S.FILLED, (S.OPEN,)),
        ((S.OPEN, S.CANCELED), None, S.OPEN, (S.CANCELED,)),
        ((S.OPEN, S.FILLED), "0.0004", S.EXPIRED, (S.FILLED,)),
        ((), None, S.CANCELED, (S.PENDING_NEW,)),
        ((S.OPEN,), None, S.OPEN, ()),
        ((S.OPEN, S.CANCEL_PENDING), None, S.OPEN, ()),
        ((S.OPEN, S.PARTIALLY_FILLED), "0.0001", S.PARTIALLY_FILLED, ()),
        ((), None, S.PENDING_NEW, ()),
    ],
)
def test_what_no_event_said_is_noticed(
    words: tuple[OrderStatus, ...],
    filled: str | None,
    row: OrderStatus,
    told: tuple[OrderStatus, ...],
) -> None:
    """The runbook's UPDATE first; a cancel that was refused is no such thing."""
    is_whole = S.FILLED in words
    quantity = d("0.0004") if is_whole else d(filled or "0")
    order = replace(NEW, status=row, filled_quantity=quantity)

    assert found(order, said(*words, filled=filled)) == told


def test_a_fill_that_was_booked_alone_counts() -> None:
    """The filled quantity is that of events or fills, whichever is more; never above the order."""
    row = replace(NEW, status=S.OPEN, filled_quantity=d("0.0001"))
    fill = make_fill(quantity=d("0.0001"), price=d("60000"))
    log = {row.client_order_id: said(S.OPEN)}

    assert changed_by_hand((row,), log, (fill,)) == ()
    assert len(changed_by_hand((row,), log, ())) == 1


@given(st.lists(st.sampled_from(list(OrderStatus)), max_size=8))
def test_a_row_that_follows_its_events_is_never_suspected(words: list[OrderStatus]) -> None:
    """Whatever happened to the order, and although the log keeps the same word once."""
    row = NEW
    log: list[OrderEvent] = []
    for event in said(*words):
        try:
            row = advance(row, event)
        except UndefinedTransition:
            continue
        if event.event_key not in {each.event_key for each in log}:
            log.append(event)

    assert found(row, log) == ()
