"""`zoe config show`: everything, with its source, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.config import KNOBS

PART = 5


def test_every_setting_is_shown_with_value_and_source(tmp_path: Path) -> None:
    """In words and in JSON."""
    environ = {"MAX_DAILY_NOTIONAL": "40"}
    (tmp_path / "zoe.toml").write_text("MAX_OPEN_POSITIONS = 2\n")
    result = zoe("config show --json", environ, home=tmp_path).envelope["result"]

    assert {knob.name for knob in KNOBS} < set(result)
    assert result["MAX_DAILY_NOTIONAL"] == {"value": "40", "source": "environment"}
    assert result["MAX_OPEN_POSITIONS"]["source"] == str(tmp_path / "zoe.toml")
    assert result["MAX_NOTIONAL_PER_TRADE"] == {"value": "25", "source": "default"}
    shown = zoe("config show", environ, home=tmp_path).out
    assert all(knob.name in shown for knob in KNOBS)


def test_defect_24_secrets_are_masked_and_the_account_is_named(tmp_path: Path) -> None:
    """By its fingerprint, never by a part of the key."""
    for line in ("config show", "config show --json"):
        ran = zoe(line, LIVE_KEYS, home=tmp_path)
        assert ran.code == 0
        assert LIVE_KEYS["KRAKEN_API_SECRET"] not in ran.out + ran.err
        assert LIVE_KEYS["KRAKEN_API_KEY"] not in ran.out + ran.err
        assert "********" in ran.out


@pytest.mark.parametrize("line", ["config show", "config show --json", "pre-flight", "-v status"])
def test_defect_24_no_part_of_a_key_is_told_or_logged(tmp_path: Path, line: str) -> None:
    """Not its first eight letters, not the last four of the secret: no five in a row of either."""
    migrated(tmp_path)
    ran = zoe(line, LIVE_KEYS, home=tmp_path)
    written = [path.read_text() for path in (tmp_path / "logs").glob("*.log")]
    told = "".join((ran.out, ran.err, *written))

    for name in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET"):
        value = LIVE_KEYS[name]
        parts = {value[start : start + PART] for start in range(len(value) - PART + 1)}
        assert {part for part in parts if part in told} == set()


def test_a_wrong_configuration_is_shown_and_then_refused(tmp_path: Path) -> None:
    """It is needed most when something is wrong."""
    ran = zoe("config show", {"ZOE_NONSENSE": "1"}, home=tmp_path)

    assert ran.code == 2
    assert "MAX_DAILY_NOTIONAL" in ran.out
    assert "error: ZOE_NONSENSE" in ran.err


def test_looking_creates_nothing(tmp_path: Path) -> None:
    """No folder, no keys, no log."""
    zoe("config show", home=tmp_path / "home")

    assert not (tmp_path / "home").exists()


def test_a_limit_that_the_store_tightens_is_shown_as_it_is_in_force(tmp_path: Path) -> None:
    """With `store` as its source; the others keep theirs."""
    home = migrated(tmp_path / "home")
    zoe("config set MAX_DAILY_NOTIONAL 30 --execute", LIVE_KEYS, home=home)
    told = zoe("config show --json", LIVE_KEYS, home=home).envelope["result"]

    assert told["MAX_DAILY_NOTIONAL"] == {"value": "30", "source": "store"}
    assert told["MAX_NOTIONAL_PER_TRADE"]["source"] == "default"
