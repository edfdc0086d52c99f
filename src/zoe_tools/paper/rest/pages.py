"""How the endpoints of history page: a window of time, fifty rows newest first, the grand total.

Rows are taken one after the other, and no more of them than the page and its count need: most of a
long history is on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.history import Filed
from zoe_tools.paper.rest.format import Json
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.views import Principal

T = TypeVar("T")
PAGE = 50


class Window:
    """`start` (exclusive) and `end` (inclusive): seconds, or an id of ours whose time is meant."""

    def __init__(self, exchange: PaperExchange, who: Principal, params: Params) -> None:
        self._exchange = exchange
        self._account_id = who.account_id
        bounds = self._bound(params, "start"), self._bound(params, "end")
        self._start, self._end = who.terms.window(*bounds)

    def _bound(self, params: Params, name: str) -> int | None:
        text = params.text(name)
        if text is None or text[0] not in "OTL":
            return params.seconds(name)
        order = self._exchange.order(self._account_id, text)
        if order is not None:
            return order.opened_at
        found = self._exchange.trade(self._account_id, text) or self._exchange.ledger_row(
            self._account_id, text
        )
        if found is None:
            raise invalid(name)
        return found.at

    @property
    def since(self) -> int:
        """Nothing up to this time is inside."""
        return -1 if self._start is None else self._start

    @property
    def has_end(self) -> bool:
        """Whether something may be too late for it."""
        return self._end is not None

    def holds(self, at: int) -> bool:
        """Whether this time is inside."""
        return (self._start is None or at > self._start) and (self._end is None or at <= self._end)


def page_of(
    newest_first: Iterable[T], params: Params, total: Callable[[], int] | None = None
) -> tuple[list[T], Json]:
    """The rows of a page, and its `count` unless that is not wanted.

    `total` knows how many there are in all without a walk over them.
    """
    offset = params.integer("ofs") or 0
    if offset < 0:
        raise invalid("ofs")
    rows = iter(newest_first)
    skipped = sum(1 for _ in islice(rows, min(offset, sys.maxsize)))
    page = list(islice(rows, PAGE))
    if params.flag("without_count"):
        return page, {}
    count = skipped + len(page) + sum(1 for _ in rows) if total is None else total()
    return page, {"count": count}


def total_of(rows: Sequence[object]) -> Callable[[], int] | None:
    """How to count rows that are all wanted: on disk they are counted where they lie."""
    return rows.__len__ if isinstance(rows, Filed) else None


class _Brief(Struct):
    """What of an execution says to which row it belongs."""

    trade_id: str
    order_id: str
    at: int
    is_maker: bool


def _row_of(trade: TradeView | _Brief) -> tuple[str, int | str]:
    return trade.order_id, trade.trade_id if trade.is_maker else trade.at


def joined(newest_first: Iterable[TradeView]) -> Iterator[list[TradeView]]:
    """Taker fills of one order at one time together, oldest first; everything else on its own."""
    group: list[TradeView] = []
    for trade in newest_first:
        if group and _row_of(trade) != _row_of(group[-1]):
            yield group[::-1]
            group = []
        group.append(trade)
    if group:
        yield group[::-1]


def total_joined(rows: Sequence[TradeView]) -> Callable[[], int] | None:
    """How to count what `joined` makes of all of them, without looking at the whole of each."""
    if not isinstance(rows, Filed):
        return None
    filed = rows

    def count() -> int:
        found, last = 0, None
        for brief in filed.briefly(_Brief):
            row = _row_of(brief)
            found += row != last
            last = row
        return found

    return count
