"""Public frames to events: tickers, prints, candles, checked books, the state of pairs and venue.

A book whose checksum fails is stale and silent until a fresh snapshot of it verifies.
Source: kraken-spot sections 10.1 and 10.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from zoe_tools.domain.candle import Candle
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.stream import (
    BookUpdate,
    CandleUpdate,
    QuoteUpdate,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.kraken.book import OrderBook
from zoe_tools.kraken.codec_stream import (
    book_value,
    candle_of,
    mode_of,
    quote_of,
    statuses_of,
    time_of,
    trade_of,
)
from zoe_tools.kraken.mending import Emit, Mending
from zoe_tools.kraken.shapes import Looks, note_unknown
from zoe_tools.kraken.wire_stream import (
    BOOK,
    INSTRUMENTS,
    OHLC,
    STATUS,
    TICKER,
    TRADE,
    BookRow,
    Frame,
)
from zoe_tools.ports import Clock


class PublicChannels:
    """Keeps the books of one connection; a book without a fresh snapshot is stale and silent.

    Where books are not told they are checked all the same.
    """

    def __init__(
        self,
        instruments: Mapping[Symbol, Instrument],
        *,
        depth: int | None,
        tells_books: bool = True,
        patience_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.mending = Mending(
            "public",
            "book",
            {"depth": depth, "snapshot": True},
            patience_s=patience_s,
            clock=clock,
            emit=emit,
        )
        self._instruments = instruments
        self._depth = depth or 0
        self._clock = clock
        self._emit = emit
        self._tells_books = tells_books
        self._looks = Looks()
        self._books: dict[str, OrderBook] = {}
        self._running: dict[str, Candle] = {}

    def is_stale(self, symbol: Symbol) -> bool:
        """Whether the book has no verified state now."""
        return symbol not in self._books

    def reset(self) -> None:
        """The wire is lost: every book starts over with a snapshot."""
        self._books.clear()
        self._running.clear()
        self.mending.reset()

    async def on_frame(self, frame: Frame) -> None:
        """One data frame; channels we do not know are passed over.

        Raises:
            VenueMisbehaved: a book cannot be mended on this wire.
        """
        now = self._clock.now()
        self.mending.check(self._books)
        match frame.channel:
            case "ticker":
                for row in TICKER.decode(frame.data, looks=self._looks):
                    await self._emit(QuoteUpdate(quote=quote_of(row, now)))
            case "trade":
                rows = TRADE.decode(frame.data, looks=self._looks)
                await self._emit(TradeUpdate(trades=tuple(trade_of(row) for row in rows)))
            case "book":
                _look_over(frame)
                for book in BOOK.decode(frame.data):
                    await self._on_book(book, is_snapshot=frame.type == "snapshot", now=now)
            case "ohlc":
                candles = [candle_of(row) for row in OHLC.decode(frame.data)]
                await self._emit(CandleUpdate(candles=tuple(self._with_finals(candles))))
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
            del self._books[row.symbol]
            await self.mending.failed(row.symbol, now)
            return
        self.mending.verified(row.symbol, now)
        if not self._tells_books:
            return
        await self._emit(
            BookUpdate(
                book=book_value(
                    row.symbol,
                    book.bids(self._depth),
                    book.asks(self._depth),
                    time_of(row.timestamp) if row.timestamp else now,
                )
            )
        )

    def _with_finals(self, candles: list[Candle]) -> Iterator[Candle]:
        """Each candle, after the one before it, which is final by that."""
        for candle in candles:
            before = self._running.get(candle.symbol)
            if before is not None and candle.opened_at < before.opened_at:
                continue
            if before is not None and candle.opened_at > before.opened_at:
                yield replace(before, is_final=True)
            self._running[candle.symbol] = candle
        yield from (self._running[symbol] for symbol in {each.symbol: None for each in candles})


def _look_over(frame: Frame) -> None:
    """Tell unknown fields of a book where it starts: its updates are too many to look at each."""
    if frame.type == "snapshot":
        note_unknown("book", list[BookRow], frame.data)
