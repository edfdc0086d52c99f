"""Reading a history that comes in pages, newest first, while new rows keep arriving at its top.

A row that arrives between two pages pushes older rows down: they are seen twice, never missed.
Twins are dropped by id, and the end of the range is pinned to the first page's newest row so that a
busy account cannot keep the reader from reaching the bottom (kraken-spot section 14, rule 10).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from zoe_tools.kraken.codec import seconds_of

R = TypeVar("R")

PAGE_ROWS = 50

Page = tuple[Mapping[str, R], Decimal | None]
"""The rows of one page by id, and how many there are in all, where the venue says so."""


def range_params(since: datetime | None, until: datetime | None) -> dict[str, str]:
    """`start` and `end` in whole seconds, a little wider than asked: the caller cuts to size.

    The venue leaves out rows at `start` itself, so it is put one second before.
    """
    params: dict[str, str] = {}
    if since is not None:
        params["start"] = str(int(seconds_of(since - timedelta(seconds=1))))
    if until is not None:
        params["end"] = _second_after(seconds_of(until))
    return params


def _second_after(seconds: Decimal) -> str:
    return str(int(seconds) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCursor:
    """Where to go on reading a history: rows up to `end` (unix seconds), `offset` of them passed.

    It may be kept and used by a later process: rows that arrived meanwhile lie after `end`, or push
    older rows down, so that going on brings twins at worst, and misses none.
    """

    end: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage(Generic[R]):
    """One page: rows by id, newest first, and where to go on; None once the history is read."""

    rows: Mapping[str, R]
    cursor: PageCursor | None


async def each_page(
    fetch: Callable[[dict[str, str]], Awaitable[Page[R]]],
    params: Mapping[str, str],
    time_of_row: Callable[[R], Decimal],
    cursor: PageCursor | None = None,
) -> AsyncIterator[HistoryPage[R]]:
    """The pages from `cursor` (None: from the newest row) to the oldest row.

    `fetch` reads the page that its parameters name. Rows may come twice (see the module), so
    whoever keeps them drops twins by id. The end is an offset beyond all rows, a short page, or,
    where the venue tells no total, a page that brought nothing new.
    """
    seen: set[str] = set()
    asked = dict(params) if cursor is None else {**params, "end": cursor.end}
    offset = 0 if cursor is None else cursor.offset
    while True:
        page, total = await fetch(asked if offset == 0 else {**asked, "ofs": str(offset)})
        is_stale = page.keys() <= seen
        seen.update(page)
        offset += len(page)
        if "end" not in asked and page:
            asked["end"] = _second_after(max(time_of_row(row) for row in page.values()))
        # A page of twins only is no end while the venue counts more rows than were passed: as many
        # rows as a page holds have arrived since the last one. An uncounted one would be for ever.
        is_last = len(page) < PAGE_ROWS or (is_stale if total is None else offset >= total)
        yield HistoryPage(
            rows=page, cursor=None if is_last else PageCursor(end=asked["end"], offset=offset)
        )
        if is_last:
            return


async def read_pages(
    fetch: Callable[[dict[str, str]], Awaitable[Page[R]]],
    params: Mapping[str, str],
    time_of_row: Callable[[R], Decimal],
) -> dict[str, R]:
    """All rows, by id, in the order seen. `fetch` reads the page that its parameters name."""
    rows: dict[str, R] = {}
    async for page in each_page(fetch, params, time_of_row):
        rows.update((key, row) for key, row in page.rows.items() if key not in rows)
    return rows


OVERLAP = timedelta(hours=1)
"""How far before the newest row that was kept the next reading begins: records may come late."""


@dataclass(slots=True)
class KeptRows(Generic[R]):
    """What was read of a whole history, so that reading it again costs what came since.

    An interrupted reading is gone on with where it broke off. A row that the venue adds to a past
    more than `OVERLAP` before its newest row is not seen: for one run at a time, not for a disk.
    """

    rows: dict[str, R] = field(default_factory=dict)
    cursor: PageCursor | None = None
    is_whole: bool = False

    async def read(
        self,
        fetch: Callable[[dict[str, str]], Awaitable[Page[R]]],
        params: Mapping[str, str],
        time_of_row: Callable[[R], Decimal],
    ) -> dict[str, R]:
        """All rows up to now, by id, as `read_pages` of the same parameters finds them."""
        is_first = not (self.rows or self.is_whole)
        if not self.is_whole:
            async for page in each_page(fetch, params, time_of_row, self.cursor):
                self.rows.update((key, row) for key, row in page.rows.items())
                self.cursor, self.is_whole = page.cursor, page.cursor is None
        if not is_first:
            news = await read_pages(fetch, {**params, **self._after(time_of_row)}, time_of_row)
            self.rows.update(news)  # all of them at once: what lies between them is known then
        return dict(self.rows)

    def _after(self, time_of_row: Callable[[R], Decimal]) -> dict[str, str]:
        if not self.rows:
            return {}
        newest = max(time_of_row(row) for row in self.rows.values())
        return {"start": str(int(newest) - int(OVERLAP.total_seconds()))}


KeptHistories = dict[str, KeptRows[Any]]
"""By the venue's method; whoever reads whole histories again and again hands it in."""
