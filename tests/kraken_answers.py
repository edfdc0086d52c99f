"""Made-up answers of Kraken's REST API, and a venue of them for the client to talk to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec

from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.kraken import codec, wire
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.order_wire import OrderWire
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
EPOCH = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

Answer = httpx.Response | Exception
Handler = Callable[[httpx.Request], Answer]

ASSETS: dict[str, Any] = {
    "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5},
    "XBT.M": {"aclass": "currency", "altname": "XBT.M", "decimals": 10, "display_decimals": 5},
    "XETH": {"aclass": "currency", "altname": "ETH", "decimals": 10, "display_decimals": 5},
    "XXDG": {"aclass": "currency", "altname": "XDG", "decimals": 8, "display_decimals": 2},
    "XTZ": {"aclass": "currency", "altname": "XTZ", "decimals": 8, "display_decimals": 5},
    "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2},
    "USDT": {"aclass": "currency", "altname": "USDT", "decimals": 8, "display_decimals": 4},
}


def pair_row(altname: str, wsname: str | None, base: str, quote: str, **more: Any) -> Any:
    """A row of AssetPairs like XBTUSD's."""
    row = {
        "altname": altname,
        "wsname": wsname,
        "base": base,
        "quote": quote,
        "cost_decimals": 5,
        "pair_decimals": 1,
        "lot_decimals": 8,
        "fees": [[0, 0.4], [10000, 0.35], [50000, 0.24]],
        "fees_maker": [[0, 0.25], [10000, 0.2], [50000, 0.14]],
        "ordermin": "0.00005",
        "costmin": "0.5",
        "tick_size": "0.1",
        "status": "online",
        **more,
    }
    return {key: value for key, value in row.items() if value is not None}


PAIRS: dict[str, Any] = {
    "XXBTZUSD": pair_row("XBTUSD", "XBT/USD", "XXBT", "ZUSD"),
    "XXBTZUSD.d": pair_row("XBTUSD.d", None, "XXBT", "ZUSD", fees_maker=None),
    "XETHZUSD": pair_row("ETHUSD", "ETH/USD", "XETH", "ZUSD", pair_decimals=2, tick_size="0.01"),
    "XDGUSD": pair_row("XDGUSD", "XDG/USD", "XXDG", "ZUSD", pair_decimals=7, tick_size="1e-7"),
    "XTZUSD": pair_row("XTZUSD", None, "XTZ", "ZUSD", pair_decimals=4, status=None),
    "XBTUSDT": pair_row("XBTUSDT", "XBT/USDT", "XXBT", "USDT", status="resting"),
}


def catalogue() -> InstrumentCatalogue:
    """The catalogue of the rows above."""
    return codec.catalogue_of(
        msgspec.json.decode(body_of(ASSETS), type=dict[str, wire.AssetRow]),
        msgspec.json.decode(body_of(PAIRS), type=dict[str, wire.PairRow]),
    )


def order_row(**changes: Any) -> Any:
    """A resting limit buy."""
    descr = {
        "pair": "XBTUSD",
        "type": "buy",
        "ordertype": "limit",
        "price": "60000.0",
        "price2": "0",
        **changes.pop("descr", {}),
    }
    row = {
        "refid": None,
        "userref": 0,
        "cl_ord_id": "11112222-3333-4444-8555-666677778888",
        "status": "open",
        "opentm": 1767600000.123456,
        "starttm": 0,
        "expiretm": 0,
        "descr": descr,
        "vol": "0.00200000",
        "vol_exec": "0.00000000",
        "cost": "0.00000",
        "fee": "0.00000",
        "price": "0.00000",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
    }
    return {**row, **changes}


def fill_row(time: float = 1767600060.654321, **changes: Any) -> Any:
    """A maker's buy."""
    row = {
        "ordertxid": "OAAAAA-BBBBB-CCCCC1",
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": "XXBTZUSD",
        "time": time,
        "type": "buy",
        "ordertype": "limit",
        "price": "68000.10000",
        "cost": "34.00005",
        "fee": "0.08500",
        "vol": "0.00050000",
        "trade_id": 71044953,
        "maker": True,
    }
    return {**row, **changes}


def ledger_row(time: float = 1767600060.654321, **changes: Any) -> Any:
    """The base leg of a buy."""
    row = {
        "refid": "TAAAAA-BBBBB-CCCCC3",
        "time": time,
        "type": "trade",
        "subtype": "tradespot",
        "aclass": "currency",
        "asset": "XXBT",
        "amount": "0.0005000000",
        "fee": "0.0000000000",
        "balance": "0.0105000000",
    }
    return {**row, **changes}


def success(result: Any) -> httpx.Response:
    """HTTP 200 with a result."""
    return httpx.Response(200, json={"error": [], "result": result})


def failure(*texts: str) -> httpx.Response:
    """HTTP 200 with errors, as Kraken says no."""
    return httpx.Response(200, json={"error": list(texts)})


def fields(request: httpx.Request) -> dict[str, str]:
    """The parameters of a request: its query, or its form body."""
    text = request.url.query.decode() if request.method == "GET" else request.content.decode()
    return {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}


class Script:
    """A venue that answers each method from a list (the last one for ever), and keeps what it saw.

    Assets and AssetPairs are answered without being asked for.
    """

    def __init__(self, **answers: Any) -> None:
        self._answers: dict[str, list[Any]] = {
            "Assets": [success(ASSETS)],
            "AssetPairs": [success(PAIRS)],
        }
        for method, listed in answers.items():
            self._answers[method] = list(listed) if isinstance(listed, list) else [listed]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        listed = self._answers[request.url.path.rpartition("/")[2]]
        answer = listed.pop(0) if len(listed) > 1 else listed[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        assert isinstance(answer, httpx.Response)
        # A response object may be read once only; the script may give it out many times.
        return httpx.Response(
            answer.status_code, content=answer.content, headers=_plain_headers(answer.headers)
        )

    def seen(self, method: str) -> list[dict[str, str]]:
        """The parameters of each call of a method."""
        return [fields(each) for each in self.requests if each.url.path.endswith(f"/{method}")]


def _plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": headers.get("Content-Type", "application/json")}


def client(handler: Any, **options: Any) -> RestClient:
    """A client of a scripted venue, under virtual time; call it inside the loop."""
    clock = options.pop("clock", None) or VirtualClock(EPOCH)
    settings: dict[str, Any] = {
        "api_key": "key",
        "api_secret": SECRET,
        "coordination": NonceSource(clock),
        "unlimited": True,
        **options,
    }
    return RestClient(
        "http://venue.test", clock=clock, transport=httpx.MockTransport(handler), **settings
    )


def spot(handler: Any, orders: OrderWire | None = None, **options: Any) -> KrakenSpot:
    """The venue port on a scripted venue."""
    clock = VirtualClock(EPOCH)
    return KrakenSpot(client(handler, clock=clock, **options), clock, orders=orders)


def page(rows: Mapping[str, Any], request: httpx.Request, key: str, times: Sequence[float]) -> Any:
    """A page of 50 of `rows` (newest first, `times` beside them), as start, end and ofs want it."""
    asked = fields(request)
    end = float(asked.get("end", "1e12"))
    start = float(asked.get("start", "0"))
    wanted = [
        (name, row)
        for (name, row), at in zip(rows.items(), times, strict=True)
        if start < at <= end
    ]
    offset = int(asked.get("ofs", "0"))
    return success({key: dict(wanted[offset : offset + 50]), "count": len(wanted)})


def body_of(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
