"""Public frames to events: tickers, prints, checked books, the venue's state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.stream import (
    BookUpdate,
    ChecksumTally,
    Gap,
    QuoteUpdate,
    StreamEvent,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.kraken.book import CHECKED_LEVELS, OrderBook
from zoe_tools.kraken.codec_stream import (
    book_value,
    mode_of,
    quote_of,
    statuses_of,
    time_of,
    trade_of,
)
from zoe_tools.kraken.connection import Connection, Subscription
from zoe_tools.kraken.wire_stream import BOOK, INSTRUMENTS, STATUS, TICKER, TRADE, BookRow, Frame
from zoe_tools.ports import Clock

Emit = Callable[[StreamEvent], Awaitable[None]]


class PublicChannels:
    """Keeps the books of one connection; a book without a fresh snapshot is stale and silent."""

    def __init__(
        self,
        instruments: Mapping[Symbol, Instrument],
        *,
        depth: int | None,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.tally = ChecksumTally()
        self._instruments = instruments
        self._depth = depth or 0
        self._clock = clock
        self._emit = emit
        self._books: dict[str, OrderBook] = {}
        self._good_at: dict[str, datetime] = {}
        self._connection: Connection | None = None

    def attach(self, connection: Connection) -> None:
        """The connection on which a book is subscribed once more."""
        self._connection = connection

    async def on_frame(self, frame: Frame) -> None:
        """One data frame; channels we do not know are passed over."""
        now = self._clock.now()
        match frame.channel:
            case "ticker":
                for row in TICKER.decode(frame.data):
                    await self._emit(QuoteUpdate(quote=quote_of(row, now)))
            case "trade":
                rows = TRADE.decode(frame.data)
                await self._emit(TradeUpdate(trades=tuple(trade_of(row) for row in rows)))
            case "book":
                for book in BOOK.decode(frame.data):
                    await self._on_book(book, is_snapshot=frame.type == "snapshot", now=now)
            case "status":
                for status in STATUS.decode(frame.data):
                    await self._emit(VenueModeUpdate(mode=mode_of(status.system)))
            case "instrument":
                await self._emit(statuses_of(INSTRUMENTS.decode(frame.data)))
            case _:
                pass

    async def _on_book(self, row: BookRow, *, is_snapshot: bool, now: datetime) -> None:
        instrument = self._instruments.get(Symbol(row.symbol))
        if instrument is None:
            return
        book = self._books.get(row.symbol)
        bids = [(level.price, level.qty) for level in row.bids]
        asks = [(level.price, level.qty) for level in row.asks]
        if is_snapshot:
            book = OrderBook(
                price_decimals=instrument.price_decimals,
                quantity_decimals=instrument.quantity_decimals,
                depth=self._depth,
            )
            book.replace(bids, asks)
            self._books[row.symbol] = book
        elif book is None:
            return  # stale: what comes before the fresh snapshot says nothing
        else:
            book.update(bids, asks)
        if book.checksum() != row.checksum:
            await self._on_mismatch(row.symbol, now)
            return
        self.tally = replace(self.tally, verified=self.tally.verified + 1)
        self._good_at[row.symbol] = now
        await self._emit(
            BookUpdate(
                book=book_value(
                    row.symbol,
                    book.bids(CHECKED_LEVELS),
                    book.asks(CHECKED_LEVELS),
                    time_of(row.timestamp) if row.timestamp else now,
                )
            )
        )

    async def _on_mismatch(self, symbol: str, now: datetime) -> None:
        self.tally = replace(self.tally, failed=self.tally.failed + 1)
        self._books.pop(symbol, None)
        await self._emit(
            Gap(
                wire="public",
                channel="book",
                symbol=Symbol(symbol),
                since=self._good_at.get(symbol, now),
                until=now,
                cause="checksum mismatch",
            )
        )
        if self._connection is not None:
            await self._connection.resubscribe(
                Subscription(
                    channel="book",
                    symbols=(symbol,),
                    options={"depth": self._depth, "snapshot": True},
                )
            )
