"""Histories that come in pages, read while rows arrive, and taken up again where they were left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.kraken.pages import PAGE_ROWS, HistoryPage, Page, PageCursor, each_page, read_pages

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
        end = Decimal(asked.get("end", "1e12"))
        wanted = [(str(n), at) for n, at in enumerate(self.times) if at <= end][::-1]
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
