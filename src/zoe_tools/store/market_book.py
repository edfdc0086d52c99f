"""What the store knows of an account's market: candles, spans that were read, backfills at work."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    String,
    cast,
    delete,
    extract,
    func,
    select,
)

from zoe_tools.domain.candle import Source, Span, Timeframe, Written, merged, moment_at, second_at
from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.store.database import make_room
from zoe_tools.store.market_tables import CANDLE_COVERAGE, CANDLE_CURSORS, CRYPTO_CANDLES
from zoe_tools.store.market_watch import MarketWatchBook
from zoe_tools.store.rows import upsert

if TYPE_CHECKING:
    import polars as pl

    from zoe_tools.store.candle_bulk import BulkSeries


_CACHE_KB, _PAGES = 2_000, 1_000
"""As SQLite has it where nobody says anything."""

_ALONE_CACHE_KB, _ALONE_PAGES = 16_000, 16_000
"""Candles come in the order of their key: each page of them is written back once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one reading of an instrument's trades has come.

    `cursor` is the reader's own word for its place, `span` what it reads in all, `running` the
    candles that it has not finished, in its own form.
    """

    symbol: Symbol
    source: str
    cursor: str
    trades: int
    span: Span
    updated_at: datetime
    running: bytes


class MarketBook:
    """The candles of one account, within a transaction."""

    def __init__(self, connection: Connection, account_id: AccountId) -> None:
        self._connection = connection
        self._account_id = account_id

    @property
    def watch(self) -> MarketWatchBook:
        """What a watch over all pairs keeps."""
        return MarketWatchBook(self._connection, self._account_id)

    def starts(self, symbol: Symbol, timeframe: Timeframe, wanted: Span) -> list[int]:
        """When the finished candles within a span begin, in seconds since 1970, ascending."""
        table = CRYPTO_CANDLES
        # A million of them are read at once: the column's own type takes ten times as long.
        second = (
            cast(func.strftime("%s", table.c.opened_at, type_=String), Integer)
            if self._connection.dialect.name == "sqlite"
            else cast(extract("epoch", table.c.opened_at), BigInteger)
        )
        rows = self._connection.execute(
            select(second)
            .where(
                table.c.account_id == self._account_id,
                table.c.symbol == symbol,
                table.c.timeframe == timeframe.value,
                table.c.opened_at >= moment_at(wanted.since),
                table.c.opened_at < moment_at(wanted.until),
                table.c.is_final,
            )
            .order_by(table.c.opened_at)
        )
        return list(rows.scalars())

    def expect_many(self, *, is_alone: bool) -> None:
        """Have SQLite clean up less often from now on; as ever where others wait for the store.

        Whoever commits next cleans up what has gathered: that may not be a loop with an order.
        """
        cache_kb, pages = (_ALONE_CACHE_KB, _ALONE_PAGES) if is_alone else (_CACHE_KB, _PAGES)
        make_room(self._connection, cache_kb=cache_kb, checkpoint_pages=pages)

    def write_frame(
        self, symbol: Symbol, timeframe: Timeframe, frame: pl.DataFrame, source: Source
    ) -> Written:
        """Store candles of one series, a frame as `domain.candle_table` describes it.

        What is there as it is offered, or better, stays as it is: see `store/candle_bulk.py`.
        """
        return self._series(symbol, timeframe).write(frame, source)

    def compare_frame(
        self, symbol: Symbol, timeframe: Timeframe, frame: pl.DataFrame, source: Source
    ) -> Written:
        """What `write_frame` would do; writes nothing."""
        return self._series(symbol, timeframe).compare(frame, source)

    def frame(
        self, symbol: Symbol, timeframe: Timeframe, wanted: Span, most: int = 50_000
    ) -> pl.DataFrame:
        """The first so many candles that begin within a span, with their `source`, ascending.

        There may be more after the last one if there are as many.
        """
        return self._series(symbol, timeframe).page(wanted, most)

    def _series(self, symbol: Symbol, timeframe: Timeframe) -> BulkSeries:
        from zoe_tools.store.candle_bulk import (  # noqa: PLC0415 - brings polars, which is slow
            BulkSeries,
        )

        return BulkSeries(self._connection, self._account_id, symbol, timeframe)

    def bounds(self, symbol: Symbol, timeframe: Timeframe) -> Span | None:
        """From the first stored candle's beginning to the last one's end; None without any."""
        table = CRYPTO_CANDLES
        first, last = self._connection.execute(
            select(func.min(table.c.opened_at), func.max(table.c.opened_at)).where(
                table.c.account_id == self._account_id,
                table.c.symbol == symbol,
                table.c.timeframe == timeframe.value,
            )
        ).one()
        if first is None:
            return None
        return Span(second_at(first), second_at(last) + timeframe.minutes * 60)

    def traded_in(self, symbols: Iterable[Symbol], timeframe: Timeframe, span: Span) -> bool:
        """Whether any of these instruments has a candle with trades that begins within a span."""
        table = CRYPTO_CANDLES
        return any(
            self._connection.execute(
                select(table.c.opened_at)
                .where(
                    table.c.account_id == self._account_id,
                    table.c.symbol == symbol,
                    table.c.timeframe == timeframe.value,
                    table.c.opened_at >= moment_at(span.since),
                    table.c.opened_at < moment_at(span.until),
                    table.c.count > 0,
                )
                .limit(1)
            ).first()
            is not None
            for symbol in symbols
        )

    def traded_count(self, symbol: Symbol, timeframe: Timeframe, within: Span) -> int:
        """How many finished candles with trades begin and end within a span."""
        table = CRYPTO_CANDLES
        return self._connection.execute(
            select(func.count()).where(
                table.c.account_id == self._account_id,
                table.c.symbol == symbol,
                table.c.timeframe == timeframe.value,
                table.c.opened_at >= moment_at(within.since),
                table.c.opened_at <= moment_at(within.until) - timeframe.length,
                table.c.is_final,
                table.c.count > 0,
            )
        ).scalar_one()

    def starts_told_by(
        self, symbol: Symbol, timeframe: Timeframe, wanted: Span, sources: Collection[str]
    ) -> frozenset[datetime]:
        """When the finished candles begin that come from one of these sources."""
        table = CRYPTO_CANDLES
        rows = self._connection.execute(
            select(table.c.opened_at).where(
                table.c.account_id == self._account_id,
                table.c.symbol == symbol,
                table.c.timeframe == timeframe.value,
                table.c.opened_at >= moment_at(wanted.since),
                table.c.opened_at < moment_at(wanted.until),
                table.c.is_final,
                table.c.source.in_(sources),
            )
        )
        return frozenset(each.opened_at for each in rows)

    def read_spans(self, symbol: Symbol, timeframe: Timeframe) -> tuple[Span, ...]:
        """Where every candle was looked for, ascending: what is missing there never was."""
        table = CANDLE_COVERAGE
        rows = self._connection.execute(
            select(table.c.since, table.c.until).where(*self._of(symbol, timeframe))
        )
        return merged(Span(second_at(each.since), second_at(each.until)) for each in rows)

    def note_read(self, symbol: Symbol, timeframe: Timeframe, span: Span, source: str) -> None:
        """Every candle of the span was looked for; with those it touches it becomes one."""
        table = CANDLE_COVERAGE
        if span.until <= span.since:
            return
        touched = (
            *self._of(symbol, timeframe),
            table.c.since <= moment_at(span.until),
            table.c.until >= moment_at(span.since),
        )
        rows = self._connection.execute(select(table.c.since, table.c.until).where(*touched))
        spans = [Span(second_at(each.since), second_at(each.until)) for each in rows]
        (whole,) = merged((*spans, span))
        self._connection.execute(delete(table).where(*touched))
        upsert(
            self._connection,
            table,
            {
                "account_id": self._account_id,
                "symbol": symbol,
                "timeframe": timeframe.value,
                "since": moment_at(whole.since),
                "until": moment_at(whole.until),
                "source": source,
            },
        )

    def cursor(self, symbol: Symbol, source: str) -> Cursor | None:
        """How far a reading of the instrument by that source has come; None: none is under way."""
        table = CANDLE_CURSORS
        row = self._connection.execute(
            select(table).where(*self._reading(symbol, source))
        ).one_or_none()
        if row is None:
            return None
        return Cursor(
            symbol=symbol,
            source=source,
            cursor=row.cursor,
            trades=row.trades,
            span=Span(second_at(row.since), second_at(row.until)),
            updated_at=row.updated_at,
            running=row.running,
        )

    def keep_cursor(self, cursor: Cursor) -> None:
        """Come so far; in the transaction that writes the candles up to there."""
        upsert(
            self._connection,
            CANDLE_CURSORS,
            {
                "account_id": self._account_id,
                "symbol": cursor.symbol,
                "source": cursor.source,
                "cursor": cursor.cursor,
                "trades": cursor.trades,
                "since": moment_at(cursor.span.since),
                "until": moment_at(cursor.span.until),
                "updated_at": cursor.updated_at,
                "running": cursor.running,
            },
        )

    def drop_cursor(self, symbol: Symbol, source: str) -> None:
        """The reading is done."""
        self._connection.execute(delete(CANDLE_CURSORS).where(*self._reading(symbol, source)))

    def _of(self, symbol: Symbol, timeframe: Timeframe) -> tuple[ColumnElement[bool], ...]:
        table = CANDLE_COVERAGE
        return (
            table.c.account_id == self._account_id,
            table.c.symbol == symbol,
            table.c.timeframe == timeframe.value,
        )

    def _reading(self, symbol: Symbol, source: str) -> tuple[ColumnElement[bool], ...]:
        table = CANDLE_CURSORS
        return (
            table.c.account_id == self._account_id,
            table.c.symbol == symbol,
            table.c.source == source,
        )
