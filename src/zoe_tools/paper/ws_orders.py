"""The trading methods of the private socket: parameters in, requests to the exchange, results out.

It parses and words its complaints as the socket does; whether an order is allowed is the engine's
to judge. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import get_args

from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.order import (
    LIMIT_PRICED,
    ORDER_TYPES,
    TRIGGERED_TYPES,
    AmendOrder,
    OrderType,
    OrderView,
    PlaceOrder,
    SelfTrade,
    Side,
    TimeInForce,
)
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.ws_fields import Fields, Params, Result, invalid, not_found

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
_TOKEN_ALONE = frozenset({"token"})
_BATCH_CANCEL_FIELDS = frozenset({"token", "orders", "cl_ord_id"})
_BATCH_LEAST = 2
_CANCELS_MOST = 50
_NOT_OPEN = ("EOrder:Invalid order", "EOrder:Unknown order")
_CANCEL_FIELDS = frozenset({"token", "order_id", "cl_ord_id", "order_userref"})
_TRIGGER_FIELDS = frozenset({"reference", "price", "price_type"})
_NOT_HERE = ("cash_order_qty", "effective_time", "display_qty", "conditional")
"""Fields that Kraken has and this exchange does not: refused by name, never passed over."""


def token_of(params: Params) -> str:
    """The token of a request.

    Raises:
        Refusal: `Token(s) not found`.
    """
    token = params.get("token")
    if not isinstance(token, str):
        raise not_found("token")
    return token


def place_request(exchange: PaperExchange, params: Params) -> PlaceOrder:
    """The order that add_order's parameters describe.

    Raises:
        Refusal: a field is missing, malformed or not supported; nothing was sent to the engine.
    """
    fields = Fields("add_order", params, _ADD_FIELDS)
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


def _refuse_unsupported(fields: Fields, params: Params) -> None:
    fields.refuse(*_NOT_HERE, "margin", "reduce_only")
    if params.get("limit_price_type", "static") != "static":
        raise invalid("limit_price_type")
    if params.get("fee_preference", "quote") != "quote":
        raise invalid("fee_preference")


def _self_trade(fields: Fields) -> SelfTrade:
    words: tuple[SelfTrade, ...] = get_args(SelfTrade)
    by_wire: dict[str, SelfTrade] = {word.replace("-", "_"): word for word in words}
    return by_wire[fields.one_of("stp_type", tuple(by_wire), "cancel_newest")]


def _trigger_price(params: Params, order_type: OrderType) -> Decimal | None:
    fields = Fields.within(params, "triggers", _TRIGGER_FIELDS, "add_order")
    if fields is None:
        if order_type in TRIGGERED_TYPES:
            raise not_found("stop_price")
        return None
    reference = fields.text("reference") or "last"
    if reference != "last":
        raise invalid("Index unavailable" if reference == "index" else "reference")
    if fields.text("price_type") not in (None, "static"):
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
    return placed(exchange.add_order(account_id, place_request(exchange, params)))


def placed(order: OrderView) -> Result:
    """What an answer says of an order that was placed."""
    result: Result = {"order_id": order.order_id}
    if order.cl_ord_id is not None:
        result["cl_ord_id"] = order.cl_ord_id
    if order.userref is not None:
        result["order_userref"] = order.userref
    return result


def amend_order(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Change an open order in place; the result of the answer echoes the id that was used."""
    fields = Fields("amend_order", params, _AMEND_FIELDS)
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
    fields = Fields("cancel_order", params, _CANCEL_FIELDS)
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


def cancel_all(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Cancel every open order."""
    Fields("cancel_all", params, _TOKEN_ALONE)
    return {"count": exchange.cancel_all(account_id)}


def batch_cancel(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Cancel 2 to 50 orders by id, userref (as text) or cl_ord_id; how many there were.

    Raises:
        Refusal: too few or too many ids, one of a wrong type, or none of them open.
    """
    fields = Fields("batch_cancel", params, _BATCH_CANCEL_FIELDS)
    orders, own_ids = fields.several("orders"), fields.several("cl_ord_id")
    if not orders and not own_ids:
        raise not_found("orders")
    for name, ids in (("orders", orders), ("cl_ord_id", own_ids)):
        if not all(isinstance(each, str) for each in ids):
            raise invalid(name)
    if not _BATCH_LEAST <= len(orders) + len(own_ids) <= _CANCELS_MOST:
        raise invalid("orders")
    count = 0
    for name, each in (
        *((_kind_of(each), each) for each in orders),
        *(("cl_ord_id", each) for each in own_ids),
    ):
        count += _canceled(exchange, account_id, name, each)
    if not count:
        raise Refusal("EOrder:Invalid order")
    return {"count": count}


def _kind_of(text: str) -> str:
    return "order_userref" if text.lstrip("-").isdecimal() else "order_id"


def _canceled(exchange: PaperExchange, account_id: str, name: str, text: str) -> int:
    """How many orders one id of a batch ended; one that is not open ends none."""
    try:
        match name:
            case "order_userref":
                ended = exchange.cancel_order(account_id, userref=int(text))
            case "cl_ord_id":
                ended = exchange.cancel_order(account_id, cl_ord_id=text)
            case _:
                ended = exchange.cancel_order(account_id, order_id=text)
    except Refusal as refusal:
        if refusal.error not in _NOT_OPEN:
            raise
        return 0
    return len(ended)


Execute = Callable[[PaperExchange, str, Params], Result | list[Result]]
_MODIFY = ("modify-trades",)
_CLOSE = ("close-trades", "modify-trades")
TRADING: dict[str, tuple[tuple[str, ...], Execute]] = {
    "add_order": (_MODIFY, add_order),
    "amend_order": (_MODIFY, amend_order),
    "cancel_all": (_CLOSE, cancel_all),
    "batch_cancel": (_CLOSE, batch_cancel),
}
"""Every method with one answer: which permissions it needs any of, and what does it."""
