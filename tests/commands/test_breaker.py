"""`zoe breaker`: look, force, and what a dry run leaves alone; no venue is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import LIVE_KEYS, Ran, migrated, zoe


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A live account whose venue is not there."""
    return migrated(tmp_path)


def ran(home: Path, line: str) -> Ran:
    """The command in that home."""
    return zoe(line, LIVE_KEYS, home=home)


def state_in(home: Path) -> tuple[int, str]:
    """Exit code and state of a look."""
    looked = ran(home, "--json breaker")
    return looked.code, looked.envelope["result"]["breaker"]["state"]


def test_it_is_forced_open_and_closed_again_by_different_processes(home: Path) -> None:
    """Each run is a process of its own; what one wrote the next finds."""
    assert state_in(home) == (0, "closed")
    dry = ran(home, "breaker --force-open")
    assert dry.code == 3
    assert "zoe breaker --force-open --execute" in dry.out
    assert state_in(home) == (0, "closed")

    assert ran(home, "breaker --force-open --execute").code == 0
    assert state_in(home) == (3, "open")
    shown = ran(home, "breaker")
    assert "none: until --force-close" in shown.out

    assert ran(home, "breaker --force-close").code == 3
    assert ran(home, "breaker --force-close --execute").code == 0
    assert state_in(home) == (0, "closed")


def test_who_forced_it_is_in_the_audit_log(home: Path) -> None:
    """As every other order of an operator's."""
    assert ran(home, "breaker --force-open --execute").code == 0

    told = ran(home, "explain breaker")
    assert "forced open" in told.out


@pytest.mark.parametrize(
    "line",
    ["breaker --execute", "breaker --force-open --force-close"],
)
def test_words_that_do_not_fit_together_are_refused(home: Path, line: str) -> None:
    """Exit 2, and nothing happens."""
    assert ran(home, line).code == 2
    assert state_in(home) == (0, "closed")
