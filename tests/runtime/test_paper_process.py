"""The paper exchange as another process: started on demand, found again, never mistaken."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from builders import NOON
from program import wait_until
from zoe_tools.config import Settings, load_settings
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.errors import AccountBusy, ConfigError, VenueUnavailable
from zoe_tools.paper.home import Endpoint, PaperHome, read_endpoint
from zoe_tools.runtime import paper_process
from zoe_tools.runtime.loop_lock import hold_account
from zoe_tools.runtime.paper_process import (
    end_paper,
    find_or_start,
    request_paper,
    reset_paper,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home; whatever exchange a test started is ended, also one that has only begun."""
    (tmp_path / "paper").mkdir()
    yield tmp_path
    for each in paper_process._OUTLIVING_US:
        each.kill()
        each.wait(30)


def announced(home: Path) -> Endpoint | None:
    """What the port file says."""
    return read_endpoint(home / "paper")


def endpoint_of(home: Path) -> Endpoint:
    """The exchange that is announced."""
    endpoint = announced(home)
    assert endpoint is not None
    return endpoint


def is_alive(pid: int) -> bool:
    """Whether such an exchange runs; process ids are used again."""
    try:
        return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def settings_of(home: Path, **environ: str) -> Settings:
    """The settings of that home."""
    return load_settings({"ZOE_HOME": str(home), **environ})


def started(home: Path) -> Endpoint:
    """An exchange started on demand."""
    find_or_start(home)
    return endpoint_of(home)


class _Stranger(BaseHTTPRequestHandler):
    """Answers everything, as something else on that port might."""

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """A well-formed answer that proves nothing."""
        body = json.dumps({"proof": "00" * 32, "now": NOON.isoformat(), "speed": 1}).encode()
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def stranger() -> Iterator[tuple[int, list[str]]]:
    """Somebody else's server; its port, and what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    asked: list[str] = []
    server.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_is_started_on_demand_found_again_and_ended(home: Path) -> None:
    """The second caller starts nothing; after the end the state is still there."""
    first = find_or_start(home)
    pid = endpoint_of(home).pid
    second = find_or_start(home)

    assert (second.rest_url, endpoint_of(home).pid) == (first.rest_url, pid)
    assert pid != os.getpid()
    assert second.keys == PaperHome(home / "paper").keys()
    end_paper(home)
    wait_until(lambda: not is_alive(pid))
    assert (home / "paper" / "state.sqlite").exists()
    end_paper(home)  # and nothing is left to end


def test_two_starters_at_once_end_at_one_exchange(home: Path) -> None:
    """The second finds the home held, and waits for the first one's port."""
    with ThreadPoolExecutor(2) as pool:
        urls = [each.rest_url for each in pool.map(find_or_start, [home, home])]

    assert urls[0] == urls[1] == endpoint_of(home).rest_url
    others = {each.pid for each in paper_process._OUTLIVING_US} - {endpoint_of(home).pid}
    wait_until(lambda: not any(is_alive(each) for each in others))


def test_one_that_was_killed_is_started_again_with_its_keys(home: Path) -> None:
    """The port file of the dead is not believed."""
    before = started(home)
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(before.pid))
    again = find_or_start(home)

    assert endpoint_of(home).pid != before.pid
    assert again.keys == PaperHome(home / "paper").keys()


def test_one_that_was_killed_comes_back_where_it_was_and_as_fast(home: Path) -> None:
    """Whoever was connected to it finds it again, with the limits it had."""
    find_or_start(home, options=("--speed", "20", "--no-limits"))
    before = endpoint_of(home)
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(before.pid))
    find_or_start(home)
    after = endpoint_of(home)

    assert (after.port, after.speed) == (before.port, before.speed)
    assert after.limits == ("--no-limits",)
    assert after.pid != before.pid


def test_a_port_that_the_dead_one_still_holds_is_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process is gone before its port is free: the system takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as dying:
        port = dying.getsockname()[1]
        PaperHome(home / "paper").announce(port=port, speed=20.0, limits=("--no-limits",))
        asked: list[float] = []

        def let_go(seconds: float) -> None:
            asked.append(seconds)
            dying.close()

        monkeypatch.setattr("zoe_tools.runtime.paper_process.time.sleep", let_go)
        as_it_was = paper_process._as_it_was(home)

    assert as_it_was == ("--speed", "20", "--port", str(port), "--no-limits")
    assert len(asked) == 1


def test_a_stranger_on_the_port_is_not_trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns a random challenge and nothing else; one as fast is started beside it."""
    monkeypatch.setattr(paper_process, "_DYING_S", 0.0)
    with stranger() as (port, asked):
        PaperHome(home / "paper").announce(port=port, speed=20.0)
        found = find_or_start(home)

    assert not found.rest_url.endswith(f":{port}")
    assert endpoint_of(home).speed == 20.0
    assert [path.split("=")[0] for path in asked] == ["/zoe/proof?challenge"] * len(asked)
    assert len(set(asked)) == len(asked) > 0


def test_a_stranger_is_not_ended_either(home: Path) -> None:
    """Its process id in the port file is no reason to kill it."""
    with stranger() as (port, _):
        PaperHome(home / "paper").announce(port=port, speed=1.0)  # with this very process's id
        end_paper(home)

    assert announced(home) is not None


def test_one_that_does_not_come_up_is_reported_with_its_log(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds the home and serves nothing, until the one that was started has said so."""
    monkeypatch.setattr(paper_process, "START_TIMEOUT_S", 0.1)
    log = home / "paper" / "serve.log"
    with PaperHome(home / "paper").locked():
        with pytest.raises(VenueUnavailable, match="did not start") as raised:
            find_or_start(home)
        wait_until(lambda: "already serves" in log.read_text())

    assert str(log) in raised.value.hint


def test_one_that_crashes_is_reported_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a process that is gone."""
    monkeypatch.setattr(paper_process, "START_TIMEOUT_S", 3600.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(VenueUnavailable, match="did not start"):
        find_or_start(home)


def test_a_run_at_another_speed_restarts_it_and_its_time_goes_on(home: Path) -> None:
    """State, time and limits stay; without a wish it is taken as it runs."""
    find_or_start(home, options=("--speed", "120", "--tier", "pro"))
    before = endpoint_of(home)
    time_before = find_or_start(home).clock.now()
    request_paper(settings_of(home), speed=None, seed=1)
    assert endpoint_of(home).pid == before.pid
    request_paper(settings_of(home), speed=30.0, seed=1)
    after = endpoint_of(home)

    assert (before.speed, after.speed) == (120.0, 30.0)
    assert (before.limits, after.limits) == (("--tier", "pro"),) * 2
    wait_until(lambda: not is_alive(before.pid))
    assert find_or_start(home).clock.now() >= time_before


def test_its_speed_is_not_changed_under_a_running_loop(home: Path) -> None:
    """Who trades there is told, and the exchange stands."""
    request_paper(settings_of(home), speed=60.0, seed=1)
    before = endpoint_of(home)
    key = PaperHome(home / "paper").keys().api_key
    account = Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(key))
    with hold_account(home, account), pytest.raises(AccountBusy):
        request_paper(settings_of(home), speed=30.0, seed=1)

    assert endpoint_of(home) == before
    assert is_alive(before.pid)


def test_a_live_account_needs_none(home: Path) -> None:
    """Nothing is started."""
    live = settings_of(
        home,
        EDGE_FACTORY_MODE="live",
        KRAKEN_API_KEY="public-half",
        KRAKEN_API_SECRET="c2VjcmV0",
    )
    request_paper(live, speed=60.0, seed=1)

    assert announced(home) is None
    assert not (home / "paper" / "serve.log").exists()


# --- resetting -------------------------------------------------------------------------------


def test_a_reset_is_refused_while_it_is_served(home: Path) -> None:
    """And works afterwards: fresh keys, a fresh account."""
    old = started(home)
    key = PaperHome(home / "paper").keys().api_key
    with pytest.raises(ConfigError, match="already serves"):
        reset_paper(home)
    assert is_alive(old.pid)
    end_paper(home)
    reset_paper(home)

    assert not (home / "paper").exists()
    assert PaperHome(home / "paper").keys().api_key != key


def test_where_nothing_is_there_is_nothing_to_reset(tmp_path: Path) -> None:
    """Twice is as good as once."""
    reset_paper(tmp_path)

    assert list(tmp_path.iterdir()) == []
