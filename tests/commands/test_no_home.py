"""A home that was mistyped is not made: no folder, no key, no exchange."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import zoe


@pytest.mark.parametrize("is_there", [False, True], ids=["no folder", "an empty folder"])
@pytest.mark.parametrize(
    "line",
    [
        "resume --execute",
        "resume",
        "recover-sl --execute",
        "sync-positions --execute",
        "reconcile --execute",
        "orders",
        "status",
        "run --strategy demo --for 1s",
    ],
)
def test_without_books_a_command_ends_before_it_makes_anything(
    tmp_path: Path, line: str, *, is_there: bool
) -> None:
    """Exit 7, with the hint."""
    home = tmp_path / "hoem"
    if is_there:
        home.mkdir()
    ran = zoe(line, {}, home=home)

    assert ran.code == 7
    assert "There is no store at" in ran.err
    assert "zoe init" in ran.err
    assert home.exists() is is_there
    assert not is_there or list(home.iterdir()) == []
