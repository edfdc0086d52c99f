"""Requests of WebSocket v2: their JSON, and orders as the parameters of its trading methods.

Pure. Numbers stand bare and exact in the text; a value that does not fit the instrument is refused
before a byte leaves, by the same rules as over REST. Source: kraken-spot section 11.3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import OrderAmendment, OrderRequest, TimeInForce
from zoe_tools.kraken.order_params import (
    deadline_text,
    order_params,
    price_text,
    quantity_text,
    refused,
)

EARLIEST_DEADLINE = timedelta(milliseconds=500)
"""The socket takes nearer deadlines than REST does."""

OrderMethod = Literal["add_order", "amend_order", "cancel_order"]


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
    """The parameters of add_order, without the token. Fees are always asked for in quote.

    Raises:
        VenueRejected: the request cannot be expressed, or its deadline is too near.
    """
    order_params(request, instrument)  # what REST could not say is not said here either
    params: dict[str, object] = {
        "order_type": request.order_type.value,
        "side": request.side.value,
        "symbol": request.symbol,
        "order_qty": _quantity(request.quantity, instrument),
        "fee_preference": "quote",
        "cl_ord_id": client_order_id,
        "deadline": deadline_text(deadline, now, earliest=EARLIEST_DEADLINE),
    }
    if request.limit_price is not None:
        params["limit_price"] = _price(request.limit_price, instrument)
    if request.trigger_price is not None:
        price = _price(request.trigger_price, instrument)
        params["triggers"] = {"reference": "last", "price": price, "price_type": "static"}
    if request.time_in_force is not TimeInForce.GTC:
        params["time_in_force"] = request.time_in_force.value
    if request.post_only:
        params["post_only"] = True
    if request.reduce_only:
        params["reduce_only"] = True
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
    if not params:
        raise refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
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
