"""Orders, amendments and edits as the parameters of Kraken's REST methods (kraken-spot section 8).

Pure. What makes sense says order_rules.py; the socket's words are stream_requests.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.order import (
    OrderAmendment,
    OrderEdit,
    OrderRequest,
    OrderTerms,
    OrderType,
    TimeInForce,
)
from zoe_tools.kraken import order_rules as rules
from zoe_tools.kraken.order_answers import NewOrder
from zoe_tools.kraken.signing import Params


def _price_words(price: rules.Price, instrument: Instrument) -> str:
    """A price as REST spells it: `60000.0`, `+500.0`, `-1%`, `#10.0`."""
    if isinstance(price, Decimal):
        return rules.price_text(price, instrument)
    return price.direction + rules.offset_text(price, instrument) + "%" * price.is_percent


def order_params(request: OrderRequest, instrument: Instrument) -> dict[str, str]:
    """AddOrder's parameters besides name, deadline and `validate`.

    Raises:
        VenueRejected: the request cannot be expressed: a type zoe does not place, a missing price,
            too many decimals.
    """
    terms = rules.check(request)
    params = {
        "pair": instrument.altname,
        "type": request.side.value,
        "ordertype": request.order_type.value,
        "volume": rules.volume_text(request, instrument),
    }
    params |= _price_params(request.order_type, rules.prices_of(request, terms), instrument)
    params["oflags"] = _flags(request, terms)
    if request.time_in_force is not TimeInForce.GTC:
        params["timeinforce"] = request.time_in_force.value.upper()
    if request.reduce_only:
        params["reduce_only"] = "true"
    return params | _terms_params(request, terms, instrument)


def _flags(request: OrderRequest, terms: OrderTerms) -> str:
    """Fees are asked for in quote unless told, so that the books need not guess."""
    flags = ["post"] if request.post_only else []
    flags.append("fciq" if terms.fee_in == "quote" else "fcib")
    return ",".join(flags + ["viqc"] * terms.is_quantity_in_quote)


def _price_params(kind: OrderType, prices: rules.Prices, instrument: Instrument) -> dict[str, str]:
    """`price` and `price2`: the trigger is the first of the types that have one."""
    named = {"price": prices.limit}
    if kind.is_triggered:
        named = {"price": prices.trigger, "price2": prices.limit}
    return {
        name: _price_words(price, instrument) for name, price in named.items() if price is not None
    }


def _terms_params(
    request: OrderRequest, terms: OrderTerms, instrument: Instrument
) -> dict[str, str]:
    params: dict[str, str] = {}
    if terms.display_quantity is not None:
        params["displayvol"] = rules.quantity_text(terms.display_quantity, instrument)
    if terms.leverage is not None:
        params["leverage"] = str(terms.leverage)
    if terms.trigger_by != "last":
        params["trigger"] = terms.trigger_by
    for name, at in (("starttm", terms.starts_at), ("expiretm", terms.expires_at)):
        if at is not None:
            params[name] = str(int(at.timestamp()))
    if terms.self_trade is not None:
        params["stptype"] = terms.self_trade.value
    if terms.close is not None:
        kind = terms.close.order_type
        prices = _price_params(kind, rules.close_prices_of(terms.close, request.side), instrument)
        params["close[ordertype]"] = kind.value
        params |= {f"close[{name}]": text for name, text in prices.items()}
    return params


def placement_params(
    request: OrderRequest,
    instrument: Instrument,
    *,
    client_order_id: ClientOrderId | None,
    deadline: datetime,
    now: datetime,
) -> dict[str, str]:
    """AddOrder's parameters.

    Raises:
        VenueRejected: the request cannot be expressed, or has not one name.
        VenueUnavailable: its deadline is too near.
    """
    named = _named(request, instrument, client_order_id)
    return named | {"deadline": rules.deadline_text(deadline, now)}


def _named(
    request: OrderRequest, instrument: Instrument, client_order_id: ClientOrderId | None
) -> dict[str, str]:
    terms = request.terms or rules.NO_TERMS
    rules.check_name(terms, client_order_id)
    name = {"cl_ord_id": str(client_order_id)}
    if terms.userref is not None:
        name = {"userref": str(terms.userref)}
    return order_params(request, instrument) | name


def batch_params(
    orders: Sequence[NewOrder],
    instrument: Instrument,
    *,
    deadline: datetime,
    now: datetime,
    is_check: bool = False,
) -> Params:
    """AddOrderBatch's parameters, as JSON has them: true numbers, flags and objects.

    Raises:
        VenueRejected: as `placement_params`, of any of the orders.
    """
    members = [_named(request, instrument, client_id) for client_id, request in orders]
    params: dict[str, object] = {
        "pair": instrument.altname,
        "orders": [_member(each) for each in members],
        "deadline": rules.deadline_text(deadline, now),
    }
    return params | {"validate": True} if is_check else params


def _member(params: dict[str, str]) -> dict[str, object]:
    member: dict[str, object] = {}
    close: dict[str, str] = {}
    for name, text in params.items():
        if name.startswith("close["):
            close[name[len("close[") : -1]] = text
        elif name == "userref":
            member[name] = int(text)
        elif name == "reduce_only":
            member[name] = True
        elif name != "pair":
            member[name] = text
    return member | {"close": close} if close else member


def amend_params(
    amendment: OrderAmendment, instrument: Instrument, *, deadline: datetime, now: datetime
) -> dict[str, str]:
    """AmendOrder's parameters: what is to change, and nothing else.

    Raises:
        VenueRejected: nothing is to change, or a value has too many decimals.
        VenueUnavailable: the deadline is too near.
    """
    params: dict[str, str] = {"txid": amendment.venue_order_id}
    prices = rules.amend_prices_of(amendment)
    if amendment.quantity is not None:
        params["order_qty"] = rules.quantity_text(amendment.quantity, instrument)
    if prices.limit is not None:
        params["limit_price"] = _price_words(prices.limit, instrument)
    if prices.trigger is not None:
        params["trigger_price"] = _price_words(prices.trigger, instrument)
    if amendment.display_quantity is not None:
        params["display_qty"] = rules.quantity_text(amendment.display_quantity, instrument)
    if len(params) == 1:
        raise rules.refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
    if amendment.post_only:
        params["post_only"] = "true"
    return params | {"deadline": rules.deadline_text(deadline, now)}


def edit_params(
    edit: OrderEdit,
    instrument: Instrument,
    *,
    deadline: datetime,
    now: datetime,
    is_check: bool = False,
) -> dict[str, str]:
    """EditOrder's parameters: what is to change, and nothing else.

    Raises:
        VenueRejected: as `check_edit`, or a value has too many decimals.
        VenueUnavailable: the deadline is too near.
    """
    prices = rules.check_edit(edit)
    params = {"pair": instrument.altname, "txid": str(edit.venue_order_id)}
    if edit.quantity is not None:
        params["volume"] = rules.quantity_text(edit.quantity, instrument)
    if edit.display_quantity is not None:
        params["displayvol"] = rules.quantity_text(edit.display_quantity, instrument)
    params |= _price_params(edit.order_type, prices, instrument)
    if edit.post_only:
        params["oflags"] = "post"
    if edit.userref is not None:
        params["userref"] = str(edit.userref)
    params["deadline"] = rules.deadline_text(deadline, now)
    return params | {"validate": "true"} if is_check else params
