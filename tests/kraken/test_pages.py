"""Histories that come in pages, read while rows arrive, and taken up again where they were left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken.pages import (
    OVERLAP,
    PAGE_ROWS,
    HistoryPage,
    KeptRows,
    Page,
    PageCursor,
    each_page,
    read_pages,
)

START = 1_767_600_000


class Ledger:
    """A venue's history: `arrivals` says how many rows come before each page is read."""

    def __init__(self, size: int, arrivals: list[int], *, is_counted: bool = True) -> None:
        self.times = [Decimal(START + number // 3) for number in range(size)]
        self.arrivals = arrivals
        self.is_counted = is_counted
        self.asked: list[dict[str, str]] = []

    async def page(self, asked: dict[str, str]) -> Page[Decimal]:
        """Fifty rows, newest first, up to `end`; ids are places in the order of arrival."""
        self.asked.append(asked)
        coming = self.arrivals.pop(0) if self.arrivals else 0
        newest = self.times[-1] if self.times else Decimal(START)
        # Within the second of the newest row: the pinned end cannot keep them out.
        self.times += [newest] * coming
        start, end = Decimal(asked.get("start", "0")), Decimal(asked.get("end", "1e12"))
        wanted = [(str(n), at) for n, at in enumerate(self.times) if start < at <= end][::-1]
        offset = int(asked.get("ofs", "0"))
        rows = dict(wanted[offset : offset + PAGE_ROWS])
        return rows, Decimal(len(wanted)) if self.is_counted else None


def own_time(row: Decimal) -> Decimal:
    """A row is its own time."""
    return row


def whole(ledger: Ledger) -> Mapping[str, Decimal]:
    """All rows, read in one go."""
    return asyncio.run(read_pages(ledger.page, {}, own_time))


@given(st.integers(0, 260), st.lists(st.integers(0, 120), max_size=8))
def test_no_row_is_missed_however_many_arrive_between_two_pages(
    size: int, arrivals: list[int]
) -> None:
    """Those that were there at the first page are all read, once each."""
    ledger = Ledger(size, list(arrivals))

    rows = whole(ledger)

    assert {str(number) for number in range(size)} <= rows.keys()


def test_a_page_of_twins_is_not_the_end() -> None:
    """Fifty rows arrive after the first page: the second holds nothing new, the third does."""
    ledger = Ledger(120, [0, 50])

    assert {str(number) for number in range(120)} <= whole(ledger).keys()


@given(st.integers(0, 260), st.integers(0, 4), st.integers(0, 120))
def test_a_history_is_taken_up_where_it_was_left(size: int, after: int, coming: int) -> None:
    """By another reader, with the cursor alone, after more rows arrived: together they have all."""
    ledger = Ledger(size, [])

    async def both() -> set[str]:
        rows: set[str] = set()
        cursor: PageCursor | None = None
        number = 0
        async for page in each_page(ledger.page, {}, own_time):
            rows |= page.rows.keys()
            cursor, number = page.cursor, number + 1
            if number > after:
                break
        if cursor is not None:
            ledger.arrivals.append(coming)
            async for page in each_page(ledger.page, {}, own_time, cursor):
                rows |= page.rows.keys()
        return rows

    assert {str(number) for number in range(size)} <= asyncio.run(both())


@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 100])
def test_the_last_page_says_so(size: int) -> None:
    """The cursor is None on the last page, and on no other."""

    async def pages() -> list[HistoryPage[Decimal]]:
        ledger = Ledger(size, [])
        return [page async for page in each_page(ledger.page, {}, own_time)]

    cursors = [page.cursor for page in asyncio.run(pages())]

    assert [each is None for each in cursors] == [False] * (max(size - 1, 0) // 50) + [True]


def test_an_uncounted_history_ends_too() -> None:
    """Without a total a short page is the end."""
    ledger = Ledger(130, [], is_counted=False)

    assert len(whole(ledger)) == 130
    assert [each.get("ofs") for each in ledger.asked] == [None, "50", "100"]


# --- read once, and then what came since ---------------------------------------------------------


class Failing(Ledger):
    """The same; these pages, counted from one, are not answered."""

    fails_at: tuple[int, ...] = ()

    @override
    async def page(self, asked: dict[str, str]) -> Page[Decimal]:
        """As above."""
        if len(self.asked) + 1 in self.fails_at:
            self.asked.append(asked)
            raise VenueUnavailable("down")
        return await super().page(asked)


def read_on(ledger: Ledger, kept: KeptRows[Decimal]) -> dict[str, Decimal]:
    """All rows, of which some were kept."""
    return asyncio.run(kept.read(ledger.page, {}, own_time))


def test_a_history_that_was_read_is_asked_for_what_came_since() -> None:
    """The second reading asks from an hour before the newest row on; it finds what a whole does."""
    ledger, kept = Ledger(0, []), KeptRows[Decimal]()
    hours = OVERLAP.total_seconds() * 10
    ledger.times = [Decimal(START + int(hours * n / 500)) for n in range(500)]
    assert read_on(ledger, kept) == whole(ledger)
    ledger.times += [ledger.times[-1] + n for n in range(60)]
    ledger.asked.clear()

    found = read_on(ledger, kept)

    assert len(ledger.asked) == 3
    assert found == whole(ledger)


@given(st.integers(0, 400), st.sets(st.integers(1, 12), max_size=6), st.integers(0, 130))
def test_a_reading_that_broke_off_is_gone_on_with_and_misses_nothing(
    size: int, fails_at: set[int], arriving: int
) -> None:
    """Whichever pages fail, of the history or of the news: in the end it is what a whole finds."""
    ledger, kept = Failing(size, []), KeptRows[Decimal]()
    ledger.fails_at = tuple(fails_at)
    failed = 0
    while not (found := _tried(ledger, kept)):
        failed += 1
        newest = ledger.times[-1] if ledger.times else Decimal(START)
        ledger.times += [newest + n // 3 for n in range(arriving)]
    ledger.fails_at = ()

    assert found == [whole(ledger)]
    assert failed <= len(fails_at)


def _tried(ledger: Ledger, kept: KeptRows[Decimal]) -> list[dict[str, Decimal]]:
    try:
        return [read_on(ledger, kept)]
    except VenueUnavailable:
        return []


def test_a_history_that_was_empty_is_read_again() -> None:
    """Nothing was kept of it, and there may be rows now."""
    ledger, kept = Ledger(0, []), KeptRows[Decimal]()
    assert read_on(ledger, kept) == {}
    ledger.times = [Decimal(START)]

    assert len(read_on(ledger, kept)) == 1
