"""Old prices are thinned out, and what was booked is worth what it was."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from builders import NOON, d, make_fill
from zoe_tools.core.marks import STALE_AFTER
from zoe_tools.domain.equity import Mark
from zoe_tools.store.store import Store
from zoe_tools.store.thin_marks import NEAR

MINUTE = timedelta(minutes=1)
TODAY = NOON.date()
LATER = NOON + timedelta(days=30)


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + MINUTE * minutes


def kept(store: Store, day: date = TODAY, before: datetime = LATER) -> tuple[list[float], int]:
    """Thin one day; the minutes after noon of what is left of BTC, and how many went."""
    with store.transaction() as books:
        told = books.retention.thin_marks(day, before, is_done=False)
    with store.transaction() as books:
        gone = books.retention.thin_marks(day, before, is_done=True)
        left = [each for each in books.marks() if each.asset == "BTC"]
    assert told == gone
    return [(each.marked_at - NOON) / MINUTE for each in left], gone


@pytest.mark.parametrize(
    ("booked", "expected"),
    [
        (None, [60, 720, 780]),
        (0, [0, 5, 10, 15, 60, 720, 780]),
        (22, [10, 15, 20, 25, 30, 35, 60, 720, 780]),
        (55, [40, 60, 720, 780]),
        (300, [60, 720, 780]),
        (-15, [0, 60, 720, 780]),
    ],
)
def test_the_last_price_of_a_day_and_those_of_what_was_booked_stay(
    store: Store, booked: float | None, expected: list[float]
) -> None:
    """Near it, and the newest before it; each pair and each day for itself; again, nothing goes."""
    minutes = [*range(0, 41, 5), 60, 720, 780]
    with store.transaction() as books:
        for asset in ("BTC", "ETH"):
            books.record_marks(
                Mark(asset=asset, currency="USD", price=d("1"), marked_at=at(each), source="test")
                for each in minutes
            )
        if booked is not None:
            books.record_fill(make_fill(filled_at=at(booked)))
        assert books.retention.first_mark() == TODAY

    left, gone = kept(store)
    assert (left, gone) == (expected, 2 * (len(minutes) - len(expected)))
    assert kept(store) == (expected, 0)


def test_what_is_young_stays(store: Store) -> None:
    """Only what is older than the age is looked at."""
    with store.transaction() as books:
        books.record_marks(
            Mark(asset="BTC", currency="USD", price=d("1"), marked_at=at(each), source="test")
            for each in (0, 5, 10, 15)
        )

    assert kept(store, before=at(11)) == ([10, 15], 2)
    assert kept(store, TODAY + timedelta(days=1)) == ([10, 15], 0)


def test_near_is_as_long_as_a_price_is_fresh() -> None:
    """What is sure before a prune is sure after it."""
    assert NEAR == STALE_AFTER
