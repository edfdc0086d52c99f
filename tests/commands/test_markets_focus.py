"""`zoe markets focus`: a dry run, then the store; nothing of the books."""

from __future__ import annotations

from pathlib import Path

from builders import NOON, make_instrument
from command_line import LIVE_KEYS, migrated, write, zoe


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """And says what would, with the exit code of a finding."""
    home = migrated(tmp_path)
    ran = zoe("markets focus --add BTC-USD", LIVE_KEYS, home=home)

    assert ran.code == 3
    assert "BTC/USD comes into focus by hand." in ran.out
    assert "DRY RUN" in ran.out
    assert zoe("--json markets focus", LIVE_KEYS, home=home).envelope["result"]["focus"] == []


def test_a_pair_comes_and_goes(tmp_path: Path) -> None:
    """Run again, nothing is to be done."""
    home = migrated(tmp_path)
    add = "--json markets focus --add btc/usd --for 12h --execute"
    done = zoe(add, LIVE_KEYS, home=home).envelope
    assert done["exit_code"] == 0
    assert [each["reason"] for each in done["result"]["focus"]] == ["manual"]
    assert done["result"]["focus"][0]["expires_at"] is not None

    gone = zoe("--json markets focus --remove BTC-USD --execute", LIVE_KEYS, home=home).envelope
    assert gone["result"]["focus"] == []
    again = zoe("markets focus --remove BTC-USD --execute", LIVE_KEYS, home=home)
    assert (again.code, "Nothing to do." in again.out) == (0, True)


def test_names_are_those_of_the_kept_catalogue(tmp_path: Path) -> None:
    """Once there is one, a pair that is not in it is refused."""
    home = migrated(tmp_path)
    write(home, lambda tx: tx.market.watch.keep_catalogue([make_instrument()], (), NOON))

    assert zoe("markets focus --add XBTCZUSD", LIVE_KEYS, home=home).code == 3
    ran = zoe("markets focus --add NONE-USD", LIVE_KEYS, home=home)
    assert ran.code == 2
    assert "The venue lists no instrument 'NONE-USD'" in ran.err


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """A time without a pair, a time that is none, a name that is none."""
    home = migrated(tmp_path)

    for line in ("--for 12h", "--add BTC-USD --for ever", "--add bitcoin"):
        assert zoe(f"markets focus {line}", LIVE_KEYS, home=home).code == 2
