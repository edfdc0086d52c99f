"""`zoe audit verify`: whole, or the first bad row by name and number."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe

pytestmark = pytest.mark.usefixtures("in_no_time")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A live account that was stopped, and given a tighter limit, with a key."""
    home = migrated(tmp_path)
    zoe("audit init", LIVE_KEYS, home=home)
    for line in ("kill --level pause-entries", "config set MAX_OPEN_POSITIONS 2"):
        zoe(f"{line} --execute", LIVE_KEYS, home=home)
    return home


def tamper(home: Path, statement: str) -> None:
    """As the owner of the file: triggers are no obstacle."""
    with closing(sqlite3.connect(home / "zoe.db")) as database:
        for verb in ("update", "delete"):
            database.execute(f"DROP TRIGGER audit_log_no_{verb}")
        database.execute(statement)
        database.commit()


def test_a_whole_log_is_said_to_be_whole(home: Path) -> None:
    """Exit 0, and how far the signatures reach."""
    shown = zoe("audit verify", LIVE_KEYS, home=home)

    assert shown.code == 0
    assert "The log is whole." in shown.out
    assert "signed  up to row" in shown.out


def test_the_first_bad_row_is_named(home: Path) -> None:
    """Exit 3, in words and in JSON, with what to read next."""
    tamper(home, "UPDATE audit_log SET payload = '{}' WHERE seq = 1")
    shown = zoe("audit verify", LIVE_KEYS, home=home)
    told = zoe("audit verify --json", LIVE_KEYS, home=home)
    finding = told.envelope["result"]["accounts"][0]["findings"][0]

    assert (shown.code, told.code) == (3, 3)
    assert "THE LOG IS NOT WHOLE" in shown.out
    assert "CHANGED_ROW" in shown.out
    assert "row 1 (trading state" in shown.out
    assert (finding["flaw"], finding["seq"]) == ("CHANGED_ROW", 1)


def test_a_store_without_books_has_nothing_to_verify(tmp_path: Path) -> None:
    """`zoe init` registers nobody; exit 0, and nothing is made."""
    shown = zoe("audit verify", LIVE_KEYS, home=migrated(tmp_path))

    assert (shown.code, shown.out) == (0, "No account has books here yet.\n")


def test_before_a_key_is_made_the_report_says_what_that_means(tmp_path: Path) -> None:
    """A chain without a signature cannot show a cut at its end."""
    home = migrated(tmp_path)
    zoe("kill --level pause-entries --execute", LIVE_KEYS, home=home)
    shown = zoe("audit verify", LIVE_KEYS, home=home)

    assert shown.code == 0
    assert "zoe audit init" in shown.out


def test_a_file_that_holds_no_head_is_named(home: Path, tmp_path: Path) -> None:
    """Exit 2: a head that was asked for and not read would be no check."""
    letter = tmp_path / "letter.txt"
    letter.write_text("dear grandmother")
    shown = zoe(f"audit verify --head {letter}", LIVE_KEYS, home=home)

    assert shown.code == 2
    assert "holds no signed head" in shown.err


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        (0o600, "", ""),
        (0o640, "", "chmod 600"),
        (0o602, "", "chmod 600"),
        (0o600, "nonsense", "nothing is signed"),
    ],
)
def test_a_key_that_others_may_use_or_that_is_none_is_told(
    home: Path, mode: int, content: str, said: str
) -> None:
    """On stderr; the log itself is whole all the same."""
    key = home / "audit" / "key"
    if content:
        key.write_text(content)
    key.chmod(mode)
    shown = zoe("audit verify", LIVE_KEYS, home=home)

    assert (shown.code, "The log is whole." in shown.out) == (0, True)
    assert (said in shown.err) if said else (shown.err == "")


def test_a_kill_goes_on_without_the_key(home: Path) -> None:
    """It latches, and exits as it would with it."""
    (home / "audit" / "key").write_text("nonsense")
    shown = zoe("kill --level reduce-only --execute", LIVE_KEYS, home=home)
    level = zoe("kill status --json", LIVE_KEYS, home=home).envelope["result"]

    assert "audit key" not in shown.err
    assert "reduce-only" in str(level)
