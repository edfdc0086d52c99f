"""The loop's live view of the market: folded from stream events, read by each turn.

It is the only mutable picture in the loop. Nothing here waits, sends or decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.stream import (
    Gap,
    QuoteUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
    Wire,
)
from zoe_tools.engine.candle_book import CandleBook


class LiveView:
    """Quotes, candles, venue mode and the state of both wires."""

    def __init__(
        self,
        instruments: Mapping[Symbol, Instrument],
        *,
        timeframe: Timeframe,
        history: int,
        wires: frozenset[Wire],
    ) -> None:
        self.quotes: dict[Symbol, Quote] = {}
        self.mode = VenueMode.UNKNOWN
        self.last_event_at: datetime | None = None
        self.prints = 0
        self.traded_at: dict[Symbol, datetime] = {}
        self._wanted = wires
        self._up: set[Wire] = set()
        self.candle_book = CandleBook(instruments, timeframe, history)

    @property
    def is_live(self) -> bool:
        """Whether every wanted wire is up."""
        return self._up >= self._wanted

    @property
    def is_private_up(self) -> bool:
        """Whether orders and fills are told."""
        return "private" in self._up

    def candles(self, symbol: Symbol) -> tuple[Candle, ...]:
        """Closed candles, oldest first, as many as the strategy looks back on."""
        return self.candle_book.candles(symbol)

    def closed_at(self, symbol: Symbol) -> datetime | None:
        """When the newest of them ended; None: there is none."""
        return self.candle_book.closed_at(symbol)

    def fresh_quote(self, symbol: Symbol, now: datetime, stale_s: float) -> Quote | None:
        """The quote, unless the public wire is down or the quote is too old, or from ahead."""
        quote = self.quotes.get(symbol)
        if quote is None or "public" not in self._up:
            return None
        return quote if abs((now - quote.as_of).total_seconds()) <= stale_s else None

    def apply(self, event: StreamEvent, now: datetime) -> None:
        """Fold one event; events that are about orders are the books' business."""
        self.last_event_at = now
        match event:
            case QuoteUpdate(quote=quote) if quote.makes_sense:
                # Else the last one that did goes on, while it is fresh.
                self.quotes[quote.symbol] = quote
            case TradeUpdate(trades=trades):
                for trade in trades:
                    self.prints += 1
                    self.traded_at[trade.symbol] = now
                    self.candle_book.add(trade)
            case VenueModeUpdate(mode=mode):
                self.mode = mode
            case StreamUp(wire=wire, at=at):
                self._up.add(wire)
                if wire == "public":
                    self.candle_book.stream_is_up(at)
            case StreamDown(wire=wire):
                self._up.discard(wire)
                if wire == "public":
                    self.candle_book.stream_is_down()
            case Gap(wire="public", channel="" | "trade", until=until):
                self.candle_book.stream_is_up(until)
            case _:
                pass

    @property
    def has_closed(self) -> bool:
        """Whether a candle was closed by a trade of the next one, and not yet taken."""
        return self.candle_book.has_closed

    @property
    def closes_at(self) -> datetime | None:
        """When the clock closes the next of the candles that have begun; None: none has."""
        return self.candle_book.closes_at

    def take_closed(self, now: datetime) -> tuple[Candle, ...]:
        """Candles that closed since the last call; each is given once."""
        return self.candle_book.take_closed(now)
