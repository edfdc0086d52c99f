"""The market reads beyond `ports.Venue`: spreads, grouped books, single orders, a day's figures.

Each is one method of Kraken's (kraken-spot section 5) and changes nothing. All raise `VenueError`
subclasses as `ports.Venue` says of reads; prices are in quote, quantities in base.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.market import Book, DayStatistics, OrdersBook, SpreadChange
from zoe_tools.kraken import codec, codec_market, wire
from zoe_tools.kraken.rest import RestClient
from zoe_tools.ports import Clock

GroupedDepth = Literal[10, 25, 100, 250, 1000]
Grouping = Literal[1, 5, 10, 25, 50, 100, 250, 500, 1000]
OrdersDepth = Literal[0, 10, 25, 100, 250, 1000]


class MarketReads:
    """What a market is, beyond quotes, books, candles and prints.

    `catalogue` hands out the names, as `KrakenSpot.catalogue` does.
    """

    def __init__(
        self,
        rest: RestClient,
        clock: Clock,
        catalogue: Callable[[], Awaitable[InstrumentCatalogue]],
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._catalogue = catalogue

    async def spreads(
        self, symbol: Symbol, since: datetime | None = None
    ) -> tuple[SpreadChange, ...]:
        """Spread: some 200 latest changes of the best prices, from `since` on, oldest first.

        Asked again from the last one's time, those of that second come twice.
        """
        instrument = (await self._catalogue()).resolve(symbol)
        params = {"pair": instrument.altname}
        if since is not None:
            params["since"] = str(int(codec.seconds_of(since)))
        answer = await self._rest.public("Spread", params, wire.Spreads)
        with codec.understanding("Spread"):
            found = codec_market.spreads_of(instrument, answer)
        return tuple(each for each in found if since is None or each.changed_at >= since)

    async def grouped_book(
        self, symbol: Symbol, *, depth: GroupedDepth = 10, ticks: Grouping = 1
    ) -> Book:
        """GroupedBook: levels of so many ticks each, bids rounded down and asks up."""
        instrument = (await self._catalogue()).resolve(symbol)
        params = {"pair": instrument.altname, "depth": str(depth), "grouping": str(ticks)}
        answer = await self._rest.public("GroupedBook", params, wire.GroupedBook)
        return codec_market.grouped_book_of(instrument, answer, self._clock.now())

    async def orders_book(self, symbol: Symbol, *, depth: OrdersDepth = 100) -> OrdersBook:
        """Level3: the book order by order, so many price levels deep; 0 is all of it.

        It is a private call, and wants the permission `query-open-trades`.
        """
        instrument = (await self._catalogue()).resolve(symbol)
        params = {"pair": instrument.altname, "depth": str(depth)}
        answer = await self._rest.private("Level3", params, wire.Level3, is_write=False)
        with codec.understanding("Level3"):
            return codec_market.orders_book_of(instrument, answer, self._clock.now())

    async def day_statistics(self, symbols: Sequence[Symbol]) -> tuple[DayStatistics, ...]:
        """Ticker: what each pair did today (UTC) and in the last 24 hours, in the order asked."""
        if not symbols:
            return ()
        catalogue = await self._catalogue()
        instruments = [catalogue.resolve(symbol) for symbol in symbols]
        pairs = ",".join(each.altname for each in instruments)
        rows = await self._rest.public("Ticker", {"pair": pairs}, dict[str, wire.DayRow])
        as_of = self._clock.now()
        with codec.understanding("Ticker"):
            return tuple(
                codec_market.day_of(each, codec.row_of(rows, each), as_of) for each in instruments
            )
