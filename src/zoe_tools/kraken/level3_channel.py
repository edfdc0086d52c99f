"""Frames of the level3 connection to events: books order by order, checked like the others.

Source: kraken-spot sections 10.5 and 10.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import OrdersBook
from zoe_tools.domain.stream import OrdersBookUpdate
from zoe_tools.kraken.codec_stream import resting_order_of, time_of
from zoe_tools.kraken.level3 import Level3Book
from zoe_tools.kraken.mending import Emit, Mending
from zoe_tools.kraken.shapes import note_unknown
from zoe_tools.kraken.wire_stream import LEVEL3, Frame, Level3Row
from zoe_tools.ports import Clock


class Level3Channel:
    """Keeps the books of one connection; a book without a fresh snapshot is stale and silent."""

    def __init__(
        self,
        instruments: Mapping[Symbol, Instrument],
        *,
        depth: int,
        patience_s: float,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.mending = Mending(
            "level3",
            "level3",
            {"depth": depth, "snapshot": True},
            patience_s=patience_s,
            clock=clock,
            emit=emit,
        )
        self._instruments = instruments
        self._depth = depth
        self._clock = clock
        self._emit = emit
        self._books: dict[str, Level3Book] = {}

    def reset(self) -> None:
        """The wire is lost: every book starts over with a snapshot."""
        self._books.clear()
        self.mending.reset()

    async def on_frame(self, frame: Frame) -> None:
        """One data frame; other channels are passed over.

        Raises:
            VenueMisbehaved: a book cannot be mended on this wire.
        """
        self.mending.check(self._books)
        if frame.channel == "level3":
            if frame.type == "snapshot":
                note_unknown("level3", list[Level3Row], frame.data)
            for row in LEVEL3.decode(frame.data):
                await self._on_book(row, is_snapshot=frame.type == "snapshot")

    async def _on_book(self, row: Level3Row, *, is_snapshot: bool) -> None:
        now = self._clock.now()
        book = self._books.get(row.symbol)
        if is_snapshot:
            instrument = self._instruments.get(Symbol(row.symbol))
            if instrument is None:
                return
            book = self._books[row.symbol] = Level3Book(
                price_decimals=instrument.price_decimals,
                quantity_decimals=instrument.quantity_decimals,
                depth=self._depth,
            )
        if book is None:
            return  # stale: what comes before the fresh snapshot says nothing
        book.update(row.bids, row.asks)
        if book.checksum() != row.checksum:
            del self._books[row.symbol]
            await self.mending.failed(row.symbol, now)
            return
        self.mending.verified(row.symbol, now)
        told = OrdersBook(
            symbol=Symbol(row.symbol),
            bids=tuple(resting_order_of(each) for each in book.bids(self._depth)),
            asks=tuple(resting_order_of(each) for each in book.asks(self._depth)),
            as_of=time_of(row.timestamp) if row.timestamp else now,
        )
        await self._emit(OrdersBookUpdate(book=told))
