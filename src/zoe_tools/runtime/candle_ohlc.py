"""What the store has of OHLC, and what of it an answer of the venue looked through."""

from __future__ import annotations

from datetime import datetime

from zoe_tools.core.backfill import OHLC_REACH
from zoe_tools.domain.candle import Candle, Source, Span, Timeframe, second_at
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.runtime.context import Context
from zoe_tools.store.store import Transaction

FROM_TRADES = frozenset({Source.TRADES.value, Source.BULK_TRADES.value})
"""Candles of these sources were made of every trade; OHLC does not replace them."""


def coverage_of(candles: tuple[Candle, ...], timeframe: Timeframe) -> Span | None:
    """What an OHLC answer looked through: 720 candles, or all there is of a younger market.

    None without a candle; one that only has the running one has no finished one to tell.
    """
    if not candles:
        return None
    length = timeframe.minutes * 60
    last = candles[-1]
    until = second_at(last.opened_at) + (length if last.is_final else 0)
    since = second_at(candles[0].opened_at)
    if sum(each.is_final for each in candles) < OHLC_REACH:
        since = min(since, until - OHLC_REACH * length)
    return Span(since, until)


def stored_of(
    symbol: Symbol, timeframe: Timeframe, since: datetime, books: Transaction
) -> tuple[tuple[Candle, ...], frozenset[datetime]]:
    """The stored candles from `since` on, and which of them were made of every trade."""
    stored = books.candles(symbol, timeframe, since=since)
    whole = Span(int(since.timestamp()), 1 << 33)
    return stored, books.market.starts_told_by(symbol, timeframe, whole, FROM_TRADES)


async def note_ohlc(
    context: Context,
    symbol: Symbol,
    timeframe: Timeframe,
    candles: tuple[Candle, ...],
    kept: Span | None = None,
) -> None:
    """Note what an answer looked through as read; `kept` is what was wanted and written of it."""
    span = coverage_of(candles, timeframe)
    if span is None:
        return
    if kept is not None:
        span = Span(max(span.since, kept.since), min(span.until, kept.until))
    read = span
    await context.store.run(
        lambda books: books.market.note_read(symbol, timeframe, read, Source.OHLC)
    )
