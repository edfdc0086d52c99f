"""Kraken's REST shapes of orders, executions and ledger rows (sections 4 and 7).

Amounts are strings padded with zeros, times JSON numbers: a Decimal here becomes a number on the
wire, a str stays a string.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from zoe_tools.paper.ledger import LedgerRow, TradeView
from zoe_tools.paper.market import PairSpec
from zoe_tools.paper.order import STOPS, TRIGGERED_TYPES, OrderView
from zoe_tools.paper.rounding import fixed
from zoe_tools.paper.views import AssetSpec

Json = dict[str, object]
NO_POSITION = "TKH2SE-M7IF5-CFI7LT"
"""The constant every non-margin trade carries as its position."""
_WORDS = {
    "stop-loss": "stop loss",
    "take-profit": "take profit",
    "stop-loss-limit": "stop loss",
    "take-profit-limit": "take profit",
}


def seconds(ns: int) -> Decimal:
    """Unix seconds with six decimals, as a number."""
    return Decimal(ns // 1000).scaleb(-6)


def wide(spec: PairSpec) -> int:
    """Decimals of prices where Kraken pads: five, or more if the pair needs them."""
    return max(5, spec.pair_decimals)


def order_text(order: OrderView, spec: PairSpec) -> str:
    """`buy 1.25000000 XBTUSD @ stop loss 49000.0 -> limit 48000.0` (section 17.2)."""
    what = f"{order.side} {fixed(order.quantity, spec.lot_decimals)} {spec.altname} @ "
    limit, trigger = order.limit_price, order.trigger_price
    limit_text = "" if limit is None else f"limit {fixed(limit, spec.pair_decimals)}"
    if trigger is None:
        return what + (limit_text or "market")
    words = _WORDS.get(order.order_type, order.order_type.replace("-", " "))
    text = f"{words} {fixed(trigger, spec.pair_decimals)}"
    return what + text + (f" -> {limit_text}" if limit_text else "")


def order_row(order: OrderView, spec: PairSpec, trade_ids: Sequence[str] | None) -> Json:
    """Section 7.1; `trade_ids` None leaves `trades` out."""
    cost = spec.cost_decimals
    row: Json = {
        "refid": None,
        "userref": order.userref if order.userref is not None else _no_userref(order),
        "status": order.status,
        "opentm": seconds(order.opened_at),
        "starttm": 0,
        "expiretm": 0 if order.expire_at is None else seconds(order.expire_at),
        "descr": _description(order, spec),
        "vol": fixed(order.quantity, spec.lot_decimals),
        "vol_exec": fixed(order.filled, spec.lot_decimals),
        "cost": fixed(order.cost, cost),
        "fee": fixed(order.fee, cost),
        "price": fixed(order.average_price, wide(spec)),
        "stopprice": fixed(order.trigger_price or Decimal(0), wide(spec)),
        "limitprice": fixed(_second_price(order) or Decimal(0), wide(spec)),
        "misc": _misc(order),
        "oflags": "post,fciq" if order.is_post_only else "fciq",
        "time_in_force": order.time_in_force,
    }
    if order.cl_ord_id is not None:
        row["cl_ord_id"] = order.cl_ord_id
    if order.order_type in TRIGGERED_TYPES:
        row["trigger"] = "last"
    if order.closed_at is not None:
        row |= {"closetm": seconds(order.closed_at), "reason": order.reason}
    if trade_ids:
        row["trades"] = list(trade_ids)
    return row


def _no_userref(order: OrderView) -> int | None:
    return 0 if order.cl_ord_id is None else None


def _second_price(order: OrderView) -> Decimal | None:
    return order.limit_price if order.order_type in TRIGGERED_TYPES else None


def _description(order: OrderView, spec: PairSpec) -> Json:
    is_triggered = order.order_type in TRIGGERED_TYPES
    price = order.trigger_price if is_triggered else order.limit_price
    second = _second_price(order)
    return {
        "pair": spec.altname,
        "aclass": "forex",
        "type": order.side,
        "ordertype": order.order_type,
        "price": "0" if price is None else fixed(price, spec.pair_decimals),
        "price2": "0" if second is None else fixed(second, spec.pair_decimals),
        "leverage": "none",
        "order": order_text(order, spec),
        "close": "",
    }


def _misc(order: OrderView) -> str:
    words: list[str] = []
    if order.triggered_at is not None:
        words.append("stopped" if order.order_type in STOPS else "touched")
    if order.is_amended:
        words.append("amended")
    return ",".join(words)


def trade_row(trades: Sequence[TradeView], spec: PairSpec, *, has_ledgers: bool) -> Json:
    """Section 7.2; several executions of one taker become one row with the average price."""
    first = trades[0]
    quantity = sum((trade.quantity for trade in trades), Decimal(0))
    cost = sum((trade.cost for trade in trades), Decimal(0))
    price = first.price if len(trades) == 1 else cost / quantity
    row: Json = {
        "ordertxid": first.order_id,
        "postxid": NO_POSITION,
        "pair": spec.pair_id,
        "aclass": "forex",
        "time": seconds(first.at),
        "type": first.side,
        "ordertype": first.order_type,
        "tradeordertype": first.executed_as,
        "price": fixed(price, wide(spec)),
        "cost": fixed(cost, spec.cost_decimals),
        "fee": fixed(sum((trade.fee for trade in trades), Decimal(0)), spec.cost_decimals),
        "vol": fixed(quantity, spec.lot_decimals),
        "margin": fixed(Decimal(0), spec.cost_decimals),
        "leverage": "0",
        "misc": "",
        "trade_id": first.public_id,
        "maker": first.is_maker,
    }
    if has_ledgers:
        row["ledgers"] = [ledger_id for trade in trades for ledger_id in trade.ledger_ids]
    return row


def consolidated(trades: Iterable[TradeView]) -> list[list[TradeView]]:
    """Taker fills of one order at one time together, everything else on its own."""
    groups: dict[tuple[str, int | str], list[TradeView]] = {}
    for trade in trades:
        key = trade.trade_id if trade.is_maker else trade.at
        groups.setdefault((trade.order_id, key), []).append(trade)
    return list(groups.values())


def ledger_row(row: LedgerRow, asset: AssetSpec) -> Json:
    """Section 7.4."""
    return {
        "refid": row.ref_id,
        "time": seconds(row.at),
        "type": row.type,
        "subtype": row.subtype,
        "aclass": "currency",
        "asset": asset.asset_id,
        "amount": fixed(row.amount, asset.decimals),
        "fee": fixed(row.fee, asset.decimals),
        "balance": fixed(row.balance, asset.decimals),
    }
