"""`zoe db upgrade`: from nothing to the newest, once."""

from __future__ import annotations

from pathlib import Path

from command_line import LIVE_KEYS, zoe


def test_it_migrates_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    """Exit 0 both times."""
    first = zoe("db upgrade", LIVE_KEYS, home=tmp_path)
    second = zoe("db upgrade --json", LIVE_KEYS, home=tmp_path)

    assert (first.code, second.code) == (0, 0)
    assert "from migration none to" in first.out
    assert second.envelope["result"]["before"] == second.envelope["result"]["after"]


def test_a_database_out_of_reach_exits_7(tmp_path: Path) -> None:
    """And the password is not in the message."""
    url = "postgresql://me:very-secret-word@127.0.0.1:1/db"
    ran = zoe("db upgrade", LIVE_KEYS | {"DATABASE_URL": url}, home=tmp_path)

    assert ran.code == 7
    assert "very-secret-word" not in ran.out + ran.err


def test_a_folder_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    """A clear sentence, whatever the driver says."""
    url = f"sqlite:///{tmp_path}/gone/zoe.db"
    ran = zoe("db upgrade", LIVE_KEYS | {"DATABASE_URL": url}, home=tmp_path)

    assert ran.code == 7
    assert "A bug" not in ran.err
