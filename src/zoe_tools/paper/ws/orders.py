"""Orders over the private socket: parameters in, requests to the exchange, results out.

It reads fields as the socket does; what they mean is the order requests' to say, whether an order
is allowed the engine's. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

from zoe_tools.paper.engine.order_requests import CloseWords, OrderWords, placed_from
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import (
    TRAILING,
    AmendOrder,
    EditOrder,
    FeeAsset,
    OrderView,
    PlaceOrder,
    Price,
    RelativePrice,
)
from zoe_tools.paper.values.refusal import invalid
from zoe_tools.paper.ws.fields import (
    Fields,
    Params,
    PriceUnit,
    Result,
    SocketWording,
    not_found,
)

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
_EDIT_FIELDS = frozenset(
    {
        *("token", "order_id", "symbol", "order_qty", "limit_price", "display_qty", "triggers"),
        *("fee_preference", "order_userref", "post_only", "reduce_only", "deadline", "validate"),
        "no_mpp",
    }
)
_TRIGGER_FIELDS = frozenset({"reference", "price", "price_type"})
_CLOSE_FIELDS = frozenset(
    {"order_type", "limit_price", "limit_price_type", "trigger_price", "trigger_price_type"}
)
_FEES: tuple[FeeAsset, ...] = ("base", "quote")
_MOST_LEVERAGE = 5
"""`margin: true` asks for the most that the pair has, and never for more: a leverage itself cannot
be said here."""
_WORDING = SocketWording(
    {
        "quantity": "order_qty",
        "quote_quantity": "cash_order_qty",
        "trigger_price": "stop_price",
        "trigger_reference": "reference",
        "fee_asset": "fee_preference",
        "starts_at": "effective_time",
        "expire_at": "expire_time",
        "self_trade": "stp_type",
        "close_type": "order_type",
    }
)


def place_request(exchange: PaperExchange, params: Params) -> PlaceOrder:
    """The order that add_order's parameters describe.

    Raises:
        Refusal: a field is missing or malformed; nothing was sent to the engine.
    """
    fields = Fields("add_order", params, _ADD_FIELDS)
    order_type = fields.text("order_type")
    triggers = fields.within("triggers", _TRIGGER_FIELDS)
    now = exchange.now()
    fields.flag("no_mpp")
    symbol, side = fields.symbol(exchange), fields.text("side")
    words = OrderWords(
        symbol=symbol,
        side=side,
        order_type=order_type,
        quantity=fields.decimal("order_qty"),
        quote_quantity=fields.decimal("cash_order_qty"),
        limit_price=_limit_price(fields, order_type),
        trigger_price=_trigger_price(triggers),
        display_quantity=fields.decimal("display_qty"),
        time_in_force=fields.text("time_in_force"),
        is_post_only=fields.flag("post_only"),
        fee_asset=fields.text("fee_preference"),
        trigger_reference=None if triggers is None else triggers.text("reference"),
        leverage=_leverage(exchange.pair(symbol), side) if fields.flag("margin") else None,
        is_reduce_only=fields.flag("reduce_only"),
        starts_at=fields.time("effective_time"),
        expire_at=fields.time("expire_time"),
        deadline=fields.deadline(exchange.told_now()),
        cl_ord_id=fields.text("cl_ord_id"),
        userref=fields.integer("order_userref"),
        self_trade=_dashed(fields, "stp_type"),
        close=_close(fields),
        is_validate=fields.flag("validate"),
        sender_sub_id=fields.text("sender_sub_id"),
    )
    quirks = exchange.quirks
    if words.time_in_force == "fok" and not quirks.socket_takes_fok:
        raise _WORDING.wrong("time_in_force")
    return placed_from(words, _WORDING, now, quirks)


def _leverage(spec: PairSpec, side: str | None) -> int:
    offered = spec.leverage_sell if side == "sell" else spec.leverage_buy
    return max((one for one in offered if one <= _MOST_LEVERAGE), default=_MOST_LEVERAGE)


def _limit_price(fields: Fields, order_type: str | None) -> Price | None:
    """Only a trailing stop's limit is a distance: from its trigger, in quote if not told."""
    is_distance = order_type == "trailing-stop-limit"
    price = fields.price("limit_price", default="quote" if is_distance else "static")
    if price is not None and is_distance != isinstance(price, RelativePrice):
        raise invalid("limit_price_type")
    return price


def _trigger_price(triggers: Fields | None) -> Price | None:
    return None if triggers is None else triggers.price("price", "price_type")


def _dashed(fields: Fields, name: str) -> str | None:
    """The engine's word for the socket's, which has underscores."""
    text = fields.text(name)
    if text is not None and "-" in text:
        raise invalid(name)
    return None if text is None else text.replace("_", "-")


def _close(fields: Fields) -> CloseWords | None:
    close = fields.within("conditional", _CLOSE_FIELDS)
    if close is None:
        return None
    order_type = close.text("order_type")
    unit: PriceUnit = "quote" if order_type == "trailing-stop-limit" else "static"
    return CloseWords(
        order_type=order_type,
        limit_price=close.price("limit_price", default=unit),
        trigger_price=close.price("trigger_price"),
    )


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
    order_id, cl_ord_id = fields.text("order_id"), fields.text("cl_ord_id")
    if (order_id is None) == (cl_ord_id is None):
        raise not_found("order_id") if order_id is None else invalid("cl_ord_id")
    if fields.has("symbol"):
        fields.symbol(exchange)
    unit = _unit_of(exchange.open_order(account_id, order_id=order_id, cl_ord_id=cl_ord_id))
    request = AmendOrder(
        order_id=order_id,
        cl_ord_id=cl_ord_id,
        quantity=fields.decimal("order_qty"),
        display_quantity=fields.decimal("display_qty"),
        limit_price=fields.price("limit_price", default=unit),
        trigger_price=fields.price("trigger_price", default=unit),
        is_post_only=fields.flag("post_only"),
        deadline=fields.deadline(exchange.told_now()),
    )
    amend_id, _ = exchange.amend_order(account_id, request)
    named = {"order_id": order_id} if order_id is not None else {"cl_ord_id": cl_ord_id}
    return {"amend_id": amend_id, **named}


def _unit_of(order: OrderView | None) -> PriceUnit:
    """What a price without a unit means: a trailing stop that waits knows distances only."""
    is_trailing = order is not None and order.order_type in TRAILING and order.waits_for_trigger
    return "quote" if is_trailing else "static"


def edit_order(exchange: PaperExchange, account_id: str, params: Params) -> Result:
    """Cancel an order for a new one (section 8.5); the result names both."""
    fields = Fields("edit_order", params, _EDIT_FIELDS)
    symbol, order_id = fields.symbol(exchange), fields.text("order_id")
    if order_id is None:
        raise not_found("order_id")
    fields.flag("no_mpp")
    old = exchange.open_order(account_id, order_id=order_id)
    if fields.flag("reduce_only") and not (old is not None and old.is_reduce_only):
        raise invalid("reduce_only")
    triggers = fields.within("triggers", _TRIGGER_FIELDS)
    fee = fields.one_of("fee_preference", _FEES) if fields.has("fee_preference") else None
    unit = _unit_of(old)
    request = EditOrder(
        symbol=symbol,
        order_id=order_id,
        quantity=fields.decimal("order_qty"),
        display_quantity=fields.decimal("display_qty"),
        limit_price=fields.price("limit_price", default=unit),
        trigger_price=None if triggers is None else triggers.price("price", "price_type", unit),
        is_post_only=fields.flag("post_only") if fields.has("post_only") else None,
        fee_asset=fee,
        userref_new=fields.integer("order_userref"),
        deadline=fields.deadline(exchange.told_now()),
        is_validate=fields.flag("validate"),
    )
    ended, new = exchange.edit_order(account_id, request)
    return {"order_id": new.order_id, "original_order_id": ended.order_id}
