"""A part of the crash matrix with every run of the tests; `make crash` runs all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

import crash_matrix
from crash_mutants import MUTANTS
from nursery import nursery
from program import wait_until

PATIENCE_S = 120
FAMILY = 1 + 2 * 2
"""The matrix, two of its crew, and an exchange each; the child of a case comes and goes."""


def run_matrix(*arguments: str) -> tuple[int | None, str]:
    """Its exit code, and what it said; in a process without threads: it forks."""
    matrix = nursery().talk(crash_matrix.__file__, *arguments)
    try:
        said = matrix.end("", timeout=PATIENCE_S)
        return matrix.returncode, said
    finally:
        matrix.close()


def test_killed_at_drawn_moments_the_gate_keeps_journal_books_and_venue_together() -> None:
    """Every intent ends; the venue has one order for each confirmed one and none for the others."""
    code, said = run_matrix("--cases", "32", "--seed", "20260105")
    assert code == 0, said
    assert "0 violations" in said


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_at_once_and_says_what_it_found(told: signal.Signals) -> None:
    """A whole column takes minutes; nothing that it started outlives it."""
    name = f"ZOE_MATRIX={uuid4()}"
    with subprocess.Popen(
        [sys.executable, crash_matrix.__file__, "--database", "sqlite", "--jobs", "2"],
        stdout=subprocess.PIPE,
        text=True,
        env={**dict([name.split("=")]), "PATH": os.defpath},
        cwd=Path(crash_matrix.__file__).parent,
    ) as matrix:
        assert matrix.stdout is not None
        assert "columns, 2 at a time" in matrix.stdout.readline()
        wait_until(lambda: len(processes_with(name)) >= FAMILY)
        matrix.send_signal(told)
        said, _ = matrix.communicate(timeout=PATIENCE_S)

    assert matrix.returncode == 1
    assert "ended early: 0 of 100 columns are whole" in said
    assert "0 violations" in said
    wait_until(lambda: not processes_with(name))


def processes_with(variable: str) -> list[int]:
    """The living processes that were started with `NAME=value` in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if variable.encode() in (each / "environ").read_bytes().split(b"\0"):
                found.append(int(each.name))
    return found


def test_each_rule_of_the_gate_that_is_broken_is_noticed() -> None:
    """A matrix that stays green whatever the gate does would prove nothing."""
    code, said = run_matrix("--mutants")
    assert code == 0, said
    assert len(said.splitlines()) == len(MUTANTS)
