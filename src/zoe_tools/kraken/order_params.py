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
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType, TimeInForce
from zoe_tools.errors import VenueRejected

NOT_SENT = "zoe:not-sent"
"""The code of a refusal that zoe makes in the venue's place, because the answer is certain."""
EARLIEST_DEADLINE = timedelta(seconds=2)
LATEST_DEADLINE = timedelta(seconds=58)
"""The venue takes deadlines from 2 to 60 seconds ahead; two are left for a difference of clocks."""

_NEEDS_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_NEEDS_TRIGGER = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT}
    | {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
_PLACEABLE = _NEEDS_LIMIT | _NEEDS_TRIGGER | {OrderType.MARKET}


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


def order_params(request: OrderRequest, instrument: Instrument) -> dict[str, str]:
    """AddOrder's parameters besides client id, deadline and `validate`.

    Fees are always asked for in quote, so that the books need not guess.

    Raises:
        VenueRejected: the request cannot be expressed: a type zoe does not place, a missing price,
            too many decimals.
    """
    kind = request.order_type
    if kind not in _PLACEABLE or request.time_in_force is TimeInForce.GTD:
        raise refused(f"zoe places no {kind.value} order with {request.time_in_force.value}.")
    params = {
        "pair": instrument.altname,
        "type": request.side.value,
        "ordertype": kind.value,
        "volume": quantity_text(request.quantity, instrument),
    }
    prices = [
        price_text(_given(price, kind), instrument)
        for price, needed in (
            (request.trigger_price, kind in _NEEDS_TRIGGER),
            (request.limit_price, kind in _NEEDS_LIMIT),
        )
        if needed
    ]
    params.update(zip(("price", "price2"), prices, strict=False))
    params["oflags"] = "post,fciq" if request.post_only else "fciq"
    if request.time_in_force is not TimeInForce.GTC:
        params["timeinforce"] = request.time_in_force.value.upper()
    if request.reduce_only:
        params["reduce_only"] = "true"
    return params


def _given(price: Decimal | None, kind: OrderType) -> Decimal:
    if price is None:
        raise refused(f"A {kind.value} order needs a price that is missing.")
    return price


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
    return order_params(request, instrument) | {
        "cl_ord_id": client_order_id,
        "deadline": deadline_text(deadline, now),
    }


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
    if len(params) == 1:
        raise refused(f"The amendment of {amendment.venue_order_id} changes nothing.")
    return params | {"deadline": deadline_text(deadline, now)}
