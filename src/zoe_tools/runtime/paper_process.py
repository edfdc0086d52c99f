"""The paper exchange as a process of its own: started on demand, found again, served.

One exchange per `ZOE_HOME`. Commands find it by its port file and let it prove that it is this
home's before they trust it; `zoe run` never hosts it: killing the loop leaves the venue standing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from zoe_tools.config import Settings
from zoe_tools.domain.account import Account, fingerprint_of
from zoe_tools.errors import ConfigError, VenueUnavailable
from zoe_tools.paper.home import Endpoint, Keys, PaperHome, read_endpoint
from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock
from zoe_tools.runtime.loop_lock import hold_account

START_TIMEOUT_S = 20.0
"""How long a fresh exchange may take to listen."""

_POLL_S = 0.05
_DYING_S = 1.0
"""How long the system may take to free the port of a process that was killed."""

_PROOF_TIMEOUT_S = 5.0
_PROOF_BYTES = 16
_CLOCK_ASKS = 3
_IDLE_TIMEOUT_S = "600"
_LIMITS = {"--tier", "--no-limits"}
_LOG = "serve.log"

_OUTLIVING_US: set[subprocess.Popen[bytes]] = set()
"""Exchanges that were started on demand: a handle that is dropped would be reported as a leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperVenue:
    """A running exchange that proved to be this home's."""

    rest_url: str
    ws_url: str
    ws_private_url: str
    keys: Keys
    clock: Clock
    tier: str | None = None
    """Whose limits it has; None: it counts nothing."""


def folder_of(home: Path) -> Path:
    """Where a home keeps its exchange."""
    return home / "paper"


# --- finding and starting ------------------------------------------------------------------------


async def ensure_paper(home: Path) -> PaperVenue:
    """The home's exchange, started when it is not running.

    Raises:
        VenueUnavailable: it does not start.
    """
    return await asyncio.to_thread(find_or_start, home)


def request_paper(settings: Settings, *, speed: float | None, seed: int) -> None:
    """Have the exchange run before a run, at this speed; None takes it as it runs.

    One that runs at another speed is ended and started again: its state stays, its time goes on,
    and so do its limits.
    A live account needs none.

    Raises:
        AccountBusy: a loop trades on it at the speed it has.
        VenueUnavailable: it does not start, or does not end.
    """
    if settings.mode != "paper":
        return
    options = ("--speed", f"{speed or 1.0:g}", "--seed", str(seed))
    endpoint = _living(settings.home)
    if endpoint is not None and speed is not None and endpoint.speed != speed:
        api_key = PaperHome(folder_of(settings.home)).keys().api_key
        account = Account(venue="kraken", mode="paper", fingerprint=fingerprint_of(api_key))
        with hold_account(settings.home, account):
            _end(settings.home, endpoint)
            find_or_start(settings.home, options=(*options, *endpoint.limits))
        return
    find_or_start(settings.home, options=options)


def is_paper_running(home: Path) -> bool:
    """Whether the home's exchange runs; it is not started to find out."""
    return _living(home) is not None


def end_paper(home: Path) -> None:
    """End the home's exchange, if one is running; its state stays.

    Raises:
        VenueUnavailable: it does not end.
    """
    endpoint = _living(home)
    if endpoint is not None:
        _end(home, endpoint)


def _end(home: Path, endpoint: Endpoint) -> None:
    os.kill(endpoint.pid, signal.SIGTERM)
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        try:
            with PaperHome(folder_of(home)).locked():
                return
        except ConfigError:  # it still holds its home
            time.sleep(_POLL_S)
    raise VenueUnavailable(
        f"The paper exchange (pid {endpoint.pid}) does not end.",
        hint="Stop it yourself, and run the command again.",
    )


def find_or_start(home: Path, options: tuple[str, ...] = ()) -> PaperVenue:
    """See `ensure_paper`; `options` are those of `zoe paper serve`, used only for a fresh start."""
    endpoint = _living(home)
    if endpoint is None:
        endpoint = _start(home, options or _as_it_was(home))
    return PaperVenue(
        rest_url=endpoint.rest_url,
        ws_url=endpoint.ws_url,
        ws_private_url=endpoint.ws_private_url,
        keys=PaperHome(folder_of(home)).keys(),
        clock=_clock_told_by(endpoint),
        tier=_tier_in(endpoint.limits),
    )


def _tier_in(limits: Sequence[str]) -> str | None:
    return limits[1] if limits[:1] == ("--tier",) else None


def _as_it_was(home: Path) -> tuple[str, ...]:
    """Speed, port and limits of one that died: whoever was connected to it finds it again.

    Where somebody else took its port meanwhile, it is as fast and as patient on another one.
    """
    left = read_endpoint(folder_of(home))
    if left is None:
        return ()
    port = ("--port", str(left.port)) if _becomes_free(left.host, left.port) else ()
    return ("--speed", f"{left.speed:g}", *port, *left.limits)


def _becomes_free(host: str, port: int) -> bool:
    """Whether the port can be had: a killed process may keep it for a moment after its death."""
    give_up_at = time.monotonic() + _DYING_S
    while not _is_free(host, port):
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(_POLL_S)
    return True


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def hosting_paper(home: Path, options: tuple[str, ...]) -> Iterator[None]:
    """A fresh exchange that lives as long as the block, and is waited for at its end.

    Raises:
        VenueUnavailable: it does not start.
    """
    process = _spawn(home, options)
    try:
        _listening(home, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)


def _start(home: Path, options: tuple[str, ...]) -> Endpoint:
    for each in tuple(_OUTLIVING_US):
        if each.poll() is not None:
            _OUTLIVING_US.discard(each)
    process = _spawn(home, options)
    _OUTLIVING_US.add(process)
    endpoint = _listening(home, process)
    if endpoint.pid != process.pid:  # somebody was quicker: ours would take over were that to end
        process.terminate()
    return endpoint


def _spawn(home: Path, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    folder = folder_of(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOG).open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own program, fixed arguments
            [
                sys.executable,
                "-m",
                "zoe_tools",
                "paper",
                "serve",
                "--idle-timeout",
                _IDLE_TIMEOUT_S,
                # a row of commands by hand is no reason to wait: limits are for who asks for them
                *(() if _LIMITS & set(options) else ("--no-limits",)),
                *options,
            ],
            env={"PATH": os.defpath, "ZOE_HOME": str(home), "EDGE_FACTORY_MODE": "paper"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _listening(home: Path, process: subprocess.Popen[bytes]) -> Endpoint:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        endpoint = _living(home)
        if endpoint is not None:
            return endpoint
        # A second starter finds the lock held and leaves; then the first one's endpoint comes.
        if process.poll() not in (None, ConfigError.exit_code):
            break
        time.sleep(_POLL_S)
    raise VenueUnavailable(
        "The paper exchange did not start.",
        hint=f"Look at {folder_of(home) / _LOG}, or run `zoe paper serve`.",
    )


def _living(home: Path) -> Endpoint | None:
    """The endpoint in the port file, if a process answers there that knows this home's secret."""
    endpoint = read_endpoint(folder_of(home))
    if endpoint is None:
        return None
    secret = PaperHome(folder_of(home)).keys().proof_secret
    challenge = secrets.token_hex(_PROOF_BYTES)
    told = _get(endpoint, f"/zoe/proof?challenge={challenge}")
    expected = hmac.new(secret, bytes.fromhex(challenge), hashlib.sha256).hexdigest()
    if told is None or not hmac.compare_digest(str(told.get("proof", "")), expected):
        return None
    return endpoint


def _get(endpoint: Endpoint, path: str) -> Mapping[str, object] | None:
    """A small JSON answer from loopback; None when nobody answers properly."""
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{endpoint.rest_url}{path}", timeout=_PROOF_TIMEOUT_S) as answer:
            told = json.loads(answer.read())
    except (OSError, URLError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _clock_told_by(endpoint: Endpoint) -> ScaledClock:
    """The exchange hands out the time: the quickest of some answers tells it best.

    Processes that share a key share budgets too, and at sixty times the speed a slow answer would
    set their clocks seconds apart.

    Raises:
        VenueUnavailable: it went away meanwhile.
    """
    found: list[tuple[float, ScaledClock]] = []
    for _ in range(_CLOCK_ASKS):
        asked_at = time.monotonic()
        told = _get(endpoint, "/zoe/clock")
        if told is None:
            raise VenueUnavailable("The paper exchange went away.")
        clock = ScaledClock(
            epoch=datetime.fromisoformat(str(told["now"])), speed=float(str(told["speed"]))
        )
        found.append((time.monotonic() - asked_at, clock))
    return min(found, key=lambda answer: answer[0])[1]


# --- resetting -----------------------------------------------------------------------------------


def check_unserved(home: Path) -> None:
    """Whether the exchange's folder could be deleted now; changes nothing.

    Raises:
        ConfigError: it is being served.
    """
    paper = PaperHome(folder_of(home))
    if paper.was_served:
        with paper.locked():
            pass


def reset_paper(home: Path) -> None:
    """Delete the exchange's state and keys.

    Raises:
        ConfigError: it is being served, or a file cannot be deleted.
    """
    if not folder_of(home).is_dir():
        return
    with PaperHome(folder_of(home)).locked():
        try:
            shutil.rmtree(folder_of(home))
        except OSError as error:
            raise ConfigError(f"{folder_of(home)} cannot be deleted: {error}.") from error
