"""The private REST endpoints that read (section 6): parameters in, Kraken's result out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from zoe_tools.paper.engine import fees
from zoe_tools.paper.engine.ids import iban_of
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.tokens import TOKEN_LIFE_S
from zoe_tools.paper.rest.format import Json, consolidated, ledger_row, order_row
from zoe_tools.paper.rest.margin import TRADE_KINDS, is_of_kind, trade_row
from zoe_tools.paper.rest.pages import Window, joined, page_of, total_joined, total_of
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.market import Levels
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.rounding import fixed
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import Principal

_MOST_QUERIED_ORDERS = 50
_MOST_QUERIED = 20
_LEDGER_KINDS = frozenset(
    {
        "all",
        "trade",
        "deposit",
        "withdrawal",
        "transfer",
        "margin",
        "adjustment",
        "rollover",
        "credit",
        "settled",
        "staking",
        "dividend",
        "sale",
        "nft_rebate",
    }
)
"""What a ledger can be asked for (section 7.4)."""


def balance(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """Balance."""
    return {
        row.asset.asset_id: fixed(row.balance, row.asset.decimals)
        for row in exchange.balances(who.account_id)
    }


def balance_ex(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """BalanceEx."""
    return {
        row.asset.asset_id: {
            "balance": fixed(row.balance, row.asset.decimals),
            "hold_trade": fixed(row.hold, row.asset.decimals),
        }
        for row in exchange.balances(who.account_id)
    }


def credit_lines(_: PaperExchange, __: Principal, ___: Params) -> None:
    """CreditLines: null, as for every account without one."""


# orders
def _order_rows(
    exchange: PaperExchange, orders: Iterable[OrderView], params: Params
) -> dict[str, object]:
    has_trades = params.flag("trades")
    is_consolidated = params.flag("consolidate_taker", default=True)
    rows: dict[str, object] = {}
    for order in orders:
        ids: list[str] | None = None
        if has_trades:
            trades = exchange.trades_of(order)
            groups = consolidated(trades) if is_consolidated else [[each] for each in trades]
            ids = [group[0].trade_id for group in groups]
        rows[order.order_id] = order_row(order, exchange.pair(order.symbol), ids)
    return rows


def _ids_of(params: Params) -> tuple[int | None, str | None]:
    return params.integer("userref"), params.text("cl_ord_id")


def _matching(orders: Iterable[OrderView], params: Params) -> Iterator[OrderView]:
    userref, cl_ord_id = _ids_of(params)
    return (
        order
        for order in orders
        if (userref is None or order.userref == userref)
        and (cl_ord_id is None or order.cl_ord_id == cl_ord_id)
    )


def open_orders(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """OpenOrders, newest first."""
    known = exchange.lag.open_orders(
        who.account_id, exchange.open_orders(who.account_id), exchange.now()
    )
    orders = _matching(reversed(known), params)
    return {"open": _order_rows(exchange, orders, params)}


def closed_orders(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """ClosedOrders: fifty a page, newest first, `start` exclusive and `end` inclusive."""
    window = Window(exchange, who, params)
    which = params.text("closetime") or "both"
    if which not in ("open", "close", "both"):
        raise invalid("closetime")

    def times(order: OrderView) -> list[int]:
        closed_at = order.closed_at or order.opened_at
        known = {"open": [order.opened_at], "close": [closed_at]}
        return known.get(which, [order.opened_at, closed_at])

    ended = exchange.lag.closed_orders(
        exchange.closed_orders(who.account_id, window.since), exchange.now()
    )
    found = _matching(
        (one for one in reversed(ended) if any(window.holds(at) for at in times(one))), params
    )
    is_all = _ids_of(params) == (None, None) and not window.has_end
    is_all = is_all and (which == "close" or window.since < 0)
    rows, count = page_of(found, params, total_of(ended) if is_all else None)
    return {"closed": _order_rows(exchange, rows, params), **count}


def query_orders(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """QueryOrders: open or closed; ids nobody knows are absent."""
    ids = params.names("txid")
    if not 1 <= len(ids) <= _MOST_QUERIED_ORDERS:
        raise invalid("txid")
    now = exchange.now()
    orders = [exchange.lag.order(exchange.order(who.account_id, each), now) for each in ids]
    known = _matching((one for one in orders if one is not None and _may_see(who, one)), params)
    return _order_rows(exchange, known, params)


def _may_see(who: Principal, order: OrderView) -> bool:
    """Open ones always; the others as far as the key may look back."""
    return order.is_open or who.terms.shows(order.closed_at or order.opened_at)


# executions
def trades_history(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """TradesHistory: fifty a page, newest first."""
    kind = params.text("type") or "all"
    if kind not in TRADE_KINDS:
        raise invalid("type")
    window = Window(exchange, who, params)
    known = exchange.lag.trades(exchange.trades(who.account_id, window.since), exchange.now())
    found = (
        one
        for one in reversed(known)
        if window.holds(one.at) and (kind == "all" or is_of_kind(exchange, who, one, kind))
    )
    is_joined = params.flag("consolidate_taker", default=True)
    groups = joined(found) if is_joined else ([each] for each in found)
    total = total_joined(known) if is_joined else total_of(known)
    is_all = kind == "all" and not window.has_end
    page, count = page_of(groups, params, total if is_all else None)
    rows = {
        group[0].trade_id: trade_row(exchange, who, group, has_ledgers=params.flag("ledgers"))
        for group in page
    }
    return {"trades": rows, **count}


def query_trades(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """QueryTrades: single executions by id."""
    ids = params.names("txid")
    if not 1 <= len(ids) <= _MOST_QUERIED:
        raise invalid("txid")
    named = [exchange.trade(who.account_id, each) for each in ids]
    known = exchange.lag.trades(
        [one for one in named if one is not None and who.terms.shows(one.at)], exchange.now()
    )
    return {
        trade.trade_id: trade_row(exchange, who, [trade], has_ledgers=params.flag("ledgers"))
        for trade in known
    }


# ledger
def ledgers(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """Ledgers: fifty a page, newest first."""
    window = Window(exchange, who, params)
    names = [name for name in params.names("asset") if name != "all"]
    assets = {exchange.asset(name).name for name in names}
    kind = params.text("type") or "all"
    if kind not in _LEDGER_KINDS:
        raise invalid("type")
    is_here = (params.text("aclass") or "currency") == "currency"
    known = exchange.lag.ledger(exchange.ledger(who.account_id, window.since), exchange.now())
    found = (
        row
        for row in reversed(known)
        if is_here
        and window.holds(row.at)
        and (not assets or row.asset in assets)
        and kind in ("all", row.type)
    )
    is_all = is_here and not assets and kind == "all" and not window.has_end
    page, count = page_of(found, params, total_of(known) if is_all else None)
    rows = {row.ledger_id: ledger_row(row, exchange.asset(row.asset)) for row in page}
    return {"ledger": rows, **count}


def query_ledgers(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """QueryLedgers: rows by id."""
    ids = params.names("id")
    if not 1 <= len(ids) <= _MOST_QUERIED:
        raise invalid("id")
    named = [exchange.ledger_row(who.account_id, each) for each in ids]
    known = exchange.lag.ledger(
        [one for one in named if one is not None and who.terms.shows(one.at)], exchange.now()
    )
    return {row.ledger_id: ledger_row(row, exchange.asset(row.asset)) for row in known}


# the account and its key
def trade_volume(exchange: PaperExchange, who: Principal, params: Params) -> Json:
    """TradeVolume: fees only for the pairs that are named."""
    volume = exchange.volume(who.account_id)
    result: Json = {"currency": "ZUSD", "volume": fixed(volume, 4)}
    specs = [exchange.pair(name) for name in params.names("pair")]
    if specs:
        result["fees"] = {spec.pair_id: _tier_row(spec.fees, volume) for spec in specs}
        result["fees_maker"] = {
            spec.pair_id: _tier_row(spec.fees_maker or spec.fees, volume) for spec in specs
        }
    return result


_FREE: Levels = ((Decimal(0), Decimal(0)),)
"""Of a pair without a schedule."""


def _tier_row(rows: Levels, volume: Decimal) -> Json:
    rows = rows or _FREE
    index = fees.tier(rows, volume)
    rates = [rate for _, rate in rows]
    following = rows[index + 1] if index + 1 < len(rows) else None
    return {
        "fee": fixed(rates[index], 4),
        "minfee": fixed(min(rates), 4),
        "maxfee": fixed(max(rates), 4),
        "nextfee": None if following is None else fixed(following[1], 4),
        "nextvolume": None if following is None else fixed(following[0], 4),
        "tiervolume": fixed(rows[index][0], 4),
    }


def websockets_token(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """GetWebSocketsToken."""
    return {"token": exchange.issue_token(who), "expires": TOKEN_LIFE_S}


def api_key_info(exchange: PaperExchange, who: Principal, _: Params) -> Json:
    """GetApiKeyInfo, in the snake_case names a live account shows."""
    created = str(who.created_at // NS)
    return {
        "api_key_name": who.terms.key_name or who.name,
        "api_key": who.api_key,
        "nonce": str(exchange.nonce_of(who.api_key)),
        "nonce_window": str(who.terms.nonce_window),
        "permissions": sorted(who.permissions),
        "iban": iban_of(who.account_id),
        "valid_until": _second(who.terms.valid_until),
        "query_from": _second(who.terms.query_from),
        "query_to": _second(who.terms.query_to),
        "created_time": created,
        "modified_time": created,
        "ip_allowlist": list(who.terms.ip_allowlist or ("",)),
        "last_used": str(exchange.now() // NS),
    }


def _second(at: int | None) -> str:
    """Unix seconds, 0 for never."""
    return str((at or 0) // NS)


Endpoint = Callable[[PaperExchange, Principal, Params], object]
