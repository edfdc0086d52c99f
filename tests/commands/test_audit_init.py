"""`zoe audit init`: one key, kept from others, and every log signed from then on."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.runtime.audit_home import AuditHome

pytestmark = pytest.mark.usefixtures("in_no_time")


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    """0600 in a folder of 0700; the second time it is left as it is."""
    home = migrated(tmp_path)
    first = zoe("audit init --json", LIVE_KEYS, home=home)
    second = zoe("audit init --json", LIVE_KEYS, home=home)
    folder = home / "audit"

    assert (first.code, second.code) == (0, 0)
    assert (first.envelope["result"]["is_new"], second.envelope["result"]["is_new"]) == (
        True,
        False,
    )
    assert first.envelope["result"]["public_key"] == second.envelope["result"]["public_key"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert len(AuditHome(home).trusted()) == 1


def test_the_private_key_is_never_shown(tmp_path: Path) -> None:
    """Not in words and not in JSON."""
    home = migrated(tmp_path)
    shown = [zoe(line, LIVE_KEYS, home=home) for line in ("audit init", "audit init --json")]
    secret = (home / "audit" / "key").read_text().split()[1]

    assert all(secret not in each.out + each.err for each in shown)


def test_what_is_there_is_signed_at_once_and_from_then_on(tmp_path: Path) -> None:
    """First the log as it stands, later at the end of each command."""
    home = migrated(tmp_path)
    zoe("kill --level pause-entries --execute", LIVE_KEYS, home=home)
    zoe("audit init", LIVE_KEYS, home=home)
    (before,) = zoe("audit verify --json", LIVE_KEYS, home=home).envelope["result"]["accounts"]
    zoe("config set MAX_OPEN_POSITIONS 2 --execute", LIVE_KEYS, home=home)
    (after,) = zoe("audit verify --json", LIVE_KEYS, home=home).envelope["result"]["accounts"]

    assert before["signed_seq"] == before["last_seq"]
    assert after["signed_seq"] == after["last_seq"] > before["last_seq"]


def test_a_damaged_list_of_keys_is_named(tmp_path: Path) -> None:
    """Exit 2: a key that cannot be read must not read as no key."""
    home = migrated(tmp_path)
    zoe("audit init", LIVE_KEYS, home=home)
    (home / "audit" / "trusted-keys").write_text("ed25519 nonsense\n")
    shown = zoe("audit verify", LIVE_KEYS, home=home)

    assert shown.code == 2
    assert "is no public key" in shown.err
