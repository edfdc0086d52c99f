"""What one connection is subscribed to: requests judged, acks one a symbol, snapshots, warnings.

Source: kraken-spot sections 3.3 and 10.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.stream_limits import LEVEL3_COSTS, Bucket
from zoe_tools.paper.exchange.tokens import TokenHolds
from zoe_tools.paper.values.refusal import Refusal, invalid
from zoe_tools.paper.values.views import Principal
from zoe_tools.paper.ws.account import ACCOUNT_CHANNELS, AccountChannels
from zoe_tools.paper.ws.answers import RATE_EXCEEDED, Answers, Request
from zoe_tools.paper.ws.book import DEPTHS
from zoe_tools.paper.ws.fields import Params, Result, check_symbol, flag, not_found, token_of
from zoe_tools.paper.ws.instrument import HOME_VENUE, VENUES
from zoe_tools.paper.ws.level3 import LEVEL3_DEPTHS
from zoe_tools.paper.ws.ohlc import OHLC_INTERVALS
from zoe_tools.paper.ws.private import Later
from zoe_tools.paper.ws.public import Topic, desk_of

PUBLIC_CHANNELS = ("ticker", "book", "trade", "ohlc", "instrument")
PRIVATE_CHANNELS = (*ACCOUNT_CHANNELS, "level3")
LEVEL3_CHANNELS = ("level3",)
_TRIGGERS = ("trades", "bbo")
_LEAST_SYMBOL = 1
_WARNINGS = {
    "ohlc": ["timestamp is deprecated, use interval_begin"],
    "instrument": ["tick_size is deprecated, use price_increment"],
}


class Subscriptions:
    """The topics and private channels of one connection."""

    def __init__(
        self,
        exchange: PaperExchange,
        push: Callable[[str], None],
        answers: Answers,
        channels: tuple[str, ...],
        *,
        later: Later,
    ) -> None:
        self._exchange = exchange
        self._push = push
        self._answers = answers
        self._known = channels
        self._desk = desk_of(exchange)
        self._topics: dict[Topic, None] = {}
        self._holds = TokenHolds(exchange.tokens)
        self._account = AccountChannels(exchange, push, answers, self._holds, later)
        limits = exchange.options.streams
        budget = limits.level3_per_s
        self._budget = Bucket(budget, budget or 0, exchange.now())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is subscribed: then there are no heartbeats."""
        return not self._topics and self._account.is_empty

    def close(self) -> None:
        """Leave everything."""
        for topic in tuple(self._topics):
            self._desk.leave(topic, self._push)
        self._topics.clear()
        self._account.close()
        self._holds.release_all()

    def subscribe(self, request: Request) -> None:
        """Answer a subscribe, symbol by symbol.

        Raises:
            Refusal: the request as a whole is impossible.
        """
        channel = self._channel(request)
        if channel in ACCOUNT_CHANNELS:
            self._account.subscribe(request, channel)
            return
        if channel == "level3":
            self._principal(request.params).require("query-open-trades")
        has_snapshot = flag(request.params, "snapshot", default=channel != "trade")
        for topic in self._wanted(request, channel):
            refusal = self._why_not(topic)
            if refusal is not None:
                self._answers.refuse(request, refusal, topic.symbol or None)
                continue
            self._desk.join(topic, self._push)
            self._topics[topic] = None
            if channel == "level3":
                self._holds.hold(topic, token_of(request.params))
            result = _options(topic) | {"snapshot": has_snapshot}
            self._answers.answer(request, _acknowledged(topic, result))
            snapshot = self._desk.snapshot(topic) if has_snapshot else None
            if snapshot is not None:
                self._push(snapshot)
            if topic.symbol:
                self._exchange.subscribed()

    def unsubscribe(self, request: Request) -> None:
        """Answer an unsubscribe, symbol by symbol.

        Raises:
            Refusal: the request as a whole is impossible.
        """
        channel = self._channel(request)
        if channel in ACCOUNT_CHANNELS:
            self._account.unsubscribe(request, channel)
            return
        if channel == "level3":
            self._principal(request.params)
        for topic in self._wanted(request, channel):
            refusal = self._unsupported(topic)
            if refusal is None and topic not in self._topics:
                refusal = "Subscription not found"
            if refusal is not None:
                self._answers.refuse(request, refusal, topic.symbol or None)
                continue
            self._desk.leave(topic, self._push)
            del self._topics[topic]
            self._holds.release(topic)
            self._answers.answer(request, _acknowledged(topic, _options(topic)))

    # what is asked for
    def _channel(self, request: Request) -> str:
        channel = request.params.get("channel")
        if channel in ("status", "heartbeat"):
            raise not_found("symbol")
        if channel not in self._known:
            raise Refusal("Subscription name invalid")
        return str(channel)

    def _wanted(self, request: Request, channel: str) -> Iterator[Topic]:
        params = request.params
        option = _option(channel, params)
        if channel == "instrument":
            yield Topic("instrument", "", option)
            return
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or len(symbols) < _LEAST_SYMBOL:
            raise not_found("symbol")
        for symbol in symbols:
            yield Topic(channel, str(symbol), option)

    def _why_not(self, topic: Topic) -> str | None:
        """Why this topic cannot be subscribed, if so. Level3 is charged here."""
        refusal = self._unsupported(topic)
        if refusal is not None:
            return refusal
        if topic in self._topics:
            return "Already subscribed"
        return self._why_no_level3(topic) if topic.channel == "level3" else None

    def _unsupported(self, topic: Topic) -> str | None:
        if not topic.symbol:
            return None
        try:
            check_symbol(self._exchange, topic.symbol)
        except Refusal as refusal:
            return refusal.error
        return None

    def _why_no_level3(self, topic: Topic) -> str | None:
        """One depth a symbol, so many symbols a connection, so much a second."""
        live = [each for each in self._topics if each.channel == "level3"]
        if any(each.symbol == topic.symbol for each in live):
            return "Already subscribed"
        most = self._exchange.options.streams.level3_symbols
        if most is not None and len(live) >= most:
            return RATE_EXCEEDED
        cost = LEVEL3_COSTS[int(topic.option)]
        return None if self._budget.pour(cost, self._exchange.now()) else RATE_EXCEEDED

    def _principal(self, params: Params) -> Principal:
        return self._exchange.account_by_token(token_of(params))


def _option(channel: str, params: Params) -> str | int:
    match channel:
        case "book":
            return _number(params, "depth", DEPTHS, "Subscription depth not supported")
        case "level3":
            return _number(params, "depth", LEVEL3_DEPTHS, "Subscription depth not supported")
        case "ohlc":
            refusal = "Subscription ohlc interval not supported"
            return _number(params, "interval", OHLC_INTERVALS, refusal)
        case "ticker":
            trigger = params.get("event_trigger", _TRIGGERS[0])
            if trigger not in _TRIGGERS:
                raise invalid("event_trigger")
            return str(trigger)
        case "instrument":
            flag(params, "include_tokenized_assets", default=False)
            venue = params.get("execution_venue", HOME_VENUE)
            if venue not in VENUES:
                raise invalid("execution_venue")
            return str(venue)
        case _:
            return ""


def _number(params: Params, name: str, allowed: tuple[int, ...], refusal: str) -> int:
    value = params.get(name, allowed[0])
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise Refusal(refusal)
    return value


_ECHOED = {"book": "depth", "level3": "depth", "ohlc": "interval", "ticker": "event_trigger"}


def _options(topic: Topic) -> Result:
    name = _ECHOED.get(topic.channel)
    return {} if name is None else {name: topic.option}


def _acknowledged(topic: Topic, options: Mapping[str, Any]) -> Result:
    result: Result = {"channel": topic.channel, **options}
    if topic.symbol:
        result["symbol"] = topic.symbol
    if topic.channel in _WARNINGS:
        result["warnings"] = _WARNINGS[topic.channel]
    return result
