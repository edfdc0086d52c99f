"""Trading over REST (section 8): parameters become requests to the engine, results Kraken's.

What this exchange does not trade (margin, icebergs, trailing stops, conditional closes) is refused
in Kraken's words, never silently dropped.
"""

from __future__ import annotations

from decimal import Decimal
from typing import cast, get_args

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
from zoe_tools.paper.rest_format import Json, order_text
from zoe_tools.paper.rest_params import Params, invalid
from zoe_tools.paper.times import NS
from zoe_tools.paper.views import Principal

_MOST_IDS = 50
_LONGEST_LIFE_NS = 31 * 86_400 * NS


def add_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddOrder."""
    request = place_request(exchange, params)
    spec = exchange.pair(request.symbol)
    order = exchange.add_order(who.account_id, request)
    result: Json = {"descr": {"order": order_text(order, spec)}}
    if not request.is_validate:
        result["txid"] = [order.order_id]
    return result


def place_request(exchange: PaperExchange, params: Params) -> PlaceOrder:
    """What AddOrder's parameters ask for.

    Raises:
        Refusal: a parameter is missing, malformed or not on offer here.
    """
    _refuse_unsupported(params)
    pair = params.text("pair")
    if pair is None:
        raise invalid("pair")
    order_type = _one_of(params, "ordertype", ORDER_TYPES)
    side = _one_of(params, "type", get_args(Side))
    price, price2 = params.decimal("price"), params.decimal("price2")
    is_triggered = order_type in TRIGGERED_TYPES
    limit = price2 if is_triggered else price
    expire_at = _expiry(params, exchange.now())
    in_force = (params.text("timeinforce") or ("gtc" if expire_at is None else "gtd")).lower()
    if in_force not in get_args(TimeInForce):
        raise invalid("timeinforce")
    return PlaceOrder(
        symbol=exchange.pair(pair).symbol,
        side=cast("Side", side),
        order_type=cast("OrderType", order_type),
        quantity=_needed(params, "volume"),
        limit_price=limit if order_type in LIMIT_PRICED else None,
        trigger_price=price if is_triggered else None,
        time_in_force=cast("TimeInForce", in_force),
        is_post_only="post" in params.names("oflags"),
        expire_at=expire_at,
        deadline=params.moment("deadline"),
        cl_ord_id=params.text("cl_ord_id"),
        userref=params.integer("userref"),
        self_trade=_self_trade(params),
        is_validate=params.flag("validate"),
    )


def _needed(params: Params, name: str) -> Decimal:
    value = params.decimal(name)
    if value is None:
        raise invalid(name)
    return value


def _one_of(params: Params, name: str, allowed: tuple[str, ...]) -> str:
    value = params.text(name)
    if value not in allowed:
        raise invalid(name)
    return value


def _self_trade(params: Params) -> SelfTrade:
    value = params.text("stptype") or "cancel-newest"
    if value not in get_args(SelfTrade):
        raise invalid("stptype")
    return cast("SelfTrade", value)


def _refuse_unsupported(params: Params) -> None:
    if (params.text("leverage") or "none") not in ("none", "0", "1"):
        raise Refusal("EOrder:Cannot open position")
    if params.flag("reduce_only"):
        raise Refusal("EOrder:Reduce only:No position exists")
    if (params.text("trigger") or "last") != "last":
        raise Refusal("EGeneral:Invalid arguments:Index unavailable")
    if params.has_group("close"):
        raise invalid("close")
    if (params.text("starttm") or "0") not in ("0", "+0"):
        raise invalid("starttm")
    if params.text("displayvol") is not None:
        raise invalid("displayvol")
    if set(params.names("oflags")) - {"post", "fciq", "nompp"}:
        raise invalid("oflags")


def _expiry(params: Params, now: int) -> int | None:
    text = params.text("expiretm")
    if text is None or text == "0":
        return None
    at = params.seconds("expiretm")
    if at is None:
        return None
    at = now + at if text.startswith("+") else at
    if at > now + _LONGEST_LIFE_NS:
        raise invalid("expiretm")
    return at


def amend_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AmendOrder."""
    order_id, cl_ord_id = params.text("txid"), params.text("cl_ord_id")
    if (order_id is None) == (cl_ord_id is None):
        raise invalid("txid")
    if params.text("display_qty") is not None:
        raise invalid("display_qty")
    request = AmendOrder(
        order_id=order_id,
        cl_ord_id=cl_ord_id,
        quantity=params.decimal("order_qty"),
        limit_price=params.decimal("limit_price"),
        trigger_price=params.decimal("trigger_price"),
        is_post_only=params.flag("post_only"),
        deadline=params.moment("deadline"),
    )
    amend_id, _ = exchange.amend_order(who.account_id, request)
    return {"amend_id": amend_id}


def cancel_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """CancelOrder: by txid, userref or client id."""
    named, cl_ord_id = params.text("txid"), params.text("cl_ord_id")
    if (named is None) == (cl_ord_id is None):
        raise invalid("txid")
    ended = exchange.cancel_order(
        who.account_id,
        order_id=named,
        cl_ord_id=cl_ord_id,
        userref=_as_userref(named),
    )
    return {"count": len(ended)}


def _as_userref(name: str | None) -> int | None:
    if name is None or not name.lstrip("-").isascii() or not name.lstrip("-").isdigit():
        return None
    return Params({"userref": name}).integer("userref")


def cancel_order_batch(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """CancelOrderBatch: counts what was open of up to fifty ids."""
    named, client_ids = params.names("orders"), params.names("cl_ord_ids")
    if not 1 <= len(named) + len(client_ids) <= _MOST_IDS:
        raise invalid("orders")
    count = 0
    for order in exchange.open_orders(who.account_id):
        is_named = order.order_id in named or str(order.userref) in named
        if is_named or order.cl_ord_id in client_ids:
            count += len(exchange.cancel_order(who.account_id, order_id=order.order_id))
    return {"count": count}


def cancel_all(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """CancelAll."""
    return {"count": exchange.cancel_all(who.account_id)}
