"""HTTP requests put into an ASGI application by hand: nothing in between mends them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as bytes where HTTP has bytes."""

    method: str = "POST"
    path: str = "/"
    query: bytes = b""
    headers: Headers = ()
    body: tuple[bytes, ...] = (b"",)


async def asked(app: ASGIApp, call: Call) -> tuple[int, bytes]:
    """Status and body of the answer."""
    parts = [
        {"type": "http.request", "body": part, "more_body": number < len(call.body)}
        for number, part in enumerate(call.body, 1)
    ]
    told: list[Any] = []

    async def receive() -> Any:
        if parts:
            return parts.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(errors="replace"),
        "query_string": call.query,
        "root_path": "",
        "headers": list(call.headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in told if part["type"] == "http.response.body")
    return int(told[0]["status"]), body
