"""Kraken Spot as `ports.Venue`: domain values in, domain values out.

It knows which method answers which question, and nothing of HTTP (rest.py) or payloads (codec.py).
It decides nothing: no order is changed, retried or held back; which wire takes it, order_entry.py
says. Source: kraken-spot sections 2 and 5 to 8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, LedgerId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.ledger import Balance, LedgerEntry, LedgerPage
from zoe_tools.domain.market import Book, PublicTrade, Quote, VenueMode
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.stream import InstrumentsUpdate
from zoe_tools.errors import VenueMisbehaved, VenueRejected, VenueUnavailable
from zoe_tools.kraken import codec, wire
from zoe_tools.kraken.account_reads import AccountReads
from zoe_tools.kraken.order_answers import is_gone
from zoe_tools.kraken.order_entry import OrderEntry
from zoe_tools.kraken.order_wire import OrderWire
from zoe_tools.kraken.pages import (
    PAGE_ROWS,
    KeptHistories,
    KeptRows,
    Page,
    range_params,
    read_pages,
)
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.server_time import ServerTime
from zoe_tools.ports import Clock

IDS_AT_ONCE = 50
TIME_STEP = timedelta(seconds=1)
"""Time is told in whole seconds."""
CATALOGUE_AGE = timedelta(hours=1)
"""How old a catalogue may be that somebody asks for; for printing prices any will do."""


class KrakenSpot(OrderEntry):
    """Implements `ports.Venue`: reads here, by REST; writes as `order_entry.OrderEntry` has them.

    Orders go by `orders` while it is up, by REST otherwise. `time` is what others have measured of
    the venue's clock, and go on measuring. `kept`: histories that were read whole, or in part, and
    are read on. `catalogue`: what another one has read just now.
    """

    def __init__(
        self,
        rest: RestClient,
        clock: Clock,
        *,
        orders: OrderWire | None = None,
        time: ServerTime | None = None,
        kept: KeptHistories | None = None,
        catalogue: InstrumentCatalogue | None = None,
    ) -> None:
        super().__init__(rest, clock, self._instrument_or_nothing_sent, orders=orders, time=time)
        self._catalogue = catalogue
        self._catalogue_read_at = clock.now() if catalogue else datetime.min.replace(tzinfo=UTC)
        self._single = AccountReads(rest, self._known)
        self._kept = kept
        self._reading: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    # public

    async def server_time(self) -> datetime:
        """The venue's clock, in whole seconds. From then on deadlines are told by it."""
        sent = self._clock.now()
        answer = await self._rest.public("Time", {}, wire.ServerTime)
        with codec.understanding("Time"):
            told = codec.time_of(answer.unixtime)
        self.time.observe(
            sent=sent, received=self._clock.now(), earliest=told, latest=told + TIME_STEP
        )
        return told

    async def mode(self) -> VenueMode:
        """The venue's overall state."""
        return codec.mode_of(await self._rest.public("SystemStatus", {}, wire.SystemStatus))

    async def catalogue(self) -> InstrumentCatalogue:
        """All instruments and assets, read again when older than an hour."""
        return await self._catalogue_not_older_than(CATALOGUE_AGE)

    async def instrument_changes(self) -> InstrumentsUpdate:
        """Read the catalogue anew: what one may now do with which instruments, where it changed.

        Nothing is told of the first reading. A pair that left the list is delisted, and keeps its
        name in this catalogue, so that old orders can still be read.
        """
        before = await self._known()
        now = await self._catalogue_not_older_than(timedelta(seconds=-1))
        return InstrumentsUpdate(statuses=now.changes_since(before))

    async def instrument_statuses(self) -> InstrumentsUpdate:
        """What one may do with each instrument, read anew; those that left the list are delisted.

        Statuses as in AssetPairs (kraken-spot section 5); an absent one is no restriction.
        """
        now = await self._catalogue_not_older_than(timedelta(seconds=-1))
        return InstrumentsUpdate(statuses=tuple((each.symbol, each.status) for each in now))

    async def quotes(self, symbols: Sequence[Symbol]) -> tuple[Quote, ...]:
        """Top of book and last trade of each, in the order asked."""
        if not symbols:
            return ()
        instruments = [await self._instrument(symbol) for symbol in symbols]
        pairs = ",".join(each.altname for each in instruments)
        rows = await self._rest.public("Ticker", {"pair": pairs}, dict[str, wire.TickerRow])
        as_of = self._clock.now()
        with codec.understanding("Ticker"):
            return tuple(
                codec.quote_of(each, codec.row_of(rows, each), as_of) for each in instruments
            )

    async def book(self, symbol: Symbol, depth: int = 10) -> Book:
        """The public book, up to 500 levels a side."""
        instrument = await self._instrument(symbol)
        params = {"pair": instrument.altname, "count": str(depth)}
        rows = await self._rest.public("Depth", params, dict[str, wire.DepthRow])
        as_of = self._clock.now()
        with codec.understanding("Depth"):
            return codec.book_of(instrument, codec.row_of(rows, instrument), as_of)

    async def candles(
        self, symbol: Symbol, timeframe: Timeframe, since: datetime | None = None
    ) -> tuple[Candle, ...]:
        """Up to 720 finished candles and the running one, oldest first, opened at `since` or later.

        What is older than the venue's last 720 is not to be had, whatever `since` says.
        """
        instrument = await self._instrument(symbol)
        params = {"pair": instrument.altname, "interval": str(timeframe.minutes)}
        if since is not None:
            params["since"] = str(int(codec.seconds_of(since)) - 1)
        answer = await self._rest.public("OHLC", params, wire.Candles)
        with codec.understanding("OHLC"):
            found = codec.candles_of(instrument, timeframe, answer)
        return tuple(each for each in found if since is None or each.opened_at >= since)

    async def trades(self, symbol: Symbol, since: str = "0") -> tuple[tuple[PublicTrade, ...], str]:
        """Prints after the `since` id, oldest first, and the id to go on from."""
        instrument = await self._instrument(symbol)
        params = {"pair": instrument.altname, "since": since}
        answer = await self._rest.public("Trades", params, wire.Prints)
        with codec.understanding("Trades"):
            return codec.trades_of(instrument, answer, since)

    # private reads

    async def key_info(self) -> KeyInfo:
        """What the key may, from where, until when, and which of the past it is shown."""
        fields = await self._rest.private("GetApiKeyInfo", {}, wire.ApiKeyFields, is_write=False)
        with codec.understanding("GetApiKeyInfo"):
            return codec.key_info_of(fields)

    async def websocket_token(self) -> str:
        """A token for the private streams; it must be used within 15 minutes (section 2.6).

        Raises:
            VenueMisbehaved: the token is empty.
        """
        # A loop that waits for its wire hears of no fill: this goes before other reads.
        answer = await self._rest.private(
            "GetWebSocketsToken", {}, wire.Token, is_write=False, is_urgent=True
        )
        if not answer.token:
            raise VenueMisbehaved("Kraken handed out an empty stream token.")
        return answer.token

    async def balances(self) -> tuple[Balance, ...]:
        """Totals and holds; forms such as `BTC.F` are rows of their own."""
        catalogue = await self._known()
        rows = await self._rest.private("BalanceEx", {}, dict[str, wire.BalanceRow], is_write=False)
        return codec.balances_of(rows, catalogue)

    async def open_orders(
        self, client_order_id: ClientOrderId | None = None, *, userref: int | None = None
    ) -> tuple[VenueOrder, ...]:
        """Open orders: all, the one with this client id, or those that share this reference."""
        catalogue = await self._known()
        params, asked_at = _asked_for(client_order_id, userref), self._clock.now()
        answer = await self._rest.private("OpenOrders", params, wire.OpenOrders, is_write=False)
        with codec.understanding("OpenOrders"):
            found = _orders(answer.open, catalogue)
        if not params:
            self._transactions.saw_open(found, asked_at=asked_at)
        return _named(found, client_order_id, userref)

    async def closed_orders(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        client_order_id: ClientOrderId | None = None,
        userref: int | None = None,
    ) -> tuple[VenueOrder, ...]:
        """Orders that closed from `since` to `until`, all pages, newest first; named as open ones.

        An order placed with a `userref`, whose answer was lost, is found by it.
        """
        catalogue = await self._known()
        params = {"closetime": "close", **range_params(since, until)}
        named = _asked_for(client_order_id, userref)
        is_all = not named and since is None and until is None

        async def page(asked: dict[str, str]) -> Page[wire.OrderRow]:
            answer = await self._rest.private(
                "ClosedOrders", asked, wire.ClosedOrders, is_write=False
            )
            return answer.closed, answer.count

        read = self._reader("ClosedOrders", is_all=is_all)
        rows = await read(page, params | named, lambda row: row.closetm or row.opentm)
        with codec.understanding("ClosedOrders"):
            found = _named(_orders(rows, catalogue), client_order_id, userref)
        dated = [(each.closed_at or each.opened_at, each) for each in found]
        dated.sort(key=lambda pair: pair[0], reverse=True)
        return tuple(each for at, each in dated if _is_within(at, since, until))

    async def orders(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[VenueOrder, ...]:
        """These orders, open or closed; ids the venue does not know are absent."""
        catalogue = await self._known()
        rows: dict[str, wire.OrderRow] = {}
        for start in range(0, len(venue_order_ids), IDS_AT_ONCE):
            rows.update(await self._query(venue_order_ids[start : start + IDS_AT_ONCE]))
        with codec.understanding("QueryOrders"):
            return _orders(rows, catalogue)

    async def _query(self, ids: Sequence[VenueOrderId]) -> dict[str, wire.OrderRow]:
        """One unknown id may fail the whole question, so a refused question is asked in halves.

        It goes before other reads: a stop or a sale waits for what became of an order.
        """
        try:
            return await self._rest.private(
                "QueryOrders",
                {"txid": ",".join(ids)},
                dict[str, wire.OrderRow],
                is_write=False,
                is_urgent=True,
            )
        except VenueRejected as error:
            if not is_gone(error.code):
                raise
        if len(ids) == 1:
            return {}
        half = len(ids) // 2
        return await self._query(ids[:half]) | await self._query(ids[half:])

    async def fills(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """The account's executions, all pages, one row per execution, newest first.

        `client_order_id` is None: the venue's trade history does not say it.
        """
        catalogue = await self._known()
        # The default would merge the executions of one taker order into one row.
        params = {"consolidate_taker": "false", **range_params(since, until)}

        async def page(asked: dict[str, str]) -> Page[wire.FillRow]:
            answer = await self._rest.private(
                "TradesHistory", asked, wire.TradesHistory, is_write=False
            )
            return answer.trades, answer.count

        read = self._reader("TradesHistory", is_all=since is None and until is None)
        rows = await read(page, params, lambda row: row.time)
        with codec.understanding("TradesHistory"):
            found = [codec.fill_of(key, row, catalogue) for key, row in rows.items()]
        found.sort(key=lambda each: each.filled_at, reverse=True)
        return tuple(each for each in found if _is_within(each.filled_at, since, until))

    async def ledger(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """The account's ledger, all pages, newest first."""
        catalogue = await self._known()

        async def page(asked: dict[str, str]) -> Page[wire.LedgerRow]:
            answer = await self._rest.private("Ledgers", asked, wire.Ledgers, is_write=False)
            return answer.ledger, answer.count

        read = self._reader("Ledgers", is_all=since is None and until is None)
        rows = await read(page, range_params(since, until), lambda row: row.time)
        with codec.understanding("Ledgers"):
            found = [codec.ledger_entry_of(key, row, catalogue) for key, row in rows.items()]
        found.sort(key=lambda each: each.booked_at, reverse=True)
        return tuple(each for each in found if _is_within(each.booked_at, since, until))

    def _reader(self, method: str, *, is_all: bool) -> Callable[..., Awaitable[dict[str, Any]]]:
        """How the pages of a history are read: a whole one goes on from what was kept of it."""
        if self._kept is None or not is_all:
            return read_pages
        return self._kept.setdefault(method, KeptRows()).read

    async def newest_ledger(self, *, since: datetime) -> LedgerPage:
        """One page of the account's ledger since then: its newest rows."""
        catalogue = await self._known()
        asked = range_params(since, None)
        answer = await self._rest.private("Ledgers", asked, wire.Ledgers, is_write=False)
        with codec.understanding("Ledgers"):
            found = [
                codec.ledger_entry_of(key, row, catalogue) for key, row in answer.ledger.items()
            ]
        found.sort(key=lambda each: each.booked_at, reverse=True)
        return LedgerPage(
            rows=tuple(each for each in found if each.booked_at >= since),
            is_all=len(found) < PAGE_ROWS,
        )

    async def balances_again(self) -> tuple[Balance, ...]:
        """What is held, by Balance; holds are not told apart."""
        return await self._single.totals()

    async def fills_named(self, fill_ids: Sequence[FillId]) -> tuple[Fill, ...]:
        """These executions, by QueryTrades; ids the venue does not know are absent."""
        return await self._single.fills(fill_ids)

    async def ledger_rows(self, ledger_ids: Sequence[LedgerId]) -> tuple[LedgerEntry, ...]:
        """These rows, by QueryLedgers; ids the venue does not know are absent."""
        return await self._single.ledger_entries(ledger_ids)

    # the catalogue

    async def _known(self) -> InstrumentCatalogue:
        return await self._catalogue_not_older_than(None)

    async def _instrument(self, symbol: Symbol) -> Instrument:
        return (await self._known()).resolve(symbol)

    async def _instrument_or_nothing_sent(self, symbol: Symbol) -> Instrument:
        """As `_instrument`; an unreadable catalogue means that nothing of the write was sent."""
        try:
            return await self._instrument(symbol)
        except VenueMisbehaved as error:
            raise VenueUnavailable(f"Nothing was sent: {error.message}") from error

    async def _catalogue_not_older_than(self, age: timedelta | None) -> InstrumentCatalogue:
        if age is None and self._catalogue is not None:
            return self._catalogue
        async with self._one_reading():
            now = self._clock.now()
            cached = self._catalogue
            if cached is not None and (age is None or now - self._catalogue_read_at <= age):
                return cached
            fresh = await self._read_catalogue()
            self._catalogue = fresh if cached is None else fresh.succeeding(cached)
            self._catalogue_read_at = now
            return self._catalogue

    def _one_reading(self) -> asyncio.Lock:
        """One task reads the catalogue for all; a lock serves one event loop."""
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading[0] is not loop:
            self._reading = loop, asyncio.Lock()
        return self._reading[1]

    async def _read_catalogue(self) -> InstrumentCatalogue:
        assets = await self._rest.public("Assets", {}, dict[str, wire.AssetRow])
        pairs = await self._rest.public("AssetPairs", {}, dict[str, wire.PairRow])
        if not assets or not pairs:
            raise VenueMisbehaved("Kraken lists no assets or no pairs.")
        with codec.understanding("AssetPairs"):
            return codec.catalogue_of(assets, pairs)


def _orders(
    rows: dict[str, wire.OrderRow], catalogue: InstrumentCatalogue
) -> tuple[VenueOrder, ...]:
    return tuple(codec.order_of(key, row, catalogue) for key, row in rows.items())


def _asked_for(client_order_id: ClientOrderId | None, userref: int | None) -> dict[str, str]:
    names = {"cl_ord_id": client_order_id, "userref": userref}
    return {field: str(name) for field, name in names.items() if name is not None}


def _named(
    orders: tuple[VenueOrder, ...], client_order_id: ClientOrderId | None, userref: int | None
) -> tuple[VenueOrder, ...]:
    """Unknown parameters are ignored by the venue, so the answer is narrowed here as well."""
    return tuple(
        each
        for each in orders
        if client_order_id in (None, each.client_order_id)
        and (userref is None or userref == (each.userref or 0))
    )


def _is_within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at <= until)
