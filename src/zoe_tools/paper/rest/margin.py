"""TradeBalance, OpenPositions, and what executions say of positions (sections 6, 7.2 and 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.rest import format as rest_format
from zoe_tools.paper.rest.format import Json, seconds
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.ledger import TradeView
from zoe_tools.paper.values.margin import terms_text
from zoe_tools.paper.values.market import PairSpec, wide
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.positions import Position
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import Principal

_LEVEL_DECIMALS = 2
_VALUE_DECIMALS = 1
_NET_DECIMALS = 4
_WITHOUT_POSITION = ("all", "no position")
TRADE_KINDS = (*_WITHOUT_POSITION, "any position", "closed position", "closing position")


def trade_balance(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """TradeBalance, valued at last prices; what has no price counts as nothing."""
    asset = exchange.asset(params.text("asset") or "ZUSD")
    standing = exchange.standing(who.account_id, asset.name)
    numbers = {
        "eb": standing.worth,
        "tb": standing.collateral,
        "m": standing.used,
        "uv": standing.unexecuted,
        "n": standing.profit,
        "c": standing.cost,
        "v": standing.value,
        "e": standing.equity,
        "mf": standing.free,
        "mfo": standing.free_for_orders,
    }
    row: Json = {name: fixed(value, asset.decimals) for name, value in numbers.items()}
    if standing.level is not None:
        row["ml"] = fixed(standing.level, _LEVEL_DECIMALS)
    return row


def open_positions(exchange: PaperExchange, who: Principal, params: Params) -> Json | list[Json]:
    """OpenPositions: an empty list without any; a list of sums with `consolidation=market`."""
    if (params.text("consolidation") or "market") != "market":
        raise invalid("consolidation")
    named = params.names("txid")
    has_value = params.flag("docalcs")
    positions = [
        each
        for each in exchange.positions(who.account_id)
        if not named or each.position_id in named
    ]
    if not positions:
        return []
    if params.text("consolidation") is not None:
        return _consolidated(exchange, positions, has_value=has_value)
    return {
        each.position_id: _position_row(exchange, each, has_value=has_value) for each in positions
    }


def _position_row(exchange: PaperExchange, position: Position, *, has_value: bool) -> Json:
    spec = exchange.pair(position.symbol)
    row: Json = {
        "ordertxid": position.order_id,
        "posstatus": position.status,
        "pair": spec.pair_id,
        "class": "forex",
        "time": seconds(position.at),
        "type": position.side,
        "ordertype": position.order_type,
        **_sums([position], spec),
        "terms": terms_text(position.rollover_pct, position.rollover_ns),
        "rollovertm": str(position.rolls_at // NS),
        "misc": "",
        "oflags": "",
    }
    return row | (_calculated(exchange, [position]) if has_value else {})


def _consolidated(
    exchange: PaperExchange, positions: Sequence[Position], *, has_value: bool
) -> list[Json]:
    """One row a pair and side: how many positions, and their sums."""
    groups: dict[tuple[str, str], list[Position]] = {}
    for each in positions:
        groups.setdefault((each.symbol, each.side), []).append(each)
    rows: list[Json] = []
    for (symbol, side), group in groups.items():
        spec = exchange.pair(symbol)
        cost, margin = _sum(group, "cost"), _sum(group, "margin")
        row: Json = {
            "pair": spec.pair_id,
            "positions": str(len(group)),
            "type": side,
            "leverage": fixed(cost / margin if margin else ZERO, 5),
            **_sums(group, spec),
        }
        rows.append(row | (_calculated(exchange, group) if has_value else {}))
    return rows


def _sum(positions: Sequence[Position], name: str) -> Decimal:
    return sum((getattr(each, name) for each in positions), ZERO)


def _sums(positions: Sequence[Position], spec: PairSpec) -> Json:
    """Of the whole opening, as Kraken shows it; `vol_closed` says how much is gone."""
    return {
        "cost": fixed(_sum(positions, "cost"), spec.cost_decimals),
        "fee": fixed(_sum(positions, "fee"), spec.cost_decimals),
        "vol": fixed(_sum(positions, "quantity"), spec.lot_decimals),
        "vol_closed": fixed(_sum(positions, "closed"), spec.lot_decimals),
        "margin": fixed(_sum(positions, "margin"), spec.cost_decimals),
    }


def _calculated(exchange: PaperExchange, positions: Sequence[Position]) -> Json:
    """`value` and `net` of what is still open, at the last price."""
    last = exchange.ticker(positions[0].symbol).last
    if last is None:
        return {}
    value = sum((each.value_at(last) for each in positions), ZERO)
    return {
        "value": fixed(value, _VALUE_DECIMALS),
        "net": signed(sum((each.profit_at(last) for each in positions), ZERO)),
    }


def signed(amount: Decimal) -> str:
    """`+0.6015`."""
    return ("" if amount < 0 else "+") + fixed(amount, _NET_DECIMALS)


def is_of_kind(exchange: PaperExchange, who: Principal, trade: TradeView, kind: str) -> bool:
    """Whether TradesHistory shows this execution when it is asked for this kind."""
    told = trade.on_margin
    if kind == "all":
        return True
    if told is None or kind == "no position":
        return told is None and kind == "no position"
    if kind == "closing position":
        return told.closed > 0
    if kind == "any position":
        return True
    position = exchange.position(who.account_id, told.position_id)
    return told.step == "opened" and position is not None and position.status == "closed"


def trade_row(
    exchange: PaperExchange, who: Principal, trades: Sequence[TradeView], *, has_ledgers: bool
) -> Json:
    """Section 7.2; an execution that opened a position tells what became of it."""
    spec = exchange.pair(trades[0].symbol)
    row = rest_format.trade_row(trades, spec, has_ledgers=has_ledgers)
    opening = [one.on_margin for one in trades if one.on_margin and one.on_margin.step == "opened"]
    if not opening:
        return row
    position = exchange.position(who.account_id, opening[0].position_id)
    return row if position is None else row | _outcome(position, spec)


def _outcome(position: Position, spec: PairSpec) -> Json:
    """How the position that a trade opened stands."""
    price = position.proceeds / position.closed if position.closed else ZERO
    row: Json = {
        "posstatus": position.status,
        "cprice": fixed(price, wide(spec)),
        "ccost": fixed(position.proceeds, spec.cost_decimals),
        "cfee": fixed(position.closing_fee, spec.cost_decimals),
        "cvol": fixed(position.closed, spec.lot_decimals),
        "cmargin": fixed(position.closed_margin, spec.cost_decimals),
        "net": signed(position.profit),
    }
    return row | ({"trades": list(position.closing_ids)} if position.closing_ids else {})
