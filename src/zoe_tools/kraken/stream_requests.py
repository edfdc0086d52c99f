"""Requests of WebSocket v2: their JSON, and orders as the parameters of its trading methods.

Pure. Numbers stand bare and exact in the text; a value that does not fit the instrument is refused
before a byte leaves, by the same rules as over REST. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Literal, cast

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderEdit,
    OrderRequest,
    OrderTerms,
    PriceOffset,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken import order_rules as rules
from zoe_tools.kraken.order_answers import NewOrder

EARLIEST_DEADLINE = timedelta(milliseconds=500)
"""The socket takes nearer deadlines than REST does."""
NEAREST_BY_SOCKET_S = 0.7
"""With a fifth of a second for the way there."""

OrderMethod = Literal[
    "add_order",
    "amend_order",
    "edit_order",
    "cancel_order",
    "cancel_all",
    "cancel_all_orders_after",
    "batch_add",
    "batch_cancel",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number to be printed bare: strings are refused where Kraken wants a number."""

    text: str


def order_params(request: OrderRequest, instrument: Instrument) -> dict[str, object]:
    """The parameters of an order besides symbol, name, deadline, `validate` and token.

    Fees are asked for in quote unless told.

    Raises:
        VenueRejected: the request cannot be expressed.
        VenueUnavailable: only REST can say it.
    """
    terms = rules.check(request)  # what REST could not say is not said here either
    if terms.leverage is not None or request.time_in_force is TimeInForce.FOK:
        raise only_rest("leverage or fill-or-kill")
    quantity = "cash_order_qty" if terms.is_quantity_in_quote else "order_qty"
    params: dict[str, object] = {
        "order_type": request.order_type.value,
        "side": request.side.value,
        quantity: Number(rules.volume_text(request, instrument)),
        "fee_preference": terms.fee_in,
    }
    prices = rules.prices_of(request, terms)
    params |= _limit(prices, instrument, is_trailing=request.order_type.is_trailing)
    if prices.trigger is not None:
        price, unit = _number(prices.trigger, instrument)
        params["triggers"] = {"reference": terms.trigger_by, "price": price, "price_type": unit}
    if request.time_in_force is not TimeInForce.GTC:
        params["time_in_force"] = request.time_in_force.value
    if request.post_only:
        params["post_only"] = True
    if request.reduce_only:
        params["reduce_only"] = True
    return params | _terms(request, terms, instrument) if request.terms is not None else params


def only_rest(what: str) -> VenueUnavailable:
    """The socket has no words for it, so provably nothing left by it."""
    return VenueUnavailable(f"The socket cannot say {what}: nothing was sent.")


def add_order_params(
    request: OrderRequest,
    instrument: Instrument,
    *,
    client_order_id: ClientOrderId | None,
    deadline: datetime,
    now: datetime,
) -> dict[str, object]:
    """The parameters of add_order, without the token.

    Raises:
        VenueRejected: the request cannot be expressed, or has not one name.
        VenueUnavailable: only REST can say it, or its deadline is too near.
    """
    params = _named(request, instrument, client_order_id)
    params["symbol"] = request.symbol
    params["deadline"] = rules.deadline_text(deadline, now, earliest=EARLIEST_DEADLINE)
    return params


def check_order_params(request: OrderRequest, instrument: Instrument) -> dict[str, object]:
    """The parameters of an add_order that is only checked; raises as `order_params` does."""
    return order_params(request, instrument) | {"symbol": request.symbol, "validate": True}


def batch_add_params(
    orders: Sequence[NewOrder],
    instrument: Instrument,
    *,
    deadline: datetime,
    now: datetime,
    is_check: bool = False,
) -> dict[str, object]:
    """The parameters of batch_add, without the token; raises as `add_order_params` does."""
    params: dict[str, object] = {
        "symbol": instrument.symbol,
        "orders": [_named(request, instrument, client_id) for client_id, request in orders],
        "deadline": rules.deadline_text(deadline, now, earliest=EARLIEST_DEADLINE),
    }
    return params | {"validate": True} if is_check else params


def _named(
    request: OrderRequest, instrument: Instrument, client_order_id: ClientOrderId | None
) -> dict[str, object]:
    terms = request.terms or rules.NO_TERMS
    rules.check_name(terms, client_order_id)
    params = order_params(request, instrument)
    if terms.userref is None:
        return params | {"cl_ord_id": client_order_id}
    return params | {"order_userref": terms.userref}


def _number(price: rules.Price, instrument: Instrument) -> tuple[Number, str]:
    """A price and its unit; an offset is a signed number."""
    if isinstance(price, Decimal):
        return Number(rules.price_text(price, instrument)), "static"
    if price.direction == "#":
        raise only_rest("an offset without a sign")
    sign = "-" if price.direction == "-" else ""
    number = Number(sign + rules.offset_text(price, instrument))
    return number, "pct" if price.is_percent else "quote"


def _limit(prices: rules.Prices, instrument: Instrument, *, is_trailing: bool) -> dict[str, object]:
    """A limit price; only a trailing stop's is an offset, which says its unit."""
    if prices.limit is None:
        return {}
    if isinstance(prices.limit, PriceOffset) and not is_trailing:
        raise only_rest("the offset of a limit price")
    number, unit = _number(prices.limit, instrument)
    return {"limit_price": number} | ({"limit_price_type": unit} if is_trailing else {})


def _terms(request: OrderRequest, terms: OrderTerms, instrument: Instrument) -> dict[str, object]:
    params: dict[str, object] = {}
    if terms.display_quantity is not None:
        params["display_qty"] = _quantity(terms.display_quantity, instrument)
    for name, at in (("effective_time", terms.starts_at), ("expire_time", terms.expires_at)):
        if at is not None:
            params[name] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if terms.self_trade is not None:
        params["stp_type"] = terms.self_trade.value.replace("-", "_")
    if terms.close is not None:
        params["conditional"] = _close(terms.close, request.side, instrument)
    return params


def _close(close: ConditionalClose, side: Side, instrument: Instrument) -> dict[str, object]:
    """The order that closes one of this side; either of its prices may be an offset."""
    params: dict[str, object] = {"order_type": close.order_type.value}
    prices = rules.close_prices_of(close, side)
    for name, price in (("limit_price", prices.limit), ("trigger_price", prices.trigger)):
        if price is not None:
            params[name], unit = _number(price, instrument)
            if unit != "static":
                params[f"{name}_type"] = unit
    return params


def amend_order_params(
    amendment: OrderAmendment, instrument: Instrument, *, deadline: datetime, now: datetime
) -> dict[str, object]:
    """The parameters of amend_order, without the token: what is to change, and nothing else.

    Raises:
        VenueRejected: nothing is to change, or a value does not fit.
        VenueUnavailable: only REST can say it, or the deadline is too near.
    """
    params: dict[str, object] = {}
    prices = rules.amend_prices_of(amendment)
    if amendment.quantity is not None:
        params["order_qty"] = _quantity(amendment.quantity, instrument)
    params |= _limit(prices, instrument, is_trailing=False)
    if prices.trigger is not None:
        params["trigger_price"], unit = _number(prices.trigger, instrument)
        if unit != "static":
            params["trigger_price_type"] = unit
    if amendment.display_quantity is not None:
        params["display_qty"] = _quantity(amendment.display_quantity, instrument)
    if not params:
        raise rules.refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
    if amendment.post_only:
        params["post_only"] = True
    params["order_id"] = amendment.venue_order_id
    params["deadline"] = rules.deadline_text(deadline, now, earliest=EARLIEST_DEADLINE)
    return params


def edit_order_params(
    edit: OrderEdit,
    instrument: Instrument,
    *,
    deadline: datetime,
    now: datetime,
    is_check: bool = False,
) -> dict[str, object]:
    """The parameters of edit_order, without the token: what is to change, and nothing else.

    Raises:
        VenueRejected: as `order_params.check_edit`, or a value does not fit.
        VenueUnavailable: only REST can say it, or the deadline is too near.
    """
    prices = rules.check_edit(edit)
    if isinstance(prices.limit, PriceOffset):
        raise only_rest("the offset of an edited limit price")
    params: dict[str, object] = {"order_id": edit.venue_order_id, "symbol": instrument.symbol}
    if edit.quantity is not None:
        params["order_qty"] = _quantity(edit.quantity, instrument)
    if edit.display_quantity is not None:
        params["display_qty"] = _quantity(edit.display_quantity, instrument)
    params |= _limit(prices, instrument, is_trailing=False)
    if prices.trigger is not None:
        price, unit = _number(prices.trigger, instrument)
        params["triggers"] = {"price": price, "price_type": unit}
    if edit.post_only:
        params["post_only"] = True
    if edit.userref is not None:
        params["order_userref"] = edit.userref
    params["deadline"] = rules.deadline_text(deadline, now, earliest=EARLIEST_DEADLINE)
    return params | {"validate": True} if is_check else params


def _quantity(quantity: Decimal, instrument: Instrument) -> Number:
    return Number(rules.quantity_text(quantity, instrument))


def json_text(value: object) -> str:
    """JSON in which a `Number` stands bare, digit by digit as given.

    Raises:
        TypeError: a float or a Decimal, whose digits would be somebody else's choice.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(cast("str", value))
    if kind is Number:
        return cast("Number", value).text
    match value:
        case dict():
            rows = [
                f"{encode_basestring_ascii(str(key))}:{json_text(each)}"
                for key, each in value.items()
            ]
            return f"{{{','.join(rows)}}}"
        case list() | tuple():
            return f"[{','.join([json_text(each) for each in value])}]"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():  # a text of ours that is a class of its own, as a name of an order type is
            return encode_basestring_ascii(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a request")
