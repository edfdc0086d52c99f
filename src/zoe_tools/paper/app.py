"""The paper exchange as a Starlette application: Kraken's REST paths, WebSocket v2, `/zoe/`.

Kraken has a host for each kind of socket and the path `/v2` on all; here a prefix stands for the
host, because there are clients that take a base URL and put `/v2` behind it themselves.

Coroutines only: no thread pool and no middleware, so that the same application runs under virtual
time behind an ASGI transport. Every REST answer is HTTP 200, whatever happened.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from zoe_tools.paper.admin.door import admin_routes
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import ConnectionDropped
from zoe_tools.paper.rest import fault_answers
from zoe_tools.paper.rest.bodies import body_of
from zoe_tools.paper.rest.derivatives import derivatives_route
from zoe_tools.paper.rest.dialect import RestDialect, RestRequest, encode
from zoe_tools.paper.values.times import iso
from zoe_tools.paper.ws.connection import serve_socket
from zoe_tools.ports import FrameClosed

_log = logging.getLogger(__name__)
_BODY_BYTES = 1024 * 1024
_CHALLENGE_HEX = 256
_GONE = 1006
_REST = "/0/"
DROP = "zoe.drop"
"""Where a server leaves in the scope how to cut the connection."""


def create_app(
    exchange: PaperExchange,
    *,
    proof_secret: bytes | None,
    speed: float = 1.0,
    admin_secret: bytes | None = None,
) -> ASGIApp:
    """The application over one exchange.

    `/zoe/clock` tells the exchange's time and its `speed`; `/zoe/proof?challenge=HEX` answers with
    the HMAC-SHA256 of the challenge's bytes, as hex. Without a `proof_secret` there is no proof to
    be had (404), and the exchange counts as live. `/zoe/admin/` is there with an `admin_secret`.
    """

    async def clock(_: Request) -> Response:
        return JSONResponse({"now": iso(exchange.now()), "speed": speed})

    async def proof(request: Request) -> Response:
        if proof_secret is None:
            return Response(status_code=404)
        challenge = request.query_params.get("challenge", "")
        try:
            message = bytes.fromhex(challenge)
        except ValueError:
            message = b""
        if not message or len(challenge) > _CHALLENGE_HEX:
            return JSONResponse({"error": "challenge must be hex"}, status_code=400)
        mac = hmac.new(proof_secret, message, hashlib.sha256)
        return JSONResponse({"proof": mac.hexdigest()})

    async def public_socket(websocket: WebSocket) -> None:
        await _serve(websocket, exchange, is_private=False)

    async def private_socket(websocket: WebSocket) -> None:
        await _serve(websocket, exchange, is_private=True)

    async def level3_socket(websocket: WebSocket) -> None:
        await _serve(websocket, exchange, is_private=True, is_level3=True)

    app = Starlette(
        routes=[
            Route("/zoe/clock", clock),
            Route("/zoe/proof", proof),
            derivatives_route(exchange),
            *(() if admin_secret is None else admin_routes(exchange, admin_secret)),
            WebSocketRoute("/v2", public_socket),
            *(WebSocketRoute(path, private_socket) for path in ("/auth/v2", "/v2/private")),
            *(WebSocketRoute(path, level3_socket) for path in ("/l3/v2", "/v2/level3")),
        ]
    )
    app.router.redirect_slashes = False
    rest = app.router.default = _Rest(exchange, app.router.default)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        # what every client asks for all day need not be looked up among the routes
        is_rest = scope["type"] == "http" and scope["path"].startswith(_REST)
        await (rest if is_rest else app)(scope, receive, send)

    return door


class _Rest:
    """Everything else over HTTP: the REST dialect, and no traceback ever."""

    def __init__(self, exchange: PaperExchange, otherwise: ASGIApp) -> None:
        self._exchange = exchange
        self._dialect = RestDialect(exchange)
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await body_of(request, _BODY_BYTES)
        except ClientDisconnect:
            return
        path = str(scope["path"])
        method = path.rpartition("/")[2]
        if self._exchange.options.latency_s and "/private/" in path:
            await self._exchange.clock.sleep(self._exchange.options.latency_s)
        try:
            reply = await fault_answers.answer(
                self._exchange,
                method,
                lambda: self._answer(request, body),
                lambda: _until_gone(receive),
            )
        except ConnectionDropped:
            if DROP not in scope:
                raise
            scope[DROP]()
            return
        response = Response(reply.body, reply.status, media_type=reply.media_type)
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes | None) -> bytes:
        if body is None:
            return encode({"error": ["EAPI:Bad request"]})
        try:
            answer = self._dialect.answer(
                # as the scope has them: a URL is made of what the Host header says, which may be
                # nothing that a URL can be made of
                RestRequest(
                    method=request.method,
                    path=request.scope["path"],
                    query=request.scope["query_string"].decode(errors="replace"),
                    headers=dict(request.headers),
                    body=body,
                    client=request.client.host if request.client is not None else "",
                )
            )
            self._exchange.flush()
        except Exception:  # noqa: BLE001 - the server's last door: logged whole, answered in words
            _log.exception("the paper exchange failed on %s", request.scope["path"])
            return encode({"error": ["EGeneral:Internal error"]})
        return answer


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _serve(
    websocket: WebSocket, exchange: PaperExchange, *, is_private: bool, is_level3: bool = False
) -> None:
    await websocket.accept()
    duplex = AsgiDuplex(websocket)
    client = websocket.client.host if websocket.client is not None else ""
    try:
        await serve_socket(
            duplex, exchange, is_private=is_private, is_level3=is_level3, client=client
        )
    except Exception:  # noqa: BLE001 - the socket's last door: logged whole, not on the terminal
        _log.exception("the paper exchange failed on a socket")
    finally:
        await duplex.close()


class AsgiDuplex:
    """A Starlette WebSocket as a frame duplex."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._closed: FrameClosed | None = None

    async def send(self, frame: str) -> None:
        """Send one text frame."""
        if self._closed is not None:
            raise FrameClosed(self._closed.code, self._closed.reason)
        try:
            await self._websocket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self._closed = FrameClosed(_GONE, "")
            raise self._closed from error

    async def receive(self) -> str:
        """The next text frame; a binary frame is read as UTF-8."""
        if self._closed is not None:
            raise FrameClosed(self._closed.code, self._closed.reason)
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._closed = FrameClosed(message.get("code", _GONE), message.get("reason") or "")
            raise self._closed
        text = message.get("text")
        if isinstance(text, str):
            return text
        return bytes(message.get("bytes") or b"").decode(errors="replace")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; idempotent."""
        if self._closed is not None:
            return
        self._closed = FrameClosed(code, reason)
        cut = self._websocket.scope.get(DROP)
        if code == _GONE and cut is not None:
            cut()
            return
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            _log.debug("the socket was gone before it was closed: %s", error)
