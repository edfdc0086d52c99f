"""A part of the crash matrix with every run of the tests; `make crash` runs all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import crash_matrix
from crash_mutants import MUTANTS

PATIENCE_S = 120


def run_matrix(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process without threads: it forks."""
    program = Path(crash_matrix.__file__)
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=program.parent,
    )


def test_killed_at_drawn_moments_the_gate_keeps_journal_books_and_venue_together() -> None:
    """Every intent ends; the venue has one order for each confirmed one and none for the others."""
    ran = run_matrix("--cases", "32", "--seed", "20260105")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 violations" in ran.stdout


def test_each_rule_of_the_gate_that_is_broken_is_noticed() -> None:
    """A matrix that stays green whatever the gate does would prove nothing."""
    ran = run_matrix("--mutants")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(ran.stdout.splitlines()) == len(MUTANTS)
