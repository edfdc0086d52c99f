"""What the exchange refuses at entry, in Kraken's own words. Changes nothing."""

from __future__ import annotations

import re
from decimal import Decimal

from zoe_tools.paper import fees
from zoe_tools.paper.account import Account, reserve_for
from zoe_tools.paper.book import PairBook, crosses, other
from zoe_tools.paper.events import SystemMode
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.order import (
    LIMIT_PRICED,
    TRIGGERED_TYPES,
    ZERO,
    AmendOrder,
    OrderView,
    PlaceOrder,
)
from zoe_tools.paper.refusal import Refusal
from zoe_tools.paper.rounding import fits, half_up

LARGEST = Decimal(10) ** 12
"""No price or quantity beyond it: keeps all arithmetic inside the exact 28 digits."""
_SMALLEST = Decimal(1).scaleb(-18)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_FREE = re.compile(r"[\x21-\x7e]{1,18}")
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
    check_quantity(request.quantity, spec)
    for price in (request.limit_price, request.trigger_price):
        check_price(price, spec)
    if request.time_in_force == "gtd" and request.expire_at is None:
        raise Refusal("EGeneral:Invalid arguments:expiretm")
    if request.expire_at is not None and request.expire_at <= now:
        raise Refusal("EGeneral:Invalid arguments:expiretm")
    if request.is_post_only and (request.order_type != "limit" or request.time_in_force == "ioc"):
        raise Refusal("EGeneral:Invalid arguments:oflags")


def _check_parts(request: PlaceOrder) -> None:
    if (request.limit_price is not None) != (request.order_type in LIMIT_PRICED):
        raise Refusal("EGeneral:Invalid arguments:price")
    if (request.trigger_price is not None) != (request.order_type in TRIGGERED_TYPES):
        raise Refusal("EGeneral:Invalid arguments:price")
    name = request.cl_ord_id
    if name is not None and (request.userref is not None or not _is_client_id(name)):
        raise Refusal("EGeneral:Invalid arguments:cl_ord_id")
    if request.userref is not None and not -_USERREF_LIMIT <= request.userref < _USERREF_LIMIT:
        raise Refusal("EGeneral:Invalid arguments:userref")


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


def check_cost(order: PlaceOrder | OrderView, quantity: Decimal, book: PairBook) -> None:
    """Price times quantity reaches the pair's cost minimum (market orders: the current price)."""
    price = order.limit_price or order.trigger_price
    price = price or book.best_any(other(order.side)) or book.last
    if price is not None and price * quantity < book.spec.costmin:
        raise Refusal("EOrder:Cost minimum not met")


def check_client_id(account: Account, request: PlaceOrder) -> None:
    """A client id is unique among the account's open orders."""
    if request.cl_ord_id is None:
        return
    if account.find_open(order_id=None, cl_ord_id=request.cl_ord_id) is not None:
        raise Refusal("EGeneral:Invalid arguments:cl_ord_id")


def check_post_only(order: PlaceOrder | OrderView, price: Decimal | None, book: PairBook) -> None:
    """A post-only order may not take."""
    best = book.best_any(other(order.side))
    if price is not None and best is not None and crosses(order.side, price, best):
        raise Refusal("EOrder:Post only order")


def check_funds(account: Account, order: OrderView, book: PairBook, *, has_hold: bool) -> None:
    """The account can pay for the order, what it holds already for it counted in."""
    asset, needed = reserve_for(order, book.spec)
    if order.side == "buy" and order.order_type == "market":
        needed = market_cost(book, order.quantity, order.taker_pct)
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
    check_price(request.limit_price, spec)
    check_price(request.trigger_price, spec)
    if request.quantity is not None:
        check_quantity(request.quantity, spec)
    changes = (
        request.quantity not in (None, order.quantity),
        request.limit_price not in (None, order.limit_price),
        request.trigger_price not in (None, order.trigger_price),
    )
    if not any(changes):
        raise Refusal("EOrder:No amendable parameters specified")
