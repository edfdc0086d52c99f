"""Requests of WebSocket v2: their JSON, and orders as the parameters of its trading methods.

Pure. Numbers stand bare and exact in the text; a value that does not fit the instrument is refused
before a byte leaves, by the same rules as over REST. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderRequest,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken.order_params import (
    check,
    deadline_text,
    limit_offset,
    price_text,
    quantity_text,
    refused,
    volume_text,
)

EARLIEST_DEADLINE = timedelta(milliseconds=500)
"""The socket takes nearer deadlines than REST does."""

OrderMethod = Literal[
    "add_order", "amend_order", "cancel_order", "cancel_all", "cancel_all_orders_after"
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number to be printed bare: strings are refused where Kraken wants a number."""

    text: str


def add_order_params(
    request: OrderRequest,
    instrument: Instrument,
    *,
    client_order_id: ClientOrderId,
    deadline: datetime,
    now: datetime,
) -> dict[str, object]:
    """The parameters of add_order, without the token. Fees are asked for in quote unless told.

    Raises:
        VenueRejected: the request cannot be expressed, or its deadline is too near.
        VenueUnavailable: only REST can say it.
    """
    terms = check(request)  # what REST could not say is not said here either
    if terms.leverage is not None or request.time_in_force is TimeInForce.FOK:
        raise VenueUnavailable("The socket cannot say leverage or fill-or-kill: nothing was sent.")
    quantity = "cash_order_qty" if terms.is_quantity_in_quote else "order_qty"
    params: dict[str, object] = {
        "order_type": request.order_type.value,
        "side": request.side.value,
        "symbol": request.symbol,
        quantity: Number(volume_text(request, instrument)),
        "fee_preference": terms.fee_in,
        "deadline": deadline_text(deadline, now, earliest=EARLIEST_DEADLINE),
    }
    if terms.userref is None:
        params["cl_ord_id"] = client_order_id
    else:
        params["order_userref"] = terms.userref
    kind = request.order_type
    if request.limit_price is not None:
        params |= _limit(kind, request.side, request.limit_price, instrument)
    if request.trigger_price is not None:
        unit = "quote" if kind.is_trailing else "static"
        price = _price(request.trigger_price, instrument)
        params["triggers"] = {"reference": terms.trigger_by, "price": price, "price_type": unit}
    if request.time_in_force is not TimeInForce.GTC:
        params["time_in_force"] = request.time_in_force.value
    if request.post_only:
        params["post_only"] = True
    if request.reduce_only:
        params["reduce_only"] = True
    if request.terms is not None:
        params |= _terms(request, terms, instrument)
    return params


def _limit(
    kind: OrderType, side: Side, price: Decimal, instrument: Instrument
) -> dict[str, object]:
    """A limit price; of a trailing stop its signed distance from the trigger."""
    text = price_text(price, instrument)
    if not kind.is_trailing:
        return {"limit_price": Number(text)}
    sign = "-" if limit_offset(side) == "-" else ""
    return {"limit_price": Number(sign + text), "limit_price_type": "quote"}


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
        params["conditional"] = _close(terms.close, request.side.opposite, instrument)
    return params


def _close(close: ConditionalClose, side: Side, instrument: Instrument) -> dict[str, object]:
    kind = close.order_type
    params: dict[str, object] = {"order_type": kind.value}
    if close.limit_price is not None:
        params |= _limit(kind, side, close.limit_price, instrument)
    if close.trigger_price is not None:
        params["trigger_price"] = _price(close.trigger_price, instrument)
        params["trigger_price_type"] = "quote" if kind.is_trailing else "static"
    return params


def amend_order_params(
    amendment: OrderAmendment, instrument: Instrument, *, deadline: datetime, now: datetime
) -> dict[str, object]:
    """The parameters of amend_order, without the token: what is to change, and nothing else.

    Raises:
        VenueRejected: nothing is to change, a value does not fit, the deadline is too near.
    """
    params: dict[str, object] = {}
    if amendment.quantity is not None:
        params["order_qty"] = _quantity(amendment.quantity, instrument)
    if amendment.limit_price is not None:
        params["limit_price"] = _price(amendment.limit_price, instrument)
    if amendment.trigger_price is not None:
        params["trigger_price"] = _price(amendment.trigger_price, instrument)
    if amendment.display_quantity is not None:
        params["display_qty"] = _quantity(amendment.display_quantity, instrument)
    if not params:
        raise refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
    if amendment.post_only:
        params["post_only"] = True
    params["order_id"] = amendment.venue_order_id
    params["deadline"] = deadline_text(deadline, now, earliest=EARLIEST_DEADLINE)
    return params


def _price(price: Decimal, instrument: Instrument) -> Number:
    return Number(price_text(price, instrument))


def _quantity(quantity: Decimal, instrument: Instrument) -> Number:
    return Number(quantity_text(quantity, instrument))


def json_text(value: object) -> str:
    """JSON in which a `Number` stands bare, digit by digit as given.

    Raises:
        TypeError: a float or a Decimal, whose digits would be somebody else's choice.
    """
    match value:
        case Number(text=text):
            return text
        case dict():
            rows = (f"{json.dumps(str(key))}:{json_text(each)}" for key, each in value.items())
            return f"{{{','.join(rows)}}}"
        case list() | tuple():
            return f"[{','.join(json_text(each) for each in value)}]"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return json.dumps(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a request")
