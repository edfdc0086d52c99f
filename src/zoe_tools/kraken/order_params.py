"""Orders and amendments as the parameters of Kraken's trading methods (kraken-spot section 8).

Pure. Prices and quantities are printed with exactly the instrument's decimals and never rounded: a
value that does not fit is refused here, before a byte leaves.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.money import plain, quantum
from zoe_tools.domain.order import (
    OrderAmendment,
    OrderRequest,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)
from zoe_tools.errors import OutcomeUnknown, VenueRejected

NOT_SENT = "zoe:not-sent"
"""The code of a refusal that zoe makes in the venue's place, because the answer is certain."""
EARLIEST_DEADLINE = timedelta(seconds=2)
LATEST_DEADLINE = timedelta(seconds=58)
"""The venue takes deadlines from 2 to 60 seconds ahead; two are left for a difference of clocks."""

_NEEDS_LIMIT = frozenset(
    {OrderType.LIMIT, OrderType.ICEBERG, OrderType.STOP_LOSS_LIMIT}
    | {OrderType.TAKE_PROFIT_LIMIT, OrderType.TRAILING_STOP_LIMIT}
)
_NO_CLOSE = frozenset(
    {OrderType.MARKET, OrderType.ICEBERG, OrderType.SETTLE_POSITION, OrderType.UNKNOWN}
)
NO_TERMS = OrderTerms()


def refused(sentence: str) -> VenueRejected:
    """A definite no without asking the venue."""
    return VenueRejected(sentence, code=NOT_SENT, hint="Nothing was sent.")


def price_text(price: Decimal, instrument: Instrument) -> str:
    """A price with the instrument's decimals.

    Raises:
        VenueRejected: it has more decimals than that.
    """
    return _fixed(price, instrument.price_decimals, f"{instrument.symbol} price")


def quantity_text(quantity: Decimal, instrument: Instrument) -> str:
    """A quantity with the instrument's decimals.

    Raises:
        VenueRejected: it has more decimals than that.
    """
    return _fixed(quantity, instrument.quantity_decimals, f"{instrument.symbol} quantity")


def _fixed(value: Decimal, decimals: int, what: str) -> str:
    if not value.is_finite() or value <= 0:
        raise refused(f"{value} is no {what}.")
    exact = value.quantize(quantum(decimals))
    if exact != value:
        raise refused(f"The {what} {plain(value)} has more than {decimals} decimals.")
    return plain(exact)


def deadline_text(
    deadline: datetime, now: datetime, *, earliest: timedelta = EARLIEST_DEADLINE
) -> str:
    """The deadline in RFC 3339, brought forward to what the venue accepts, never put back.

    An earlier deadline than the journal's only makes the order die earlier; a later one would let
    it live when the journal holds it for dead.

    Raises:
        VenueRejected: it is nearer than the venue accepts.
    """
    if deadline < now + earliest:
        raise refused(f"The deadline {deadline.isoformat()} is too near or past.")
    at = min(deadline, now + LATEST_DEADLINE).astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def check(request: OrderRequest) -> OrderTerms:
    """The request's terms; both wires refuse the same requests, by the same rules.

    Raises:
        VenueRejected: a type without a name, a price or a time that is missing or out of place.
    """
    kind, terms = request.order_type, request.terms or NO_TERMS
    if kind is OrderType.UNKNOWN:
        raise refused("zoe places no order of a type that it does not know.")
    _check_prices(kind, request.limit_price, request.trigger_price)
    if (kind is OrderType.ICEBERG) != (terms.display_quantity is not None):
        raise refused("An iceberg, and no other order, needs a quantity to show.")
    if (request.time_in_force is TimeInForce.GTD) != (terms.expires_at is not None):
        raise refused("An order good till a date, and no other, needs the date.")
    is_market_buy = kind is OrderType.MARKET and request.side is Side.BUY
    if terms.is_quantity_in_quote and not (is_market_buy and terms.leverage is None):
        raise refused("Only a market buy without leverage has its quantity in quote.")
    if terms.close is not None:
        if terms.close.order_type in _NO_CLOSE:
            raise refused(f"A {terms.close.order_type.value} order closes no other.")
        _check_prices(terms.close.order_type, terms.close.limit_price, terms.close.trigger_price)
    return terms


def _check_prices(kind: OrderType, limit: Decimal | None, trigger: Decimal | None) -> None:
    for price, is_needed in ((limit, kind in _NEEDS_LIMIT), (trigger, kind.is_triggered)):
        if is_needed and price is None:
            raise refused(f"A {kind.value} order needs a price that is missing.")


def volume_text(request: OrderRequest, instrument: Instrument) -> str:
    """The quantity, in quote where the terms say so; zero settles a whole position.

    Raises:
        VenueRejected: it has too many decimals, or is zero elsewhere.
    """
    if request.terms is not None and request.terms.is_quantity_in_quote:
        return _fixed(request.quantity, instrument.cost_decimals, f"{instrument.symbol} cost")
    if request.order_type is OrderType.SETTLE_POSITION and request.quantity == 0:
        return "0"
    return quantity_text(request.quantity, instrument)


def limit_offset(side: Side) -> str:
    """The sign of a trailing stop's limit: a sale's lies below its trigger."""
    return "-" if side is Side.SELL else "+"


def trigger_time_of(text: str) -> datetime | None:
    """When the dead man's switch goes off; None where it is disarmed.

    Raises:
        OutcomeUnknown: it is no time, so whether the switch is set is not known.
    """
    if text in ("", "0"):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise OutcomeUnknown(f"Kraken's switch goes off at {text!r}, which is no time.") from error


def order_params(request: OrderRequest, instrument: Instrument) -> dict[str, str]:
    """AddOrder's parameters besides client id, deadline and `validate`.

    Raises:
        VenueRejected: the request cannot be expressed: a type zoe does not place, a missing price,
            too many decimals.
    """
    terms = check(request)
    params = {
        "pair": instrument.altname,
        "type": request.side.value,
        "ordertype": request.order_type.value,
        "volume": volume_text(request, instrument),
    }
    prices = _price_params(
        request.order_type, request.side, request.limit_price, request.trigger_price, instrument
    )
    params.update(prices)
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


def _price_params(
    kind: OrderType,
    side: Side,
    limit: Decimal | None,
    trigger: Decimal | None,
    instrument: Instrument,
) -> dict[str, str]:
    """`price` and `price2`: the trigger comes first where there is one."""
    texts: list[str] = []
    if trigger is not None and kind.is_triggered:
        texts.append("+" * kind.is_trailing + price_text(trigger, instrument))
    if limit is not None and kind in _NEEDS_LIMIT:
        sign = limit_offset(side) if kind.is_trailing else ""
        texts.append(sign + price_text(limit, instrument))
    return dict(zip(("price", "price2"), texts, strict=False))


def _terms_params(
    request: OrderRequest, terms: OrderTerms, instrument: Instrument
) -> dict[str, str]:
    params: dict[str, str] = {}
    if terms.display_quantity is not None:
        params["displayvol"] = quantity_text(terms.display_quantity, instrument)
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
        close = terms.close
        prices = _price_params(
            close.order_type,
            request.side.opposite,
            close.limit_price,
            close.trigger_price,
            instrument,
        )
        params["close[ordertype]"] = close.order_type.value
        params |= {f"close[{name}]": text for name, text in prices.items()}
    return params


def placement_params(
    request: OrderRequest,
    instrument: Instrument,
    *,
    client_order_id: ClientOrderId,
    deadline: datetime,
    now: datetime,
) -> dict[str, str]:
    """AddOrder's parameters.

    Raises:
        VenueRejected: the request cannot be expressed, or its deadline is too near.
    """
    userref = request.terms.userref if request.terms is not None else None
    name = {"cl_ord_id": str(client_order_id)} if userref is None else {"userref": str(userref)}
    params = order_params(request, instrument)
    return params | name | {"deadline": deadline_text(deadline, now)}


def amend_params(
    amendment: OrderAmendment, instrument: Instrument, *, deadline: datetime, now: datetime
) -> dict[str, str]:
    """AmendOrder's parameters: what is to change, and nothing else.

    Raises:
        VenueRejected: nothing is to change, a value has too many decimals, the deadline is too
            near.
    """
    params: dict[str, str] = {"txid": amendment.venue_order_id}
    if amendment.quantity is not None:
        params["order_qty"] = quantity_text(amendment.quantity, instrument)
    if amendment.limit_price is not None:
        params["limit_price"] = price_text(amendment.limit_price, instrument)
    if amendment.trigger_price is not None:
        params["trigger_price"] = price_text(amendment.trigger_price, instrument)
    if amendment.display_quantity is not None:
        params["display_qty"] = quantity_text(amendment.display_quantity, instrument)
    if len(params) == 1:
        raise refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
    if amendment.post_only:
        params["post_only"] = "true"
    return params | {"deadline": deadline_text(deadline, now)}
