"""Feeds the live public market of the configured venue to the paper exchange.

Books come in as verified by the client; what leaves or enters a level is told to the exchange,
which knows its own fills besides. Needs no key. Nothing is ever sent but subscriptions.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from zoe_tools.config import Settings
from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Asset, Instrument, InstrumentCatalogue
from zoe_tools.domain.market import Book, PublicTrade, VenueMode
from zoe_tools.domain.order import Side
from zoe_tools.domain.stream import (
    BookUpdate,
    StreamDown,
    StreamEvent,
    TradeUpdate,
    VenueModeUpdate,
)
from zoe_tools.errors import UnknownInstrument
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.kraken.stream import FeedSubscriptions, KrakenFeed
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.market import (
    BookChange,
    BookSnapshot,
    Levels,
    MarketEvent,
    PairSpec,
    Print,
)
from zoe_tools.ports import Clock, Connect, Feed
from zoe_tools.runtime.duplex import connect_socket

DEPTH = 100
"""Levels a side that are mirrored."""

_LOG = logging.getLogger(__name__)
_MODES: dict[VenueMode, SystemMode] = {
    VenueMode.ONLINE: "online",
    VenueMode.MAINTENANCE: "maintenance",
    VenueMode.CANCEL_ONLY: "cancel_only",
    VenueMode.POST_ONLY: "post_only",
    VenueMode.LIMIT_ONLY: "limit_only",
}


class Mirror:
    """What to mirror, and how it was found: the pairs as the venue describes them."""

    def __init__(
        self, instruments: tuple[Instrument, ...], pairs: tuple[PairSpec, ...], feed: Feed
    ) -> None:
        self.instruments = instruments
        self.pairs = pairs
        self._feed = feed
        self._specs = {pair.symbol: pair for pair in pairs}
        self._shown: dict[str, tuple[Levels, Levels]] = {}

    async def run(self, exchange: PaperExchange) -> None:
        """Tell the exchange everything until the feed is closed.

        Raises:
            VenueRejected: the venue refuses to tell.
        """
        async for event in self._feed.events():
            self._hear(exchange, event)

    async def close(self) -> None:
        """Stop following."""
        await self._feed.close()

    def _hear(self, exchange: PaperExchange, event: StreamEvent) -> None:
        now = exchange.now()
        match event:
            case BookUpdate(book=book):
                told = self._book(book, now)
                if told is not None:
                    exchange.hear(told)
            case TradeUpdate(trades=trades):
                for trade in trades:
                    exchange.hear(self._print(trade, now))
            case VenueModeUpdate(mode=mode):
                exchange.set_mode(_MODES.get(mode, "maintenance"))
            case StreamDown(reason=reason):
                _LOG.warning("the mirrored market is away: %s", reason)
                self._shown.clear()
            case _:
                pass

    def _book(self, book: Book, now: int) -> MarketEvent | None:
        """The whole book at first, then what changed in it."""
        spec = self._specs[book.symbol]
        bids = tuple(_level(spec, level.price, level.quantity) for level in book.bids)
        asks = tuple(_level(spec, level.price, level.quantity) for level in book.asks)
        before = self._shown.get(book.symbol)
        self._shown[book.symbol] = bids, asks
        if before is None:
            return BookSnapshot(at=now, symbol=book.symbol, bids=bids, asks=asks)
        changed = BookChange(
            at=now,
            symbol=book.symbol,
            bids=_changed(before[0], bids),
            asks=_changed(before[1], asks),
        )
        return changed if changed.bids or changed.asks else None

    def _print(self, trade: PublicTrade, now: int) -> Print:
        price, quantity = _level(self._specs[trade.symbol], trade.price, trade.quantity)
        return Print(
            at=now,
            symbol=trade.symbol,
            side="buy" if trade.side is Side.BUY else "sell",
            price=price,
            quantity=quantity,
        )


def _level(spec: PairSpec, price: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """In the digits of the wire: the exchange computes its checksums from them."""
    return (
        price.quantize(Decimal(1).scaleb(-spec.pair_decimals)),
        quantity.quantize(Decimal(1).scaleb(-spec.lot_decimals)),
    )


def _changed(before: Levels, after: Levels) -> Levels:
    """Levels that are new or different, and those that are gone, as zero."""
    known, shown = dict(before), dict(after)
    gone = [(price, quantity * 0) for price, quantity in before if price not in shown]
    return (*gone, *((price, size) for price, size in after if known.get(price) != size))


@asynccontextmanager
async def open_mirror(
    settings: Settings, clock: Clock, *, connect: Connect = connect_socket
) -> AsyncIterator[Mirror]:
    """The market of the settings' venue and symbols.

    Raises:
        VenueUnavailable: the venue cannot be asked for its instruments.
        UnknownInstrument: it does not trade one of the symbols.
    """
    rest = RestClient(
        settings.kraken_base_url,
        api_key=None,
        api_secret=None,
        clock=clock,
        coordination=NonceSource(clock),
    )
    try:
        catalogue = await KrakenSpot(rest, clock).catalogue()
    finally:
        await rest.aclose()
    found = tuple(dict.fromkeys(catalogue.resolve(each) for each in settings.symbols))
    by_symbol: dict[Symbol, Instrument] = {each.symbol: each for each in found}
    feed = KrakenFeed(
        settings.kraken_ws_public_url,
        None,
        connect=connect,
        token=None,
        clock=clock,
        cadence=Cadence(),
        instruments=by_symbol,
        subscriptions=FeedSubscriptions(
            symbols=tuple(by_symbol), ticker=False, trades=True, book_depth=DEPTH
        ),
        rng=random.Random(),  # noqa: S311 - jitter of reconnects, not a secret
    )
    try:
        yield Mirror(found, tuple(_spec(each, catalogue) for each in found), feed)
    finally:
        await feed.close()


def _spec(instrument: Instrument, catalogue: InstrumentCatalogue) -> PairSpec:
    base = _asset(instrument.base, catalogue)
    quote = _asset(instrument.quote, catalogue)
    tiers = instrument.fee_tiers
    return PairSpec(
        symbol=instrument.symbol,
        pair_id=instrument.venue_id,
        altname=instrument.altname,
        wsname=f"{base.altname}/{quote.altname}",
        base=base.name,
        quote=quote.name,
        base_id=base.venue_id,
        quote_id=quote.venue_id,
        base_altname=base.altname,
        quote_altname=quote.altname,
        pair_decimals=instrument.price_decimals,
        lot_decimals=instrument.quantity_decimals,
        cost_decimals=instrument.cost_decimals,
        base_decimals=base.decimals,
        quote_decimals=quote.decimals,
        tick_size=instrument.tick_size,
        ordermin=instrument.min_quantity,
        costmin=instrument.min_cost,
        fees=tuple((tier.volume_from, tier.taker_pct) for tier in tiers),
        fees_maker=tuple((tier.volume_from, tier.maker_pct) for tier in tiers),
    )


def _asset(name: str, catalogue: InstrumentCatalogue) -> Asset:
    found = catalogue.asset(name)
    if found is None:
        raise UnknownInstrument(f"The venue does not describe the asset {name}.")
    return found
