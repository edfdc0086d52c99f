"""The public channels: one desk per exchange prints every frame once for all who subscribed.

It hears the exchange's events, keeps a mirror of each subscribed book, and hands texts to sinks;
it waits for nobody. Source: kraken-spot section 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.stream_limits import ConnectionGate
from zoe_tools.paper.values.events import BookEvent, ModeEvent, PrintEvent
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.rounding import down, fixed, half_up
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.values.views import BarView, TickerView
from zoe_tools.paper.ws.book import Best, BookMirror, BookWindow
from zoe_tools.paper.ws.hub import Prints, hub_of
from zoe_tools.paper.ws.instrument import HOME_VENUE, instrument_frame, pair_status_frame
from zoe_tools.paper.ws.level3 import Level3Book, Level3Window
from zoe_tools.paper.ws.ohlc import OHLC_INTERVALS, candles_frame

Sink = Callable[[str], None]
"""Takes a frame without waiting."""

_WHOLE_BOOK = 1_000_000
_NO_LEVEL: Best = (Decimal(0), Decimal(0))
_TRADES_SHOWN = 50
_PERCENT = 100
_FIRST_CONNECTION_ID = 2**63
_BOOK_CHANNELS = ("book", "level3")


class Topic(NamedTuple):
    """What one subscription is about; `option` is depth, interval, event trigger or venue."""

    channel: str
    symbol: str = ""
    option: str | int = ""


class _Window(Protocol):
    """What subscribers of one topic have been told of a book."""

    @property
    def is_empty(self) -> bool: ...

    def snapshot(self) -> str: ...

    def advance(self, *, is_snapshot: bool) -> str | None: ...


class MarketDesk:
    """All public subscriptions of one exchange."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._hub = hub_of(exchange)
        self._sinks: dict[Topic, dict[Sink, None]] = {}
        self._mirrors: dict[str, BookMirror] = {}
        self._level3: dict[str, Level3Book] = {}
        self._windows: dict[str, dict[Topic, _Window]] = {}
        self._bests: dict[str, tuple[Best, Best]] = {}
        self._untold: set[Topic] = set()
        self._candles_told: dict[Topic, str] = {}
        self._statistics: dict[str, _Statistics] = {}
        self._connections = 0
        self.gate = ConnectionGate(exchange.options.streams)

    def number_connection(self) -> int:
        """The id of one more connection; above 2^63, as Kraken's are."""
        self._connections += 1
        return _FIRST_CONNECTION_ID + self._connections

    def join(self, topic: Topic, sink: Sink) -> None:
        """Frames of this topic go to the sink from now on."""
        self._hub.hear_markets(self._hear)
        self._hub.hear_modes(self._hear_mode)
        if topic.channel in _BOOK_CHANNELS or topic.option == "bbo":
            self._follow_book(topic)
        self._sinks.setdefault(topic, {})[sink] = None

    def leave(self, topic: Topic, sink: Sink) -> None:
        """No more frames of this topic."""
        sinks = self._sinks.get(topic, {})
        sinks.pop(sink, None)
        if not sinks:
            self._sinks.pop(topic, None)
            self._untold.discard(topic)
            self._candles_told.pop(topic, None)
            self._drop_unused(topic)
        if not self._sinks and not self._level3:
            self._hub.forget_markets(self._hear)
            self._hub.forget_modes(self._hear_mode)

    def snapshot(self, topic: Topic) -> str | None:
        """The frame a new subscriber gets first; None while there is nothing to show.

        A book or ticker that cannot be shown yet is told as a snapshot when it comes about.
        """
        match topic.channel:
            case "instrument":
                return instrument_frame(self._exchange, str(topic.option))
            case "trade":
                prints = self._exchange.prints(topic.symbol, _TRADES_SHOWN)
                rows = ",".join(_print_row(each, self._spec(topic.symbol)) for each in prints)
                return f'{{"channel":"trade","type":"snapshot","data":[{rows}]}}'
            case "ohlc":
                bars = self._exchange.bars(topic.symbol, int(topic.option))
                return self._candles(topic, "snapshot", bars)
            case "ticker":
                return self._ticker_snapshot(topic)
            case _:
                window = self._windows[topic.symbol][topic]
                return None if window.is_empty else window.snapshot()

    def _ticker_snapshot(self, topic: Topic) -> str | None:
        view = self._exchange.ticker(topic.symbol)
        if not view.bid and not view.ask and view.last is None:
            self._untold.add(topic)
            return None
        return ticker_frame("snapshot", view, self._spec(topic.symbol))

    def _spec(self, symbol: str) -> PairSpec:
        return self._exchange.pair(symbol)

    def _candles(self, topic: Topic, kind: str, bars: Sequence[BarView]) -> str:
        now = self._exchange.now()
        return candles_frame(kind, bars, self._spec(topic.symbol), int(topic.option), now)

    # books followed
    def level3(self, symbol: str) -> Level3Book:
        """The pair order by order; followed from the first time it is asked for."""
        book = self._level3.get(symbol)
        if book is None:
            self._hub.hear_markets(self._hear)
            view = self._exchange.book(symbol, _WHOLE_BOOK)
            book = Level3Book(self._spec(symbol), view, self._exchange)
            self._level3[symbol] = book
        return book

    def _follow_book(self, topic: Topic) -> None:
        windows = self._windows.setdefault(topic.symbol, {})
        if topic.channel == "level3":
            book = self.level3(topic.symbol)
            if topic not in windows:
                windows[topic] = Level3Window(book, int(topic.option))
            return
        mirror = self._mirrors.get(topic.symbol)
        if mirror is None:
            view = self._exchange.book(topic.symbol, _WHOLE_BOOK)
            mirror = self._mirrors[topic.symbol] = BookMirror(self._spec(topic.symbol), view)
            self._bests[topic.symbol] = mirror.bests()
        if topic.channel == "book" and topic not in windows:
            windows[topic] = BookWindow(mirror, int(topic.option))

    def _drop_unused(self, topic: Topic) -> None:
        windows = self._windows.get(topic.symbol, {})
        windows.pop(topic, None)
        if not windows:
            self._windows.pop(topic.symbol, None)
        is_followed = any(each.channel == "book" for each in windows) or (
            Topic("ticker", topic.symbol, "bbo") in self._sinks
        )
        if not is_followed:
            self._mirrors.pop(topic.symbol, None)
            self._bests.pop(topic.symbol, None)

    # events heard
    def _hear(self, told: BookEvent | Prints) -> None:
        if isinstance(told, BookEvent):
            self._on_book(told)
        else:
            self._on_prints(told)

    def _hear_mode(self, _: ModeEvent) -> None:
        topic = Topic("instrument", "", HOME_VENUE)
        if topic in self._sinks:
            self._tell(topic, pair_status_frame(self._exchange))

    def _on_book(self, event: BookEvent) -> None:
        level3, mirror = self._level3.get(event.symbol), self._mirrors.get(event.symbol)
        if level3 is not None:
            level3.follow(event)
        if mirror is not None:
            mirror.follow(event)
        for topic, window in self._windows.get(event.symbol, {}).items():
            frame = window.advance(is_snapshot=event.is_snapshot)
            if frame is not None:
                self._tell(topic, frame)
        if mirror is None:
            return
        bests = mirror.bests()
        if bests != self._bests[event.symbol]:
            self._bests[event.symbol] = bests
            self._tell_ticker(Topic("ticker", event.symbol, "bbo"))

    def _on_prints(self, prints: Prints) -> None:
        """The trades of one step: a row for each, one ticker, and one candle an interval."""
        symbol = prints[0].symbol
        level3 = self._level3.get(symbol)
        if level3 is not None:
            for event in prints:
                level3.hear(event)
        topic = Topic("trade", symbol)
        if topic in self._sinks:
            rows = ",".join(_print_row(event, self._spec(symbol)) for event in prints)
            self._tell(topic, f'{{"channel":"trade","type":"update","data":[{rows}]}}')
        for interval in OHLC_INTERVALS:
            topic = Topic("ohlc", symbol, interval)
            if topic in self._sinks:
                self._tell_candle(topic)
        self._tell_ticker(Topic("ticker", symbol, "trades"))

    def _tell_candle(self, topic: Topic) -> None:
        """The running candle; trades that come late may leave it as it is."""
        bar = self._exchange.latest_bar(topic.symbol, int(topic.option))
        if bar is None:
            return
        frame = self._candles(topic, "update", (bar,))
        if frame != self._candles_told.get(topic):
            self._candles_told[topic] = frame
            self._tell(topic, frame)

    def _tell_ticker(self, topic: Topic) -> None:
        if topic not in self._sinks:
            return
        kind = "snapshot" if topic in self._untold else "update"
        self._untold.discard(topic)
        exchange, symbol = self._exchange, topic.symbol
        spec, statistics = self._spec(symbol), self._statistics.get(symbol)
        version = exchange.trades_version(symbol)
        if statistics is None or statistics.version != version or not version:
            statistics = _Statistics(version, _statistics_of(exchange.ticker(symbol), spec))
            self._statistics[symbol] = statistics
        bid, ask = exchange.best(symbol)
        bests = (bid or _NO_LEVEL, ask or _NO_LEVEL)
        self._tell(topic, _ticker_frame(kind, spec, bests, statistics.text, exchange.now()))

    def _tell(self, topic: Topic, frame: str) -> None:
        for sink in tuple(self._sinks.get(topic, ())):
            sink(frame)


def desk_of(exchange: PaperExchange) -> MarketDesk:
    """The one desk of an exchange."""
    return exchange.companion(MarketDesk)


def _print_row(event: PrintEvent, spec: PairSpec) -> str:
    return (
        f'{{"symbol":"{event.symbol}","side":"{event.side}",'
        f'"price":{fixed(event.price, spec.pair_decimals)},'
        f'"qty":{fixed(event.quantity, spec.lot_decimals)},'
        f'"ord_type":"{"market" if event.is_market else "limit"}","trade_id":{event.trade_id},'
        f'"timestamp":"{iso(event.at)}"}}'
    )


class _Statistics(NamedTuple):
    """What a ticker says of the trades, as printed; with each trade it is another.

    Before the first one, at version 0, it says the best bid.
    """

    version: int
    text: str


def ticker_frame(kind: str, view: TickerView, spec: PairSpec) -> str:
    """A ticker. Before the first print of all, `last` is the best bid: it is never absent."""
    bests = ((view.bid, view.bid_quantity), (view.ask, view.ask_quantity))
    return _ticker_frame(kind, spec, bests, _statistics_of(view, spec), view.at)


def _ticker_frame(
    kind: str, spec: PairSpec, bests: tuple[Best, Best], statistics: str, at: int
) -> str:
    price, lot = spec.pair_decimals, spec.lot_decimals
    (bid, bid_quantity), (ask, ask_quantity) = bests
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{spec.symbol}",'
        f'"bid":{fixed(bid, price)},"bid_qty":{fixed(bid_quantity, lot)},'
        f'"ask":{fixed(ask, price)},"ask_qty":{fixed(ask_quantity, lot)},'
        f'{statistics},"timestamp":"{iso(at)}"}}]}}'
    )


def _statistics_of(view: TickerView, spec: PairSpec) -> str:
    price, lot = spec.pair_decimals, spec.lot_decimals
    last = view.bid if view.last is None else view.last
    change = last - view.opened if view.last is not None else last - last
    percent = change * _PERCENT / view.opened if view.opened else change
    return (
        f'"last":{fixed(last, price)},"volume":{fixed(view.volume, lot)},'
        f'"vwap":{down(view.vwap, price):f},"low":{fixed(view.low, price)},'
        f'"high":{fixed(view.high, price)},"change":{fixed(change, price)},'
        f'"change_pct":{half_up(percent, 2):f}'
    )
