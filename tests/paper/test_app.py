"""The application: HTTP under virtual time, the proof, frames over an ASGI WebSocket."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest

from paper_desk import API_KEY, API_SECRET, START, RestDesk, snapshot, traded
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.inprocess import InProcessSockets
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import VirtualClock
from zoe_tools.runtime.duplex import duplex_pair
from zoe_tools.runtime.virtual_loop import run_virtual

PROOF = b"the proof secret"


def _with_client(
    act: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]],
    proof_secret: bytes | None = PROOF,
) -> Any:
    desk = RestDesk(snapshot(["69999.0 1.0"], ["70001.0 1.0"]), traded("70000.0", "0.5"))
    desk.play()
    app = create_app(desk.exchange, proof_secret=proof_secret, speed=60.0, admin_secret=PROOF)

    async def run() -> Any:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://paper") as client:
            return await act(client)

    return run_virtual(run())


def test_public_calls_work_by_get_and_by_post() -> None:
    """Section 1."""

    async def act(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.get("/0/public/Ticker", params={"pair": "XBTUSD"}),
            await client.post("/0/public/Ticker", data={"pair": "XBTUSD"}),
        ]

    got, posted = _with_client(act)

    assert got.json() == posted.json()
    assert got.json()["result"]["XXBTZUSD"]["c"][0] == "70000.00000"
    assert got.headers["content-type"] == "application/json"


def test_a_signed_call_goes_through() -> None:
    """The bytes of the body as they came are what is verified."""
    body, path = "nonce=1", "/0/private/Balance"
    signature = sign(secret=API_SECRET, path=path, body=body.encode(), nonce="1")

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        headers = {
            "API-Key": API_KEY,
            "API-Sign": signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await client.post(path, content=body, headers=headers)

    answer = _with_client(act).json()

    assert answer["result"] == {"ZUSD": "100000.0000", "XXBT": "2.0000000000"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST"])
def test_whatever_is_not_there_is_an_unknown_method_with_status_200(method: str) -> None:
    """HTTP 200 even for errors."""

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(method, "/0/private/%2e%2e/nothing")

    response = _with_client(act)

    assert (response.status_code, response.json()) == (200, {"error": ["EGeneral:Unknown method"]})


def test_a_body_beyond_all_measure_is_a_bad_request() -> None:
    """A megabyte is enough for anything honest."""

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/0/private/Balance", content=b"x" * (1024 * 1024 + 1))

    assert _with_client(act).json() == {"error": ["EAPI:Bad request"]}


@pytest.mark.parametrize(
    ("path", "status", "most"), [("/zoe/admin/funds/move", 413, 2), ("/0/private/Balance", 200, 17)]
)
def test_a_huge_body_is_not_read_to_its_end(path: str, status: int, most: int) -> None:
    """Whoever may not even ask cannot fill the memory: `most` pieces of 64 KiB are enough."""
    read = 0

    async def huge() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 1_000:
            read += 1
            yield b"x" * 65_536

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(path, content=huge())

    assert _with_client(act).status_code == status
    assert read <= most + 1


def test_a_fault_inside_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a traceback over the wire."""
    monkeypatch.setattr("zoe_tools.paper.rest.dialect.from_form", lambda _: 1 / 0)

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/0/public/Time")

    assert _with_client(act).json() == {"error": ["EGeneral:Internal error"]}


def test_the_exchange_proves_itself_by_its_secret() -> None:
    """HMAC-SHA256 over the challenge's bytes."""
    challenge = "00ff10"

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/zoe/proof", params={"challenge": challenge})

    expected = hmac.new(PROOF, bytes.fromhex(challenge), hashlib.sha256).hexdigest()

    assert _with_client(act).json() == {"proof": expected}
    assert _with_client(act, proof_secret=None).status_code == 404


@pytest.mark.parametrize("challenge", ["", "zz", "ab" * 1000])
def test_a_challenge_that_is_no_challenge_is_refused(challenge: str) -> None:
    """Hex of a sensible length."""

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/zoe/proof", params={"challenge": challenge})

    assert _with_client(act).status_code == 400


def test_the_clock_tells_time_and_speed() -> None:
    """For clients that follow the exchange's time."""

    async def act(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/zoe/clock")

    assert _with_client(act).json() == {"now": "2026-01-05T08:00:00.000000Z", "speed": 60.0}


def test_sockets_in_the_same_process_speak_the_same_dialect() -> None:
    """A public and a private one, told apart by their path, closed like by a server."""

    async def run() -> list[dict[str, Any]]:
        desk = RestDesk(clock=VirtualClock(moment_of(START)))
        sockets = InProcessSockets(desk.exchange, duplex_pair)
        client = await sockets.connect("ws://paper/v2")
        await client.send('{"method":"ping","req_id":101}')
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1].get("method") != "pong":
            frames.append(json.loads(await client.receive()))
        await sockets.close()
        return frames

    frames = run_virtual(run())

    assert frames[-1]["req_id"] == 101
