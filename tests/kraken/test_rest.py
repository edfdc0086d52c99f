"""What became of a call: every way it can end, for a read and for a write."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from typing_extensions import override

import kraken_answers as kraken
from zoe_tools.errors import (
    ConfigError,
    OutcomeUnknown,
    VenueMisbehaved,
    VenueRejected,
    VenueThrottled,
    VenueUnavailable,
    ZoeError,
)
from zoe_tools.kraken import rest, wire
from zoe_tools.kraken.nonce import NonceSource
from zoe_tools.kraken.rest import RestClient
from zoe_tools.kraken.signing import secret_bytes, signature
from zoe_tools.ports import ORDINARY, Claim, Urgency
from zoe_tools.runtime.clocks import SystemClock, VirtualClock
from zoe_tools.runtime.virtual_loop import run_virtual

PLACED = {"descr": {"order": "buy"}, "txid": ["OAAAAA-BBBBB-CCCCC4"]}
ORDER = {"pair": "XBTUSD", "volume": "1", "cl_ord_id": "11112222-3333-4444-8555-666677778888"}
HTML = httpx.Response(502, text="<html>Bad gateway</html>", headers={"Content-Type": "text/html"})

Use = Callable[[RestClient], Awaitable[Any]]


async def write(client: RestClient) -> wire.Placed:
    """Place an order."""
    return await client.private("AddOrder", ORDER, wire.Placed, is_write=True)


async def read(client: RestClient) -> wire.OpenOrders:
    """Read the open orders."""
    return await client.private("OpenOrders", {}, wire.OpenOrders, is_write=False)


async def look(client: RestClient) -> wire.SystemStatus:
    """Read something public."""
    return await client.public("SystemStatus", {}, wire.SystemStatus)


def ends_with(use: Use, handler: Any, **options: Any) -> ZoeError:
    """The error that a use of the client ends with."""

    async def run() -> None:
        client = kraken.client(handler, **options)
        try:
            await use(client)
        finally:
            await client.aclose()

    with pytest.raises(ZoeError) as raised:
        run_virtual(run())
    return raised.value


def everything(answer: Any) -> kraken.Script:
    """A venue that answers all calls alike."""
    return kraken.Script(AddOrder=answer, OpenOrders=answer, SystemStatus=answer)


CONNECTING = [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.PoolTimeout("")]
LOST = [
    httpx.ReadTimeout(""),
    httpx.WriteTimeout(""),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("gone"),
    HTML,
    httpx.Response(520),
    httpx.Response(404, json={"error": ["EGeneral:Unknown method"]}),
    kraken.failure("EService:Unavailable"),
]
UNREADABLE = [
    httpx.Response(200, text="<html>checking your browser</html>"),
    httpx.Response(200, content=b""),
    httpx.Response(200, content=b"\xff\xfe"),
    httpx.Response(200, content=b"[" * 100_000),
    httpx.Response(200, json={"result": {}}),
    httpx.Response(200, json={"error": []}),
    kraken.success([]),
    kraken.success({"txid": "no list", "open": 5, "status": []}),
]


@pytest.mark.parametrize("fault", CONNECTING, ids=repr)
def test_without_a_connection_nothing_left(fault: Exception) -> None:
    """Provably not sent, so even a write may be tried again by whoever asked."""
    venue = everything(fault)

    assert type(ends_with(write, venue)) is VenueUnavailable
    assert len(venue.requests) == 1
    assert type(ends_with(read, everything(fault))) is VenueUnavailable


@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_write_without_an_answer_is_unknown_and_never_sent_again(fault: Any) -> None:
    """A time-out, a lost socket, a proxy's page, trouble at the venue."""
    venue = everything(fault)

    assert type(ends_with(write, venue)) is OutcomeUnknown
    assert len(venue.requests) == 1


@pytest.mark.parametrize("use", [read, look])
@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_read_without_an_answer_is_asked_three_times(fault: Any, use: Use) -> None:
    """Reads change nothing."""
    venue = everything(fault)

    assert type(ends_with(use, venue)) is VenueUnavailable
    assert len(venue.requests) == 3


@pytest.mark.parametrize("answer", UNREADABLE, ids=range(len(UNREADABLE)))
def test_an_unreadable_answer_proves_nothing(answer: httpx.Response) -> None:
    """To a write it is unknown; to a read it is the venue's misbehaviour, not asked again."""
    for use, expected in ((read, VenueMisbehaved), (look, VenueMisbehaved)):
        venue = everything(answer)

        assert type(ends_with(use, venue)) is expected
        assert len(venue.requests) == 1


@pytest.mark.parametrize("answer", [*UNREADABLE[:6], kraken.success([])], ids=range(7))
def test_an_unreadable_answer_to_a_write_is_unknown(answer: httpx.Response) -> None:
    """The order may stand behind it."""
    venue = everything(answer)

    async def amend(client: RestClient) -> wire.Amended:
        return await client.private("AddOrder", ORDER, wire.Amended, is_write=True)

    assert type(ends_with(amend, venue)) is OutcomeUnknown
    assert len(venue.requests) == 1


class _Packed(httpx.AsyncByteStream):
    """A body as it comes from the wire."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        """All at once."""
        yield self._body


def test_an_answer_that_unpacks_to_more_than_the_memory_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A megabyte of gzip may be a gigabyte of blanks; what a write did is not known then."""
    whole = kraken.success(PLACED).content + b" " * 10_000
    placed: list[str] = []

    def answer(_: httpx.Request) -> httpx.Response:
        body = _Packed(gzip.compress(whole))
        return httpx.Response(200, stream=body, headers={"Content-Encoding": "gzip"})

    async def use(client: RestClient) -> None:
        monkeypatch.setattr(rest, "LARGEST_ANSWER", len(whole))
        placed.extend((await write(client)).txid)
        monkeypatch.setattr(rest, "LARGEST_ANSWER", len(whole) - 1)
        await write(client)

    assert type(ends_with(use, answer)) is OutcomeUnknown
    assert placed == PLACED["txid"]


def test_a_hanging_venue_is_given_up_in_virtual_time_too() -> None:
    """An in-process venue knows no socket time-outs, so the client has one of its own."""
    started = []

    async def hang(request: httpx.Request) -> httpx.Response:
        started.append(request)
        await asyncio.sleep(3600)
        return kraken.success(PLACED)

    assert type(ends_with(write, hang)) is OutcomeUnknown
    assert type(ends_with(read, hang, timeout_s=1)) is VenueUnavailable
    assert len(started) == 4


def test_a_definite_no_is_passed_on_with_the_venues_words() -> None:
    """Neither a read nor a write is repeated after it."""
    for use in (read, write, look):
        venue = everything(kraken.failure("EGeneral:Permission denied"))
        error = ends_with(use, venue)

        assert isinstance(error, VenueRejected)
        assert error.code == "EGeneral:Permission denied"
        assert len(venue.requests) == 1


def test_a_throttled_read_waits_as_told_and_goes_on() -> None:
    """The venue names the second; a write is not repeated, it did not happen."""
    until = int(kraken.EPOCH.timestamp()) + 7
    venue = kraken.Script(
        OpenOrders=[kraken.failure(f"EService: Throttled: {until}"), kraken.success({"open": {}})],
        AddOrder=kraken.failure(f"EService: Throttled: {until}"),
    )

    async def run() -> float:
        await read(kraken.client(venue))
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == 7.0
    assert type(ends_with(write, venue)) is VenueThrottled


def test_a_lockout_is_not_knocked_at() -> None:
    """Asking during it prolongs it."""
    venue = everything(kraken.failure("EGeneral:Temporary lockout"))

    assert type(ends_with(read, venue)) is VenueThrottled
    assert len(venue.requests) == 1


def test_an_invalid_nonce_is_the_one_answer_after_which_a_write_is_sent_again() -> None:
    """The same order, client id and all, under a higher nonce, until it is taken."""
    refused = kraken.failure("EAPI:Invalid nonce")
    venue = kraken.Script(AddOrder=[refused, refused, refused, kraken.success(PLACED)])

    answer = run_virtual(write(kraken_client_for(venue)))

    sent = venue.seen("AddOrder")
    nonces = [int(each.pop("nonce")) for each in sent]
    assert answer.txid == PLACED["txid"]
    assert sent == [ORDER] * 4
    assert nonces == sorted(set(nonces))


def kraken_client_for(venue: kraken.Script) -> RestClient:
    """A client made outside the loop, as the runtime makes it."""
    clock = VirtualClock(kraken.EPOCH)
    return kraken.client(venue, clock=clock, coordination=NonceSource(clock))


@pytest.mark.parametrize("use", [read, write])
def test_an_invalid_nonce_is_met_with_three_resends_at_most(use: Use) -> None:
    """A key that another program uses with finer nonces would never be accepted."""
    venue = everything(kraken.failure("EAPI:Invalid nonce"))

    error = ends_with(use, venue)

    assert isinstance(error, VenueRejected)
    assert error.code == "EAPI:Invalid nonce"
    assert len(venue.requests) == 4


@pytest.mark.parametrize(
    "answer",
    [
        kraken.failure("EAPI:Invalid nonce", "EService:Busy"),
        kraken.failure("EAPI:Invalid nonce: again"),
        httpx.Response(502, json={"error": ["EAPI:Invalid nonce"]}),
    ],
    ids=["with another", "with more words", "from a proxy"],
)
def test_no_other_answer_lets_a_write_go_twice(answer: httpx.Response) -> None:
    """Exactly that error, alone, with HTTP 200."""
    venue = everything(answer)

    ends_with(write, venue)

    assert len(venue.requests) == 1


def test_a_warning_comes_with_its_result() -> None:
    """`W...` strings are logged; the result counts."""
    answer = httpx.Response(200, json={"error": ["WDatabase:No change"], "result": PLACED})

    async def run() -> wire.Placed:
        return await write(kraken.client(everything(answer)))

    assert run_virtual(run()).txid == PLACED["txid"]


def test_a_signed_call_is_signed_over_the_text_that_is_sent() -> None:
    """The signature in the header is that of the body as it arrived; lists go as JSON."""
    venue = kraken.Script(AddOrder=kraken.success(PLACED), CancelOrderBatch=[kraken.success({})])

    async def run() -> None:
        client = kraken.client(venue)
        await client.private("AddOrder", {"price": "+1.5%"}, wire.Placed, is_write=True)
        await client.private("CancelOrderBatch", {"orders": ["OA"]}, wire.Placed, is_write=True)

    run_virtual(run())

    form, batch = venue.requests
    assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert batch.headers["Content-Type"] == "application/json"
    assert batch.content == b'{"nonce":"1767614400000001","orders":["OA"]}'
    for request, nonce in ((form, "1767614400000000"), (batch, "1767614400000001")):
        assert request.method == "POST"
        assert request.headers["API-Key"] == "key"
        assert request.headers["User-Agent"].startswith("zoe-tools/")
        assert request.headers["API-Sign"] == signature(
            path=request.url.path,
            nonce=nonce,
            body=request.content.decode(),
            secret=secret_bytes(kraken.SECRET),
        )


def test_a_public_call_carries_no_key() -> None:
    """Nobody learns whose it is."""
    venue = kraken.Script(SystemStatus=kraken.success({"status": "online"}))

    async def run() -> None:
        await look(kraken.client(venue))

    run_virtual(run())

    assert not {"API-Key", "API-Sign"} & set(venue.requests[0].headers)


def test_the_rest_counter_is_kept_without_being_told() -> None:
    """A starter's fifteenth call waits three seconds (one is kept free); an order does not."""
    venue = everything(kraken.success({"open": {}, **PLACED}))

    async def run() -> tuple[float, float]:
        client = kraken.client(venue, unlimited=False, tier="starter")
        loop = asyncio.get_running_loop()
        for _ in range(14):
            await read(client)
        waiting = asyncio.create_task(read(client))
        await asyncio.sleep(0)
        await write(client)
        placed_at = loop.time()
        await waiting
        return placed_at, loop.time()

    placed_at, read_at = run_virtual(run())

    assert placed_at == 0.0
    assert read_at == pytest.approx(3.03, abs=0.01)


class CrowdedSource(NonceSource):
    """A turn comes after 0.3 s."""

    @override
    @asynccontextmanager
    async def nonce(self, claim: Claim = ORDINARY) -> AsyncIterator[int]:
        await asyncio.sleep(0.3)
        async with super().nonce(claim) as number:
            yield number


def test_only_a_write_that_waits_for_its_turn_is_held_up(caplog: pytest.LogCaptureFixture) -> None:
    """Not the questions of a kill, which meet the full counter: nobody else is there."""
    venue = everything(kraken.success({"open": {}, **PLACED}))

    async def ask_until_full() -> float:
        client = kraken.client(venue, unlimited=False, tier="starter", urgency=Urgency.PROTECTION)
        for _ in range(20):
            await read(client)
        await write(client)
        return client.longest_urgent_wait_s

    async def write_in_a_crowd() -> float:
        client = kraken.client(
            venue,
            coordination=CrowdedSource(VirtualClock(kraken.EPOCH)),
            urgency=Urgency.PROTECTION,
        )
        await read(client)
        assert client.longest_urgent_wait_s == 0.0
        await write(client)
        return client.longest_urgent_wait_s

    assert run_virtual(ask_until_full()) == 0.0
    assert "KEY_HELD_UP" not in caplog.text
    assert run_virtual(write_in_a_crowd()) == pytest.approx(0.3)
    assert caplog.messages == ["KEY_HELD_UP: AddOrder waited 300 ms for its turn with the key"]


def test_signed_calls_never_overlap() -> None:
    """Nonces arrive in their order, whatever starts them at once."""
    under_way = 0
    most = 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        under_way -= 1
        return kraken.success({"open": {}})

    async def run() -> None:
        client = kraken.client(slow)
        await asyncio.gather(*(read(client) for _ in range(5)))

    run_virtual(run())

    assert most == 1


def test_an_exchange_in_the_same_process_is_reached_without_a_socket() -> None:
    """The seam of virtual time: the same bytes, handed over."""
    seen: list[bytes] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        assert scope["path"] == "/0/private/AddOrder"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = kraken.body_of({"error": [], "result": PLACED})
        await send({"type": "http.response.body", "body": body})

    async def run() -> wire.Placed:
        clock = VirtualClock(kraken.EPOCH)
        client = RestClient(
            "http://paper",
            api_key="key",
            api_secret=kraken.SECRET,
            clock=clock,
            coordination=NonceSource(clock),
            transport=httpx.ASGITransport(app=application),
        )
        answer = await write(client)
        await client.aclose()
        return answer

    assert run_virtual(run()).txid == PLACED["txid"]
    assert seen[0].startswith(b"nonce=1767614400000000&pair=XBTUSD&volume=1")


def test_a_refused_connection_is_told_apart_on_a_real_socket() -> None:
    """Nobody listens there: nothing left, even for a write."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def run() -> None:
            clock = SystemClock()
            client = RestClient(
                f"http://127.0.0.1:{port}",
                api_key="key",
                api_secret=kraken.SECRET,
                clock=clock,
                coordination=NonceSource(clock),
            )
            try:
                await write(client)
            finally:
                await client.aclose()

        with pytest.raises(VenueUnavailable):
            asyncio.run(run())


def test_without_a_key_private_calls_say_so_and_public_ones_work() -> None:
    """Looking at the market needs no key."""
    venue = everything(kraken.success({"status": "online"}))

    async def run() -> str:
        return (await look(kraken.client(venue, api_key=None, api_secret=None))).status

    assert run_virtual(run()) == "online"
    assert type(ends_with(read, venue, api_key=None, api_secret=None)) is ConfigError


@pytest.mark.parametrize("url", ["", "api.kraken.com", "ftp://kraken.com", "http://x:port", "//x"])
def test_an_address_that_is_none_is_a_setting_to_fix(url: str) -> None:
    """Found when the client is made, not at the first order."""
    clock = VirtualClock(kraken.EPOCH)

    with pytest.raises(ConfigError):
        RestClient(url, api_key=None, api_secret=None, clock=clock, coordination=NonceSource(clock))


def test_neither_secret_nor_signature_nor_token_is_ever_shown() -> None:
    """Whatever goes wrong, its sentence may be pasted into a ticket."""
    hidden = ("key-to-hide", kraken.SECRET, "tokentokentoken")
    answers = [*LOST, *UNREADABLE, kraken.success({"token": ["tokentokentoken"]}), *CONNECTING]

    async def token(client: RestClient) -> wire.Token:
        return await client.private("GetWebSocketsToken", {}, wire.Token, is_write=False)

    for answer in answers:
        error = ends_with(token, kraken.Script(GetWebSocketsToken=answer), api_key="key-to-hide")
        said = f"{error.message} {error.hint}"

        assert not [each for each in hidden if each in said]


def test_damaged_answers_end_in_our_own_errors_only() -> None:
    """A hundred answers with bytes changed, cut or doubled: each is read, or refused by name."""
    rng = random.Random(20260105)
    rows = {f"O{number}": kraken.order_row() for number in range(3)}
    whole = kraken.body_of({"error": [], "result": {"open": rows, **PLACED}})
    refused = 0
    for _ in range(100):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(broken))
            match rng.randrange(3):
                case 0:
                    broken[at] = rng.randrange(256)
                case 1:
                    del broken[at:]
                    broken += b"}"
                case _:
                    broken[at:at] = broken[at : at + 20]
        answer = httpx.Response(200, content=bytes(broken))
        for use, expected in ((read, VenueMisbehaved), (write, OutcomeUnknown)):
            refused += _refused(use, answer, expected)

    assert refused > 100


def _refused(use: Use, answer: httpx.Response, expected: type[ZoeError]) -> int:
    async def run() -> None:
        await use(kraken.client(everything(answer)))

    try:
        run_virtual(run())
    except ZoeError as error:
        # A damaged `error` list may hold words that the table does not know.
        assert isinstance(error, (expected, VenueRejected))  # noqa: PT017 - counted, not expected
        return 1
    return 0
