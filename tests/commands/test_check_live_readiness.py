"""`zoe check-live-readiness` without a venue, and on the account that it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe

pytestmark = pytest.mark.usefixtures("in_no_time")

NOWHERE = {"KRAKEN_BASE_URL": "http://127.0.0.1:1"}
"""Nobody listens there."""


def test_an_unreachable_venue_is_exit_5_with_the_whole_report(tmp_path: Path) -> None:
    """The store's checks are there all the same."""
    home = migrated(tmp_path / "home")
    ran = zoe("check-live-readiness --json", LIVE_KEYS | NOWHERE, home=home)
    checks = {each["name"]: each["verdict"] for each in ran.envelope["result"]["checks"]}

    assert ran.code == 5
    assert (checks["live"], checks["reachable"], checks["database"]) == ("pass", "fail", "pass")
    assert checks["kill state"] == "pass"


def test_a_missing_store_is_exit_7(tmp_path: Path) -> None:
    """And no store is made."""
    ran = zoe("check-live-readiness", LIVE_KEYS | NOWHERE, home=tmp_path)

    assert ran.code == 7
    assert not (tmp_path / "zoe.db").exists()


def test_the_live_account_is_looked_at_whenever_its_key_is_there(tmp_path: Path) -> None:
    """Also while the mode is paper."""
    environ = LIVE_KEYS | NOWHERE | {"EDGE_FACTORY_MODE": "paper"}
    home = migrated(tmp_path / "home")

    assert zoe("check-live-readiness --json", environ, home=home).envelope["mode"] == "live"
