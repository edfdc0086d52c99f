"""The public REST endpoints (section 5): parameters in, Kraken's result out. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from zoe_tools.paper.events import PrintEvent
from zoe_tools.paper.market import Levels, PairSpec
from zoe_tools.paper.queries import Queries
from zoe_tools.paper.rest_format import Json, wide
from zoe_tools.paper.rest_params import Params, invalid
from zoe_tools.paper.rounding import fixed, half_up, plain
from zoe_tools.paper.times import NS, iso_seconds, moment_of
from zoe_tools.paper.views import BarView, TickerView

_MOST_LEVELS = 500
_MOST_TRADES = 1000
_LATEST_SECONDS = 10**12
"""A `since` above it is in nanoseconds."""


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


def _chosen(exchange: Queries, params: Params) -> tuple[PairSpec, ...]:
    named = params.names("pair")
    return tuple(exchange.pair(name) for name in named) if named else exchange.pairs


def _one(exchange: Queries, params: Params) -> PairSpec:
    named = params.text("pair")
    if named is None:
        raise invalid("pair")
    return exchange.pair(named)


def asset_pairs(exchange: Queries, params: Params) -> Json:
    """AssetPairs."""
    return {spec.pair_id: _pair_row(spec, exchange) for spec in _chosen(exchange, params)}


def _pair_row(spec: PairSpec, exchange: Queries) -> Json:
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
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": _fee_rows(spec.fees),
        "fees_maker": _fee_rows(spec.fees_maker),
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(spec.ordermin),
        "costmin": plain(spec.costmin),
        "tick_size": plain(spec.tick_size),
        "status": "online" if exchange.mode == "maintenance" else exchange.mode,
        "execution_venue": "international",
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
        "a": [price(now.ask), str(int(now.ask_quantity)), _lot_volume(now.ask_quantity)],
        "b": [price(now.bid), str(int(now.bid_quantity)), _lot_volume(now.bid_quantity)],
        "c": [price(now.last), lots(now.last_quantity)],
        "v": [lots(now.volume_today), lots(now.volume)],
        "p": [price(now.vwap_today), price(now.vwap)],
        "t": [now.trades_today, now.trades],
        "l": [price(now.low_today), price(now.low)],
        "h": [price(now.high_today), price(now.high)],
        "o": price(now.open_today),
    }


def _lot_volume(quantity: Decimal) -> str:
    """Three decimals; what is there never shows as nothing."""
    shown = half_up(quantity, 3)
    return plain(max(shown, Decimal("0.001")) if quantity > 0 else shown)


def ohlc(exchange: Queries, params: Params) -> Json:
    """OHLC: committed candles after `since` and always the running one."""
    spec = _one(exchange, params)
    asked = params.integer("interval")
    minutes = 1 if asked is None else asked
    since = params.seconds("since")
    bars = exchange.bars(spec.symbol, minutes)
    rows = [
        _bar_row(bar, spec) for bar in bars if since is None or bar.begin > since or bar is bars[-1]
    ]
    # The newest bar is still running: `last` names the one before it, be it empty.
    before = bars[-2].begin if len(bars) > 1 else bars[-1].begin - minutes * 60 * NS if bars else 0
    return {spec.pair_id: rows, "last": before // NS}


def _bar_row(bar: BarView, spec: PairSpec) -> list[object]:
    places = spec.pair_decimals
    prices = [fixed(value, places) for value in (bar.open, bar.high, bar.low, bar.close)]
    vwap = fixed(bar.vwap, places) if bar.count else "0.0"
    return [bar.begin // NS, *prices, vwap, fixed(bar.volume, 8), bar.count]


def depth(exchange: Queries, params: Params) -> Json:
    """Depth."""
    spec = _one(exchange, params)
    count = params.integer("count")
    if count is not None and not 1 <= count <= _MOST_LEVELS:
        raise invalid("count")
    book = exchange.book(spec.symbol, count or 100)

    def rows(levels: Levels) -> list[list[object]]:
        return [
            [fixed(price, wide(spec)), _lot_volume(size), book.at // NS] for price, size in levels
        ]

    return {spec.pair_id: {"asks": rows(book.asks), "bids": rows(book.bids)}}


def trades(exchange: Queries, params: Params) -> Json:
    """Trades, oldest first; a page never ends between two prints of the same nanosecond."""
    spec = _one(exchange, params)
    count = params.integer("count")
    if count is not None and not 1 <= count <= _MOST_TRADES:
        raise invalid("count")
    asked = params.decimal("since")
    prints = exchange.prints(spec.symbol)
    if asked is not None:
        since = int(asked if asked >= _LATEST_SECONDS else asked * NS)
        prints = tuple(one for one in prints if one.at > since)
    page = _page(prints, count or _MOST_TRADES, from_oldest=asked is not None)
    last = str(page[-1].at) if page else params.text("since") or "0"
    return {spec.pair_id: [_print_row(one, spec) for one in page], "last": last}


def _page(
    prints: tuple[PrintEvent, ...], count: int, *, from_oldest: bool
) -> tuple[PrintEvent, ...]:
    if not from_oldest:
        return prints[-count:]
    end = count
    while end < len(prints) and prints[end].at == prints[end - 1].at:
        end += 1
    return prints[:end]


def _print_row(one: PrintEvent, spec: PairSpec) -> list[object]:
    return [
        fixed(one.price, wide(spec)),
        fixed(one.quantity, 8),
        Decimal(one.at).scaleb(-9),
        "b" if one.side == "buy" else "s",
        "m" if one.is_market else "l",
        "",
        one.trade_id,
    ]


ENDPOINTS: Mapping[str, Callable[[Queries, Params], Json]] = {
    "Time": server_time,
    "SystemStatus": system_status,
    "Assets": assets,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "OHLC": ohlc,
    "Depth": depth,
    "Trades": trades,
}
