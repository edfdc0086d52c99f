"""REST over a real socket: the very bytes of a call, and what becomes of its connection."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec

import pytest

import kraken_answers as kraken
from zoe_tools import __version__
from zoe_tools.errors import VenueUnavailable
from zoe_tools.kraken import wire
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.runtime.clocks import VirtualClock

STATUS = b'{"error":[],"result":{"status":"online","timestamp":"2026-01-05T00:00:00Z"}}'
TOKEN = b'{"error":[],"result":{"token":"t","expires":900}}'


@dataclass
class Venue:
    """Answers each connection's requests in turn; an empty answer is a venue that says nothing."""

    answers: list[bytes]
    heads: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    connections: int = 0
    serving: list[asyncio.Future[None]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its end."""
        self.connections += 1
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.serving.append(ended)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                length = next(
                    (line for line in head.split("\r\n") if line.startswith("Content-Length:")),
                    ":0",
                )
                self.heads.append(head)
                self.bodies.append(
                    (await reader.readexactly(int(length.split(":")[1]))).decode("ascii")
                )
                answer = self.answers.pop(0)
                start = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer) or 99}\r\n\r\n"
                writer.write(start.encode() + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            ended.set_result(None)


def talk(venue: Venue, use: Callable[[RestClient], Awaitable[None]]) -> int:
    """Use a client of this venue over a socket; returns the venue's port."""

    async def run() -> int:
        clock = VirtualClock(kraken.EPOCH)
        async with await asyncio.start_server(venue.serve, "127.0.0.1", 0) as server:
            port: int = server.sockets[0].getsockname()[1]
            client = RestClient(
                f"http://127.0.0.1:{port}",
                api_key="the-key",
                api_secret=kraken.SECRET,
                clock=clock,
                coordination=NonceSource(clock),
                timeout_s=0.2,
            )
            try:
                await use(client)
            finally:
                await client.aclose()
            await asyncio.gather(*venue.serving)
        return port

    return asyncio.run(run())


async def look(client: RestClient) -> None:
    """Ask something public."""
    await client.public("SystemStatus", {}, wire.SystemStatus)


async def sign(client: RestClient) -> None:
    """Ask something private, as a write: once."""
    await client.private("GetWebSocketsToken", {}, wire.Token, is_write=True)


def test_a_request_says_this_and_nothing_else() -> None:
    """No cookie, no reference, no name of a library: all that leaves the machine is here."""
    venue = Venue([STATUS, TOKEN])

    async def use(client: RestClient) -> None:
        await client.public("Depth", {"pair": "XBTUSD", "count": "10"}, dict[str, str])
        await sign(client)

    port = talk(venue, use)
    common = [
        f"Host: 127.0.0.1:{port}",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate",
        f"User-Agent: zoe-tools/{__version__}",
    ]
    public, private = (head.strip().split("\r\n") for head in venue.heads)
    assert public == ["GET /0/public/Depth?pair=XBTUSD&count=10 HTTP/1.1", *common]
    assert [line for line in private if not line.startswith("API-Sign: ")] == [
        "POST /0/private/GetWebSocketsToken HTTP/1.1",
        *common,
        "API-Key: the-key",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(venue.bodies[1])}",
    ]
    assert venue.bodies[0] == ""
    assert venue.bodies[1].startswith("nonce=")


def test_calls_share_a_connection() -> None:
    """A new one for each would cost a handshake a call."""
    venue = Venue([STATUS, TOKEN, STATUS])

    async def use(client: RestClient) -> None:
        for each in (look, sign, look):
            await each(client)

    talk(venue, use)

    assert (venue.connections, len(venue.heads)) == (1, 3)


def test_an_answer_that_breaks_off_costs_its_connection_alone() -> None:
    """The rest of it must never be taken for the answer to the next call."""
    venue = Venue([b"", STATUS])

    talk(venue, look)

    assert venue.connections == 2


def test_a_closed_client_may_be_used_again() -> None:
    """It opens a new connection."""
    venue = Venue([STATUS, STATUS])

    async def use(client: RestClient) -> None:
        await look(client)
        await client.aclose()
        await look(client)

    talk(venue, use)

    assert venue.connections == 2


def test_nobody_there_means_that_nothing_left() -> None:
    """A write may be sent another way then."""

    async def use(client: RestClient) -> None:
        client._base_url = "http://127.0.0.1:1"
        await sign(client)

    with pytest.raises(VenueUnavailable, match="No connection"):
        talk(Venue([]), use)


class _Searched:
    """A finder of modules that finds none and remembers what was looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: object) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        del path, target
        self.names.append(name)
        return None


def test_a_call_searches_for_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing is made anew each time, and takes longer than the signature."""
    searched = _Searched()

    async def use(client: RestClient) -> None:
        await sign(client)
        monkeypatch.setattr(sys, "meta_path", [searched, *sys.meta_path])
        await sign(client)
        monkeypatch.undo()

    talk(Venue([TOKEN, TOKEN]), use)

    assert searched.names == []
