"""A part of a recorded market: from a moment on, up to another one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from zoe_tools.errors import MarketDataError
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    MarketSource,
    PairSpec,
    Print,
)


class MarketSection:
    """A market source: what `source` tells in [start, end), in ns.

    It opens with the books as they were at its start. None is no bound.

    Raises:
        MarketDataError: nothing is told in that time.
    """

    def __init__(self, source: MarketSource, start: int | None, end: int | None) -> None:
        self._source = source
        self._start = source.starts_at if start is None else max(start, source.starts_at)
        self._end = end
        first = next(self._inside(), None)
        if first is None:
            raise MarketDataError(
                "The recorded market tells nothing between --from and --to.",
                hint="Both are UTC, e.g. --from 2019-03-01 --to 2019-04-01.",
            )

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """Those of the whole."""
        return self._source.pairs

    @property
    def starts_at(self) -> int:
        """The start, or that of the whole if it is later."""
        return self._start

    @property
    def granularity_s(self) -> float:
        """That of the whole."""
        return self._source.granularity_s

    def events(self) -> Iterator[MarketEvent]:
        """The books as they were, then what happens."""
        books: dict[str, _Levels] = {}
        is_begun = False
        for event in self._source.events():
            if self._end is not None and event.at >= self._end:
                break
            if event.at < self._start:
                _fold(books, event)
                continue
            if not is_begun:
                is_begun = True
                for symbol, levels in books.items():
                    yield levels.snapshot(symbol, self._start)
            yield event

    def past(self) -> Iterator[Print]:
        """The trades before its start."""
        for event in self._source.events():
            if event.at >= self._start:
                return
            if isinstance(event, Print):
                yield event

    def _inside(self) -> Iterator[MarketEvent]:
        for event in self._source.events():
            if self._end is not None and event.at >= self._end:
                return
            if event.at >= self._start:
                yield event


class _Levels:
    """One book, folded."""

    def __init__(self) -> None:
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def apply(self, event: BookSnapshot | BookChange) -> None:
        if isinstance(event, BookSnapshot):
            self._bids.clear()
            self._asks.clear()
        for side, rows in ((self._bids, event.bids), (self._asks, event.asks)):
            for price, quantity in rows:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def snapshot(self, symbol: str, at: int) -> BookSnapshot:
        bids: Levels = tuple(sorted(self._bids.items(), reverse=True))
        return BookSnapshot(at=at, symbol=symbol, bids=bids, asks=tuple(sorted(self._asks.items())))


def _fold(books: dict[str, _Levels], event: MarketEvent) -> None:
    if isinstance(event, BookSnapshot | BookChange):
        books.setdefault(event.symbol, _Levels()).apply(event)
