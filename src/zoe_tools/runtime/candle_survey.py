"""Looks what the store lacks of instruments' candles, and how it would be fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from zoe_tools.core.candle_gaps import Series
from zoe_tools.core.candle_needs import (
    InstrumentNeed,
    SeriesNeed,
    calls_for,
    need_of,
    spans_to_read,
    trades_within,
    wanted_of,
)
from zoe_tools.domain.candle import Source, Span, Timeframe, second_at
from zoe_tools.domain.candle_reads import stretch_of
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.ports import Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What candles are wanted; from when and until when, or as far as OHLC reaches."""

    instruments: tuple[Instrument, ...]
    timeframes: tuple[Timeframe, ...]
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    series: tuple[SeriesNeed, ...]
    old: tuple[Span, ...]
    resumes: int | None
    rest: Span | None


async def needs_of(
    instrument: Instrument, request: Request, *, store: StoreRunner, venue: Venue, now: datetime
) -> InstrumentNeed:
    """What one instrument lacks. The venue is asked for daily candles where trades must be read.

    Raises:
        StoreError: the store cannot be read.
        VenueError: the venue cannot.
    """
    found = await store.read(partial(_found, instrument, request, now))
    reads = spans_to_read(found.old)
    to_count = (*((found.rest,) if found.rest else ()), *reads)
    trades = 0
    if to_count:
        trades = trades_within(to_count, await venue.candles(instrument.symbol, Timeframe.D1))
    return InstrumentNeed(
        symbol=instrument.symbol,
        series=found.series,
        reads=tuple(stretch_of(each) for each in reads),
        resumes=found.resumes,
        ohlc_calls=sum(each.asks_ohlc(reads_trades=bool(reads)) for each in found.series),
        trades=trades,
        trade_calls=calls_for(trades, len(to_count)),
    )


def _found(instrument: Instrument, request: Request, now: datetime, books: Transaction) -> _Found:
    market, symbol, second = books.market, instrument.symbol, int(now.timestamp())
    others: list[Symbol] | None = None
    since, until = _second(request.since), _second(request.until)
    needs: list[SeriesNeed] = []
    old: list[Span] = []

    for timeframe in request.timeframes:

        def traded_elsewhere(span: Span, timeframe: Timeframe = timeframe) -> bool:
            nonlocal others
            if others is None:
                others = sorted(books.followed() - {symbol})
            return market.traded_in(others, timeframe, span)

        wanted = wanted_of(timeframe, second, since, until)
        series = Series(
            timeframe=timeframe,
            starts=market.starts(symbol, timeframe, _with_weeks(wanted)),
            read=market.read_spans(symbol, timeframe),
        )
        need, missed = need_of(series, wanted, second, traded_elsewhere=traded_elsewhere)
        needs.append(need)
        old += missed
    cursor = market.cursor(symbol, Source.TRADES)
    rest = None
    if cursor is not None:
        rest = Span(min(int(cursor.cursor) // 10**9, cursor.span.until), cursor.span.until)
        old = [each for each in old if not _is_within(each, cursor.span)]
    return _Found(
        series=tuple(needs),
        old=tuple(old),
        resumes=None if cursor is None else cursor.trades,
        rest=rest,
    )


def is_complete(needs: Sequence[InstrumentNeed]) -> bool:
    """Whether nothing at all is to be fetched."""
    return all(each.is_complete for each in needs)


def _second(moment: datetime | None) -> int | None:
    return None if moment is None else second_at(moment)


def _with_weeks(wanted: Span) -> Span:
    """What tells an outage from silence lies in the week on each side."""
    week = 7 * 86_400
    return Span(max(0, wanted.since - week), wanted.until + week)


def _is_within(inner: Span, outer: Span) -> bool:
    return outer.since <= inner.since and inner.until <= outer.until
