"""Kraken's REST shapes of orders, executions and ledger rows (sections 4 and 7).

Amounts are strings padded with zeros, times JSON numbers: a Decimal here becomes a number on the
wire, a str stays a string.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from zoe_tools.paper.values.ledger import NO_POSITION, LedgerRow, TradeView
from zoe_tools.paper.values.market import PairSpec, wide
from zoe_tools.paper.values.order import (
    TRIGGERED_TYPES,
    AmendView,
    ConditionalClose,
    OrderView,
    Price,
    RelativePrice,
)
from zoe_tools.paper.values.rounding import fixed, half_up, plain
from zoe_tools.paper.values.views import AssetSpec

Json = dict[str, object]
_WORDS = {
    "stop-loss": "stop loss",
    "take-profit": "take profit",
    "stop-loss-limit": "stop loss",
    "take-profit-limit": "take profit",
    "trailing-stop-limit": "trailing stop",
}
_PERCENT_DECIMALS = 4


def seconds(ns: int) -> Decimal:
    """Unix seconds with six decimals, as a number."""
    return Decimal(ns // 1000).scaleb(-6)


def lot_volume(quantity: Decimal) -> str:
    """Three decimals; what is there never shows as nothing."""
    shown = half_up(quantity, 3)
    return plain(max(shown, Decimal("0.001")) if quantity > 0 else shown)


def order_text(order: OrderView, spec: PairSpec) -> str:
    """`buy 1.25000000 XBTUSD @ stop loss 49000.0 -> limit 48000.0` (section 17.2)."""
    is_settlement = order.order_type == "settle-position"
    if order.leverage is None or is_settlement:
        return _plain_text(order, spec)
    return f"{_plain_text(order, spec)} with {leverage_text(order)} leverage"


def leverage_text(order: OrderView) -> str:
    """`5:1`, or `none`."""
    return "none" if order.leverage is None else f"{order.leverage}:1"


def _plain_text(order: OrderView, spec: PairSpec) -> str:
    what = f"{order.side} {fixed(order.quantity, spec.lot_decimals)} {spec.altname} @ "
    limit, trigger = order.limit_price, order.trigger_price
    limit_word = "iceberg" if order.order_type == "iceberg" else "limit"
    limit_text = "" if limit is None else f"{limit_word} {fixed(limit, spec.pair_decimals)}"
    if trigger is None:
        return what + (limit_text or _words_of(order.order_type))
    if order.limit_offset is not None:
        limit_text = f"limit {_distance(order.limit_offset, spec)}"
    return what + _joined(order.order_type, _told(trigger, order.trailing, spec), limit_text)


def _joined(order_type: str, trigger: str, limit: str) -> str:
    return f"{_words_of(order_type)} {trigger}" + (f" -> {limit}" if limit else "")


def _words_of(order_type: str) -> str:
    return _WORDS.get(order_type, order_type.replace("-", " "))


def close_text(close: ConditionalClose, spec: PairSpec) -> str:
    """`close position @ stop loss 22000.0 -> limit 21000.0`."""
    limit = "" if close.limit_price is None else f"limit {_price(close.limit_price, spec)}"
    if close.trigger_price is None:
        return f"close position @ {limit}"
    return f"close position @ {_joined(close.order_type, _price(close.trigger_price, spec), limit)}"


def description(order: OrderView, spec: PairSpec) -> Json:
    """What AddOrder says of an order it took; `close` only where there is one."""
    told: Json = {"order": order_text(order, spec)}
    if order.close is not None:
        told["close"] = close_text(order.close, spec)
    return told


def _price(price: Price, spec: PairSpec) -> str:
    if isinstance(price, RelativePrice):
        return _distance(price, spec)
    return fixed(price, spec.pair_decimals)


def _told(price: Decimal | None, distance: RelativePrice | None, spec: PairSpec) -> str:
    """A price as it was asked for: a trailing stop's is its distance."""
    if distance is not None:
        return _distance(distance, spec)
    return "0" if price is None else fixed(price, spec.pair_decimals)


def _distance(price: RelativePrice, spec: PairSpec) -> str:
    """`+1.0000%` or `+100.0` (section 4)."""
    sign = "#" if price.is_unsigned else "+" if price.value >= 0 else "-"
    size = abs(price.value)
    if price.is_percent:
        return f"{sign}{fixed(size, _PERCENT_DECIMALS)}%"
    return f"{sign}{fixed(size, spec.pair_decimals)}"


def amend_row(row: AmendView, spec: PairSpec) -> Json:
    """Section 7.5."""
    told: Json = {
        "amend_id": row.amend_id,
        "amend_type": row.kind,
        "order_qty": fixed(row.quantity, spec.lot_decimals),
        "remaining_qty": fixed(row.remaining, spec.lot_decimals),
    }
    prices = {"limit_price": row.limit_price, "trigger_price": row.trigger_price}
    told |= {
        name: fixed(price, spec.pair_decimals)
        for name, price in prices.items()
        if price is not None
    }
    if row.display_quantity is not None:
        told["display_qty"] = fixed(row.display_quantity, spec.lot_decimals)
    if row.reason is not None:
        told["reason"] = row.reason
    if row.is_post_only:
        told["post_only"] = True
    return told | {"timestamp": row.at}


def order_row(order: OrderView, spec: PairSpec, trade_ids: Sequence[str] | None) -> Json:
    """Section 7.1; `trade_ids` None leaves `trades` out."""
    cost = spec.cost_decimals
    row: Json = {
        "refid": order.parent_id,
        "userref": order.userref if order.userref is not None else _no_userref(order),
        "status": order.status,
        "opentm": seconds(order.opened_at),
        "starttm": 0 if order.starts_at is None else seconds(order.starts_at),
        "expiretm": 0 if order.expire_at is None else seconds(order.expire_at),
        "descr": _description(order, spec),
        "vol": fixed(order.quantity, spec.lot_decimals),
        "vol_exec": fixed(order.filled, spec.lot_decimals),
        "cost": fixed(order.cost, cost),
        "fee": fixed(order.fee_base if order.is_fee_in_base else order.fee, cost),
        "price": fixed(order.average_price, wide(spec)),
        "stopprice": fixed(order.trigger_price or Decimal(0), wide(spec)),
        "limitprice": fixed(order.peak_price or _second_price(order) or Decimal(0), wide(spec)),
        "misc": ",".join(order.flags),
        "oflags": _oflags(order),
        "time_in_force": order.time_in_force,
    }
    if order.cl_ord_id is not None:
        row["cl_ord_id"] = order.cl_ord_id
    if order.sender_sub_id is not None:
        row["sender_sub_id"] = order.sender_sub_id
    if order.order_type in TRIGGERED_TYPES:
        row["trigger"] = order.trigger_reference
    if order.leverage is not None:
        row["margin"] = True
    if order.display_quantity is not None:
        row["displayvol"] = fixed(order.display_quantity, spec.lot_decimals)
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
        "price": _told(price, order.trailing, spec),
        "price2": _told(second, order.limit_offset, spec),
        "leverage": leverage_text(order),
        "order": order_text(order, spec),
        "close": "" if order.close is None else close_text(order.close, spec),
    }


def _oflags(order: OrderView) -> str:
    words = ["post"] if order.is_post_only else []
    words.append("fcib" if order.is_fee_in_base else "fciq")
    if order.quote_quantity is not None:
        words.append("viqc")
    return ",".join(words)


def trade_row(trades: Sequence[TradeView], spec: PairSpec, *, has_ledgers: bool) -> Json:
    """Section 7.2; several executions of one taker become one row with the average price."""
    first = trades[0]
    quantity = sum((trade.quantity for trade in trades), Decimal(0))
    cost = sum((trade.cost for trade in trades), Decimal(0))
    price = first.price if len(trades) == 1 else cost / quantity
    steps = [one.on_margin for one in trades if one.on_margin is not None]
    told = next((one for one in steps if one.step == "opened"), steps[0] if steps else None)
    margin = sum((one.margin for one in steps), Decimal(0))
    row: Json = {
        "ordertxid": first.order_id,
        "postxid": NO_POSITION if told is None else told.position_id,
        "pair": spec.pair_id,
        "aclass": "forex",
        "time": seconds(first.at),
        "type": first.side,
        "ordertype": first.order_type,
        "tradeordertype": first.executed_as,
        "price": fixed(price, wide(spec)),
        "cost": fixed(cost, spec.cost_decimals),
        "fee": fixed(
            sum((trade.fee + trade.fee_base for trade in trades), Decimal(0)), spec.cost_decimals
        ),
        "vol": fixed(quantity, spec.lot_decimals),
        "margin": fixed(margin, spec.cost_decimals),
        "leverage": "0" if told is None else str(told.leverage),
        "misc": "closing" if any(one.closed for one in steps) else "",
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
