"""REST over a real socket: the very bytes of a call, and what becomes of its connection."""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import kraken_answers as kraken
from zoe_tools import __version__
from zoe_tools.errors import OutcomeUnknown, VenueUnavailable
from zoe_tools.kraken import rest, wire
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock, VirtualClock

STATUS = b'{"error":[],"result":{"status":"online","timestamp":"2026-01-05T00:00:00Z"}}'
TOKEN = b'{"error":[],"result":{"token":"t","expires":900}}'


@dataclass
class Venue:
    """Answers each connection's requests in turn; an empty answer is a venue that says nothing.

    `surplus` goes out in the packet of the first answer, as one that nobody asked for.
    """

    answers: list[bytes]
    heads: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    surplus: bytes = b""
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
                surplus, self.surplus = self.surplus, b""
                writer.write(_message(answer) + (_message(surplus) if surplus else b""))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            ended.set_result(None)


def _message(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) or 99}\r\n\r\n".encode() + body


def client_of(
    port: int,
    clock: Clock,
    coordination: NonceSource,
    timeout_s: float = 10.0,
    *,
    scheme: str = "http",
) -> RestClient:
    """A client of the venue that listens there."""
    return RestClient(
        f"{scheme}://127.0.0.1:{port}",
        api_key="the-key",
        api_secret=kraken.SECRET,
        clock=clock,
        coordination=coordination,
        timeout_s=timeout_s,
    )


def talk(
    venue: Venue, use: Callable[[RestClient], Awaitable[None]], *, timeout_s: float = 10.0
) -> int:
    """Use a client of this venue over a socket; returns the venue's port."""

    async def run() -> int:
        clock = VirtualClock(kraken.EPOCH)
        async with await asyncio.start_server(venue.serve, "127.0.0.1", 0) as server:
            port: int = server.sockets[0].getsockname()[1]
            client = client_of(port, clock, NonceSource(clock), timeout_s)
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

    talk(venue, look, timeout_s=1.0)

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


@pytest.mark.parametrize("is_write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize("first", ["public", "private"])
def test_an_answer_too_many_is_nobodys_answer(first: str, is_write: bool) -> None:  # noqa: FBT001 - a column
    """Two in one packet: the second is refused, and the next call goes over another connection.

    A read is asked again and has its own answer; whether a write happened is not known.
    """
    own, wrong = (
        b'{"error":[],"result":{"token":"%s","expires":900}}' % each for each in (b"own", b"no")
    )
    venue = Venue([STATUS if first == "public" else TOKEN, own, own], surplus=wrong)
    told: list[str] = []

    async def use(client: RestClient) -> None:
        await (look if first == "public" else sign)(client)
        for _ in range(2 if is_write else 1):
            try:
                answer = await client.private(
                    "GetWebSocketsToken", {}, wire.Token, is_write=is_write
                )
            except OutcomeUnknown as error:
                told.append(error.message.split(":")[0])
            else:
                told.append(answer.token)

    talk(venue, use)

    lost = "GetWebSocketsToken got no answer"
    assert told == ([lost, "own"] if is_write else ["own"])
    assert (venue.connections, len(venue.heads)) == (2, 3)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the loop that ended with them open
def test_a_client_outlives_an_event_loop() -> None:
    """In a second `asyncio.run` it opens new connections, and calls wait for each other again."""
    venue = Venue([TOKEN] * 6)
    clock = ScaledClock(epoch=kraken.EPOCH, speed=1)
    coordination = NonceSource(clock)
    clients: list[RestClient] = []

    async def run() -> None:
        async with await asyncio.start_server(venue.serve, "127.0.0.1", port_now()) as server:
            if not clients:
                port: int = server.sockets[0].getsockname()[1]
                clients.append(client_of(port, clock, coordination))
            await asyncio.gather(*(sign(clients[0]) for _ in range(3)))

    def port_now() -> int:
        return httpx.URL(clients[0]._base_url).port or 0 if clients else 0

    asyncio.run(run())
    asyncio.run(run())
    clients.clear()
    gc.collect()

    assert (venue.connections, venue.answers) == (2, [])


def test_nobody_there_means_that_nothing_left() -> None:
    """A write may be sent another way then."""

    async def use(client: RestClient) -> None:
        client._base_url = "http://127.0.0.1:1"
        await sign(client)

    with pytest.raises(VenueUnavailable, match="No connection"):
        talk(Venue([]), use)


# --- whom it trusts ------------------------------------------------------------------------------


def certificate_of_nobody(folder: Path) -> ssl.SSLContext:
    """A server's: it says 127.0.0.1, is as new as can be, and no authority vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2199, 1, 1, tzinfo=UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "venue.pem"
    path.write_bytes(
        key.private_bytes(pem, form, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(path)
    return served


def test_a_venue_that_no_authority_vouches_for_hears_nothing(tmp_path: Path) -> None:
    """Not a byte of a signed call reaches it."""
    venue = Venue([TOKEN])
    clock = VirtualClock(kraken.EPOCH)

    async def run() -> None:
        served = certificate_of_nobody(tmp_path)
        async with await asyncio.start_server(venue.serve, "127.0.0.1", 0, ssl=served) as server:
            port: int = server.sockets[0].getsockname()[1]
            client = client_of(port, clock, NonceSource(clock), scheme="https")
            try:
                await sign(client)
            finally:
                await client.aclose()

    with pytest.raises(VenueUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(run())
    assert venue.heads == []


def test_a_process_reads_the_authorities_once_and_for_tls_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read them takes longer than a call, and a paper exchange asks for no TLS."""
    read: list[object] = []
    rest._authorities.cache_clear()
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *told: read.append(told))
    clock = VirtualClock(kraken.EPOCH)
    try:
        talk(Venue([STATUS]), look)
        assert read == []
        for _ in range(2):
            with pytest.raises(VenueUnavailable):
                asyncio.run(sign(client_of(1, clock, NonceSource(clock), scheme="https")))
        assert len(read) == 1
    finally:
        rest._authorities.cache_clear()


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
