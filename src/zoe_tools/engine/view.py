"""The loop's live view of the market: folded from stream events, read by each turn.

It is the only mutable picture in the loop. Nothing here waits, sends or decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from zoe_tools.core.candles import CandleBuilder
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.stream import (
    QuoteUpdate,
    StreamDown,
    StreamEvent,
    StreamUp,
    TradeUpdate,
    VenueModeUpdate,
    Wire,
)


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
        self._wanted = wires
        self._up: set[Wire] = set()
        self._closed: list[Candle] = []
        self._candles: dict[Symbol, deque[Candle]] = {
            symbol: deque(maxlen=max(1, history)) for symbol in instruments
        }
        self._builders = {
            symbol: CandleBuilder(symbol, timeframe, price_decimals=instrument.price_decimals)
            for symbol, instrument in instruments.items()
        }

    @property
    def is_live(self) -> bool:
        """Whether every wanted wire is up."""
        return self._up >= self._wanted

    def candles(self, symbol: Symbol) -> tuple[Candle, ...]:
        """Closed candles, oldest first, as many as the strategy looks back on."""
        return tuple(self._candles[symbol])

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
            case QuoteUpdate(quote=quote):
                self.quotes[quote.symbol] = quote
            case TradeUpdate(trades=trades):
                for trade in trades:
                    self.prints += 1
                    builder = self._builders.get(trade.symbol)
                    self._note_closed(builder.add(trade) if builder else None)
            case VenueModeUpdate(mode=mode):
                self.mode = mode
            case StreamUp(wire=wire):
                self._up.add(wire)
            case StreamDown(wire=wire):
                self._up.discard(wire)
            case _:
                pass

    @property
    def has_closed(self) -> bool:
        """Whether a candle was closed by a trade of the next one, and not yet taken."""
        return bool(self._closed)

    @property
    def closes_at(self) -> datetime | None:
        """When the clock closes the next of the candles that have begun; None: none has."""
        ends = (builder.ends_at for builder in self._builders.values())
        return min((end for end in ends if end is not None), default=None)

    def take_closed(self, now: datetime) -> tuple[Candle, ...]:
        """Candles that closed since the last call; each is given once."""
        for builder in self._builders.values():
            self._note_closed(builder.close_due(now))
        closed, self._closed = tuple(self._closed), []
        return closed

    def _note_closed(self, candle: Candle | None) -> None:
        if candle is not None:
            self._candles[candle.symbol].append(candle)
            self._closed.append(candle)
