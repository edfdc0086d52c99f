"""What the exchange refuses at entry, in Kraken's own words. Changes nothing."""

from __future__ import annotations

import re
from decimal import Decimal

from zoe_tools.paper.engine import drafts, fees
from zoe_tools.paper.engine.account import Account, reserve_for
from zoe_tools.paper.engine.book import PairBook, crosses, other
from zoe_tools.paper.values.events import SystemMode
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import (
    BOOK_PRICED,
    LIMIT_PRICED,
    TRAILING,
    TRIGGERED_TYPES,
    ZERO,
    AmendOrder,
    EditOrder,
    OrderView,
    PlaceOrder,
    Price,
    RelativePrice,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import ceiling, fits, half_up

LARGEST = Decimal(10) ** 12
"""No price or quantity beyond it."""
_LARGEST_COST = Decimal(10) ** 20
"""Nobody owns as much: keeps all arithmetic inside the exact 28 digits."""
_SMALLEST = Decimal(1).scaleb(-18)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_FREE = re.compile(r"[\x21-\x7e]{1,18}")
_ICEBERG_PARTS = 15
_USERREF_LIMIT = 2**31


def check_mode(mode: SystemMode, request: PlaceOrder | None) -> None:
    """Whether the system's mode lets a new order (None: an amend) in (section 5)."""
    if mode == "online":
        return
    if mode == "maintenance":
        raise Refusal("EService:Unavailable")
    is_limit = request is not None and request.order_type == "limit"
    is_maker_only = is_limit and request is not None and request.is_post_only
    if (mode == "limit_only" and is_limit) or (mode == "post_only" and is_maker_only):
        return
    raise Refusal(f"EService:Market in {mode} mode")


def check_cancel_mode(mode: SystemMode) -> None:
    """Cancels pass in every mode but maintenance."""
    if mode == "maintenance":
        raise Refusal("EService:Unavailable")


def check_deadline(deadline: int | None, now: int) -> None:
    """An order that arrives after its deadline dies."""
    if deadline is not None and deadline < now:
        raise Refusal("EService:Deadline elapsed")


def check_shape(request: PlaceOrder, spec: PairSpec, now: int) -> None:
    """The parts of an order that do not depend on the market."""
    _check_parts(request)
    _check_size(request, spec)
    closing = request.close
    for price in (request.limit_price, request.trigger_price):
        check_spelled(price, spec)
    if closing is not None:
        drafts.check_close(closing)
        check_spelled(closing.limit_price, spec)
        check_spelled(closing.trigger_price, spec)
    if request.time_in_force == "gtd" and request.expire_at is None:
        raise Refusal("EGeneral:Invalid arguments:expiretm")
    if request.expire_at is not None and request.expire_at <= now:
        raise Refusal("EGeneral:Invalid arguments:expiretm")
    if request.starts_at is not None and request.starts_at <= now:
        raise Refusal("EGeneral:Invalid arguments:starttm")
    is_immediate = request.time_in_force in {"ioc", "fok"}
    if request.is_post_only and (request.order_type not in BOOK_PRICED or is_immediate):
        raise Refusal("EGeneral:Invalid arguments:oflags")
    if request.time_in_force == "fok" and request.order_type != "limit":
        raise Refusal("EGeneral:Invalid arguments:timeinforce")


def _check_size(request: PlaceOrder, spec: PairSpec) -> None:
    budget = request.quote_quantity
    if (request.display_quantity is not None) != (request.order_type == "iceberg"):
        raise Refusal("EGeneral:Invalid arguments:displayvol")
    if budget is not None:
        is_market_buy = request.order_type == "market" and request.side == "buy"
        if not is_market_buy or request.quantity or request.close is not None:
            raise Refusal("EGeneral:Invalid arguments:viqc")
        if not budget.is_finite() or not _SMALLEST <= budget <= LARGEST:
            raise Refusal("EGeneral:Invalid arguments:volume")
        if not fits(budget, spec.cost_decimals):
            raise Refusal("EGeneral:Invalid arguments:volume")
        if budget < spec.costmin:
            raise Refusal("EOrder:Cost minimum not met")
        return
    check_quantity(request.quantity, spec)
    if request.display_quantity is not None:
        check_display(request.display_quantity, request.quantity, spec)


def check_display(display: Decimal, quantity: Decimal, spec: PairSpec) -> None:
    """The visible part of an iceberg: a fifteenth of it at least."""
    if not display.is_finite() or not _SMALLEST <= display <= quantity:
        raise Refusal("EGeneral:Invalid arguments:displayvol")
    if not fits(display, spec.lot_decimals) or display * _ICEBERG_PARTS < quantity:
        raise Refusal("EGeneral:Invalid arguments:displayvol")


def _check_parts(request: PlaceOrder) -> None:
    if (request.limit_price is not None) != (request.order_type in LIMIT_PRICED):
        raise Refusal("EGeneral:Invalid arguments:price")
    if request.order_type in TRAILING:
        _check_trailing(request)
    if (request.trigger_price is not None) != (request.order_type in TRIGGERED_TYPES):
        raise Refusal("EGeneral:Invalid arguments:price")
    name = request.cl_ord_id
    if name is not None and (request.userref is not None or not _is_client_id(name)):
        raise Refusal("EGeneral:Invalid arguments:cl_ord_id")
    if request.userref is not None and not -_USERREF_LIMIT <= request.userref < _USERREF_LIMIT:
        raise Refusal("EGeneral:Invalid arguments:userref")


def _check_trailing(request: PlaceOrder) -> None:
    distance, offset = request.trigger_price, request.limit_price
    if not isinstance(distance, RelativePrice) or isinstance(offset, Decimal):
        raise Refusal("EGeneral:Invalid arguments:price")
    for one in (distance, offset):
        if one is not None and not (one.value.is_finite() and abs(one.value) <= LARGEST):
            raise Refusal("EGeneral:Invalid arguments:price")
    if distance.value <= 0:
        raise Refusal("EGeneral:Invalid arguments:price")


def _is_client_id(text: str) -> bool:
    return bool(_UUID.fullmatch(text) or _FREE.fullmatch(text))


def check_quantity(quantity: Decimal, spec: PairSpec) -> None:
    """A quantity on the lot step and at least the minimum."""
    if not quantity.is_finite() or not _SMALLEST <= quantity <= LARGEST:
        raise Refusal("EGeneral:Invalid arguments:volume")
    if not fits(quantity, spec.lot_decimals):
        raise Refusal("EGeneral:Invalid arguments:volume")
    if quantity < spec.ordermin:
        raise Refusal("EOrder:Order minimum not met")


def check_price(price: Decimal | None, spec: PairSpec) -> None:
    """A price in the pair's decimals and on its tick."""
    if price is None:
        return
    if not price.is_finite() or not _SMALLEST <= price <= LARGEST:
        raise Refusal("EOrder:Invalid price")
    if not fits(price, spec.pair_decimals):
        raise Refusal("EOrder:Invalid price")
    if price % spec.tick_size:
        raise Refusal("EOrder:Tick size check failed")


def check_spelled(price: Price | None, spec: PairSpec) -> None:
    """A price as `check_price` has it, or a distance that arithmetic can follow."""
    if not isinstance(price, RelativePrice):
        check_price(price, spec)
    elif not price.value.is_finite() or abs(price.value) > LARGEST:
        raise Refusal("EOrder:Invalid price")


def check_cost(order: OrderView, quantity: Decimal, book: PairBook) -> None:
    """Price times quantity reaches the pair's cost minimum (market orders: the current price)."""
    price = order.limit_price or order.trigger_price
    price = price or book.best_any(other(order.side)) or book.last
    if price is not None and price * quantity < book.spec.costmin:
        raise Refusal("EOrder:Cost minimum not met")
    if price is not None and price * quantity > _LARGEST_COST:
        raise Refusal("EOrder:Insufficient funds")


def check_client_id(account: Account, request: PlaceOrder) -> None:
    """A client id is unique among the account's open orders."""
    if request.cl_ord_id is None:
        return
    if account.find_open(order_id=None, cl_ord_id=request.cl_ord_id) is not None:
        raise Refusal("EGeneral:Invalid arguments:cl_ord_id")


def check_post_only(order: OrderView, price: Decimal | None, book: PairBook) -> None:
    """A post-only order may not take."""
    best = book.best_any(other(order.side))
    if price is not None and best is not None and crosses(order.side, price, best):
        raise Refusal("EOrder:Post only order")


def check_funds(account: Account, order: OrderView, book: PairBook, *, has_hold: bool) -> None:
    """The account can pay for the order, what it holds already for it counted in."""
    asset, needed = reserve_for(order, book.spec)
    rate = ZERO if order.is_fee_in_base else order.taker_pct
    if order.quote_quantity is not None:
        fee = fees.fee_of(book.spec, order.quote_quantity, rate)
        needed = ceiling(order.quote_quantity + fee, book.spec.quote_decimals)
    elif order.side == "buy" and order.order_type == "market":
        needed = market_cost(book, order.quantity, rate)
    elif not has_hold and order.waits_for_trigger:
        return
    own_asset, own = account.reserves.get(order.order_id, (asset, ZERO))
    available = account.available(asset) + (own if own_asset == asset else ZERO)
    if needed > available:
        raise Refusal("EOrder:Insufficient funds")


def market_cost(book: PairBook, quantity: Decimal, rate: Decimal) -> Decimal:
    """What a market buy would cost with fees against everything that rests now, as booked."""
    spec, left, total = book.spec, quantity, ZERO
    for price, size in book.liquidity("sell"):
        part = min(left, size)
        cost = fees.cost_of(spec, price, part)
        total += half_up(cost, spec.quote_decimals)
        total += half_up(fees.fee_of(spec, cost, rate), spec.quote_decimals)
        left -= part
        if left <= 0:
            break
    return total


def check_amendment(request: AmendOrder, order: OrderView, spec: PairSpec) -> None:
    """The amendment fits the order's type and changes something."""
    if request.limit_price is not None and order.limit_price is None:
        raise Refusal("EGeneral:Invalid arguments:limit_price")
    if request.trigger_price is not None and not order.waits_for_trigger:
        raise Refusal("EGeneral:Invalid arguments:trigger_price")
    _check_amended_prices(request, order, spec)
    if request.quantity is not None:
        check_quantity(request.quantity, spec)
    if request.display_quantity is not None:
        if order.display_quantity is None:
            raise Refusal("EGeneral:Invalid arguments:display_qty")
        check_display(request.display_quantity, request.quantity or order.quantity, spec)
    changes = (
        request.quantity not in (None, order.quantity),
        request.display_quantity not in (None, order.display_quantity),
        request.limit_price not in (None, order.limit_price),
        request.trigger_price not in (None, order.trigger_price),
    )
    if not any(changes):
        raise Refusal("EOrder:No amendable parameters specified")


def _check_amended_prices(request: AmendOrder, order: OrderView, spec: PairSpec) -> None:
    """A waiting trailing order is moved by distances, everything else by prices too."""
    is_trailing = order.order_type in TRAILING and order.waits_for_trigger
    for price in (request.limit_price, request.trigger_price):
        check_spelled(price, spec)
        if price is not None and is_trailing != isinstance(price, RelativePrice) and is_trailing:
            raise Refusal("EGeneral:Invalid arguments:price")
    distance = request.trigger_price
    if is_trailing and isinstance(distance, RelativePrice) and distance.value <= 0:
        raise Refusal("EGeneral:Invalid arguments:trigger_price")


def editable(account: Account, request: EditOrder) -> OrderView:
    """The one open order that an edit names, if it may be edited.

    Raises:
        Refusal: none or several, or of a kind that cannot be.
    """
    if request.order_id is not None:
        order = account.open.get(request.order_id)
    else:
        order = _only_one(account, request.userref)
    if order is None or order.symbol != request.symbol:
        raise Refusal("EOrder:Invalid order")
    if order.triggered_at is not None or order.close is not None or order.cl_ord_id is not None:
        raise Refusal("EOrder:Invalid order")
    if request.quantity is not None and request.quantity < order.filled:
        raise Refusal("EGeneral:Invalid arguments:volume")
    return order


def _only_one(account: Account, userref: int | None) -> OrderView | None:
    """The open order of this user reference, if it is the only one."""
    named = [order for order in account.open.values() if order.userref == userref is not None]
    return named[0] if len(named) == 1 else None
