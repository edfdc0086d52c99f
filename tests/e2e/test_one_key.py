"""A loop, a standby, cron lines, an import and a stopped process on one key: nobody is refused.

The whole of it is `make shared-key`; a smaller part runs with all tests.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conformance_venue import served
from key_crowd import Crowd
from nursery import Running
from program import Home, let_time_pass, result_of, wait_until

SPEED = 5
"""Ten minutes of the venue's in two of ours."""

FUNDS = {"USD": Decimal(100_000), "BTC": Decimal(2), "SOL": Decimal(100)}
LOOP = ("run", "--strategy", "demo")
CRONS = ("status", "sync-positions", "reconcile", "check-tp-coverage")
CRON_EVERY_S = 60 / SPEED
DONE_OR_FINDINGS = (0, 3)
GUARD_EVERY_S = "1.0"
"""A stop so young is dear to cancel: oftener would fill a Pro's counter of the pair."""

LONGEST_MS = 250.0
STOPPED_S = 3.0
"""Longer than a lease."""


@dataclass(slots=True)
class CronLine:
    """A command that is run every minute, and how each run ended."""

    words: Sequence[str]
    codes: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def run_until(self, home: Home, stop: threading.Event) -> None:
        """Every minute of the venue's; a run that takes longer than that is waited for."""
        while not stop.is_set():
            ran = home.zoe("--json", *self.words)
            self.codes[ran.code] += 1
            if ran.code not in DONE_OR_FINDINGS:
                self.complaints.append(f"{ran.code} {ran.out[-300:]} {ran.err[-300:]}")
            stop.wait(CRON_EVERY_S)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A home whose exchange counts calls as of a Pro.

    A command that outlives the test's own exchange would start another: it is ended as well.
    """
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    environ = {}
    if request.param == "postgresql":
        environ["DATABASE_URL"] = str(request.getfixturevalue("migrated_url"))
    made = Home(folder=folder, environ=environ)
    made.init()
    yield made
    made.stop_exchange()


@contextmanager
def crons(home: Home) -> Iterator[list[CronLine]]:
    """All of them, until the end of the block."""
    lines, stop = [CronLine((each,)) for each in CRONS], threading.Event()
    threads = [threading.Thread(target=each.run_until, args=(home, stop)) for each in lines]
    for each in threads:
        each.start()
    try:
        yield lines
    finally:
        stop.set()
        for each in threads:
            each.join(timeout=120)


@contextmanager
def standing_by(home: Home, pid: int, *words: str) -> Iterator[Running]:
    """A second loop, once the first one has the account."""

    def is_taken() -> bool:
        return any(path.read_text() == str(pid) for path in home.folder.glob("loop-*.lock"))

    wait_until(is_taken)
    with home.started(*words) as process:
        yield process


def stop_holders(holder: Crowd, times: int) -> None:
    """Stop it with the slot in its hands, for longer than a lease; then let it go on.

    Every third time before its call has left: its nonce is too low by then.
    """
    for number in range(times):
        holder.say("after" if number % 3 else "before")
        holder.hear("holding")
        holder.process.send_signal(signal.SIGSTOP)
        try:
            let_time_pass(STOPPED_S)
        finally:
            holder.process.send_signal(signal.SIGCONT)
        holder.say("go on")
        let_time_pass(0.5)


def log_of(home: Home) -> str:
    """What all of zoe's processes wrote."""
    return "".join(path.read_text() for path in (home.folder / "logs").glob("zoe.log*"))


@pytest.mark.parametrize(
    ("seconds", "stops", "rows"),
    [(6, 1, 20_000), pytest.param(120, 10, 1_000_000, marks=pytest.mark.slow)],
)
def test_everybody_on_one_key_during_an_import(
    home: Home, seconds: int, stops: int, rows: int
) -> None:
    """No refusal reaches anybody, and no stop or cancel waits a quarter of a second for others."""
    duration = ("--for", f"{seconds * SPEED}s")
    with (
        served(home.folder, "--speed", str(SPEED), funds=FUNDS, limits="--tier pro"),
        Crowd.member(home, "guard", GUARD_EVERY_S) as guard,
        Crowd.member(home, "holder") as holder,
        Crowd.member(home, "importer", str(rows)) as importer,
    ):
        with (
            home.started(*LOOP, *duration) as loop,
            standing_by(home, loop.pid, *LOOP, "--standby") as standby,
            crons(home) as lines,
        ):
            importer.say("go")
            stop_holders(holder, stops)
            imported = importer.end()
            loop.wait(timeout=300)
            is_standing_by = standby.poll() is None
            standby.send_signal(signal.SIGTERM)
            standby.wait(timeout=60)
        guarded, held = guard.end(), holder.end()

    told = log_of(home)
    resent = told.count("met an invalid nonce")
    _print(imported, guarded, held, lines, resent, loop.returncode, standby.returncode)
    assert is_standing_by
    assert (loop.returncode, standby.returncode) == (0, 0)
    assert [each.complaints for each in lines if each.complaints] == []
    assert guarded["failures"] == held["failures"] == []
    assert "Rate limit" not in told
    assert imported["rows"] == rows
    assert guarded["calls"] > 4 * stops
    assert guarded["longest_ms"] <= LONGEST_MS


def _print(
    imported: dict[str, Any],
    guarded: dict[str, Any],
    held: dict[str, Any],
    lines: Sequence[CronLine],
    resent: int,
    *codes: int | None,
) -> None:
    """What it was like."""
    print(f"\nimport: {imported}")  # noqa: T201 - `make shared-key` shows it
    print(f"stops and cancels over REST: {guarded}")  # noqa: T201 - as above
    print(f"holder, stopped with the slot in its hands: {held}")  # noqa: T201 - as above
    for each in lines:
        print(f"zoe {' '.join(each.words)}: runs by exit code {dict(each.codes)}")  # noqa: T201 - as above
    print(f"exit codes of loop and standby: {codes}; calls sent again: {resent}")  # noqa: T201 - as above


POINTS: dict[tuple[str, ...], int] = {
    ("status",): 0,
    ("sync-positions",): 2,
    ("sync-positions", "--adopt", "BTC/USD=0.5", "--execute"): 5,
    ("sync-positions", "--execute"): 5,
    ("check-tp-coverage",): 2,
    ("recover-sl",): 2,
    ("reconcile",): 7,
}


def test_what_each_command_takes_of_the_calls_by_the_exchanges_own_count(tmp_path: Path) -> None:
    """`zoe status` asks the venue nothing, `sync-positions` six points at the most."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    home = Home(folder=folder)
    home.init()
    taken = {}
    with served(folder, funds=FUNDS):
        for words in POINTS:
            before = counted(home)
            ran = home.here(*words)
            taken[words] = counted(home) - before
            print(f"zoe {' '.join(words)}: {taken[words]} points")  # noqa: T201 - as above
            assert ran.code in DONE_OR_FINDINGS, ran.err

    assert taken == POINTS


def counted(home: Home) -> Decimal:
    """What the home's key has asked for by now, as the exchange counts it."""
    keys = result_of(home.here("--json", "paper", "key"))["keys"]
    (own,) = [each for each in keys if each["api_key"] == home.keys.api_key]
    return Decimal(own["rest_calls"])
