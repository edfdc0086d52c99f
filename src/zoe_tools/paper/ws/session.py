"""What one WebSocket v2 connection asks for: requests in, answers and subscriptions out.

Everything here happens at once, without waiting; frames leave through `push`.
Source: kraken-spot sections 10 and 11.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.stream_limits import Bucket
from zoe_tools.paper.values.events import ModeEvent
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.ws.answers import Answers, Request
from zoe_tools.paper.ws.batch import batch_add
from zoe_tools.paper.ws.cancels import (
    batch_cancel,
    cancel_all,
    cancel_all_orders_after,
    cancel_order,
    cancel_targets,
)
from zoe_tools.paper.ws.fields import Params, Result, token_of
from zoe_tools.paper.ws.hub import hub_of
from zoe_tools.paper.ws.numbers import data_frame
from zoe_tools.paper.ws.orders import add_order, amend_order, edit_order
from zoe_tools.paper.ws.private import Later, at_once
from zoe_tools.paper.ws.public import desk_of
from zoe_tools.paper.ws.subscriptions import (
    LEVEL3_CHANNELS,
    PRIVATE_CHANNELS,
    PUBLIC_CHANNELS,
    Subscriptions,
)

_LOG = logging.getLogger(__name__)

Door = Literal["public", "private", "level3"]
"""Which of Kraken's three sockets it is."""

_SERVER_VERSION = "2.0.10"
_REQ_ID_LIMIT = 2**63
_PLACE = ("modify-trades",)
_CANCEL = ("close-trades", "modify-trades")
_Execute = Callable[[PaperExchange, str, Params], Result | list[Result]]
_METHODS: dict[str, tuple[tuple[str, ...], _Execute]] = {
    "add_order": (_PLACE, add_order),
    "amend_order": (_PLACE, amend_order),
    "edit_order": (_PLACE, edit_order),
    "batch_add": (_PLACE, batch_add),
    "batch_cancel": (_CANCEL, batch_cancel),
    "cancel_all": (_CANCEL, cancel_all),
    "cancel_all_orders_after": (_CANCEL, cancel_all_orders_after),
}
"""Every method with one answer: which permissions it needs any of, and what does it."""
METHODS = frozenset({*_METHODS, "cancel_order", "subscribe", "unsubscribe"})
"""What can be asked for over a socket, but for a ping."""
_CHANNELS: dict[Door, tuple[str, ...]] = {
    "public": PUBLIC_CHANNELS,
    "private": PRIVATE_CHANNELS,
    "level3": LEVEL3_CHANNELS,
}


class Session:
    """The requests and subscriptions of one connection.

    `later` puts off what an account is told until a request is answered; without it nothing is.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        push: Callable[[str], None],
        *,
        door: Door,
        later: Later = at_once,
    ) -> None:
        self._exchange = exchange
        self._push = push
        self._trades = door == "private"
        self._answers = Answers(exchange, push)
        self._subscriptions = Subscriptions(
            exchange, push, self._answers, _CHANNELS[door], later=later
        )
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)
        self._connection_id = desk_of(exchange).number_connection()
        self._hub = hub_of(exchange)
        self._hub.hear_modes(self._hear_mode)
        limits = exchange.options.streams
        self._rate = Bucket(limits.messages_per_s, limits.burst, exchange.now())
        self.tell_status()

    @property
    def has_subscriptions(self) -> bool:
        """Whether heartbeats are due."""
        return not self._subscriptions.is_empty

    def close(self) -> None:
        """Leave all topics and hear nothing more."""
        self._hub.forget_modes(self._hear_mode)
        self._subscriptions.close()

    def handle(self, text: str) -> bool:
        """Answer one incoming frame, whatever it is; whether it was more than a ping."""
        request, has_params = self._read(text)
        if not self._rate.pour(1, self._exchange.now()):
            self._answers.too_fast(request)
            return False
        if not request.method:
            self._answers.refuse(request, "Malformed request")
            return False
        try:
            self._dispatch(request, has_params=has_params)
        except Refusal as refusal:
            self._answers.refuse(request, refusal.error)
        except Exception:  # noqa: BLE001 - the socket's last door: logged whole, answered in words
            _LOG.exception("the paper exchange failed on %s", request.method)
            self._answers.refuse(request, "EGeneral:Internal error")
        return request.method != "ping"

    def _read(self, text: str) -> tuple[Request, bool]:
        """The request; one without a method is malformed."""
        time_in = self._exchange.told_now()
        try:
            message = self._decoder.decode(text)
        except (msgspec.DecodeError, ArithmeticError, RecursionError, UnicodeError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return Request("", {}, None, time_in), False
        params = message.get("params")
        request = Request(
            method=message["method"],
            params=params if isinstance(params, dict) else {},
            req_id=_echoed(message.get("req_id")),
            time_in=time_in,
        )
        return request, params is not None

    def _dispatch(self, request: Request, *, has_params: bool) -> None:
        match request.method:
            case "ping":
                if has_params:
                    raise Refusal("Unsupported field: 'params' for the given msg type: ping")
                pong = Request("pong", {}, request.req_id, request.time_in)
                self._answers.answer(pong, None)
            case "subscribe":
                self._subscriptions.subscribe(request)
            case "unsubscribe":
                self._subscriptions.unsubscribe(request)
            case "cancel_order" if self._trades:
                self._cancel_order(request)
            case method if self._trades and method in _METHODS:
                self._trade(request)
            case _:
                raise Refusal("Unsupported event")

    # trading
    def _trade(self, request: Request) -> None:
        permissions, execute = _METHODS[request.method]
        account_id = self._account(request, permissions)
        self._answers.answer(request, execute(self._exchange, account_id, request.params))

    def _cancel_order(self, request: Request) -> None:
        """Every id is answered on its own, all with the same req_id."""
        account_id = self._account(request, _CANCEL)
        for target in cancel_targets(request.params):
            try:
                for result in cancel_order(self._exchange, account_id, target):
                    self._answers.answer(request, result)
            except Refusal as refusal:
                self._answers.refuse(request, refusal.error)

    def _account(self, request: Request, permissions: tuple[str, ...]) -> str:
        principal = self._exchange.account_by_token(token_of(request.params))
        principal.require(*permissions)
        if self._exchange.mode == "maintenance":
            raise Refusal("EService:Unavailable")
        return principal.account_id

    # status
    def _hear_mode(self, _: ModeEvent) -> None:
        self.tell_status()

    def tell_status(self) -> None:
        """What the exchange accepts now."""
        row = {
            "api_version": "v2",
            "connection_id": self._connection_id,
            "system": self._exchange.mode,
            "version": _SERVER_VERSION,
        }
        self._push(data_frame("status", "update", [row]))


def _echoed(req_id: object) -> int | None:
    """Integers are echoed, anything else is not."""
    if isinstance(req_id, bool) or not isinstance(req_id, int) or abs(req_id) >= _REQ_ID_LIMIT:
        return None
    return req_id
