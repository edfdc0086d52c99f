"""Orders over REST (section 8): parameters become requests to the engine, results Kraken's.

What this exchange does not trade (margin) is refused in Kraken's words, never silently dropped.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import cast, get_args

from zoe_tools.paper.exchange import PaperExchange
from zoe_tools.paper.order import (
    LIMIT_PRICED,
    ORDER_TYPES,
    TRIGGERED_TYPES,
    ZERO,
    AmendOrder,
    ConditionalClose,
    EditOrder,
    FeeAsset,
    OrderType,
    OrderView,
    PlaceOrder,
    Price,
    SelfTrade,
    Side,
    TimeInForce,
    TriggerReference,
)
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.rest_format import Json, amend_row, description, order_text
from zoe_tools.paper.rest_params import Params, invalid, orders_in
from zoe_tools.paper.rounding import fixed
from zoe_tools.paper.times import NS
from zoe_tools.paper.views import Principal

_LONGEST_LIFE_NS = 31 * 86_400 * NS
_SHORTEST_LIFE_S = 5
_LEAST_BATCH, _MOST_BATCH = 2, 15
_FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})


def add_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddOrder."""
    request = place_request(exchange, params)
    order = exchange.add_order(who.account_id, request)
    result: Json = {"descr": description(order, exchange.pair(request.symbol))}
    if not request.is_validate:
        result["txid"] = [order.order_id]
    return result


def add_order_batch(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddOrderBatch: all are checked before any is placed (section 8.3)."""
    pair, deadline = params.text("pair"), params.moment("deadline")
    if pair is None:
        raise invalid("pair")
    text = params.text("orders")
    members = params.members("orders") if text is None else orders_in(text)
    if not _LEAST_BATCH <= len(members) <= _MOST_BATCH:
        raise invalid("orders")
    is_validate = params.flag("validate")
    requests = [
        replace(
            place_request(exchange, member, pair=pair), deadline=deadline, is_validate=is_validate
        )
        for member in members
    ]
    spec = exchange.pair(pair)
    rows: list[Json] = []
    for order in exchange.add_batch(who.account_id, requests):
        if isinstance(order, Refusal):
            rows.append({"error": order.error})
            continue
        row: Json = {"descr": description(order, spec)}
        rows.append({"txid": order.order_id, **row} if order.order_id else row)
    return {"orders": rows}


def place_request(
    exchange: PaperExchange, params: Params, *, pair: str | None = None
) -> PlaceOrder:
    """What AddOrder's parameters ask for; the members of a batch share one `pair`.

    Raises:
        Refusal: a parameter is missing, malformed or not on offer here.
    """
    pair = pair or params.text("pair")
    if pair is None:
        raise invalid("pair")
    order_type = cast("OrderType", _one_of(params, "ordertype", ORDER_TYPES))
    is_triggered = order_type in TRIGGERED_TYPES
    price, price2 = params.price("price"), params.price("price2")
    limit = price2 if is_triggered else price
    flags = _flags(params)
    volume = _needed(params, "volume")
    expire_at = _moment(params, "expiretm", exchange.now(), least_s=_SHORTEST_LIFE_S)
    in_force = (params.text("timeinforce") or ("gtc" if expire_at is None else "gtd")).lower()
    if in_force not in get_args(TimeInForce):
        raise invalid("timeinforce")
    return PlaceOrder(
        symbol=exchange.pair(pair).symbol,
        side=cast("Side", _one_of(params, "type", get_args(Side))),
        order_type=order_type,
        quantity=ZERO if "viqc" in flags else volume,
        quote_quantity=volume if "viqc" in flags else None,
        limit_price=limit if order_type in LIMIT_PRICED else None,
        trigger_price=price if is_triggered else None,
        display_quantity=params.decimal("displayvol"),
        time_in_force=cast("TimeInForce", in_force),
        is_post_only="post" in flags,
        fee_asset=_fee_asset(flags),
        trigger_reference=_reference(params),
        leverage=_leverage(params),
        is_reduce_only=params.flag("reduce_only"),
        starts_at=_moment(params, "starttm", exchange.now()),
        expire_at=expire_at,
        deadline=params.moment("deadline"),
        cl_ord_id=params.text("cl_ord_id"),
        userref=params.integer("userref"),
        self_trade=_self_trade(params),
        close=_close(params),
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


def _flags(params: Params) -> frozenset[str]:
    flags = frozenset(params.names("oflags"))
    if flags - _FLAGS or {"fcib", "fciq"} <= flags:
        raise invalid("oflags")
    return flags


def _fee_asset(flags: frozenset[str]) -> FeeAsset | None:
    if "fcib" in flags:
        return "base"
    return "quote" if "fciq" in flags else None


def _reference(params: Params) -> TriggerReference:
    value = params.text("trigger") or "last"
    if value not in get_args(TriggerReference):
        raise invalid("trigger")
    if value == "index":
        raise Refusal("EGeneral:Invalid arguments:Index unavailable")
    return "last"


def _leverage(params: Params) -> int | None:
    """None without margin; `5` and `5:1` are the same."""
    text = (params.text("leverage") or "none").partition(":")[0]
    if text in ("none", "0", "1"):
        return None
    return Params({"leverage": text}).integer("leverage")


def _self_trade(params: Params) -> SelfTrade:
    value = params.text("stptype") or "cancel-newest"
    if value not in get_args(SelfTrade):
        raise invalid("stptype")
    return cast("SelfTrade", value)


def _close(params: Params) -> ConditionalClose | None:
    """The order that each fill opens on the other side (section 8.2); none with a client id."""
    if not params.has_group("close"):
        return None
    if params.text("cl_ord_id") is not None:
        raise invalid("cl_ord_id")
    order_type = cast("OrderType", _one_of(params, "close[ordertype]", ORDER_TYPES))
    price, price2 = params.price("close[price]"), params.price("close[price2]")
    is_triggered = order_type in TRIGGERED_TYPES
    return ConditionalClose(
        order_type=order_type,
        limit_price=price2 if is_triggered else price,
        trigger_price=price if is_triggered else None,
    )


def _moment(params: Params, name: str, now: int, *, least_s: int = 0) -> int | None:
    """`0` is none, `+s` from now (`least_s` at least), else unix seconds; at most a month ahead."""
    text = params.text(name)
    if text is None or text in ("0", "+0"):
        return None
    at = params.seconds(name)
    if at is None:
        return None
    is_relative = text.startswith("+")
    if is_relative and at < least_s * NS:
        raise invalid(name)
    at = now + at if is_relative else at
    if at > now + _LONGEST_LIFE_NS:
        raise invalid(name)
    return at


def amend_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AmendOrder."""
    order_id, cl_ord_id = params.text("txid"), params.text("cl_ord_id")
    if (order_id is None) == (cl_ord_id is None):
        raise invalid("txid")
    request = AmendOrder(
        order_id=order_id,
        cl_ord_id=cl_ord_id,
        quantity=params.decimal("order_qty"),
        display_quantity=params.decimal("display_qty"),
        limit_price=params.price("limit_price"),
        trigger_price=params.price("trigger_price"),
        is_post_only=params.flag("post_only"),
        deadline=params.moment("deadline"),
    )
    amend_id, _ = exchange.amend_order(who.account_id, request)
    return {"amend_id": amend_id}


def order_amends(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """OrderAmends: the trail of one order, oldest first; empty where it never changed."""
    order_id = params.text("order_id")
    order = None if order_id is None else exchange.order(who.account_id, order_id)
    if order is None:
        raise Refusal("EOrder:Unknown order")
    spec = exchange.pair(order.symbol)
    rows = [amend_row(row, spec) for row in exchange.amends_of(who.account_id, order.order_id)]
    return {"count": len(rows), "amends": rows}


def edit_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """EditOrder: a new order in the place of the old one (section 8.5)."""
    pair, named = params.text("pair"), params.text("txid")
    if pair is None or named is None:
        raise invalid("pair" if pair is None else "txid")
    spec = exchange.pair(pair)
    flags = _flags(params)
    userref = as_userref(named)
    limit, trigger = _edited_prices(exchange, who, params, named, userref)
    request = EditOrder(
        symbol=spec.symbol,
        order_id=None if userref is not None else named,
        userref=userref,
        quantity=params.decimal("volume"),
        display_quantity=params.decimal("displayvol"),
        limit_price=limit,
        trigger_price=trigger,
        is_post_only="post" in flags if flags else None,
        userref_new=params.integer("userref"),
        deadline=params.moment("deadline"),
        is_validate=params.flag("validate"),
    )
    old, new = exchange.edit_order(who.account_id, request)
    first, second = new.limit_price, None
    if new.order_type in TRIGGERED_TYPES:
        first, second = new.trigger_price, new.limit_price
    result: Json = {
        "status": "ok",
        "originaltxid": old.order_id,
        "volume": fixed(new.quantity, spec.lot_decimals),
        "price": "0" if first is None else fixed(first, spec.pair_decimals),
        "price2": "0" if second is None else fixed(second, spec.pair_decimals),
        "orders_cancelled": 0 if request.is_validate else 1,
        "descr": {"order": order_text(new, spec)},
    }
    return result if request.is_validate else {"txid": new.order_id, **result}


def _edited_prices(
    exchange: PaperExchange, who: Principal, params: Params, named: str, userref: int | None
) -> tuple[Price | None, Price | None]:
    """(limit, trigger): which price is which depends on the type of the order that is edited."""
    price, price2 = params.price("price"), params.price("price2")
    order = _named(exchange, who, named, userref)
    if order is not None and order.order_type in TRIGGERED_TYPES:
        return price2, price
    return price, None


def _named(
    exchange: PaperExchange, who: Principal, named: str, userref: int | None
) -> OrderView | None:
    if userref is None:
        return exchange.order(who.account_id, named)
    found = [one for one in exchange.open_orders(who.account_id) if one.userref == userref]
    return found[0] if len(found) == 1 else None


def as_userref(name: str | None) -> int | None:
    """A user reference, where an order may be named by its id or by one."""
    if name is None or not name.lstrip("-").isascii() or not name.lstrip("-").isdigit():
        return None
    return Params({"userref": name}).integer("userref")
