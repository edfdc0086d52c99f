"""The public tickers of the derivatives' venue: perpetuals on the pairs that there are here.

Nothing trades on them; they tell a quiet funding for whoever asks, in the real venue's words.
"""

from __future__ import annotations

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zoe_tools.paper.exchange.queries import Queries
from zoe_tools.paper.rest.format import Json
from zoe_tools.paper.values.times import iso

QUIET = Decimal("0.00001")
"""What longs pay per hour, as a share of the notional."""

_NAMES = {"BTC": "XBT"}


def derivatives_route(exchange: Queries) -> Route:
    """The path as it is at the real venue."""

    async def answer(_: Request) -> Response:
        return JSONResponse(tickers(exchange))

    return Route("/derivatives/api/v3/tickers", answer)


def tickers(exchange: Queries) -> Json:
    """`GET /derivatives/api/v3/tickers`."""
    return {
        "result": "success",
        "serverTime": iso(exchange.told_now()),
        "tickers": [_ticker(exchange, each.symbol) for each in exchange.pairs],
    }


def _ticker(exchange: Queries, symbol: str) -> Json:
    base, _, quote = symbol.partition("/")
    shown = exchange.ticker(symbol)
    told = {
        "symbol": f"PF_{_NAMES.get(base, base)}{quote}",
        "tag": "perpetual",
        "pair": f"{base}:{quote}",
        "suspended": False,
        "postOnly": False,
    }
    if not (shown.bid and shown.ask):
        return told
    index = (shown.bid + shown.ask) / 2
    return {
        **told,
        "indexPrice": float(index),
        "markPrice": float(index),
        "fundingRate": float(index * QUIET),
    }
