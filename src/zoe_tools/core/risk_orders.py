"""What a single order must be like before it may add risk: its numbers, its prices, its place.

Nothing here knows what the account did before or holds; that is `risk_limits.py`. The codes are
those of `core/risk.py`.
"""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderRequest, OrderType
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Snapshot

Found = tuple[str, str]
"""A code and a sentence."""

_HUNDREDTH = Decimal("0.01")

LIMIT_PRICED = frozenset(
    {
        OrderType.LIMIT,
        OrderType.ICEBERG,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP_LIMIT,
    }
)

_TRAILING = frozenset({OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT})


_MOST_DIGITS = 15
"""Of a number before its point; with more of them nothing can be reckoned exactly."""


def malformed(quantity: Decimal | None, *prices: Decimal | None) -> Found | None:
    """A number that is none: NaN, infinite, zero, negative, or beyond all reason."""
    for name, value in (("quantity", quantity), *(("price", price) for price in prices)):
        if value is None:
            continue
        if not value.is_finite() or value <= ZERO:
            return ("MALFORMED", f"The {name} {value} is not a positive number.")
        if value.adjusted() >= _MOST_DIGITS:
            return ("MALFORMED", f"The {name} {value:e} is beyond all reason.")
    return None


def mode_check(request: OrderRequest, snapshot: Snapshot) -> Found | None:
    """What the venue takes in the mode it is in; an unknown mode takes nothing."""
    if isinstance(snapshot.venue_mode, Missing):
        return ("VENUE_MODE", f"The venue's mode is missing: {snapshot.venue_mode.reason}.")
    mode = snapshot.venue_mode.value
    allowed = (
        mode is VenueMode.ONLINE
        or (mode is VenueMode.POST_ONLY and request.post_only)
        or (mode is VenueMode.LIMIT_ONLY and request.order_type in LIMIT_PRICED)
    )
    return None if allowed else ("VENUE_MODE", f"The venue is in mode {mode.value}.")


def instrument_check(request: OrderRequest, instrument: Instrument) -> Found | None:
    """The same for one instrument."""
    status = instrument.status
    allowed = (
        status is InstrumentStatus.ONLINE
        or (status is InstrumentStatus.POST_ONLY and request.post_only)
        or (status is InstrumentStatus.LIMIT_ONLY and request.order_type in LIMIT_PRICED)
    )
    return None if allowed else ("INSTRUMENT_MODE", f"{request.symbol} is {status.value}.")


def quote_at(snapshot: Snapshot, symbol: Symbol) -> Quote | Found:
    """A fresh quote that makes sense, or why there is none."""
    if isinstance(snapshot.quotes, Missing):
        return ("NO_QUOTE", f"There is no quote for {symbol}: {snapshot.quotes.reason}.")
    found = [quote for quote in snapshot.quotes.value if quote.symbol == symbol]
    if not found:
        return ("NO_QUOTE", f"There is no quote for {symbol}.")
    quote = found[0]
    if not quote.makes_sense:
        return ("NO_QUOTE", f"The quote for {symbol} makes no sense: {quote.bid} / {quote.ask}.")
    age_s = (snapshot.taken_at - quote.as_of).total_seconds()
    if age_s > snapshot.policy.quote_stale_s:
        return ("STALE_QUOTE", f"The quote for {symbol} is {age_s:.0f} s old.")
    if -age_s > snapshot.policy.quote_stale_s:
        # A clock was set back: by its time alone an old quote would be fresh for as long.
        return ("STALE_QUOTE", f"The quote for {symbol} is from {-age_s:.0f} s ahead.")
    return quote


def price_at_risk(request: OrderRequest, quote: Quote) -> Decimal:
    """The worst price one would knowingly pay: the limit, the trigger, or the ask."""
    if request.limit_price is not None:
        return request.limit_price
    if request.trigger_price is not None:
        return max(request.trigger_price, quote.ask)
    return quote.ask


def tick_check(request: OrderRequest, instrument: Instrument) -> Found | None:
    """Prices stand on the tick."""
    for price in (request.limit_price, request.trigger_price):
        if price is not None and not instrument.is_on_tick(price):
            tick = short(instrument.tick_size)
            return ("OFF_TICK", f"{short(price)} is not a multiple of the tick {tick}.")
    return None


def lot_check(request: OrderRequest, instrument: Instrument) -> Found | None:
    """The quantity stands on the lot step."""
    if request.quantity == instrument.floor_quantity(request.quantity):
        return None
    step = short(instrument.lot_step)
    return ("OFF_LOT", f"{short(request.quantity)} is not a multiple of the lot step {step}.")


def minimum_check(request: OrderRequest, instrument: Instrument, price: Decimal) -> Found | None:
    """The venue takes so little."""
    if instrument.is_tradable_quantity(request.quantity, price=price):
        return None
    return (
        "BELOW_MINIMUM",
        (
            f"{short(request.quantity)} {instrument.symbol} is below the venue's minimum of"
            f" {short(instrument.min_quantity)} or {short(instrument.min_cost)} {instrument.quote}."
        ),
    )


def collar_check(prices: tuple[Decimal | None, ...], quote: Quote, policy: Policy) -> Found | None:
    """No price is far from the market, on either side."""
    collar = policy.price_collar_pct
    for price in prices:
        if price is not None and abs(price - quote.mid) * HUNDRED > collar * quote.mid:
            return (
                "PRICE_COLLAR",
                (
                    f"{short(price)} is more than {short(collar)} % from the market at"
                    f" {short(quote.mid)}."
                ),
            )
    return None


def spread_check(symbol: Symbol, quote: Quote, policy: Policy) -> Found | None:
    """The market is not too thin to be entered."""
    if not is_too_wide(quote, policy):
        return None
    told = f"{short((quote.spread_bps / HUNDRED).quantize(_HUNDREDTH))} %"
    return ("SPREAD_TOO_WIDE", f"The spread of {symbol} is {told} wide.")


def is_too_wide(quote: Quote, policy: Policy) -> bool:
    """Whether the spread is wider than an entry may cross."""
    return quote.spread_bps > policy.liquidity_guard_spread_pct * HUNDRED


def terms_check(request: OrderRequest) -> Found | None:
    """What an order will cost must be known before it is sent."""
    terms = request.terms
    if request.order_type in _TRAILING:
        told = f"a {request.order_type.value} order follows the market"
    elif terms is None:
        if request.limit_price is not None or request.order_type not in LIMIT_PRICED:
            return None
        told = f"a {request.order_type.value} order without its price"
    elif terms.leverage is not None:
        told = "it is leveraged"
    elif terms.is_quantity_in_quote:
        told = "its quantity is told in quote"
    elif terms.limit_offset is not None or terms.trigger_offset is not None:
        told = "its price is told as a distance"
    else:
        return None
    return ("UNPRICED", f"What this entry will cost cannot be told: {told}.")


def allowed_check(symbol: Symbol, catalogue: InstrumentCatalogue, policy: Policy) -> Found | None:
    """Only what the operator lists may be entered."""
    if policy.allowed_symbols is None:
        return None
    known = (catalogue.find(spelling) for spelling in policy.allowed_symbols)
    if symbol in {each.symbol for each in known if each is not None}:
        return None
    return ("NOT_ALLOWED", f"{symbol} is not among the instruments that ALLOWED_SYMBOLS lists.")


def quantity_check(
    request: OrderRequest, catalogue: InstrumentCatalogue, policy: Policy
) -> Found | None:
    """The quantity stays below the instrument's own cap, where it has one."""
    for spelling, cap in policy.max_quantities:
        found = catalogue.find(spelling)
        if found is not None and found.symbol == request.symbol and request.quantity > cap:
            return (
                "MAX_QUANTITY_PER_TRADE",
                (
                    f"The order is for {short(request.quantity)} {request.symbol};"
                    f" one trade may be for {short(cap)}."
                ),
            )
    return None
