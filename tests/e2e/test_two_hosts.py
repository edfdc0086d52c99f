"""Two hosts on one PostgreSQL: one of them may trade, however long the other one stood still."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import stopped_host
from program import Home, wait_until
from zoe_tools.domain.journal import IntentState
from zoe_tools.domain.order import VenueOrder
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.paper.home import read_endpoint
from zoe_tools.runtime.clocks import SystemClock

CONSENT = {"I_UNDERSTAND_LIVE": "1"}
TESTS = Path(stopped_host.__file__).parent
STANDBY = ("run", "--standby", "--strategy", "hold")


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Home]:
    """An exchange that counts as live, in a home of its own."""
    made = Home(folder=tmp_path / "venue", pretends_live=True)
    made.folder.mkdir(mode=0o700)
    made.fund({"USD": "10000"})
    made.serve("--pretend-live")
    yield made
    made.stop_exchange()


@pytest.fixture
def hosts(venue: Home, tmp_path: Path, migrated_url: str) -> tuple[Home, Home]:
    """Two homes with one key and one database, and nothing else in common."""
    endpoint = read_endpoint(venue.folder / "paper")
    assert endpoint is not None
    environ = {
        "EDGE_FACTORY_MODE": "live",
        "KRAKEN_TIER": "pro",
        "DATABASE_URL": migrated_url,
        "KRAKEN_API_KEY": venue.keys.api_key,
        "KRAKEN_API_SECRET": venue.keys.api_secret,
        "KRAKEN_BASE_URL": endpoint.rest_url,
        "KRAKEN_WS_PUBLIC_URL": endpoint.ws_url,
        "KRAKEN_WS_PRIVATE_URL": endpoint.ws_private_url,
    }
    homes = [Home(folder=tmp_path / name, environ=environ) for name in ("one", "two")]
    for home in homes:
        home.folder.mkdir(mode=0o700)
        home.init()
    return homes[0], homes[1]


def all_orders(venue: Home) -> tuple[VenueOrder, ...]:
    """Whatever the exchange has ever taken."""

    async def read(spot: KrakenSpot) -> tuple[VenueOrder, ...]:
        return await spot.open_orders() + await spot.closed_orders()

    return venue.at_the_venue(read)


@contextlib.contextmanager
def stopping_host(home: Home, place: str) -> Iterator[subprocess.Popen[str]]:
    """The host that will stand still; it is killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, str(TESTS / "stopped_host.py"), place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(home.surroundings(CONSENT)))
            process.stdin.close()
            process.stdin = None
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def is_stopped(process: subprocess.Popen[str]) -> bool:
    """Whether it stands still; fails at once when it ended instead."""
    assert process.poll() is None, process.communicate()
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "T"


def holder_of(home: Home) -> str:
    """Who has the account's lease."""
    lease = home.in_the_books(lambda tx: tx.lease())
    return "" if lease is None else lease.host


@pytest.mark.parametrize(
    ("place", "answer", "code"),
    [
        pytest.param("gate", "not sent", "UNREACHABLE", id="before the request is made"),
        pytest.param(
            "wire", "lost", "EService:Deadline elapsed", id="with the signed request in hand"
        ),
    ],
)
def test_an_order_sent_by_a_host_that_stood_still_through_a_takeover_never_rests(
    place: str, answer: str, code: str, venue: Home, hosts: tuple[Home, Home]
) -> None:
    """Stopped between the look at the token and the send; the other host takes over; it goes on.

    The order is dead on arrival, by the deadline that its lease gave it. Kraken's word for that
    counts as no proof, and the silence not yet; the loop that took over will resolve it.
    """
    one, two = hosts
    with stopping_host(one, place) as first:
        wait_until(lambda: is_stopped(first))
        (intent,) = one.in_the_books(lambda tx: tx.unresolved_intents())
        assert (intent.state, holder_of(one)) == (IntentState.SENT, stopped_host.NAME)
        with two.started(*STANDBY, environ=CONSENT):
            wait_until(lambda: holder_of(two) not in ("", stopped_host.NAME))
            first.send_signal(signal.SIGCONT)
            out, err = first.communicate(timeout=60)
    assert out, err
    told = json.loads(out)
    assert (told["answer"], told["code"]) == (answer, code), told
    assert all_orders(venue) == ()


def test_a_standby_takes_over_when_the_loop_ends(hosts: tuple[Home, Home]) -> None:
    """A second loop is refused; one that stands by waits, and runs as soon as the first stops."""
    one, two = hosts
    hold = ("run", "--strategy", "hold")
    with one.started(*hold, environ=CONSENT) as first:
        wait_until(lambda: holder_of(one) != "")
        before = one.in_the_books(lambda tx: tx.lease())
        assert before is not None
        refused = two.here(*hold, environ=CONSENT)
        assert (refused.code, f"pid {first.pid}" in refused.err) == (4, True)
        with two.started(*STANDBY, environ=CONSENT) as second:
            first.send_signal(signal.SIGTERM)
            assert first.wait(timeout=60) == 0
            wait_until(lambda: two.in_the_books(lambda tx: tx.lease()) is not None)
            after = two.in_the_books(lambda tx: tx.lease())
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=60) == 0
    assert after is not None
    assert (after.pid, after.token) == (second.pid, before.token + 1)


def test_a_standby_that_is_told_to_stop_ends_in_order(hosts: tuple[Home, Home]) -> None:
    """It has held nothing, so it gives nothing back."""
    one, two = hosts
    two.in_the_books(lambda tx: tx.acquire_lease("x", "elsewhere", 1, SystemClock().now(), 600))
    with one.started(*STANDBY, environ=CONSENT) as waiting:
        log = one.folder.parent / f"{one.folder.name}.started"
        wait_until(lambda: "Standing by" in log.read_text())
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=60) == 0
    assert holder_of(one) == "elsewhere"
