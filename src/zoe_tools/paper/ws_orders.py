"""The trading methods of the private socket: parameters in, requests to the exchange, results out.

It parses and words its complaints as the socket does; whether an order is allowed is the engine's
to judge. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, get_args

from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.order import (
    LIMIT_PRICED,
    ORDER_TYPES,
    TRIGGERED_TYPES,
    AmendOrder,
    OrderType,
    PlaceOrder,
    SelfTrade,
    Side,
    TimeInForce,
)
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.times import NS, ns_of
from zoe_tools.paper.ws_numbers import number_or_none

Params = Mapping[str, Any]
Result = dict[str, Any]
T = TypeVar("T", bound=str)

_ADD_FIELDS = frozenset(
    {
        *("token", "order_type", "side", "symbol", "order_qty", "cash_order_qty"),
        *("limit_price", "limit_price_type", "triggers", "time_in_force", "margin", "post_only"),
        *("reduce_only", "effective_time", "expire_time", "deadline", "cl_ord_id", "validate"),
        *("order_userref", "display_qty", "fee_preference", "no_mpp", "stp_type", "conditional"),
        "sender_sub_id",
    }
)
_AMEND_FIELDS = frozenset(
    {
        *("token", "order_id", "cl_ord_id", "order_qty", "display_qty", "limit_price"),
        *("limit_price_type", "trigger_price", "trigger_price_type", "post_only", "deadline"),
        "symbol",
    }
)
_CANCEL_FIELDS = frozenset({"token", "order_id", "cl_ord_id", "order_userref"})
_TRIGGER_FIELDS = frozenset({"reference", "price", "price_type"})
_NOT_HERE = ("cash_order_qty", "effective_time", "display_qty", "conditional")
"""Fields that Kraken has and this exchange does not: refused by name, never passed over."""
_DEADLINE_LIMIT_NS = 60 * NS


def invalid(detail: str) -> Refusal:
    """`EGeneral:Invalid arguments:<detail>`."""
    return Refusal(f"EGeneral:Invalid arguments:{detail}")


def not_found(name: str) -> Refusal:
    """`Limit_price(s) not found`: a field that is missing."""
    return Refusal(f"{name.capitalize()}(s) not found")


class _Fields:
    """The parameters of one request, read with the socket's complaints."""

    def __init__(self, method: str, params: Params, known: frozenset[str]) -> None:
        for name in params:
            if name not in known:
                raise Refusal(f"Unsupported field: '{name}' for the given msg type: {method}")
        self._params = params

    def decimal(self, name: str) -> Decimal | None:
        value = self._params.get(name)
        if value is None:
            return None
        number = number_or_none(value)
        if number is None:
            raise Refusal(f"{name.capitalize()} field must be a number_float")
        return number

    def text(self, name: str) -> str | None:
        value = self._params.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self._params.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise invalid(name)
        return value

    def flag(self, name: str) -> bool:
        value = self._params.get(name, False)
        if not isinstance(value, bool):
            raise invalid(name)
        return value

    def one_of(self, name: str, allowed: tuple[T, ...], default: T | None = None) -> T:
        value = self.text(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise not_found(name)
        for word in allowed:
            if word == value:
                return word
        raise invalid(name)

    def time(self, name: str) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return ns_of(datetime.fromisoformat(text))
        except (ValueError, TypeError) as error:
            raise invalid(name) from error

    def deadline(self, now: int) -> int | None:
        at = self.time("deadline")
        if at is not None and at > now + _DEADLINE_LIMIT_NS:
            raise invalid("deadline")
        return at

    def several(self, name: str) -> list[Any]:
        value = self._params.get(name, [])
        if not isinstance(value, list):
            raise invalid(name)
        return value

    def refuse(self, *names: str) -> None:
        for name in names:
            if self._params.get(name) not in (None, False):
                raise invalid(name)


def place_request(exchange: PaperExchange, params: Params) -> PlaceOrder:
    """The order that add_order's parameters describe.

    Raises:
        Refusal: a field is missing, malformed or not supported; nothing was sent to the engine.
    """
    fields = _Fields("add_order", params, _ADD_FIELDS)
    symbol = fields.text("symbol")
    if symbol is None:
        raise not_found("symbol")
    check_symbol(exchange, symbol)
    order_type: OrderType = fields.one_of("order_type", ORDER_TYPES)
    _refuse_unsupported(fields, params)
    quantity = fields.decimal("order_qty")
    if quantity is None:
        raise not_found("order_qty")
    limit_price = fields.decimal("limit_price")
    if limit_price is None and order_type in LIMIT_PRICED:
        raise not_found("limit_price")
    sides: tuple[Side, ...] = get_args(Side)
    forces: tuple[TimeInForce, ...] = get_args(TimeInForce)
    return PlaceOrder(
        symbol=symbol,
        side=fields.one_of("side", sides),
        order_type=order_type,
        quantity=quantity,
        limit_price=limit_price,
        trigger_price=_trigger_price(params, order_type),
        time_in_force=fields.one_of("time_in_force", forces, "gtc"),
        is_post_only=fields.flag("post_only"),
        expire_at=fields.time("expire_time"),
        deadline=fields.deadline(exchange.now()),
        cl_ord_id=fields.text("cl_ord_id"),
        userref=fields.integer("order_userref"),
        self_trade=_self_trade(fields),
        is_validate=fields.flag("validate"),
    )


def _refuse_unsupported(fields: _Fields, params: Params) -> None:
    fields.refuse(*_NOT_HERE, "margin", "reduce_only")
    if params.get("limit_price_type", "static") != "static":
        raise invalid("limit_price_type")
    if params.get("fee_preference", "quote") != "quote":
        raise invalid("fee_preference")


def _self_trade(fields: _Fields) -> SelfTrade:
    words: tuple[SelfTrade, ...] = get_args(SelfTrade)
    by_wire: dict[str, SelfTrade] = {word.replace("-", "_"): word for word in words}
    return by_wire[fields.one_of("stp_type", tuple(by_wire), "cancel_newest")]


def _trigger_price(params: Params, order_type: OrderType) -> Decimal | None:
    triggers = params.get("triggers")
    if triggers is None:
        if order_type in TRIGGERED_TYPES:
            raise not_found("stop_price")
        return None
    if not isinstance(triggers, Mapping):
        raise invalid("triggers")
    fields = _Fields("add_order", triggers, _TRIGGER_FIELDS)
    reference = fields.text("reference") or "last"
    if reference != "last":
        raise invalid("Index unavailable" if reference == "index" else "reference")
    if triggers.get("price_type", "static") != "static":
        raise invalid("price_type")
    price = fields.decimal("price")
    if price is None:
        raise not_found("stop_price")
    return price


def check_symbol(exchange: PaperExchange, symbol: str) -> None:
    """Only v2 names pass: `XBT/USD` does not.

    Raises:
        Refusal: `Currency pair not supported XBT/USD`.
    """
    if all(spec.symbol != symbol for spec in exchange.pairs):
        raise Refusal(f"Currency pair not supported {symbol}")


def add_order(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Place an order; the result of the answer. With `validate` its order_id is ""."""
    order = exchange.add_order(account_id, place_request(exchange, params))
    result: Result = {"order_id": order.order_id}
    if order.cl_ord_id is not None:
        result["cl_ord_id"] = order.cl_ord_id
    if order.userref is not None:
        result["order_userref"] = order.userref
    return result


def amend_order(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Change an open order in place; the result of the answer echoes the id that was used."""
    fields = _Fields("amend_order", params, _AMEND_FIELDS)
    fields.refuse("display_qty")
    for kind in ("limit_price_type", "trigger_price_type"):
        if params.get(kind, "static") != "static":
            raise invalid(kind)
    order_id, cl_ord_id = fields.text("order_id"), fields.text("cl_ord_id")
    if (order_id is None) == (cl_ord_id is None):
        raise not_found("order_id") if order_id is None else invalid("cl_ord_id")
    amend_id, _ = exchange.amend_order(
        account_id,
        AmendOrder(
            order_id=order_id,
            cl_ord_id=cl_ord_id,
            quantity=fields.decimal("order_qty"),
            limit_price=fields.decimal("limit_price"),
            trigger_price=fields.decimal("trigger_price"),
            is_post_only=fields.flag("post_only"),
            deadline=fields.deadline(exchange.now()),
        ),
    )
    named = {"order_id": order_id} if order_id is not None else {"cl_ord_id": cl_ord_id}
    return {"amend_id": amend_id, **named}


def cancel_targets(params: Params) -> list[tuple[str, str | int]]:
    """What cancel_order names, as (field, id), each to be answered on its own.

    Raises:
        Refusal: nothing is named, or an id has the wrong type.
    """
    fields = _Fields("cancel_order", params, _CANCEL_FIELDS)
    targets: list[tuple[str, str | int]] = []
    for name, kind in (("order_id", str), ("cl_ord_id", str), ("order_userref", int)):
        for each in fields.several(name):
            if isinstance(each, bool) or not isinstance(each, kind):
                raise invalid(name)
            targets.append((name, each))
    if not targets:
        raise not_found("order_id")
    return targets


def cancel_order(exchange: PaperExchange, account_id: str, target: tuple[str, str | int]) -> Result:
    """Cancel one of the targets; the result of its answer."""
    name, value = target
    if name == "order_id":
        exchange.cancel_order(account_id, order_id=str(value))
    elif name == "cl_ord_id":
        exchange.cancel_order(account_id, cl_ord_id=str(value))
    else:
        exchange.cancel_order(account_id, userref=int(value))
    return {name: value}
