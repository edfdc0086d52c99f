"""Reading a history that comes in pages, newest first, while new rows keep arriving at its top.

A row that arrives between two pages pushes older rows down: they are seen twice, never missed.
Twins are dropped by id, and the end of the range is pinned to the first page's newest row so that a
busy account cannot keep the reader from reaching the bottom (kraken-spot section 14, rule 10).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

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


async def read_pages(
    fetch: Callable[[dict[str, str]], Awaitable[Page[R]]],
    params: Mapping[str, str],
    time_of_row: Callable[[R], Decimal],
) -> dict[str, R]:
    """All rows, by id, in the order seen. `fetch` reads the page that its parameters name."""
    rows: dict[str, R] = {}
    asked = dict(params)
    offset = 0
    while True:
        page, total = await fetch(asked if offset == 0 else {**asked, "ofs": str(offset)})
        fresh = {key: row for key, row in page.items() if key not in rows}
        rows.update(fresh)
        offset += len(page)
        # No new row on a full page: the venue repeats itself, and would do so for ever.
        if len(page) < PAGE_ROWS or not fresh or (total is not None and offset >= total):
            return rows
        if "end" not in asked:
            asked["end"] = _second_after(max(time_of_row(row) for row in page.values()))
