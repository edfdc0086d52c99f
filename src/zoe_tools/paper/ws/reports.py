"""Execution reports as the socket prints them: rich when an order is new, sparse afterwards.

Values in, rows out. Source: kraken-spot sections 11.1 and 17.4.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from zoe_tools.paper.values.events import OrderEvent
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import (
    TRIGGERED_TYPES,
    ZERO,
    ConditionalClose,
    OrderView,
    Price,
    RelativePrice,
)
from zoe_tools.paper.values.rounding import fits
from zoe_tools.paper.values.times import iso, iso_seconds
from zoe_tools.paper.ws.numbers import number

Row = dict[str, Any]
_PERCENT_DECIMALS = 4
_DEFAULT_REASONS = {"canceled": "User requested", "expired": "Order expired"}


def update_row(
    event: OrderEvent,
    spec: PairSpec,
    *,
    is_condensed: bool = False,
    trigger_report: str = "status",
) -> Row:
    """The report of one step of an order's life.

    Who hears the condensed stream has had no `pending_new`: `new` is the rich one there.
    """
    order = event.order
    match event.kind:
        case "pending_new":
            return _rich(order, spec, at=event.at, step="pending_new")
        case "new":
            if is_condensed:
                return _rich(order, spec, at=event.at, step="new")
            return _head(event, "new", "new") | _names(order)
        case "trade" if event.trade is not None:
            return _traded(event.trade, order, spec)
        case "filled" | "canceled" | "expired":
            return _ended(event, spec)
        case "amended" | "restated":
            return _amended(event, spec)
        case "iceberg_refill":
            head = _head(event, "iceberg_refill", _working_status(order))
            return head | _names(order) | _displayed(order, spec)
        case _:
            step = trigger_report if event.kind == "triggered" else "status"
            return _moved(event, spec, step)


def _ended(event: OrderEvent, spec: PairSpec) -> Row:
    """What was done of it in all; where it was not filled, why it ended, the latter twice."""
    order = event.order
    row = _head(event, event.kind, event.kind) | _totals(order, spec)
    if event.kind == "filled":
        return row | _names(order)
    reason = event.reason or order.reason or _DEFAULT_REASONS[event.kind]
    reasons = {"cancel_reason": reason, "reason": reason}
    return row | {"order_userref": order.userref or 0} | reasons | _names(order)


def _moved(event: OrderEvent, spec: PairSpec, step: str) -> Row:
    """A trailing stop followed the price, or a trigger fired: then its limit is a price."""
    order = event.order
    row = _head(event, step, _working_status(order)) | _names(order) | _trigger(order, spec)
    return row if order.waits_for_trigger else row | _limit(order, spec)


def _head(event: OrderEvent, exec_type: str, order_status: str) -> Row:
    return {"timestamp": iso(event.at), "order_status": order_status, "exec_type": exec_type}


def _names(order: OrderView) -> Row:
    row: Row = {"order_userref": order.userref or 0, "order_id": order.order_id}
    if order.cl_ord_id is not None:
        row["cl_ord_id"] = order.cl_ord_id
    return row


def _working_status(order: OrderView) -> str:
    if order.status == "pending":
        return "pending_new"
    return "partially_filled" if order.filled else "new"


def fee_in_quote(paid: OrderView | TradeView) -> Decimal:
    """What was paid in fees, that in base at the price of what it was paid for."""
    price = paid.price if isinstance(paid, TradeView) else paid.average_price
    return paid.fee + paid.fee_base * price


def in_dollars(row: Row, paid: OrderView | TradeView, spec: PairSpec, rate: Decimal) -> Row:
    """The report of a pair whose quote is no dollar, but worth so many of them."""
    if "fee_usd_equiv" in row:
        row["fee_usd_equiv"] = number(fee_in_quote(paid) * rate, spec.cost_decimals)
    return row


def _totals(order: OrderView, spec: PairSpec) -> Row:
    return {
        "cum_qty": number(order.filled, spec.lot_decimals),
        "cum_cost": number(order.cost, spec.cost_decimals),
        "fee_usd_equiv": number(fee_in_quote(order), spec.cost_decimals),
        "avg_price": _average(order.average_price, spec),
    }


def _average(price: Decimal, spec: PairSpec) -> Any:
    """An average off the tick keeps more digits than prices have."""
    if fits(price, spec.pair_decimals):
        return number(price, spec.pair_decimals)
    return number(price, max(spec.pair_decimals, spec.cost_decimals))


def _rich(order: OrderView, spec: PairSpec, *, at: int, step: str) -> Row:
    """Everything of a new order, in the order of the captured frames."""
    row: Row = {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "order_qty": number(order.quantity, spec.lot_decimals),
        "cum_cost": number(ZERO, spec.cost_decimals),
        "time_in_force": order.time_in_force.upper(),
        "exec_type": step,
        "side": order.side,
        "order_type": order.order_type,
        "order_userref": order.userref or 0,
        **_limit(order, spec),
        "stop_price": number(order.trigger_price or ZERO, spec.pair_decimals),
        "order_status": step,
        "fee_usd_equiv": number(ZERO, spec.cost_decimals),
        "fee_ccy_pref": "fcib" if order.is_fee_in_base else "fciq",
        "timestamp": iso(at),
    }
    return row | _extras(order, spec)


def _limit(order: OrderView, spec: PairSpec) -> Row:
    """The limit as it was asked for: beside a stop that still trails it is a distance."""
    if order.waits_for_trigger and order.limit_offset is not None:
        return _told("limit_price", order.limit_offset, spec)
    return {} if order.limit_price is None else _told("limit_price", order.limit_price, spec)


def _told(name: str, price: Price, spec: PairSpec) -> Row:
    """A price and its unit: static, or how far away in quote or percent."""
    if not isinstance(price, RelativePrice):
        return {f"{name}_type": "static", name: number(price, spec.pair_decimals)}
    decimals = _PERCENT_DECIMALS if price.is_percent else spec.pair_decimals
    unit = "pct" if price.is_percent else "quote"
    return {f"{name}_type": unit, name: number(price.value, decimals)}


def _extras(order: OrderView, spec: PairSpec) -> Row:
    """What only some orders have; absent, never null."""
    extras: Row = {}
    if order.cl_ord_id is not None:
        extras["cl_ord_id"] = order.cl_ord_id
    names = {"ord_ref_id": order.parent_id, "sender_sub_id": order.sender_sub_id}
    extras |= {name: text for name, text in names.items() if text is not None}
    if order.quote_quantity is not None:
        extras["cash_order_qty"] = number(order.quote_quantity, spec.cost_decimals)
    flags = {
        "margin": order.leverage is not None,
        "post_only": order.is_post_only,
        "reduce_only": order.is_reduce_only,
        "liquidated": order.is_liquidation,
    }
    extras |= {name: True for name, is_set in flags.items() if is_set}
    times = {"effective_time": order.starts_at, "expire_time": order.expire_at}
    extras |= {name: iso_seconds(at) for name, at in times.items() if at is not None}
    extras |= _displayed(order, spec) | _trigger(order, spec)
    if order.close is not None:
        extras["contingent"] = _contingent(order.close, spec)
    return extras


def _displayed(order: OrderView, spec: PairSpec) -> Row:
    """An iceberg's slice, and what of it still shows; before it rests, what will show."""
    if order.display_quantity is None:
        return {}
    shown = order.shown or min(order.display_quantity, order.remaining)
    return {
        "display_qty": number(order.display_quantity, spec.lot_decimals),
        "display_qty_remain": number(shown, spec.lot_decimals),
    }


def _contingent(close: ConditionalClose, spec: PairSpec) -> Row:
    row: Row = {"order_type": close.order_type}
    for name, price in (("trigger_price", close.trigger_price), ("limit_price", close.limit_price)):
        if price is not None:
            row |= _told(name, price, spec)
    return row


def _trigger(order: OrderView, spec: PairSpec) -> Row:
    """`triggers`, and what Kraken still says beside it though deprecated."""
    if order.order_type not in TRIGGERED_TYPES:
        return {}
    row: Row = {"trigger": order.trigger_reference, "triggers": _triggers(order, spec)}
    if order.triggered_at is not None:
        row["triggered_price"] = row["triggers"]["last_price"]
    return row


def _triggers(order: OrderView, spec: PairSpec) -> Row:
    """`price` is what was asked for, `actual_price` where the trigger stands now."""
    actual = order.trigger_price or ZERO
    asked = _told("price", order.trailing or actual, spec)
    triggers: Row = {
        "reference": order.trigger_reference,
        "price": asked["price"],
        "price_type": asked["price_type"],
        "actual_price": number(actual, spec.pair_decimals),
        "status": "untriggered" if order.triggered_at is None else "triggered",
    }
    if order.peak_price is not None:
        triggers["peak_price"] = number(order.peak_price, spec.pair_decimals)
    if order.triggered_at is not None:
        last = order.triggered_by if order.triggered_by is not None else ZERO
        triggers["last_price"] = number(last, spec.pair_decimals)
        triggers["timestamp"] = iso(order.triggered_at)
    return triggers


def _traded(trade: TradeView, order: OrderView, spec: PairSpec) -> Row:
    """A fill: `partially_filled` even where it completes the order, which `filled` then says."""
    row = _fill(trade, spec, userref=order.userref or 0)
    row["timestamp"] = iso(trade.at)
    row["order_status"] = "partially_filled"
    totals = _totals(order, spec)
    for name in ("cum_qty", "cum_cost", "avg_price", "fee_usd_equiv"):
        row[name] = totals[name]
    row["fees"] = _fees(trade, spec)
    if order.cl_ord_id is not None:
        row["cl_ord_id"] = order.cl_ord_id
    return row


def _fill(trade: TradeView, spec: PairSpec, *, userref: int) -> Row:
    return {
        "order_id": trade.order_id,
        "order_userref": userref,
        "exec_id": trade.trade_id,
        "exec_type": "trade",
        "trade_id": trade.public_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "last_qty": number(trade.quantity, spec.lot_decimals),
        "last_price": number(trade.price, spec.pair_decimals),
        "liquidity_ind": "m" if trade.is_maker else "t",
        "cost": number(trade.cost, spec.cost_decimals),
        "order_type": trade.order_type,
        **_on_margin(trade),
    }


def _on_margin(trade: TradeView) -> Row:
    """Whether something was borrowed for it, and what it did to a position."""
    told = trade.on_margin
    if told is None:
        return {}
    return {"margin_borrow": told.borrowed > 0, "position_status": told.step}


def _fees(trade: TradeView, spec: PairSpec) -> list[Row]:
    """In quote, or in base where the order preferred it."""
    if trade.fee_base:
        return [{"asset": spec.base, "qty": number(trade.fee_base, spec.base_decimals)}]
    return [{"asset": spec.quote, "qty": number(trade.fee, spec.cost_decimals)}]


def trade_row(trade: TradeView, spec: PairSpec, *, userref: int, order_status: str) -> Row:
    """A past trade in a snapshot: without the order's totals."""
    return _fill(trade, spec, userref=userref) | {
        "order_status": order_status,
        "timestamp": iso(trade.at),
        "fee_usd_equiv": number(fee_in_quote(trade), spec.cost_decimals),
        "fees": _fees(trade, spec),
    }


def _amended(event: OrderEvent, spec: PairSpec) -> Row:
    """By the client (`amended`) or by the engine (`restated`): what may have changed, as it is."""
    order = event.order
    row = _head(event, event.kind, _working_status(order)) | _names(order)
    limit = _limit(order, spec)
    if limit.get("limit_price_type") == "static":
        del limit["limit_price_type"]
    row |= limit
    row["order_qty"] = number(order.quantity, spec.lot_decimals)
    row |= _displayed(order, spec) | _trigger(order, spec)
    if order.is_amended:
        row["amended"] = True
    return row | {"reason": event.reason or _DEFAULT_REASONS["canceled"]}


def snapshot_row(order: OrderView, spec: PairSpec) -> Row:
    """An open order as the snapshot shows it; one that waits for its time is not `new` yet."""
    step = "pending_new" if order.status == "pending" else "new"
    row = _rich(order, spec, at=order.opened_at, step=step)
    if order.filled:
        row["order_status"] = _working_status(order)
    row |= _totals(order, spec)
    if order.is_amended:
        row["amended"] = True
    return row
