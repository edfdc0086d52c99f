"""A loop whose reader has stopped reading: it turns, beats, and heeds what it is told all the same.

A real process into a real pipe that is full, as Ctrl-S, a stopped `less` or a stalled journal
leave it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nursery import Running, nursery
from program import PATIENCE_S, Home, wait_until
from zoe_tools.core.health import LOOP

RUN = ("-v", "run", "--strategy", "demo", "--speed", "30")
PAGE = 4096


@contextmanager
def into_a_full_pipe(home: Home) -> Iterator[tuple[Running, int]]:
    """A loop that prints into a pipe without a byte of room, and where one could read it."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PAGE)
    os.write(write, b"x" * (PAGE - 1) + b"\n")
    with os.fdopen(write, "w") as pipe:
        process = nursery().start(RUN, home.surroundings(), out=pipe, err=pipe)
    try:
        yield process, read
    finally:
        process.kill_all()
        process.wait(timeout=PATIENCE_S)
        os.close(read)


def told(home: Home, name: str) -> int | str:
    """What the loop's last beat says; 0 before the first."""
    beats = home.in_the_books(lambda tx: tx.heartbeats())
    return next((each.details[name] for each in beats if each.component == LOOP), 0)


def cycles(home: Home) -> int:
    """Turns that were taken so far."""
    return int(told(home, "cycles"))


def _is_read(read: int) -> bool:
    """Take what there is by now."""
    with contextlib.suppress(BlockingIOError):
        os.read(read, PAGE)
    return True


def test_a_loop_whose_output_nobody_reads_goes_on_and_heeds_a_kill(home: Home) -> None:
    """It turns and beats, health says why, a kill stops it, and SIGTERM ends it in order."""
    with into_a_full_pipe(home) as (process, _):
        wait_until(lambda: told(home, "output") == "nobody reads stdout")
        before = cycles(home)
        wait_until(lambda: cycles(home) > before + 20)
        health = home.here("health")
        assert health.code == 3
        assert "nobody reads stdout" in health.out
        assert "nobody reads stdout" in home.here("status").out
        assert home.here("kill", "--execute").code == 0
        wait_until(lambda: told(home, "state") == "KILL_SWITCH")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=PATIENCE_S) == 0
    (boot,) = home.in_the_books(lambda tx: tx.boots())
    assert boot.finished_at is not None


def test_who_reads_again_is_told_how_much_is_missing(home: Home) -> None:
    """Nothing is, of so few lines; and a reader who goes away for good ends nothing."""
    with into_a_full_pipe(home) as (process, read):
        wait_until(lambda: told(home, "output") == "nobody reads stdout")
        shown = b""
        while b"PAPER kraken" not in shown:  # whatever was told before it
            shown += os.read(read, PAGE)
        os.set_blocking(read, False)
        wait_until(lambda: _is_read(read) and told(home, "output") == "")
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), read)  # the last who could read is gone
        before = cycles(home)
        wait_until(lambda: cycles(home) > before + 20)
        assert "nobody reads" not in home.here("health").out
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: told(home, "state") == "KILL_SWITCH")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=PATIENCE_S) == 0
