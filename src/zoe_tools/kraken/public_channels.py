"""Public frames to events: tickers, prints, checked books, the state of pairs and of the venue.

A book whose checksum fails is subscribed once more and stays silent until its fresh snapshot. When
that does not help the wire is dropped, because asking again and again is what the venue bans.
"""

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
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.book import CHECKED_LEVELS, OrderBook
from zoe_tools.kraken.codec_stream import (
    book_value,
    mode_of,
    quote_of,
    statuses_of,
    time_of,
    trade_of,
)
from zoe_tools.kraken.connection import Connection, Stopwatch, Subscription
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
        patience_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.tally = ChecksumTally()
        self._instruments = instruments
        self._depth = depth or 0
        self._patience_s = patience_s
        self._clock = clock
        self._emit = emit
        self._books: dict[str, OrderBook] = {}
        self._good_at: dict[str, datetime] = {}
        self._mended: dict[str, Stopwatch] = {}
        self._connection: Connection | None = None

    def attach(self, connection: Connection) -> None:
        """The connection on which a book is subscribed once more."""
        self._connection = connection

    def reset(self) -> None:
        """The wire is lost: every book starts over with a snapshot."""
        self._books.clear()
        self._mended.clear()

    async def on_frame(self, frame: Frame) -> None:
        """One data frame; channels we do not know are passed over.

        Raises:
            VenueMisbehaved: a book cannot be mended on this wire.
        """
        now = self._clock.now()
        self._check_mended()
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
        if is_snapshot:
            book = OrderBook(
                price_decimals=instrument.price_decimals,
                quantity_decimals=instrument.quantity_decimals,
                depth=self._depth,
            )
            book.replace(row.bids, row.asks)
            self._books[row.symbol] = book
        elif book is None:
            return  # stale: what comes before the fresh snapshot says nothing
        else:
            book.update(row.bids, row.asks)
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
        if symbol in self._mended or self._connection is None:
            raise VenueMisbehaved(f"The {symbol} book fails its checksum time and again.")
        self._mended[symbol] = Stopwatch(self._clock)
        await self._connection.resubscribe(
            Subscription(
                channel="book",
                symbols=(symbol,),
                options={"depth": self._depth, "snapshot": True},
            )
        )

    def _check_mended(self) -> None:
        """Books that were subscribed once more must have their snapshot in time, and be right."""
        if not self._mended:
            return
        over = [each for each, watch in self._mended.items() if watch.seconds() >= self._patience_s]
        for symbol in over:
            del self._mended[symbol]
            if symbol not in self._books:
                raise VenueMisbehaved(f"No fresh snapshot of the {symbol} book came.")
