"""`zoe pre-flight` in a real process against a real paper exchange, and without a venue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe

pytestmark = pytest.mark.usefixtures("in_no_time")

NOWHERE = {"KRAKEN_BASE_URL": "http://127.0.0.1:1"}
"""Nobody listens there."""


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`zoe` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zoe_tools", *words],
        env={"ZOE_HOME": str(home), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def paper_home(tmp_path: Path) -> Iterator[Path]:
    """A home after `zoe init`; its exchange is stopped afterwards."""
    home = tmp_path / "home"
    assert run(home, "init").returncode == 0
    yield home
    port_file = home / "paper" / "port.json"
    if port_file.exists():
        os.kill(json.loads(port_file.read_text())["pid"], signal.SIGTERM)


def test_it_passes_against_the_paper_exchange(paper_home: Path) -> None:
    """Over real HTTP with real signatures; the exchange is started on demand."""
    ran = run(paper_home, "--json", "pre-flight")
    told = json.loads(ran.stdout)
    checks = {(each["group"], each["name"]): each["verdict"] for each in told["result"]["checks"]}

    assert [key for key, verdict in checks.items() if verdict != "pass"] == []
    assert ran.returncode == told["exit_code"] == 0
    assert told["mode"] == "paper"
    for name in (("venue", "clock"), ("key", "withdrawal"), ("instruments", "BTC/USD")):
        assert checks[name] == "pass"
    shown = run(paper_home, "pre-flight").stdout
    assert shown.startswith("PAPER kraken ")
    assert "PASS: " in shown.splitlines()[-1]


def test_an_unreachable_venue_exits_5_with_the_whole_report(tmp_path: Path) -> None:
    """The store's checks are there all the same."""
    home = migrated(tmp_path / "home")
    ran = zoe("pre-flight --json", LIVE_KEYS | NOWHERE, home=home)
    checks = {each["name"]: each for each in ran.envelope["result"]["checks"]}

    assert ran.code == 5
    assert checks["reachable"]["verdict"] == "fail"
    assert checks["database"]["verdict"] == "pass"
    assert checks["reachable"]["next_step"]


def test_an_audit_key_that_cannot_be_read_warns(tmp_path: Path) -> None:
    """With what to do; trading goes on, unsigned."""
    home = migrated(tmp_path / "home")
    assert zoe("audit init", LIVE_KEYS, home=home).code == 0
    told = [audit_key(home)]
    (home / "audit" / "key").chmod(0o644)
    told.append(audit_key(home))
    (home / "audit" / "key").write_text("nonsense")
    told.append(audit_key(home))

    assert told[0] == ("", "", "")
    assert told[1][0] == told[2][0] == "warn"
    assert "others may read" in told[1][1]
    assert told[1][2] == f"chmod 600 {home / 'audit' / 'key'}"
    assert "cannot be read: nothing is signed" in told[2][1]
    assert "zoe audit init" in told[2][2]


def audit_key(home: Path) -> tuple[str, str, str]:
    """Verdict, detail and next step of the check, where it is told at all."""
    ran = zoe("pre-flight --json", LIVE_KEYS | NOWHERE, home=home)
    for each in ran.envelope["result"]["checks"]:
        if each["name"] == "audit key":
            return each["verdict"], each["detail"], each["next_step"]
    return "", "", ""


def test_a_missing_store_outranks_the_venue(tmp_path: Path) -> None:
    """7 before 5; and no store is made."""
    ran = zoe("pre-flight", LIVE_KEYS | NOWHERE, home=tmp_path)

    assert ran.code == 7
    assert "zoe init" in ran.out
    assert not (tmp_path / "zoe.db").exists()


def test_the_live_account_is_judged_whenever_its_key_is_there(tmp_path: Path) -> None:
    """Also while the mode is paper, unless the account is named."""
    environ = LIVE_KEYS | NOWHERE | {"EDGE_FACTORY_MODE": "paper"}
    home = migrated(tmp_path / "home")

    assert zoe("pre-flight --json", environ, home=home).envelope["mode"] == "live"
    assert zoe("pre-flight", environ | {"ZOE_X": "1"}, home=home).code == 2


def test_live_without_credentials_is_exit_2_never_paper(tmp_path: Path) -> None:
    """No exchange is started for it."""
    ran = zoe("pre-flight", {"EDGE_FACTORY_MODE": "live"}, home=tmp_path)

    assert ran.code == 2
    assert not (tmp_path / "paper").exists()
