"""The paper exchange as a server on loopback: uvicorn, an orderly end, gone when nobody calls."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from zoe_tools.errors import ConfigError
from zoe_tools.paper.app import DROP
from zoe_tools.paper.exchange.exchange import PaperExchange

_LOG = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 600.0
_FRAME_BYTES = 1024 * 1024
_GRACE_S = 3


def event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the server's event loop."""
    return uvloop.new_event_loop


class _Activity:
    """Counts what is open, and remembers when there was last anything. Wraps the application.

    It also tells the application how to cut its connection, as a network would.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = 0
        self._last = asyncio.get_running_loop().time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open += 1
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is not None:
            scope[DROP] = transport.abort
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = asyncio.get_running_loop().time()

    def idle_s(self) -> float:
        """Seconds of the machine since the last request ended and the last socket closed."""
        return 0.0 if self._open else asyncio.get_running_loop().time() - self._last


class _Told(logging.Handler):
    """Takes what the web server has to say into the exchange's log, off the operator's terminal."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        _LOG.handle(record)


class _Server(uvicorn.Server):
    """Tells when it listens, and treats a signal as a request to end, not as a death."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


async def serve(
    exchange: PaperExchange,
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    idle_timeout_s: float | None = IDLE_TIMEOUT_S,
    on_listening: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until nobody called for `idle_timeout_s` machine seconds.

    `host` is an address, not a name.

    Runs the exchange's market beside it; `on_listening` gets the port once it accepts connections.
    A market that fails ends the server and raises here; one that is exhausted does not.

    Raises:
        ConfigError: the port is taken or may not be used.
    """
    listener = _bind(host, port)
    logging.getLogger("uvicorn").handlers = [_Told(logging.WARNING)]
    exchange.group_commits()
    with listener:
        bound = int(listener.getsockname()[1])
        activity = _Activity(app)
        server = _Server(_config(activity), lambda: on_listening(bound))
        market = asyncio.create_task(exchange.run())
        market.add_done_callback(lambda task: _stop_if_failed(server, task))
        idling = asyncio.create_task(_stop_when_idle(server, activity, idle_timeout_s))
        try:
            await server.serve(sockets=[listener])
        finally:
            idling.cancel()
            market.cancel()
            ended = await asyncio.gather(market, idling, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=_FRAME_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def resolved(host: str) -> str:
    """The address that a host's name means here.

    Raises:
        ConfigError: it means none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"The paper exchange cannot listen on {host!r}: {error}.",
            hint="Say an address of this machine, or leave --host away.",
        ) from error
    return str(found[0][4][0])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"The paper exchange cannot listen on {host}:{port}: {error}.",
            hint="Choose another port, or 0 to let the system choose a free one.",
        ) from error
    return listener


def _stop_if_failed(server: uvicorn.Server, market: asyncio.Task[None]) -> None:
    if not market.cancelled() and market.exception() is not None:
        server.should_exit = True


async def _stop_when_idle(
    server: uvicorn.Server, activity: _Activity, timeout_s: float | None
) -> None:
    if timeout_s is None:
        return
    while not server.should_exit:
        left = timeout_s - activity.idle_s()
        server.should_exit = left <= 0
        await asyncio.sleep(max(0.0, left))
