"""What one WebSocket v2 connection has asked for: requests in, answers and subscriptions out.

Everything here happens at once, without waiting; frames leave through `push`.
Source: kraken-spot sections 10 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from zoe_tools.paper.events import EngineEvent, ModeEvent
from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.times import iso
from zoe_tools.paper.views import Principal
from zoe_tools.paper.ws_book import DEPTHS
from zoe_tools.paper.ws_numbers import data_frame, encode
from zoe_tools.paper.ws_orders import (
    Params,
    Result,
    add_order,
    amend_order,
    cancel_order,
    cancel_targets,
    check_symbol,
    not_found,
)
from zoe_tools.paper.ws_private import ExecutionOptions, PrivateFeed
from zoe_tools.paper.ws_public import Topic, desk_of

_SERVER_VERSION = "2.0.10"
_MAX_RATE_COUNT = 125
_REQ_ID_LIMIT = 2**63
_READ_ORDERS = ("query-open-trades", "query-closed-trades")
_MARKET_CHANNELS = ("ticker", "book", "trade")
_PRIVATE_CHANNELS = ("executions", "balances")
_TRIGGERS = ("trades", "bbo")
_WARNINGS = {
    "instrument": ["tick_size is deprecated, use price_increment"],
    "executions": [
        "cancel_reason is deprecated, use reason",
        "stop_price is deprecated, use triggers.price",
    ],
}


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    params: Params
    req_id: int | None
    time_in: int


class Session:
    """The requests and subscriptions of one connection."""

    def __init__(
        self, exchange: PaperExchange, push: Callable[[str], None], *, is_private: bool
    ) -> None:
        self._exchange = exchange
        self._push = push
        self._is_private = is_private
        self._desk = desk_of(exchange)
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)
        self._topics: dict[Topic, None] = {}
        self._channels: set[str] = set()
        self._feed: tuple[str, PrivateFeed] | None = None
        self._connection_id = self._desk.number_connection()
        self._stop = exchange.add_listener(self._hear)
        self._methods: dict[str, Callable[[_Request], None]] = {
            "ping": self._ping,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }
        if is_private:
            self._methods |= {
                "add_order": self._add_order,
                "amend_order": self._amend_order,
                "cancel_order": self._cancel_order,
                "cancel_all": self._cancel_all,
            }
        self._tell_status()

    @property
    def has_subscriptions(self) -> bool:
        """Whether heartbeats are due."""
        return bool(self._topics or self._channels)

    def close(self) -> None:
        """Leave all topics and hear nothing more."""
        self._stop()
        for topic in tuple(self._topics):
            self._desk.leave(topic, self._push)
        self._topics.clear()
        if self._feed is not None:
            self._feed[1].close()

    def handle(self, text: str) -> None:
        """Answer one incoming frame, whatever it is."""
        time_in = self._exchange.told_now()
        try:
            message = self._decoder.decode(text)
        except (msgspec.DecodeError, ArithmeticError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            self._refuse(_Request("", {}, None, time_in), "Malformed request")
            return
        params = message.get("params")
        request = _Request(
            method=message["method"],
            params=params if isinstance(params, dict) else {},
            req_id=_echoed(message.get("req_id")),
            time_in=time_in,
        )
        try:
            self._dispatch(request, has_params=params is not None)
        except Refusal as refusal:
            self._refuse(request, refusal.error)

    def _dispatch(self, request: _Request, *, has_params: bool) -> None:
        if request.method == "ping" and has_params:
            raise Refusal("Unsupported field: 'params' for the given msg type: ping")
        method = self._methods.get(request.method)
        if method is None:
            raise Refusal("Unsupported event")
        method(request)

    # answers
    def _answer(self, request: _Request, result: Result | None) -> None:
        frame: dict[str, Any] = {"method": request.method}
        if request.req_id is not None:
            frame["req_id"] = request.req_id
        if result is not None:
            frame |= {"result": result, "success": True}
        self._push(encode(frame | self._times(request)))

    def _refuse(self, request: _Request, error: str, symbol: str | None = None) -> None:
        frame: dict[str, Any] = {"error": error, "method": request.method}
        if not request.method:
            del frame["method"]
        if request.req_id is not None:
            frame["req_id"] = request.req_id
        frame["success"] = False
        if symbol is not None:
            frame["symbol"] = symbol
        self._push(encode(frame | self._times(request)))

    def _times(self, request: _Request) -> dict[str, str]:
        return {"time_in": iso(request.time_in), "time_out": iso(self._exchange.told_now())}

    # status and ping
    def _hear(self, event: EngineEvent) -> None:
        if isinstance(event, ModeEvent):
            self._tell_status()

    def _tell_status(self) -> None:
        row = {
            "api_version": "v2",
            "connection_id": self._connection_id,
            "system": self._exchange.mode,
            "version": _SERVER_VERSION,
        }
        self._push(data_frame("status", "update", [row]))

    def _ping(self, request: _Request) -> None:
        pong = _Request("pong", {}, request.req_id, request.time_in)
        self._answer(pong, None)

    # subscriptions
    def _subscribe(self, request: _Request) -> None:
        channel = self._channel(request)
        if channel in _PRIVATE_CHANNELS:
            self._subscribe_private(request, channel)
            return
        for topic, refusal in self._wanted(request, channel):
            if refusal is None and topic in self._topics:
                refusal = "Already subscribed"  # noqa: PLW2901 - one answer a symbol
            if refusal is not None:
                self._refuse(request, refusal, topic.symbol or None)
                continue
            has_snapshot = _flag(request.params, "snapshot", default=channel != "trade")
            self._desk.join(topic, self._push)
            self._topics[topic] = None
            result = _options(topic) | {"snapshot": has_snapshot}
            self._answer(request, _acknowledged(topic, result))
            snapshot = self._desk.snapshot(topic) if has_snapshot else None
            if snapshot is not None:
                self._push(snapshot)
            if channel in _MARKET_CHANNELS:
                self._exchange.subscribed()

    def _unsubscribe(self, request: _Request) -> None:
        channel = self._channel(request)
        if channel in _PRIVATE_CHANNELS:
            self._unsubscribe_private(request, channel)
            return
        for topic, refusal in self._wanted(request, channel):
            if refusal is None and topic not in self._topics:
                refusal = "Subscription not found"  # noqa: PLW2901 - one answer a symbol
            if refusal is not None:
                self._refuse(request, refusal, topic.symbol or None)
                continue
            self._desk.leave(topic, self._push)
            del self._topics[topic]
            self._answer(request, _acknowledged(topic, _options(topic)))

    def _channel(self, request: _Request) -> str:
        channel = request.params.get("channel")
        if channel == "status":
            raise not_found("symbol")
        known = _PRIVATE_CHANNELS if self._is_private else (*_MARKET_CHANNELS, "instrument")
        if channel not in known:
            raise Refusal("Subscription name invalid")
        return str(channel)

    def _wanted(self, request: _Request, channel: str) -> Iterator[tuple[Topic, str | None]]:
        """The topics of a request, each with why it cannot be, if so."""
        params = request.params
        if channel == "instrument":
            yield Topic("instrument"), None
            return
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or not symbols:
            raise not_found("symbol")
        option = _option(channel, params)
        for symbol in map(str, symbols):
            topic = Topic(channel, symbol, option)
            try:
                check_symbol(self._exchange, symbol)
            except Refusal as refusal:
                yield topic, refusal.error
            else:
                yield topic, None

    def _subscribe_private(self, request: _Request, channel: str) -> None:
        params = request.params
        principal = self._principal(params)
        principal.require(*(_READ_ORDERS if channel == "executions" else ("query-funds",)))
        if channel in self._channels:
            raise Refusal("Already subscribed")
        feed = self._feed_of(principal)
        if channel == "executions":
            options = ExecutionOptions(
                snap_orders=_flag(params, "snap_orders", default=True),
                snap_trades=_flag(params, "snap_trades", default=False),
                order_status=_flag(params, "order_status", default=True),
            )
            result = {
                "channel": channel,
                "maxratecount": _MAX_RATE_COUNT,
                "snap_orders": options.snap_orders,
                "snap_trades": options.snap_trades,
                "warnings": _WARNINGS[channel],
            }
            self._answer(request, result)
            feed.open_executions(options)
        else:
            has_snapshot = _flag(params, "snapshot", default=True)
            self._answer(request, {"channel": channel, "snapshot": has_snapshot})
            feed.open_balances(has_snapshot=has_snapshot)
        self._channels.add(channel)

    def _unsubscribe_private(self, request: _Request, channel: str) -> None:
        self._principal(request.params)
        if channel not in self._channels or self._feed is None:
            raise Refusal("Subscription not found")
        self._channels.discard(channel)
        self._feed[1].close_channel(channel)
        self._answer(request, {"channel": channel})

    def _feed_of(self, principal: Principal) -> PrivateFeed:
        if self._feed is None:
            feed = PrivateFeed(self._exchange, principal.account_id, self._push)
            self._feed = principal.account_id, feed
        account_id, feed = self._feed
        if account_id != principal.account_id:
            raise Refusal("ESession:Invalid session")
        return feed

    def _principal(self, params: Params, *any_of: str) -> Principal:
        token = params.get("token")
        if not isinstance(token, str):
            raise not_found("token")
        principal = self._exchange.account_by_token(token)
        if any_of:
            principal.require(*any_of)
        return principal

    # trading
    def _add_order(self, request: _Request) -> None:
        account_id = self._principal(request.params, "modify-trades").account_id
        self._answer(request, add_order(self._exchange, account_id, request.params))

    def _amend_order(self, request: _Request) -> None:
        account_id = self._principal(request.params, "modify-trades").account_id
        self._answer(request, amend_order(self._exchange, account_id, request.params))

    def _cancel_order(self, request: _Request) -> None:
        may = ("close-trades", "modify-trades")
        account_id = self._principal(request.params, *may).account_id
        for target in cancel_targets(request.params):
            try:
                result = cancel_order(self._exchange, account_id, target)
            except Refusal as refusal:
                self._refuse(request, refusal.error)
            else:
                self._answer(request, result)

    def _cancel_all(self, request: _Request) -> None:
        may = ("close-trades", "modify-trades")
        account_id = self._principal(request.params, *may).account_id
        self._answer(request, {"count": self._exchange.cancel_all(account_id)})


def _echoed(req_id: object) -> int | None:
    """Integers are echoed, anything else is not."""
    if isinstance(req_id, bool) or not isinstance(req_id, int) or abs(req_id) >= _REQ_ID_LIMIT:
        return None
    return req_id


def _flag(params: Params, name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise Refusal(f"EGeneral:Invalid arguments:{name}")
    return value


def _option(channel: str, params: Params) -> str | int:
    if channel == "book":
        depth = params.get("depth", DEPTHS[0])
        if depth not in DEPTHS or isinstance(depth, bool):
            raise Refusal("Subscription depth not supported")
        return int(depth)
    if channel == "ticker":
        trigger = params.get("event_trigger", _TRIGGERS[0])
        if trigger not in _TRIGGERS:
            raise Refusal("EGeneral:Invalid arguments:event_trigger")
        return str(trigger)
    return ""


def _options(topic: Topic) -> Result:
    if topic.channel == "book":
        return {"depth": topic.option}
    if topic.channel == "ticker":
        return {"event_trigger": topic.option}
    return {}


def _acknowledged(topic: Topic, options: Mapping[str, Any]) -> Result:
    result: Result = {"channel": topic.channel, **options}
    if topic.symbol:
        result["symbol"] = topic.symbol
    if topic.channel in _WARNINGS:
        result["warnings"] = _WARNINGS[topic.channel]
    return result
