"""Execution reports as the socket prints them: rich when an order is new, sparse afterwards.

Values in, rows out. Source: kraken-spot sections 11.1 and 17.4.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from zoe_tools.paper.events import OrderEvent
from zoe_tools.paper.ledger import TradeView
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.order import TRIGGERED_TYPES, ZERO, OrderView
from zoe_tools.paper.rounding import fits
from zoe_tools.paper.times import iso, iso_seconds
from zoe_tools.paper.ws_numbers import number

Row = dict[str, Any]
_DEFAULT_REASONS = {"canceled": "User requested", "expired": "Order expired"}


def update_row(event: OrderEvent, spec: PairSpec) -> Row:
    """The report of one step of an order's life."""
    order = event.order
    match event.kind:
        case "pending_new":
            return _rich(order, spec, at=event.at)
        case "new":
            return _head(event, "new", "new") | _names(order)
        case "trade" if event.trade is not None:
            return _traded(event.trade, order, spec)
        case "filled":
            return _head(event, "filled", "filled") | _totals(order, spec) | _names(order)
        case "canceled" | "expired":
            reason = event.reason or order.reason or _DEFAULT_REASONS[event.kind]
            reasons = {"cancel_reason": reason, "reason": reason}
            head = _head(event, event.kind, event.kind) | _totals(order, spec)
            named = {"order_userref": order.userref or 0}
            return head | named | reasons | _names(order)
        case "amended":
            return _amended(event, spec)
        case _:
            status = _working_status(order)
            triggers = {"triggers": _triggers(order, spec)}
            return _head(event, "status", status) | _names(order) | triggers


def _head(event: OrderEvent, exec_type: str, order_status: str) -> Row:
    return {"timestamp": iso(event.at), "order_status": order_status, "exec_type": exec_type}


def _names(order: OrderView) -> Row:
    row: Row = {"order_userref": order.userref or 0, "order_id": order.order_id}
    if order.cl_ord_id is not None:
        row["cl_ord_id"] = order.cl_ord_id
    return row


def _working_status(order: OrderView) -> str:
    return "partially_filled" if order.filled else "new"


def _totals(order: OrderView, spec: PairSpec) -> Row:
    return {
        "cum_qty": number(order.filled, spec.lot_decimals),
        "cum_cost": number(order.cost, spec.cost_decimals),
        "fee_usd_equiv": number(order.fee, spec.cost_decimals),
        "avg_price": _average(order.average_price, spec),
    }


def _average(price: Decimal, spec: PairSpec) -> Any:
    """An average off the tick keeps more digits than prices have."""
    if fits(price, spec.pair_decimals):
        return number(price, spec.pair_decimals)
    return number(price, max(spec.pair_decimals, spec.cost_decimals))


def _rich(order: OrderView, spec: PairSpec, *, at: int) -> Row:
    """Everything of a new order, in the order of the captured frames."""
    row: Row = {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "order_qty": number(order.quantity, spec.lot_decimals),
        "cum_cost": number(ZERO, spec.cost_decimals),
        "time_in_force": order.time_in_force.upper(),
        "exec_type": "pending_new",
        "side": order.side,
        "order_type": order.order_type,
        "order_userref": order.userref or 0,
        **_prices(order, spec),
        "order_status": "pending_new",
        "fee_usd_equiv": number(ZERO, spec.cost_decimals),
        "fee_ccy_pref": "fciq",
        "timestamp": iso(at),
    }
    return row | _extras(order, spec)


def _prices(order: OrderView, spec: PairSpec) -> Row:
    prices: Row = {}
    if order.limit_price is not None:
        prices["limit_price_type"] = "static"
        prices["limit_price"] = number(order.limit_price, spec.pair_decimals)
    prices["stop_price"] = number(order.trigger_price or ZERO, spec.pair_decimals)
    return prices


def _extras(order: OrderView, spec: PairSpec) -> Row:
    extras: Row = {}
    if order.cl_ord_id is not None:
        extras["cl_ord_id"] = order.cl_ord_id
    if order.is_post_only:
        extras["post_only"] = True
    if order.expire_at is not None:
        extras["expire_time"] = iso_seconds(order.expire_at)
    if order.order_type in TRIGGERED_TYPES:
        extras["triggers"] = _triggers(order, spec)
    return extras


def _triggers(order: OrderView, spec: PairSpec) -> Row:
    price = number(order.trigger_price or ZERO, spec.pair_decimals)
    triggers: Row = {
        "reference": "last",
        "price": price,
        "price_type": "static",
        "actual_price": price,
        "status": "untriggered" if order.triggered_at is None else "triggered",
    }
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
    }


def _fees(trade: TradeView, spec: PairSpec) -> list[Row]:
    return [{"asset": spec.quote, "qty": number(trade.fee, spec.cost_decimals)}]


def trade_row(trade: TradeView, spec: PairSpec, *, userref: int, order_status: str) -> Row:
    """A past trade in a snapshot: without the order's totals."""
    return _fill(trade, spec, userref=userref) | {
        "order_status": order_status,
        "timestamp": iso(trade.at),
        "fee_usd_equiv": number(trade.fee, spec.cost_decimals),
        "fees": _fees(trade, spec),
    }


def _amended(event: OrderEvent, spec: PairSpec) -> Row:
    order = event.order
    row = _head(event, "amended", _working_status(order)) | _names(order)
    if order.limit_price is not None:
        row["limit_price"] = number(order.limit_price, spec.pair_decimals)
    row["order_qty"] = number(order.quantity, spec.lot_decimals)
    if order.order_type in TRIGGERED_TYPES:
        row["triggers"] = _triggers(order, spec)
    return row | {"amended": True, "reason": event.reason or "User requested"}


def snapshot_row(order: OrderView, spec: PairSpec) -> Row:
    """An open order as the snapshot shows it."""
    row = _rich(order, spec, at=order.opened_at)
    row["exec_type"] = "new"
    row["order_status"] = _working_status(order)
    row |= _totals(order, spec)
    if order.is_amended:
        row["amended"] = True
    return row
