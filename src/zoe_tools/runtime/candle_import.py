"""Kraken's bulk archives into the store, table by table, in little memory.

A table is read twice: first to see that all of it makes sense, then to write it. Whoever is killed
begins again: what is written stays, and is found unchanged. What of a table's time is known without
a gap is noted with its last slice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import polars as pl

from zoe_tools.core.candle_frames import demand_exact
from zoe_tools.core.candle_import import (
    LENGTHS,
    Cascade,
    covered,
    that_is_over,
    whole_span,
    whole_table,
)
from zoe_tools.domain.candle import Source, Span, Timeframe, Written, moment_at, second_at
from zoe_tools.domain.candle_table import as_candles
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.money import ZERO, short
from zoe_tools.errors import MarketDataError
from zoe_tools.ports import Clock
from zoe_tools.runtime.candle_archives import Contents, Kind, Table, contents_of, parts_of
from zoe_tools.runtime.candle_slices import CandleSlices, volume_of
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTold:
    """The candles of one length that a table gives.

    `missing` are those that the table has not, between its first and its last.
    """

    timeframe: Timeframe
    written: Written
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTold:
    """One table, and what became, or would become, of its candles; `volume` is in coins."""

    name: str
    symbol: Symbol
    holds: Kind
    rows_read: int
    first_at: datetime | None
    last_at: datetime | None
    volume: Decimal
    series: tuple[SeriesTold, ...] = ()

    @property
    def written(self) -> Written:
        """Of all lengths."""
        return sum((each.written for each in self.series), Written())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What the first reading of a table found."""

    rows: int = 0
    first: int = 0
    last: int = 0
    volume: Decimal = ZERO

    def plus(self, part: pl.DataFrame) -> _Look:
        """With one more part."""
        return _Look(
            rows=self.rows + part.height,
            first=self.first if self.rows else part.item(0, "at"),
            last=part.item(-1, "at"),
            volume=self.volume + volume_of(part),
        )


def tables_of(
    path: Path, catalogue: InstrumentCatalogue, symbols: Sequence[Symbol] = ()
) -> Contents:
    """What there is to import: all tables of known pairs, or those of some.

    Raises:
        MarketDataError: it is no table and no zip, or a broken one, or nothing in it is wanted.
        OSError: it cannot be read.
    """
    contents = contents_of(path, catalogue)
    chosen = [each for each in contents.tables if not symbols or each.symbol in symbols]
    if not chosen:
        names = ", ".join(symbols) or "a pair that is known here"
        raise MarketDataError(
            f"{path.name} holds no table of {names}.",
            hint="Kraken names its tables XBTUSD.csv (trades) and XBTUSD_60.csv (candles).",
        )
    # Trades first: what their candles say is not written twice.
    chosen.sort(key=lambda each: (each.kind is not Kind.TRADES, each.symbol, each.member))
    return Contents(tables=tuple(chosen), strange=contents.strange)


async def import_tables(
    tables: Sequence[Table],
    catalogue: InstrumentCatalogue,
    store: StoreRunner,
    clock: Clock,
    *,
    lengths: Sequence[Timeframe] = LENGTHS,
    is_dry: bool = False,
    on_table: Callable[[str, Table], object] = lambda _, __: None,
) -> AsyncIterator[TableTold]:
    """Write the tables, or say what that would do; each is told as it is done.

    All of them are read before the first candle is written. `on_table` hears of each reading as it
    begins: what is done, and of which table.

    Raises:
        MarketDataError: a row makes no sense, or a table changed meanwhile.
        StoreError: the store cannot be written; the slices before are in it.
    """
    looks, now = [], second_at(clock.now())
    for table in tables:
        on_table("Checking", table)
        looks.append(_looked_over(table))
        _demand_past(table, looks[-1], now)
    for table, look in zip(tables, looks, strict=True):
        on_table("Comparing" if is_dry else "Importing", table)
        async with CandleSlices(
            store, clock, table.symbol, _source(table), is_dry=is_dry
        ) as slices:
            if table.kind is Kind.TRADES:
                decimals = catalogue.resolve(table.symbol).price_decimals
                whole = that_is_over(whole_span(look.first, look.last), now)
                spans = await _import_trades(table, look, whole, slices, decimals, lengths)
            else:
                spans = await _import_candles(table, look, slices, now)
            await slices.finish(partial(_note, table, spans))
        yield _told(table, look, slices)


def _looked_over(table: Table) -> _Look:
    """Read all of it; whatever is wrong with it is found here."""
    look = _Look()
    for part in parts_of(table):
        if table.kind is Kind.TRADES:
            _demand_exact(table, part)
        look = look.plus(part)
    if not look.rows and not table.member:
        raise MarketDataError(f"{table.name} is empty.", hint="Download it again.")
    return look


def _demand_past(table: Table, look: _Look, now: int) -> None:
    if look.last > now:
        raise MarketDataError(
            f"{table.name} tells of {moment_at(look.last):%Y-%m-%d %H:%M} UTC, which is still to"
            " come.",
            hint="Put this machine's clock right, or download it again.",
        )


def _demand_exact(table: Table, trades: pl.DataFrame) -> None:
    try:
        demand_exact(trades)
    except OverflowError as error:
        raise MarketDataError(f"{table.name}: {error}.", hint="Download it again.") from error


async def _import_trades(
    table: Table,
    look: _Look,
    whole: Span,
    slices: CandleSlices,
    decimals: int,
    lengths: Sequence[Timeframe],
) -> dict[Timeframe, Span]:
    """One pass for all lengths; what of each is whole."""
    if not look.rows:
        return {}
    cascade, again = Cascade(whole, decimals, lengths), _Look()
    for part in parts_of(table):
        again = again.plus(part)
        for timeframe, candles in _added(table, cascade, part):
            await slices.add(timeframe, candles)
    _demand_same(table, look, again)
    for timeframe, candles in cascade.end():
        await slices.add(timeframe, candles)
    lost = [each for each in lengths if slices.volume[each] != look.volume]
    if lost:
        raise AssertionError(f"{table.name}: volume was lost on the way to {lost[0].value}")
    return {each: covered(whole, each) for each in lengths}


def _added(
    table: Table, cascade: Cascade, part: pl.DataFrame
) -> list[tuple[Timeframe, pl.DataFrame]]:
    try:
        return cascade.add(part)
    except OverflowError as error:
        raise MarketDataError(f"{table.name}: {error}.", hint="Download it again.") from error


async def _import_candles(
    table: Table, look: _Look, slices: CandleSlices, now: int
) -> dict[Timeframe, Span]:
    """As they are; from the first to the last whole one none that is missing ever was."""
    timeframe = table.timeframe
    if not look.rows or timeframe is None:
        return {}
    whole = covered(that_is_over(whole_table(look.first, look.last, timeframe), now), timeframe)
    again, is_final = _Look(), pl.col("at") < whole.until
    for part in parts_of(table):
        again = again.plus(part)
        await slices.add(timeframe, as_candles(part.with_columns(is_final=is_final)))
    _demand_same(table, look, again)
    return {timeframe: whole}


def _demand_same(table: Table, look: _Look, again: _Look) -> None:
    if look != again:
        raise MarketDataError(f"{table.name} changed while it was read.", hint="Run it again.")


def _source(table: Table) -> Source:
    return Source.BULK_TRADES if table.kind is Kind.TRADES else Source.BULK_CANDLES


def _note(table: Table, spans: dict[Timeframe, Span], books: Transaction) -> None:
    for timeframe, span in spans.items():
        if span.until > span.since:
            books.market.note_read(table.symbol, timeframe, span, _source(table))


def _told(table: Table, look: _Look, slices: CandleSlices) -> TableTold:
    series = []
    for timeframe, written in slices.told.items():
        length = timeframe.minutes * 60
        grid = look.last // length - look.first // length + 1
        series.append(SeriesTold(timeframe=timeframe, written=written, missing=grid - written.rows))
    return TableTold(
        name=table.name,
        symbol=table.symbol,
        holds=table.kind,
        rows_read=look.rows,
        first_at=moment_at(look.first) if look.rows else None,
        last_at=moment_at(look.last) if look.rows else None,
        volume=Decimal(short(look.volume)),
        series=tuple(sorted(series, key=lambda each: each.timeframe.minutes)),
    )
