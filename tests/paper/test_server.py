"""The server process's parts: real sockets on loopback, the home folder, orderly ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from paper_desk import START, RestDesk, StandingClock, snapshot
from zoe_tools.errors import ConfigError, MarketDataError
from zoe_tools.paper.app import create_app
from zoe_tools.paper.exchange.exchange import PaperExchange
from zoe_tools.paper.exchange.faults import FaultRule
from zoe_tools.paper.home import PaperHome, read_endpoint
from zoe_tools.paper.server import serve
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.clocks import ScaledClock


async def _served(desk: RestDesk, act: Any, **options: Any) -> Any:
    """Serve the desk's exchange, act on its port, end it by SIGTERM unless it ends by itself."""
    ports: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(desk.exchange, proof_secret=b"proof")
    serving = asyncio.create_task(
        serve(desk.exchange, app, on_listening=ports.set_result, **options)
    )
    result = await act(await ports)
    if "idle_timeout_s" not in options:
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 10)
    return result


def _desk() -> RestDesk:
    clock = ScaledClock(epoch=moment_of(START), speed=1.0)
    return RestDesk(snapshot(["69999.0 1.0"], ["70001.0 1.0"]), clock=clock)


def test_it_serves_http_and_websocket_and_ends_on_sigterm() -> None:
    """An orderly end: the call returns, the process lives."""

    async def act(port: int) -> tuple[Any, Any]:
        async with httpx.AsyncClient(trust_env=False) as client:
            time = (await client.get(f"http://127.0.0.1:{port}/0/public/Time")).json()
        async with websockets.connect(f"ws://127.0.0.1:{port}/v2", proxy=None) as connection:
            await connection.send('{"method":"ping","req_id":7}')
            while (frame := json.loads(await connection.recv())).get("method") != "pong":
                pass
        return time, frame

    time, frame = asyncio.run(_served(_desk(), act))

    assert 0 <= time["result"]["unixtime"] - 1767600000 < 10
    assert frame["req_id"] == 7


def test_it_is_gone_when_nobody_has_called_for_a_while() -> None:
    """An open socket keeps it; silence after the last one ends it."""

    async def act(port: int) -> bool:
        async with websockets.connect(f"ws://127.0.0.1:{port}/v2", proxy=None):
            await asyncio.sleep(0.6)
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/zoe/clock")
        return answer.is_success

    assert asyncio.run(_served(_desk(), act, idle_timeout_s=0.3))


def test_a_taken_port_is_a_clear_error() -> None:
    """Exit code 2, with a hint."""
    desk = _desk()
    app = create_app(desk.exchange, proof_secret=None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            asyncio.run(serve(desk.exchange, app, port=port))

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)


def test_a_market_that_fails_ends_the_server_with_its_error() -> None:
    """A broken replay file does not leave a silent exchange standing."""

    class Broken:
        pairs = ()
        starts_at = 0
        granularity_s = 1.0

        def events(self) -> Any:
            raise MarketDataError("line 3 is broken")

    exchange = PaperExchange(Broken(), StandingClock())
    app = create_app(exchange, proof_secret=None)
    with pytest.raises(MarketDataError, match="line 3"):
        asyncio.run(asyncio.wait_for(serve(exchange, app), 10))


# the home
def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    """0600 in a folder of 0700."""
    home = PaperHome(tmp_path / "paper")
    keys = home.keys()

    assert PaperHome(tmp_path / "paper").keys() == keys
    assert (tmp_path / "paper" / "keys.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "paper").stat().st_mode & 0o777 == 0o700
    assert keys.api_secret not in repr(keys)
    assert [path.name for path in (tmp_path / "paper").iterdir()] == ["keys.json"]


def test_damaged_keys_are_a_clear_error(tmp_path: Path) -> None:
    """Never silently replaced: the account's history hangs on them."""
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(ConfigError, match="damaged"):
        PaperHome(tmp_path).keys()


def test_one_exchange_holds_a_home(tmp_path: Path) -> None:
    """The second is refused, and gets it when the first is gone."""
    home = PaperHome(tmp_path)
    with home.locked(), pytest.raises(ConfigError, match="already serves"), home.locked():
        pass
    with home.locked():
        pass


def test_the_port_file_says_who_listens_where(tmp_path: Path) -> None:
    """Whole or absent; nonsense reads as absent."""
    home = PaperHome(tmp_path)
    assert read_endpoint(tmp_path) is None
    home.announce(port=4711, speed=60.0, limits=("--tier", "pro"))
    endpoint = read_endpoint(tmp_path)

    assert endpoint is not None
    assert (endpoint.port, endpoint.pid, endpoint.speed) == (4711, os.getpid(), 60.0)
    assert endpoint.limits == ("--tier", "pro")
    assert endpoint.ws_private_url == "ws://127.0.0.1:4711/auth/v2"
    (tmp_path / "port.json").write_text('{"port": "x"')
    assert read_endpoint(tmp_path) is None
    home.withdraw()
    home.withdraw()
    assert not (tmp_path / "port.json").exists()


async def _read_on(connection: websockets.ClientConnection) -> None:
    while True:
        await connection.recv()


@pytest.mark.parametrize("path", ["/0/public/Time", "/v2"])
def test_a_fault_cuts_a_real_connection(path: str) -> None:
    """No answer and no close frame: the client sees a broken line."""
    desk = _desk()

    async def act(port: int) -> str:
        desk.exchange.arm_fault(FaultRule(name="accept-then-drop", times=None))
        if path == "/v2":
            async with websockets.connect(f"ws://127.0.0.1:{port}/v2", proxy=None) as connection:
                await connection.send('{"method":"subscribe","params":{"channel":"instrument"}}')
                with pytest.raises(websockets.ConnectionClosedError) as broken:
                    await _read_on(connection)
                return str(broken.value.rcvd)
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.TransportError) as lost:
                await client.get(f"http://127.0.0.1:{port}{path}")
        return str(lost.value.request.url.path)

    assert asyncio.run(_served(desk, act)) == ("None" if path == "/v2" else path)
