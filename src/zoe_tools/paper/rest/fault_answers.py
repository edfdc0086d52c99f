"""What a struck REST call is answered with, and the waiting that belongs to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import ConnectionDropped, Stage, words_of

_HTML = "text/html; charset=UTF-8"
_JSON = "application/json"
_FILE = "application/octet-stream"
_PAGES: Mapping[str, tuple[int, str]] = {
    "http-502": (502, "Bad gateway"),
    "http-520": (520, "Web server is returning an unknown error"),
}
_READS = frozenset(
    {
        "Balance",
        "BalanceEx",
        "OpenOrders",
        "ClosedOrders",
        "QueryOrders",
        "TradesHistory",
        "QueryTrades",
        "OpenPositions",
        "Ledgers",
        "QueryLedgers",
    }
)
_ROWS = ("open", "closed", "trades", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over HTTP."""

    body: bytes
    status: int = 200
    media_type: str = _JSON


async def answer(
    exchange: PaperExchange,
    method: str,
    work: Callable[[], bytes],
    until_gone: Callable[[], Awaitable[None]],
) -> Reply:
    """Do the work of a call and answer it, or what a fault makes of it.

    `until_gone` waits until the client has given up.

    Raises:
        ConnectionDropped: nothing is to be answered.
    """
    strike = exchange.faults.strike(method, exchange.now(), Stage.REQUEST, Stage.REST)
    if strike is None:
        return _reply(_thinned(exchange, method, work()))
    if strike.name == "reply-lost-before":
        raise ConnectionDropped
    if strike.name in ("accept-then-drop", "reply-lost-after"):
        work()
        if strike.name == "reply-lost-after":
            await until_gone()
        raise ConnectionDropped
    body = work() if strike.executes else b""
    if strike.name == "hang":
        await exchange.clock.sleep(max(0.0, strike.delay_s))
        return _reply(body or work())
    if strike.name in _PAGES:
        status, title = _PAGES[strike.name]
        page = f"<html><head><title>{title}</title></head><body>cloudflare</body></html>"
        return Reply(body=page.encode(), status=status, media_type=_HTML)
    return Reply(body=msgspec.json.encode({"error": [words_of(strike)]}))


def _reply(body: bytes) -> Reply:
    """JSON, unless it is a file."""
    return Reply(body=body, media_type=_JSON if body.startswith(b"{") else _FILE)


def _thinned(exchange: PaperExchange, method: str, body: bytes) -> bytes:
    """A read that finds nothing, or half of what there is."""
    if exchange.faults.is_quiet or method not in _READS:
        return body
    strike = exchange.faults.strike(method, exchange.now(), Stage.ANSWER)
    if strike is None:
        return body
    told = msgspec.json.decode(body)
    if not told.get("result"):
        return body
    told["result"] = _fewer(told["result"], keeps_half=strike.name == "shrunken-answer")
    return msgspec.json.encode(told)


def _fewer(result: Any, *, keeps_half: bool) -> Any:
    if not isinstance(result, dict):
        return []
    name = next((each for each in _ROWS if isinstance(result.get(each), dict)), None)
    rows = result if name is None else result[name]
    kept = dict(list(rows.items())[: len(rows) // 2 if keeps_half else 0])
    if name is None:
        return kept
    shrunk = {**result, name: kept}
    if "count" in result:
        shrunk["count"] = len(kept)
    return shrunk
