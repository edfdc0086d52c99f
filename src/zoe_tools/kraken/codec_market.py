"""Payloads of Kraken's further market methods become domain values. Pure, as codec.py.

Source: kraken-spot section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import (
    Book,
    BookLevel,
    DayStatistics,
    OrdersBook,
    RestingOrder,
    SpreadChange,
    Turnover,
)
from zoe_tools.kraken import wire
from zoe_tools.kraken.codec import time_of

_NANOSECONDS = 1_000_000_000


def spreads_of(instrument: Instrument, answer: wire.Spreads) -> tuple[SpreadChange, ...]:
    """Changes of the best prices, oldest first.

    Raises:
        ValueError: not one list of rows, or a time of nonsense.
    """
    lists = [value for value in answer.values() if isinstance(value, list)]
    if len(lists) != 1:
        raise ValueError(f"no single list of rows for {instrument.symbol}")
    return tuple(
        SpreadChange(
            symbol=instrument.symbol, changed_at=time_of(row.time), bid=row.bid, ask=row.ask
        )
        for row in lists[0]
    )


def grouped_book_of(instrument: Instrument, answer: wire.GroupedBook, as_of: datetime) -> Book:
    """The book in groups; it has no time of its own."""
    return Book(
        symbol=instrument.symbol,
        bids=_groups(answer.bids),
        asks=_groups(answer.asks),
        as_of=as_of,
    )


def _groups(rows: Sequence[wire.GroupRow]) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(price=row.price, quantity=row.qty) for row in rows)


def orders_book_of(instrument: Instrument, answer: wire.Level3, as_of: datetime) -> OrdersBook:
    """The book order by order.

    Raises:
        ValueError: a time of nonsense.
    """
    return OrdersBook(
        symbol=instrument.symbol,
        bids=_resting(answer.bids),
        asks=_resting(answer.asks),
        as_of=as_of,
    )


def _resting(rows: Sequence[wire.RestingRow]) -> tuple[RestingOrder, ...]:
    return tuple(
        RestingOrder(
            venue_order_id=VenueOrderId(row.order_id),
            price=row.price,
            quantity=row.qty,
            placed_at=time_of(Decimal(row.timestamp) / _NANOSECONDS),
        )
        for row in rows
    )


def day_of(instrument: Instrument, row: wire.DayRow, as_of: datetime) -> DayStatistics:
    """A pair's day."""
    today, last_24h = (
        Turnover(
            volume=row.v[which],
            vwap=row.p[which],
            trades=row.t[which],
            low=row.l[which],
            high=row.h[which],
        )
        for which in (0, 1)
    )
    return DayStatistics(
        symbol=instrument.symbol,
        open=row.o,
        last=row.c.price,
        today=today,
        last_24h=last_24h,
        as_of=as_of,
    )
