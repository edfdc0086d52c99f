"""Requests turned into orders: relative prices resolved, digits as on the wire. Changes nothing."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.account import Account
from zoe_tools.paper.engine.book import PairBook
from zoe_tools.paper.engine.prices import entry_price, limit_beside, stop_behind
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import (
    LIMIT_PRICED,
    TRAILING,
    TRIGGERED_TYPES,
    ZERO,
    AmendOrder,
    AmendView,
    ConditionalClose,
    EditOrder,
    OrderView,
    PlaceOrder,
    Price,
    RelativePrice,
    Side,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import half_up

_DRAFT = ""
"""The id of an order that is only checked."""


def draft_of(request: PlaceOrder, account: Account, book: PairBook, now: int) -> OrderView:
    """The order that the request asks for, with today's fee rates.

    Raises:
        Refusal: a price that cannot be told, or a trailing distance beyond the price.
    """
    spec = book.spec
    volume = account.volume.total(now)
    order = OrderView(
        order_id=_DRAFT,
        account_id=account.account_id,
        taker_pct=fees.percent(spec, volume, is_maker=False),
        maker_pct=fees.percent(spec, volume, is_maker=True),
        symbol=request.symbol,
        side=request.side,
        order_type=request.order_type,
        quantity=half_up(request.quantity, spec.lot_decimals),
        opened_at=now,
        queue_number=0,
        time_in_force=request.time_in_force,
        is_post_only=request.is_post_only,
        expire_at=request.expire_at,
        cl_ord_id=request.cl_ord_id,
        userref=request.userref,
        self_trade=request.self_trade,
        quote_quantity=_digits(request.quote_quantity, spec.cost_decimals),
        display_quantity=_digits(request.display_quantity, spec.lot_decimals),
        trigger_reference=request.trigger_reference,
        fee_asset=request.fee_asset,
        starts_at=request.starts_at,
        status="open" if request.starts_at is None else "pending",
        close=request.close,
        sender_sub_id=request.sender_sub_id,
        leverage=request.leverage,
        is_reduce_only=request.is_reduce_only,
    )
    return priced(order, request.limit_price, request.trigger_price, book)


def _digits(value: Decimal | None, decimals: int) -> Decimal | None:
    return None if value is None else half_up(value, decimals)


def priced(
    order: OrderView, limit: Price | None, trigger: Price | None, book: PairBook
) -> OrderView:
    """The order with these prices; what is relative is so to the last price."""
    spec, last = book.spec, book.last
    if order.order_type in TRAILING:
        if not isinstance(trigger, RelativePrice) or last is None:
            raise Refusal("EGeneral:Invalid arguments:price")
        offset = limit if isinstance(limit, RelativePrice) else None
        return trailed(replace(order, trailing=trigger, limit_offset=offset), last, spec)
    numbers = [
        entry_price(price, last, spec, side=order.side, order_type=kind)
        for price, kind in ((limit, order.order_type), (trigger, order.order_type))
    ]
    return replace(
        order,
        limit_price=_digits(numbers[0], spec.pair_decimals),
        trigger_price=_digits(numbers[1], spec.pair_decimals),
    )


def trailed(order: OrderView, peak: Decimal, spec: PairSpec) -> OrderView:
    """A trailing order whose peak is this price."""
    if order.trailing is None:
        return order
    stop = stop_behind(peak, order.trailing, order.side, spec)
    limit = limit_beside(stop, order.limit_offset, order.side, spec)
    if stop <= 0 or (limit is not None and limit <= 0):
        raise Refusal("EOrder:Invalid price")
    return replace(order, peak_price=peak, trigger_price=stop, limit_price=limit)


def amended(order: OrderView, request: AmendOrder, book: PairBook) -> OrderView:
    """The order as it will be; a quantity at or below what is filled leaves what is filled."""
    spec = book.spec
    total = order.quantity
    if request.quantity is not None:
        total = half_up(request.quantity, spec.lot_decimals)
    total = max(total, order.filled)
    display = order.display_quantity
    if request.display_quantity is not None:
        display = half_up(request.display_quantity, spec.lot_decimals)
    order = replace(
        order,
        quantity=total,
        display_quantity=display,
        shown=ZERO if display is None else min(display, total - order.filled),
        is_amended=True,
    )
    if order.order_type in TRAILING:
        return _retrailed(order, request, book)
    limit = order.limit_price if request.limit_price is None else request.limit_price
    trigger = order.trigger_price if request.trigger_price is None else request.trigger_price
    return priced(order, limit, trigger, book)


def _retrailed(order: OrderView, request: AmendOrder, book: PairBook) -> OrderView:
    """A waiting one keeps its peak; a triggered one is a plain order by now."""
    peak = order.peak_price
    if not order.waits_for_trigger or peak is None:
        limit = request.limit_price
        if isinstance(limit, Decimal):
            order = replace(order, limit_price=half_up(limit, book.spec.pair_decimals))
        return order
    if isinstance(request.trigger_price, RelativePrice):
        order = replace(order, trailing=request.trigger_price)
    if isinstance(request.limit_price, RelativePrice):
        order = replace(order, limit_offset=request.limit_price)
    return trailed(order, peak, book.spec)


def trail_of(order: OrderView, amend_id: str, at: int, *, is_original: bool = False) -> AmendView:
    """One step of the amend trail (section 7.5): the order as it stands."""
    return AmendView(
        amend_id=amend_id,
        order_id=order.order_id,
        account_id=order.account_id,
        kind="original" if is_original else "user",
        quantity=order.quantity,
        remaining=order.remaining,
        at=at,
        display_quantity=order.display_quantity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price,
        reason=None if is_original else "User requested",
        is_post_only=order.is_post_only,
    )


def edited(order: OrderView, request: EditOrder) -> PlaceOrder:
    """The new order of an edit: what is not named stays; the id of the client does not."""
    limit: Price | None = request.limit_price
    trigger: Price | None = request.trigger_price
    is_trailing = order.order_type in TRAILING
    if limit is None:
        limit = order.limit_offset if is_trailing else order.limit_price
    if trigger is None:
        trigger = order.trailing if is_trailing else order.trigger_price
    is_post_only = order.is_post_only if request.is_post_only is None else request.is_post_only
    return PlaceOrder(
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        quantity=order.remaining if request.quantity is None else request.quantity,
        limit_price=limit,
        trigger_price=trigger,
        time_in_force=order.time_in_force,
        is_post_only=is_post_only,
        expire_at=order.expire_at,
        deadline=request.deadline,
        userref=request.userref_new,
        self_trade=order.self_trade,
        is_validate=request.is_validate,
        display_quantity=request.display_quantity or order.display_quantity,
        trigger_reference=order.trigger_reference,
        fee_asset=request.fee_asset or order.fee_asset,
        starts_at=order.starts_at if order.status == "pending" else None,
        leverage=order.leverage,
        is_reduce_only=order.is_reduce_only,
    )


def child_of(parent: OrderView, quantity: Decimal, book: PairBook, now: int) -> OrderView | None:
    """The order that a fill of this quantity opens; None when its price cannot be told."""
    close = parent.close
    if close is None:
        return None
    side: Side = "sell" if parent.side == "buy" else "buy"
    child = OrderView(
        order_id=_DRAFT,
        account_id=parent.account_id,
        taker_pct=parent.taker_pct,
        maker_pct=parent.maker_pct,
        symbol=parent.symbol,
        side=side,
        order_type=close.order_type,
        quantity=quantity,
        opened_at=now,
        queue_number=0,
        userref=parent.userref,
        self_trade=parent.self_trade,
        trigger_reference=parent.trigger_reference,
        fee_asset=parent.fee_asset,
        parent_id=parent.order_id,
        leverage=parent.leverage,
    )
    try:
        return priced(child, close.limit_price, close.trigger_price, book)
    except Refusal:
        return None


def check_close(close: ConditionalClose) -> None:
    """A closing order's type and which prices it has.

    Raises:
        Refusal: `EGeneral:Invalid arguments:close...`.
    """
    kind = close.order_type
    if kind in {"market", "iceberg", "settle-position"}:
        raise Refusal("EGeneral:Invalid arguments:close[ordertype]")
    if (close.limit_price is not None) != (kind in LIMIT_PRICED) or (
        close.trigger_price is not None
    ) != (kind in TRIGGERED_TYPES):
        raise Refusal("EGeneral:Invalid arguments:close[price]")
    if kind in TRAILING and not isinstance(close.trigger_price, RelativePrice):
        raise Refusal("EGeneral:Invalid arguments:close[price]")
