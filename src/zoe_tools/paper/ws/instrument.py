"""The instrument channel: assets and pairs, and the pairs again when what they accept changes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.views import AssetSpec
from zoe_tools.paper.ws.numbers import encode, number

HOME_VENUE = "international"
VENUES = (HOME_VENUE, "bitnomial_exchange", "bitnomial-exchange")
_DISPLAY_DECIMALS = {4: 2}
"""How many decimals an asset of so many is shown with; five unless it is here."""


def instrument_frame(exchange: PaperExchange, venue: str = HOME_VENUE) -> str:
    """Assets and the venue's pairs, as one snapshot; other venues than ours have no pairs."""
    pairs = exchange.pairs if venue == HOME_VENUE else ()
    return _frame("snapshot", exchange.assets, pairs, exchange.mode)


def pair_status_frame(exchange: PaperExchange) -> str:
    """The pairs after the exchange has changed its mode."""
    return _frame("update", (), exchange.pairs, exchange.mode)


def _frame(kind: str, assets: Iterable[AssetSpec], pairs: Iterable[PairSpec], status: str) -> str:
    pairs = tuple(pairs)
    lent = {name for spec in pairs if spec.leverage_buy for name in (spec.base, spec.quote)}
    data = {
        "assets": [_asset_row(asset, is_lent=asset.name in lent) for asset in assets],
        "pairs": [_pair_row(spec, status) for spec in pairs],
    }
    return encode({"channel": "instrument", "type": kind, "data": data})


def _asset_row(asset: AssetSpec, *, is_lent: bool) -> dict[str, Any]:
    return {
        "id": asset.name,
        "status": "enabled",
        "precision": asset.decimals,
        "precision_display": _DISPLAY_DECIMALS.get(asset.decimals, 5),
        "borrowable": is_lent,
        "collateral_value": number(asset.collateral, 1),
    }


def _pair_row(spec: PairSpec, status: str) -> dict[str, Any]:
    tick = number(spec.tick_size, spec.pair_decimals)
    increment = Decimal(1).scaleb(-spec.lot_decimals)
    return {
        "symbol": spec.symbol,
        "base": spec.base,
        "quote": spec.quote,
        "status": status,
        "qty_precision": spec.lot_decimals,
        "qty_increment": number(increment, spec.lot_decimals),
        "price_precision": spec.pair_decimals,
        "cost_precision": spec.cost_decimals,
        "marginable": bool(spec.leverage_buy),
        "has_index": False,
        "cost_min": number(spec.costmin, max(0, -int(spec.costmin.as_tuple().exponent))),
        "tick_size": tick,
        "price_increment": tick,
        "qty_min": number(spec.ordermin, spec.lot_decimals),
        **_margin(spec),
    }


def _margin(spec: PairSpec) -> dict[str, Any]:
    """What only a pair with margin has: the least part of a position to pay oneself, and limits."""
    if not spec.leverage_buy:
        return {}
    limits = {"position_limit_long": spec.long_limit, "position_limit_short": spec.short_limit}
    initial = number(Decimal(1) / max(spec.leverage_buy), 2)
    return {"margin_initial": initial} | {
        name: limit for name, limit in limits.items() if limit is not None
    }
