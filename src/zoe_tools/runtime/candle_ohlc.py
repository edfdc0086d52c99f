"""What the store has that OHLC tells of, and what of it was looked through."""

from __future__ import annotations

from datetime import datetime

from zoe_tools.domain.candle import Candle, Source, Span, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.runtime.context import Context
from zoe_tools.store.store import Transaction

FROM_TRADES = frozenset({Source.TRADES.value, Source.BULK_TRADES.value})
"""Candles of these sources were made of every trade; OHLC does not replace them."""


def stored_of(
    symbol: Symbol, timeframe: Timeframe, since: datetime, books: Transaction
) -> tuple[tuple[Candle, ...], frozenset[datetime]]:
    """The stored candles from `since` on, and which of them were made of every trade."""
    stored = books.candles(symbol, timeframe, since=since)
    whole = Span(int(since.timestamp()), 1 << 33)
    return stored, books.market.starts_told_by(symbol, timeframe, whole, FROM_TRADES)


async def note_ohlc(
    context: Context, symbol: Symbol, timeframe: Timeframe, looked: Span | None
) -> None:
    """Note what an answer looked through as read, where it brought nothing to be written."""
    if looked is None:
        return
    await context.store.run(
        lambda books: books.market.note_read(symbol, timeframe, looked, Source.OHLC)
    )
