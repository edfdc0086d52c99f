"""`zoe paper serve` in a process of its own: it answers, and it stops in order."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from websockets.sync.client import connect

from command_line import zoe
from program import wait_until
from recordings import write_frames
from zoe_tools.paper.exchange.keys import sign


@contextmanager
def served(
    home: Path, *options: str, **environ: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process, and what it announced once it listened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "zoe_tools", "--json", "paper", "serve", *options],
        env={"ZOE_HOME": str(home), "PATH": os.defpath, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)["result"]
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
        process.stderr.close()


def test_it_answers_in_kraken_s_dialect_and_stops_on_sigterm(tmp_path: Path) -> None:
    """Exit 0; the keys stay for the next time."""
    with served(tmp_path) as (process, told):
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{told['rest_url']}/0/public/SystemStatus", timeout=30) as answer:
            body = json.loads(answer.read())
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    assert body["error"] == []
    assert body["result"]["status"] == "online"
    assert code == 0
    assert (tmp_path / "paper" / "keys.json").exists()


def test_it_tells_where_it_is_and_with_which_key(tmp_path: Path) -> None:
    """Every URL that a client may want, and the demo key; each socket's path ends as Kraken's."""
    with served(tmp_path) as (_, told):
        port = told["rest_url"].rpartition(":")[2]
        keys = json.loads((tmp_path / "paper" / "keys.json").read_text())

    assert told == {
        "rest_url": f"http://127.0.0.1:{port}",
        "ws_url": f"ws://127.0.0.1:{port}/v2",
        "ws_auth_url": f"ws://127.0.0.1:{port}/auth/v2",
        "ws_l3_url": f"ws://127.0.0.1:{port}/l3/v2",
        "api_key": keys["api_key"],
        "api_secret": keys["api_secret"],
    }


@pytest.mark.parametrize(
    ("host", "reached", "warned"),
    [
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104 - the address that is warned of
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.2", False),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_it_warns_where_others_reach_it(
    host: str, reached: str, *, warned: bool, tmp_path: Path
) -> None:
    """On stderr even with --json, and what is told is an address that works here."""
    with served(tmp_path, "--host", host) as (process, told):
        status = asked(told, "SystemStatus")["status"]
        process.terminate()
        err = process.communicate(timeout=30)[1]

    assert status == "online"
    assert told["rest_url"].startswith(f"http://{reached}:")
    assert ("can trade" in err, "no TLS" in err) == (warned, warned)


@pytest.mark.parametrize(
    ("words", "answered"),
    [(("--tier", "starter"), 15), (("--tier", "pro"), 20), (("--no-limits",), 30)],
)
def test_it_counts_calls_as_the_tier_says(
    words: tuple[str, ...], answered: int, tmp_path: Path
) -> None:
    """A burst of thirty signed calls; the others are refused in Kraken's words."""
    path, errors = "/0/private/GetApiKeyInfo", []
    with served(tmp_path, "--speed", "0.01", *words) as (_, told):
        for nonce in range(1, 31):
            body = f"nonce={nonce}".encode()
            signature = sign(secret=told["api_secret"], path=path, body=body, nonce=str(nonce))
            headers = {"API-Key": told["api_key"], "API-Sign": signature}
            request = Request(told["rest_url"] + path, data=body, headers=headers)  # noqa: S310 - ours
            with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
                errors += json.loads(answer.read())["error"]

    assert errors == ["EAPI:Rate limit exceeded"] * (30 - answered)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    """Exit 2, and a hint."""
    assert zoe("paper serve --host 192.0.2.1", home=tmp_path).code == 2
    ran = zoe("paper serve --host no-such-host.invalid", home=tmp_path)

    assert (ran.code, "hint:" in ran.err) == (2, True)


def test_a_second_exchange_on_the_home_is_refused(tmp_path: Path) -> None:
    """One per home."""
    with served(tmp_path):
        ran = zoe("paper serve", home=tmp_path)

    assert ran.code == 2
    assert "already serves" in ran.err


def test_a_taken_port_is_a_clear_sentence(tmp_path: Path) -> None:
    """Exit 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = zoe(f"paper serve --port {port}", home=tmp_path)

    assert ran.code == 2
    assert str(port) in ran.err
    assert "A bug" not in ran.err


def test_a_market_file_that_does_not_parse_names_its_line(tmp_path: Path) -> None:
    """Exit 2, before anything is served."""
    market = tmp_path / "ETHUSD_60.csv"
    market.write_text("1704067200,1,1,1,1,1,1\nnonsense\n")
    ran = zoe(f"paper serve --market-data {market}", home=tmp_path / "home")

    assert ran.code == 2
    assert "line 2" in ran.err


def test_a_market_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name."""
    ran = zoe(f"paper serve --market-data {tmp_path}/gone.csv", home=tmp_path / "home")

    assert ran.code == 2
    assert "gone.csv" in ran.err


def asked(told: dict[str, str], method: str) -> Any:
    """The result of a public call."""
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{told['rest_url']}/0/public/{method}", timeout=30) as answer:
        return json.loads(answer.read())["result"]


def test_the_market_s_parameters_come_from_a_file_and_stay(tmp_path: Path) -> None:
    """Pairs and prices of one's own; the next start has them without being told."""
    file = tmp_path / "market.json"
    file.write_text('{"start_prices": {"XRP/USD": 3}, "jump_chance_ppm": 1000}')
    with served(tmp_path, "--market-params", str(file)) as (_, told):
        first = asked(told, "AssetPairs")
    file.unlink()
    with served(tmp_path) as (_, told):
        second = asked(told, "AssetPairs")

    assert list(first) == list(second) == ["XXRPZUSD"]


def test_a_replay_can_wait_for_somebody_to_listen(tmp_path: Path) -> None:
    """Nothing is lost to whoever subscribes first."""
    market = write_frames(tmp_path, 5)
    options = ("--market-data", str(market), "--await-subscriber")
    with served(tmp_path / "home", *options) as (_, told):
        before = asked(told, "Depth?pair=XBTUSD")["XXBTZUSD"]["bids"]
        with connect(told["ws_url"], proxy=None) as socket:
            params = {"channel": "book", "symbol": ["BTC/USD"], "depth": 25}
            socket.send(json.dumps({"method": "subscribe", "params": params}))
            wait_until(lambda: asked(told, "Depth?pair=XBTUSD")["XXBTZUSD"]["bids"] != [])

    assert before == []


def test_a_market_elsewhere_is_mirrored(tmp_path: Path) -> None:
    """Over the wire, with the pairs as they are described there; no key is needed."""
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    with served(tmp_path / "there") as (_, there):
        environ = {
            "KRAKEN_BASE_URL": there["rest_url"],
            "KRAKEN_WS_PUBLIC_URL": there["ws_url"],
            "EDGE_FACTORY_SYMBOLS": "ETH-USD",
        }
        with served(tmp_path / "here", "--mirror", **environ) as (_, here):
            assert list(asked(here, "AssetPairs")) == ["XETHZUSD"]
            wait_until(lambda: len(asked(here, "Depth?pair=ETHUSD")["XETHZUSD"]["bids"]) > 1)
            wait_until(lambda: asked(here, "Trades?pair=ETHUSD")["XETHZUSD"] != [])
            bid = asked(here, "Depth?pair=ETHUSD")["XETHZUSD"]["bids"][0][0]

    assert 3_000 < float(bid) < 4_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--mirror --market-data x.csv", "exclude each other"),
        ("--mirror --speed 2", "--speed 1"),
        ("--market-params nowhere.json", "cannot be read"),
    ],
)
def test_markets_that_contradict_each_other_are_refused(
    options: str, told: str, tmp_path: Path
) -> None:
    """Exit 2, and nothing is served."""
    ran = zoe(f"paper serve {options}", home=tmp_path)

    assert (ran.code, told in ran.err) == (2, True)


def test_a_market_that_cannot_be_asked_is_the_venue_s_fault(tmp_path: Path) -> None:
    """Exit 5."""
    environ = {"KRAKEN_BASE_URL": "http://127.0.0.1:9", "KRAKEN_WS_PUBLIC_URL": "ws://127.0.0.1:9"}
    assert zoe("paper serve --mirror", environ, home=tmp_path).code == 5


def test_a_full_disk_ends_it_in_words(tmp_path: Path) -> None:
    """Exit 7 and one sentence, no traceback: whatever was acknowledged is in the file."""
    with served(tmp_path, "--speed", "600") as (process, _):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
        code = process.wait(timeout=60)
        assert process.stderr is not None
        said = process.stderr.read()

    assert code == 7
    assert "state.sqlite cannot be written" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--speed", "inf"),
        ("--speed", "1e9"),
        ("--latency", "inf"),
        ("--faults", "/dev/zero"),
        ("--quirks", "/dev/zero"),
        ("--market-params", "/dev/zero"),
    ],
)
def test_what_has_no_end_is_a_usage_error(tmp_path: Path, option: str, value: str) -> None:
    """Neither a number nor a file."""
    ran = zoe(f"paper serve {option} {value}", home=tmp_path)

    assert ran.code == 2


def test_a_fault_file_that_cannot_be_armed_is_a_usage_error(tmp_path: Path) -> None:
    """It says which word is wrong."""
    file = tmp_path / "faults.json"
    file.write_text('{"name": "busy", "where": "AddOrdr"}')
    ran = zoe(f"paper serve --faults {file}", home=tmp_path)

    assert ran.code == 2
    assert "there is no 'AddOrdr' here, is it AddOrder?" in ran.err


def signed(told: dict[str, str], method: str, nonce: int, **fields: Any) -> dict[str, Any]:
    """The answer to a private call."""
    path = f"/0/private/{method}"
    body = json.dumps({"nonce": str(nonce), **fields}).encode()
    signature = sign(secret=told["api_secret"], path=path, body=body, nonce=str(nonce))
    headers = {
        "API-Key": told["api_key"],
        "API-Sign": signature,
        "Content-Type": "application/json",
    }
    request = Request(  # noqa: S310 - our own exchange on loopback
        told["rest_url"] + path, data=body, headers=headers
    )
    with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
        loaded: dict[str, Any] = json.loads(answer.read())
    return loaded


def test_without_limits_no_order_is_one_too_many(tmp_path: Path) -> None:
    """Not even the 226th, which no tier would let in."""
    order = {"ordertype": "limit", "type": "buy", "volume": "0.0001", "price": "10000"}
    with served(tmp_path, "--no-limits") as (_, told):
        answers = [
            signed(told, "AddOrderBatch", number, pair="XBTUSD", orders=[order] * 15)
            for number in range(1, 17)
        ]
        count = signed(told, "CancelAll", 17)["result"]["count"]

    assert [answer["error"] for answer in answers] == [[]] * 16
    assert count == 240


def test_what_strangers_send_is_no_matter_for_the_terminal(tmp_path: Path) -> None:
    """It is in the log."""
    with served(tmp_path) as (process, told):
        where = urlsplit(told["rest_url"])
        assert where.hostname is not None
        with socket.create_connection((where.hostname, where.port or 0), timeout=30) as stranger:
            stranger.sendall(b"GARBAGE\r\n\r\n")
            answer = stranger.recv(64)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert process.stderr is not None
        said = process.stderr.read()

    assert answer.startswith(b"HTTP/1.1 400")
    assert "HTTP" not in said
    assert "Invalid HTTP request" in (tmp_path / "logs" / "zoe.log").read_text()


def test_keys_that_the_exchange_does_not_know_are_told(tmp_path: Path) -> None:
    """Somebody deleted the key file: the key in it is new, and good for nothing."""
    with served(tmp_path) as (process, first):
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    (tmp_path / "paper" / "keys.json").unlink()
    with served(tmp_path) as (process, second):
        answer = signed(second, "Balance", 1)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert process.stderr is not None
        said = process.stderr.read()

    assert first["api_key"] != second["api_key"]
    assert answer == {"error": ["EAPI:Invalid key"]}
    assert "does not know its home's own key; `zoe paper key NAME` makes another" in said
