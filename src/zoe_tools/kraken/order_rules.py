"""What an order must be to be sent, whichever wire takes it (kraken-spot sections 4, 8 and 11.3).

Pure. What is refused here is refused over both wires, as a definite no before a byte leaves. Prices
and quantities are printed with exactly the instrument's decimals and never rounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.money import plain, quantum, short
from zoe_tools.domain.order import (
    ConditionalClose,
    OrderAmendment,
    OrderEdit,
    OrderRequest,
    OrderTerms,
    OrderType,
    PriceOffset,
    Side,
    TimeInForce,
)
from zoe_tools.errors import VenueRejected, VenueUnavailable

NOT_SENT = "zoe:not-sent"
"""The code of a refusal that zoe makes in the venue's place, because the answer is certain."""
EARLIEST_DEADLINE = timedelta(seconds=2)
NEAREST_BY_REST_S = 3.5
"""With a second for a clock that is told in whole ones, and half a second for the way."""
LATEST_DEADLINE = timedelta(seconds=58)
"""The venue takes deadlines from 2 to 60 seconds ahead; two are left for a difference of clocks."""
FEWEST_ORDERS, MOST_ORDERS = 2, 15
"""How many orders a batch may hold."""

_NEEDS_LIMIT = frozenset(
    {OrderType.LIMIT, OrderType.ICEBERG, OrderType.STOP_LOSS_LIMIT}
    | {OrderType.TAKE_PROFIT_LIMIT, OrderType.TRAILING_STOP_LIMIT}
)
_NO_CLOSE = frozenset(
    {OrderType.MARKET, OrderType.ICEBERG, OrderType.SETTLE_POSITION, OrderType.UNKNOWN}
)
_PERCENT_DECIMALS = 4
"""As many as the venue's own descriptions show of a percentage."""
_USERREF_LIMIT = 2**31
_CLIENT_ID = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[\x21-\x7e]{1,18}"
)
"""A UUID, with its dashes or without, or plain ASCII (section 4)."""
NO_TERMS = OrderTerms()

Price = Decimal | PriceOffset


@dataclass(frozen=True, slots=True)
class Prices:
    """An order's prices: those of trailing types are offsets, those of others may be."""

    limit: Price | None
    trigger: Price | None


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
    try:
        exact = value.quantize(quantum(decimals))
    except InvalidOperation as error:  # more digits than are ever reckoned with
        raise refused(f"{value} is no {what}.") from error
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
        VenueUnavailable: it is nearer than the venue accepts; nothing was sent, and with a later
            one all may be well.
    """
    if deadline < now + earliest:
        raise VenueUnavailable(
            f"The deadline {deadline.isoformat()} is too near or past: nothing was sent."
        )
    at = min(deadline, now + LATEST_DEADLINE).astimezone(UTC)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def check(request: OrderRequest) -> OrderTerms:
    """The request's terms; both wires refuse the same requests, by the same rules.

    Raises:
        VenueRejected: a type without a name, a price or a time that is missing or out of place.
    """
    kind, terms = request.order_type, request.terms or NO_TERMS
    if kind is OrderType.UNKNOWN:
        raise refused("zoe places no order of a type that it does not know.")
    if (kind is OrderType.ICEBERG) != (terms.display_quantity is not None):
        raise refused("An iceberg, and no other order, needs a quantity to show.")
    if (request.time_in_force is TimeInForce.GTD) != (terms.expires_at is not None):
        raise refused("An order good till a date, and no other, needs the date.")
    is_market_buy = kind is OrderType.MARKET and request.side is Side.BUY
    if terms.is_quantity_in_quote and not (is_market_buy and terms.leverage is None):
        raise refused("Only a market buy without leverage has its quantity in quote.")
    if terms.close is not None and terms.close.order_type in _NO_CLOSE:
        raise refused(f"A {terms.close.order_type.value} order closes no other.")
    return terms


def check_name(terms: OrderTerms, client_order_id: ClientOrderId | None) -> None:
    """See that an order has one name by which its answer can be looked up, should it be lost.

    Raises:
        VenueRejected: it has a client id and a user reference, or neither, or one that is none.
    """
    if (terms.userref is None) == (client_order_id is None):
        raise refused("An order carries a client id or a user reference, and exactly one of them.")
    if client_order_id is not None and not _CLIENT_ID.fullmatch(client_order_id):
        raise refused(f"{client_order_id!r} is no client id: a UUID, or up to 18 characters.")
    check_userref(terms.userref)


def check_userref(userref: int | None) -> None:
    """See that a user reference is a signed number of 32 bits.

    Raises:
        VenueRejected: it is none.
    """
    if userref is not None and not -_USERREF_LIMIT <= userref < _USERREF_LIMIT:
        raise refused(f"{userref} is no user reference: they have 32 bits.")


def prices_of(request: OrderRequest, terms: OrderTerms) -> Prices:
    """The prices of a new order.

    Raises:
        VenueRejected: one is missing, out of place, told twice, or an offset that cannot be.
    """
    prices = Prices(
        _told(request.limit_price, terms.limit_offset),
        _told(request.trigger_price, terms.trigger_offset),
    )
    return _checked(request.order_type, request.side, prices)


def close_prices_of(close: ConditionalClose, side: Side) -> Prices:
    """The prices of the order that closes one of this side; raises as `prices_of` does."""
    prices = Prices(
        _told(close.limit_price, close.limit_offset),
        _told(close.trigger_price, close.trigger_offset),
    )
    return _checked(close.order_type, side.opposite, prices)


def edit_prices_of(edit: OrderEdit) -> Prices:
    """The prices that an edit changes; raises as `prices_of` does, but for those that it leaves."""
    prices = Prices(
        _told(edit.limit_price, edit.limit_offset), _told(edit.trigger_price, edit.trigger_offset)
    )
    return _checked(edit.order_type, None, prices)


def amend_prices_of(amendment: OrderAmendment) -> Prices:
    """The prices that an amendment changes (section 8.4).

    Raises:
        VenueRejected: one is told twice, or an offset has no sign.
    """
    prices = Prices(
        _told(amendment.limit_price, amendment.limit_offset),
        _told(amendment.trigger_price, amendment.trigger_offset),
    )
    for price in (prices.limit, prices.trigger):
        if isinstance(price, PriceOffset) and price.direction == "#":
            raise refused("An amendment's offset lies above or below: the venue takes no '#' here.")
    return prices


def _told(price: Decimal | None, offset: PriceOffset | None) -> Price | None:
    if price is not None and offset is not None:
        raise refused("A price is told twice: as a number and as an offset.")
    return offset if price is None else price


def _checked(kind: OrderType, side: Side | None, prices: Prices) -> Prices:
    """`side` None is an edit, which may leave prices as they are."""
    named = (
        (prices.limit, "limit", kind in _NEEDS_LIMIT),
        (prices.trigger, "trigger", kind.is_triggered),
    )
    for price, name, has_it in named:
        if price is None and has_it and side is not None:
            raise refused(f"A {kind.value} order needs a {name} price, which is missing.")
        if price is not None and not has_it:
            raise refused(f"A {kind.value} order has no {name} price.")
    return _trailing(side, prices) if kind.is_trailing else prices


def _trailing(side: Side | None, prices: Prices) -> Prices:
    """Distances as offsets: of the trigger from the market, of the limit from the trigger.

    A sale's limit lies below its trigger, where no sign is told.
    """
    limit, trigger = prices.limit, prices.trigger
    if isinstance(trigger, Decimal):
        trigger = PriceOffset(distance=trigger, direction="+")
    if isinstance(limit, Decimal):
        if side is None:
            raise refused("An edit tells the limit of a trailing stop as an offset.")
        limit = PriceOffset(distance=limit, direction="-" if side is Side.SELL else "+")
    if trigger is not None and trigger.direction != "+":
        raise refused("The distance of a trailing stop is told with a '+', whatever its side.")
    if limit is not None and limit.direction == "#":
        raise refused("The limit of a trailing stop lies above or below its trigger: '+' or '-'.")
    return Prices(limit, trigger)


def offset_text(offset: PriceOffset, instrument: Instrument) -> str:
    """An offset's distance without its sign: in the instrument's decimals, or in percent.

    Raises:
        VenueRejected: it has too many decimals.
    """
    if not offset.is_percent:
        return price_text(offset.distance, instrument)
    return short(Decimal(_fixed(offset.distance, _PERCENT_DECIMALS, "percentage")))


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


def check_edit(edit: OrderEdit) -> Prices:
    """The prices of an edit that makes sense; both wires refuse the same ones.

    Raises:
        VenueRejected: nothing is to change, or what the order's type does not have.
    """
    prices = edit_prices_of(edit)
    if edit.display_quantity is not None and edit.order_type is not OrderType.ICEBERG:
        raise refused("Only an iceberg shows a part of its quantity.")
    changes = (prices.limit, prices.trigger, edit.quantity, edit.display_quantity, edit.userref)
    if changes.count(None) == len(changes) and not edit.post_only:
        raise refused(f"The edit of {edit.venue_order_id} changes nothing.")
    check_userref(edit.userref)
    return prices
