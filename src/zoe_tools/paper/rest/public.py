"""The public REST endpoints (section 5): parameters in, Kraken's result out. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from zoe_tools.paper.exchange.queries import Queries
from zoe_tools.paper.rest import market as rest_market
from zoe_tools.paper.rest.format import Json, lot_volume
from zoe_tools.paper.rest.params import Params, invalid
from zoe_tools.paper.values.market import Levels, PairSpec, wide
from zoe_tools.paper.values.rounding import fixed, plain
from zoe_tools.paper.values.times import NS, iso_seconds, moment_of
from zoe_tools.paper.values.views import TickerView
from zoe_tools.paper.ws.instrument import HOME_VENUE

_CLASSES = ("currency", "tokenized_asset")
_VENUES = (HOME_VENUE, "bitnomial_exchange")
_ROW_PARTS: Mapping[str, tuple[str, ...]] = {
    "leverage": ("leverage_buy", "leverage_sell"),
    "fees": ("fees", "fees_maker", "fee_volume_currency"),
    "margin": ("margin_call", "margin_stop"),
}
"""What AssetPairs shows of a row when it is asked for a part of it."""


def server_time(exchange: Queries, _: Params) -> Json:
    """Time."""
    now = exchange.told_now()
    moment = moment_of(now)
    return {
        "unixtime": now // NS,
        "rfc1123": f"{moment:%a}, {moment.day:2d} {moment:%b %y %H:%M:%S} +0000",
    }


def system_status(exchange: Queries, _: Params) -> Json:
    """SystemStatus."""
    return {"status": exchange.mode, "timestamp": iso_seconds(exchange.told_now())}


def assets(exchange: Queries, params: Params) -> Json:
    """Assets."""
    named = params.names("asset")
    if not _is_currency(params, "aclass"):
        return {}
    chosen = [exchange.asset(name) for name in named] if named else list(exchange.assets)
    return {
        asset.asset_id: {
            "aclass": "currency",
            "altname": asset.altname,
            "decimals": asset.decimals,
            "display_decimals": min(asset.decimals, 2 if asset.asset_id[0] == "Z" else 5),
            "status": "enabled",
        }
        for asset in chosen
    }


def _is_currency(params: Params, name: str) -> bool:
    """Whether the class asked for is the one that there is here."""
    asked = params.text(name) or _CLASSES[0]
    if asked not in _CLASSES:
        raise invalid(name)
    return asked == _CLASSES[0]


def _chosen(exchange: Queries, params: Params) -> tuple[PairSpec, ...]:
    named = params.names("pair")
    return tuple(exchange.pair(name) for name in named) if named else exchange.pairs


def asset_pairs(exchange: Queries, params: Params) -> Json:
    """AssetPairs; `info` may ask for a part of each row."""
    info = params.text("info") or "info"
    if info != "info" and info not in _ROW_PARTS:
        raise invalid("info")
    venues = params.names("execution_venue") or _VENUES
    if not set(venues) <= set(_VENUES):
        raise invalid("execution_venue")
    chosen = _chosen(exchange, params)
    if not _is_currency(params, "aclass_base") or HOME_VENUE not in venues:
        return {}
    rows = {_key(params, spec): _pair_row(spec, exchange) for spec in chosen}
    if info == "info":
        return {**rows}
    return {name: {part: row[part] for part in _ROW_PARTS[info]} for name, row in rows.items()}


def _key(params: Params, spec: PairSpec) -> str:
    """The pair's id; alone and by its name on the sockets, that name, as clients rely on."""
    return spec.symbol if params.names("pair") == (spec.symbol,) else spec.pair_id


def _pair_row(spec: PairSpec, exchange: Queries) -> Json:
    limits = {"long_position_limit": spec.long_limit, "short_position_limit": spec.short_limit}
    return {
        "altname": spec.altname,
        "wsname": spec.wsname,
        "aclass_base": "currency",
        "base": spec.base_id,
        "aclass_quote": "currency",
        "quote": spec.quote_id,
        "lot": "unit",
        "cost_decimals": spec.cost_decimals,
        "pair_decimals": spec.pair_decimals,
        "lot_decimals": spec.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": spec.leverage_buy,
        "leverage_sell": spec.leverage_sell,
        "fees": _fee_rows(spec.fees),
        "fees_maker": _fee_rows(spec.fees_maker),
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(spec.ordermin),
        "costmin": plain(spec.costmin),
        "tick_size": plain(spec.tick_size),
        "status": "online" if exchange.mode == "maintenance" else exchange.mode,
        **{name: limit for name, limit in limits.items() if limit is not None},
        "execution_venue": HOME_VENUE,
    }


def _fee_rows(rows: Levels) -> list[list[object]]:
    return [[int(volume), rate.normalize()] for volume, rate in rows]


def ticker(exchange: Queries, params: Params) -> Json:
    """Ticker."""
    return {
        spec.pair_id: _ticker_row(exchange.ticker(spec.symbol), spec)
        for spec in _chosen(exchange, params)
    }


def _ticker_row(now: TickerView, spec: PairSpec) -> Json:
    places = wide(spec)

    def price(value: Decimal | None) -> str:
        return fixed(value or Decimal(0), places)

    def lots(value: Decimal) -> str:
        return fixed(value, spec.lot_decimals)

    return {
        "a": [price(now.ask), str(int(now.ask_quantity)), lot_volume(now.ask_quantity)],
        "b": [price(now.bid), str(int(now.bid_quantity)), lot_volume(now.bid_quantity)],
        "c": [price(now.last), lots(now.last_quantity)],
        "v": [lots(now.volume_today), lots(now.volume)],
        "p": [price(now.vwap_today), price(now.vwap)],
        "t": [now.trades_today, now.trades],
        "l": [price(now.low_today), price(now.low)],
        "h": [price(now.high_today), price(now.high)],
        "o": price(now.open_today),
    }


ENDPOINTS: Mapping[str, Callable[[Queries, Params], Json]] = {
    "Time": server_time,
    "SystemStatus": system_status,
    "Assets": assets,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "OHLC": rest_market.ohlc,
    "Depth": rest_market.depth,
    "GroupedBook": rest_market.grouped_book,
    "Trades": rest_market.trades,
}
