"""The public channels: one desk per exchange prints every frame once for all who subscribed.

It hears the exchange's events, keeps a mirror of each subscribed book, and hands texts to sinks;
it waits for nobody. Source: kraken-spot section 10.5.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from zoe_tools.paper.events import BookEvent, EngineEvent, PrintEvent
from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.rounding import down, fixed, half_up
from zoe_tools.paper.times import iso
from zoe_tools.paper.views import AssetSpec, TickerView
from zoe_tools.paper.ws_book import Best, BookMirror, BookWindow
from zoe_tools.paper.ws_numbers import encode, number

Sink = Callable[[str], None]
"""Takes a frame without waiting."""

_WHOLE_BOOK = 1_000_000
_TRADES_SHOWN = 50
_PERCENT = 100
_FIRST_CONNECTION_ID = 2**63
_DISPLAY_DECIMALS = {4: 2}
"""How many decimals an asset of so many is shown with; five unless it is here."""


class Topic(NamedTuple):
    """What one subscription is about; `option` is the depth or the event trigger."""

    channel: str
    symbol: str = ""
    option: str | int = ""


class MarketDesk:
    """All public subscriptions of one exchange."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._sinks: dict[Topic, dict[Sink, None]] = {}
        self._mirrors: dict[str, BookMirror] = {}
        self._windows: dict[str, dict[int, BookWindow]] = {}
        self._bests: dict[str, tuple[Best, Best]] = {}
        self._untold: set[Topic] = set()
        self._stop: Callable[[], None] | None = None
        self._connections = 0

    def number_connection(self) -> int:
        """The id of one more connection; above 2^63, as Kraken's are."""
        self._connections += 1
        return _FIRST_CONNECTION_ID + self._connections

    def join(self, topic: Topic, sink: Sink) -> None:
        """Frames of this topic go to the sink from now on."""
        if self._stop is None:
            self._stop = self._exchange.add_listener(self._hear)
        if topic.channel == "book" or topic.option == "bbo":
            self._follow_book(topic)
        self._sinks.setdefault(topic, {})[sink] = None

    def leave(self, topic: Topic, sink: Sink) -> None:
        """No more frames of this topic."""
        sinks = self._sinks.get(topic, {})
        sinks.pop(sink, None)
        if not sinks:
            self._sinks.pop(topic, None)
            self._untold.discard(topic)
            self._drop_unused(topic)
        if not self._sinks and self._stop is not None:
            self._stop()
            self._stop = None

    def snapshot(self, topic: Topic) -> str | None:
        """The frame a new subscriber gets first; None while there is nothing to show.

        A book or ticker that cannot be shown yet is told as a snapshot when it comes about.
        """
        if topic.channel == "instrument":
            return instrument_frame(self._exchange)
        if topic.channel == "trade":
            prints = self._exchange.prints(topic.symbol, _TRADES_SHOWN)
            rows = ",".join(_print_row(each, self._spec(topic.symbol)) for each in prints)
            return f'{{"channel":"trade","type":"snapshot","data":[{rows}]}}'
        if topic.channel == "book":
            window = self._windows[topic.symbol][int(topic.option)]
            return None if window.is_empty else window.snapshot()
        view = self._exchange.ticker(topic.symbol)
        if not view.bid and not view.ask and view.last is None:
            self._untold.add(topic)
            return None
        return ticker_frame("snapshot", view, self._spec(topic.symbol))

    def _spec(self, symbol: str) -> PairSpec:
        return self._exchange.pair(symbol)

    # books followed
    def _follow_book(self, topic: Topic) -> None:
        mirror = self._mirrors.get(topic.symbol)
        if mirror is None:
            view = self._exchange.book(topic.symbol, _WHOLE_BOOK)
            mirror = self._mirrors[topic.symbol] = BookMirror(self._spec(topic.symbol), view)
            self._bests[topic.symbol] = mirror.bests()
        if topic.channel == "book":
            windows = self._windows.setdefault(topic.symbol, {})
            windows.setdefault(int(topic.option), BookWindow(mirror, int(topic.option)))

    def _drop_unused(self, topic: Topic) -> None:
        if topic.channel == "book":
            self._windows[topic.symbol].pop(int(topic.option), None)
        is_followed = self._windows.get(topic.symbol) or (
            Topic("ticker", topic.symbol, "bbo") in self._sinks
        )
        if not is_followed:
            self._windows.pop(topic.symbol, None)
            self._mirrors.pop(topic.symbol, None)
            self._bests.pop(topic.symbol, None)

    # events heard
    def _hear(self, event: EngineEvent) -> None:
        if isinstance(event, BookEvent):
            mirror = self._mirrors.get(event.symbol)
            if mirror is not None:
                self._on_book(event, mirror)
        elif isinstance(event, PrintEvent):
            self._on_print(event)

    def _on_book(self, event: BookEvent, mirror: BookMirror) -> None:
        mirror.follow(event)
        for depth, window in self._windows.get(event.symbol, {}).items():
            frame = window.advance(is_snapshot=event.is_snapshot)
            if frame is not None:
                self._tell(Topic("book", event.symbol, depth), frame)
        bests = mirror.bests()
        if bests != self._bests[event.symbol]:
            self._bests[event.symbol] = bests
            self._tell_ticker(Topic("ticker", event.symbol, "bbo"))

    def _on_print(self, event: PrintEvent) -> None:
        topic = Topic("trade", event.symbol)
        if topic in self._sinks:
            row = _print_row(event, self._spec(event.symbol))
            self._tell(topic, f'{{"channel":"trade","type":"update","data":[{row}]}}')
        self._tell_ticker(Topic("ticker", event.symbol, "trades"))

    def _tell_ticker(self, topic: Topic) -> None:
        if topic not in self._sinks:
            return
        kind = "snapshot" if topic in self._untold else "update"
        self._untold.discard(topic)
        view = self._exchange.ticker(topic.symbol)
        self._tell(topic, ticker_frame(kind, view, self._spec(topic.symbol)))

    def _tell(self, topic: Topic, frame: str) -> None:
        for sink in tuple(self._sinks.get(topic, ())):
            sink(frame)


_DESKS: WeakKeyDictionary[PaperExchange, MarketDesk] = WeakKeyDictionary()


def desk_of(exchange: PaperExchange) -> MarketDesk:
    """The one desk of an exchange."""
    desk = _DESKS.get(exchange)
    if desk is None:
        desk = _DESKS[exchange] = MarketDesk(exchange)
    return desk


def _print_row(event: PrintEvent, spec: PairSpec) -> str:
    return (
        f'{{"symbol":"{event.symbol}","side":"{event.side}",'
        f'"price":{fixed(event.price, spec.pair_decimals)},'
        f'"qty":{fixed(event.quantity, spec.lot_decimals)},'
        f'"ord_type":"{"market" if event.is_market else "limit"}","trade_id":{event.trade_id},'
        f'"timestamp":"{iso(event.at)}"}}'
    )


def ticker_frame(kind: str, view: TickerView, spec: PairSpec) -> str:
    """A ticker. Before the first print of all, `last` is the best bid: it is never absent."""
    price, lot = spec.pair_decimals, spec.lot_decimals
    last = view.bid if view.last is None else view.last
    change = last - view.opened if view.last is not None else last - last
    percent = change * _PERCENT / view.opened if view.opened else change
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{view.symbol}",'
        f'"bid":{fixed(view.bid, price)},"bid_qty":{fixed(view.bid_quantity, lot)},'
        f'"ask":{fixed(view.ask, price)},"ask_qty":{fixed(view.ask_quantity, lot)},'
        f'"last":{fixed(last, price)},"volume":{fixed(view.volume, lot)},'
        f'"vwap":{down(view.vwap, price):f},"low":{fixed(view.low, price)},'
        f'"high":{fixed(view.high, price)},"change":{fixed(change, price)},'
        f'"change_pct":{half_up(percent, 2):f},"timestamp":"{iso(view.at)}"}}]}}'
    )


def instrument_frame(exchange: PaperExchange) -> str:
    """Assets and pairs, as one snapshot."""
    data = {
        "assets": [_asset_row(asset) for asset in exchange.assets],
        "pairs": [_pair_row(spec, exchange.mode) for spec in exchange.pairs],
    }
    return encode({"channel": "instrument", "type": "snapshot", "data": data})


def _asset_row(asset: AssetSpec) -> dict[str, Any]:
    return {
        "id": asset.name,
        "status": "enabled",
        "precision": asset.decimals,
        "precision_display": _DISPLAY_DECIMALS.get(asset.decimals, 5),
        "borrowable": False,
        "collateral_value": 0.0,
    }


def _pair_row(spec: PairSpec, status: str) -> dict[str, Any]:
    tick = number(spec.tick_size, spec.pair_decimals)
    increment = Decimal(1).scaleb(-spec.lot_decimals)
    return {
        "symbol": spec.symbol,
        "base": spec.base,
        "quote": spec.quote,
        "status": status,
        "qty_precision": spec.lot_decimals,
        "qty_increment": number(increment, spec.lot_decimals),
        "price_precision": spec.pair_decimals,
        "cost_precision": spec.cost_decimals,
        "marginable": False,
        "has_index": False,
        "cost_min": number(spec.costmin, max(0, -int(spec.costmin.as_tuple().exponent))),
        "tick_size": tick,
        "price_increment": tick,
        "qty_min": number(spec.ordermin, spec.lot_decimals),
    }
