"""`zoe markets record`: what it refuses before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import LIVE_KEYS, zoe


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--out {}/nowhere", "there is no such folder"),
        ("--out {} --depth 7", "--depth 7 is not served"),
        ("--out {} --size 0", "--size 0: write at least 1"),
        ("--out {} --every never", "--every never: this is no such time"),
        ("--out {} --for 5", "--for 5: this is no such time"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, complaint: str, tmp_path: Path) -> None:
    """With exit code 2 and no file."""
    ran = zoe(f"markets record {line.format(tmp_path)}", LIVE_KEYS, home=tmp_path)

    assert ran.code == 2
    assert complaint in ran.err
    assert list(tmp_path.glob("*.gz")) == []


def test_a_venue_that_is_away_leaves_no_file(tmp_path: Path) -> None:
    """The list of pairs is asked for first."""
    ran = zoe(f"markets record --out {tmp_path} --for 1s", LIVE_KEYS, home=tmp_path)

    assert ran.code == 5
    assert list(tmp_path.glob("*.gz")) == []
