"""Orders over REST (section 8): parameters become requests to the engine, results Kraken's.

What this exchange does not trade is refused in Kraken's words, never silently dropped.
"""

from __future__ import annotations

from msgspec.structs import replace

from zoe_tools.paper.engine.order_requests import CloseWords, OrderWords, Wording, placed_from
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.rest.format import Json, amend_row, description, order_text
from zoe_tools.paper.rest.params import Params, invalid, orders_in
from zoe_tools.paper.values.order import (
    LIMIT_PRICED,
    TRIGGERED_TYPES,
    AmendOrder,
    EditOrder,
    FeeAsset,
    OrderView,
    PlaceOrder,
    Price,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import Principal

_SHORTEST_LIFE_S = 5
_LEAST_BATCH, _MOST_BATCH = 2, 15
_FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})
_WORDING = Wording(
    {
        "side": "type",
        "order_type": "ordertype",
        "quantity": "volume",
        "quote_quantity": "volume",
        "limit_price": "price",
        "trigger_price": "price",
        "time_in_force": "timeinforce",
        "trigger_reference": "trigger",
        "starts_at": "starttm",
        "expire_at": "expiretm",
        "self_trade": "stptype",
        "close_type": "close[ordertype]",
    }
)


def add_order(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddOrder."""
    request = place_request(exchange, params)
    order = exchange.add_order(who.account_id, request)
    asked = replace(order, quantity=request.quantity) if _is_settlement(request) else order
    result: Json = {"descr": description(asked, exchange.pair(request.symbol))}
    if not request.is_validate:
        result["txid"] = [order.order_id]
    return result


def _is_settlement(request: PlaceOrder) -> bool:
    return request.order_type == "settle-position"


def add_order_batch(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """AddOrderBatch: all are checked before any is placed (section 8.3)."""
    pair, deadline = params.text("pair"), params.deadline(exchange.told_now())
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
    now = exchange.now()
    order_type = params.text("ordertype")
    limit, trigger = _prices(params, order_type, ("price", "price2"))
    flags = _flags(params)
    volume = params.decimal("volume")
    words = OrderWords(
        symbol=exchange.pair(pair).symbol,
        side=params.text("type"),
        order_type=order_type,
        quantity=None if "viqc" in flags else volume,
        quote_quantity=volume if "viqc" in flags else None,
        limit_price=limit if order_type in LIMIT_PRICED else None,
        trigger_price=trigger,
        display_quantity=params.decimal("displayvol"),
        time_in_force=_lowered(params.text("timeinforce")),
        is_post_only="post" in flags,
        fee_asset=_fee_asset(flags),
        trigger_reference=params.text("trigger"),
        leverage=_leverage(params),
        is_reduce_only=params.flag("reduce_only"),
        starts_at=_moment(params, "starttm", now),
        expire_at=_moment(params, "expiretm", now, least_s=_SHORTEST_LIFE_S),
        deadline=params.deadline(exchange.told_now()),
        cl_ord_id=params.text("cl_ord_id"),
        userref=params.integer("userref"),
        self_trade=params.text("stptype"),
        close=_close(params),
        is_validate=params.flag("validate"),
    )
    return placed_from(words, _WORDING, now, exchange.quirks)


def _prices(
    params: Params, order_type: str | None, names: tuple[str, str]
) -> tuple[Price | None, Price | None]:
    """(limit, trigger): what has a trigger names it first, and its limit second."""
    first, second = (params.price(name) for name in names)
    return (second, first) if order_type in TRIGGERED_TYPES else (first, None)


def _lowered(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _flags(params: Params) -> frozenset[str]:
    flags = frozenset(params.names("oflags"))
    if flags - _FLAGS or {"fcib", "fciq"} <= flags:
        raise invalid("oflags")
    return flags


def _fee_asset(flags: frozenset[str]) -> FeeAsset | None:
    if "fcib" in flags:
        return "base"
    return "quote" if "fciq" in flags else None


def _leverage(params: Params) -> int | None:
    """None without margin; `5` and `5:1` are the same."""
    text = (params.text("leverage") or "none").partition(":")[0]
    if text in ("none", "0", "1"):
        return None
    return Params({"leverage": text}).integer("leverage")


def _close(params: Params) -> CloseWords | None:
    if not params.has_group("close"):
        return None
    order_type = params.text("close[ordertype]")
    limit, trigger = _prices(params, order_type, ("close[price]", "close[price2]"))
    return CloseWords(order_type=order_type, limit_price=limit, trigger_price=trigger)


def _moment(params: Params, name: str, now: int, *, least_s: int = 0) -> int | None:
    """`0` is none, `+s` from now (`least_s` at least), else unix seconds."""
    text = params.text(name)
    if text is None or text in ("0", "+0"):
        return None
    at = params.seconds(name)
    if at is None:
        return None
    is_relative = text.startswith("+")
    if is_relative and at < least_s * NS:
        raise invalid(name)
    return now + at if is_relative else at


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
        deadline=params.deadline(exchange.told_now()),
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
        deadline=params.deadline(exchange.told_now()),
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
    """Which price is which depends on the type of the order that is edited."""
    order = _named(exchange, who, named, userref)
    return _prices(params, None if order is None else order.order_type, ("price", "price2"))


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
