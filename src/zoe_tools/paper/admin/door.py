"""What only the home's own operator may ask of the exchange, over `/zoe/admin/`.

A request is let in by the HMAC of its body under the home's own secret, which no API key knows.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zoe_tools.paper.admin.fault_places import arm_written
from zoe_tools.paper.admin.funds import move_funds, show_funds
from zoe_tools.paper.admin.keys import add_key, remove_key, show_keys
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import rules_in
from zoe_tools.paper.rest.bodies import body_of
from zoe_tools.paper.values.refusal import Refusal

_LOG = logging.getLogger(__name__)

SEAL = "zoe-seal"
"""The header that carries the HMAC-SHA256 of path, a line feed and body, as hex."""

_BODY_BYTES = 64 * 1024

Work = Callable[[str], Awaitable[Any]]


def seal(secret: bytes, path: str, body: bytes) -> str:
    """What lets a request in."""
    return hmac.new(secret, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def admin_routes(exchange: PaperExchange, secret: bytes) -> list[Route]:
    """The routes; every answer is `{"error": [...], "result": ...}`, as of Kraken's REST."""

    async def arm(body: str) -> Any:
        """Arm the faults of a document; their numbers."""
        return {"armed": arm_written(exchange, rules_in(body))}

    async def show(_: str) -> Any:
        """What is armed, and what has struck."""
        return exchange.faults.told()

    async def clear(_: str) -> Any:
        """Disarm everything; the exchange is online again."""
        return {"disarmed": exchange.clear_faults()}

    async def funds(_: str) -> Any:
        """What every account owns."""
        exchange.flush()
        return show_funds(exchange)

    async def check(body: str) -> Any:
        """What moving money would do."""
        return move_funds(exchange, body, is_dry=True)

    async def move(body: str) -> Any:
        """Move money."""
        return move_funds(exchange, body, is_dry=False)

    async def keys(_: str) -> Any:
        """Every key."""
        return show_keys(exchange)

    async def make(body: str) -> Any:
        """Make a key."""
        return add_key(exchange, body)

    async def forget(body: str) -> Any:
        """Forget a key."""
        return remove_key(exchange, body)

    works: dict[str, Work] = {
        "faults/arm": arm,
        "faults/show": show,
        "faults/clear": clear,
        "funds/show": funds,
        "funds/check": check,
        "funds/move": move,
        "keys/show": keys,
        "keys/add": make,
        "keys/remove": forget,
    }
    return [
        Route(f"/zoe/admin/{path}", _guarded(work, secret), methods=["POST"])
        for path, work in works.items()
    ]


def _guarded(work: Work, secret: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = await body_of(request, _BODY_BYTES)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return JSONResponse({"error": ["EAPI:Bad request"]}, status_code=413)
        told = request.headers.get(SEAL, "")
        if not hmac.compare_digest(told.encode(), seal(secret, request.url.path, body).encode()):
            return JSONResponse({"error": ["EGeneral:Permission denied"]}, status_code=403)
        try:
            result = await work(body.decode())
        except (Refusal, UnicodeDecodeError) as error:
            return JSONResponse({"error": [str(error)]}, status_code=400)
        except Exception:  # noqa: BLE001 - the last door: logged whole, answered in words
            _LOG.exception("the paper exchange failed on %s", request.url.path)
            return JSONResponse({"error": ["EGeneral:Internal error"]}, status_code=500)
        return JSONResponse({"error": [], "result": result})

    return answer
