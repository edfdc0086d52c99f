"""`zoe config check`: everything that is wrong, not only the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.config import load_settings
from zoe_tools.config.thresholds import mismatches


def test_sound_settings_are_sound(tmp_path: Path) -> None:
    """Exit 0 and a sentence."""
    ran = zoe("config check", LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert ran.code == 0
    assert "The settings fit each other." in ran.out


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    """Two contradictions, an unknown name and an unreadable value: four findings, exit 2."""
    environ = LIVE_KEYS | {
        "MAX_DAILY_NOTIONAL": "10",
        "MAX_EXPOSURE_NOTIONAL": "5",
        "ZOE_NONSENSE": "1",
        "MAX_OPEN_POSITIONS": "many",
    }
    ran = zoe("config check --json", environ, home=migrated(tmp_path / "home"))
    errors = [e for e in ran.envelope["result"]["findings"] if e["severity"] == "error"]

    assert ran.code == 2
    assert sorted(each["subject"] for each in errors) == [
        "MAX_DAILY_NOTIONAL",
        "MAX_EXPOSURE_NOTIONAL",
        "MAX_OPEN_POSITIONS",
        "ZOE_NONSENSE",
    ]


def test_each_problem_is_told_once(tmp_path: Path) -> None:
    """Among the findings, and not as a warning beside them as well."""
    environ = LIVE_KEYS | {"MAX_DAILY_NOTIONAL": "many", "KRAKEN_TEIR": "pro"}
    home = migrated(tmp_path / "home")
    ran = zoe("config check", environ, home=home)
    told = zoe("config check --json", environ, home=home).envelope

    for sentence in ("'many' is not a number", "KRAKEN_TEIR in the environment"):
        assert (ran.out.count(sentence), sentence in ran.err) == (1, False)
    assert told["warnings"] == []


WARNED = [
    ({"ALLOW_WITHDRAWAL_KEY": "true"}, "can withdraw", 3),
    ({"ALLOW_TARGETS_WITHOUT_STOP": "true"}, "no stop at the venue", 3),
    ({"TAKE_PROFIT_MODE": "resting"}, "is not followed", 3),
    ({"DUPLICATE_WINDOW_SECONDS": "0"}, "not noticed", 3),
    ({"ALLOWED_SYMBOLS": "BTC-USD,ETH-USD"}, "The loop follows SOL-USD", 3),
    ({"TAKE_PROFIT_PCT": "2"}, "A win brings no more", 0),
    ({"MAX_DAILY_NOTIONAL": "0"}, "nothing is entered", 0),
]


@pytest.mark.parametrize(("environ", "told", "code"), WARNED)
def test_what_is_dangerous_is_told(
    tmp_path: Path, environ: dict[str, str], told: str, code: int
) -> None:
    """Dangers are exit 3, mere notes 0."""
    ran = zoe("config check", LIVE_KEYS | environ, home=migrated(tmp_path / "home"))

    assert (ran.code, told in ran.out) == (code, True)


def test_a_store_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    """The settings are checked all the same."""
    ran = zoe("config check", LIVE_KEYS, home=tmp_path / "home")

    assert ran.code == 0
    assert "What the store tightens is not known" in ran.err


CONTRADICTIONS = [
    ({"MAX_NOTIONAL_PER_TRADE": "60"}, ["MAX_DAILY_NOTIONAL"]),
    ({"MAX_UNEXECUTED_NOTIONAL": "24"}, ["MAX_UNEXECUTED_NOTIONAL"]),
    ({"MAX_POSITION_NOTIONAL": "24"}, ["MAX_POSITION_NOTIONAL"]),
    ({"MAX_EXPOSURE_NOTIONAL": "24"}, ["MAX_EXPOSURE_NOTIONAL"]),
    (
        {"MAX_POSITION_NOTIONAL": "40", "MAX_EXPOSURE_NOTIONAL": "30"},
        ["MAX_EXPOSURE_NOTIONAL"],
    ),
    ({"MAX_OPEN_ORDERS": "2"}, ["MAX_OPEN_ORDERS"]),
    ({"PRICE_COLLAR_PCT": "0.1"}, ["PRICE_COLLAR_PCT"]),
    ({"MAX_CROSS_SPREAD_BPS": "14"}, ["MAX_CROSS_SPREAD_BPS"]),
    ({"LIQUIDITY_GUARD_SPREAD_PCT": "0.1"}, ["LIQUIDITY_GUARD_SPREAD_PCT"]),
    ({"MAX_OPEN_ORDERS": "0", "MAX_EXPOSURE_NOTIONAL": "0"}, []),
    ({}, []),
]


@pytest.mark.parametrize(("environ", "hard"), CONTRADICTIONS)
def test_a_hard_limit_below_its_soft_one_is_a_contradiction(
    tmp_path: Path, environ: dict[str, str], hard: list[str]
) -> None:
    """Zero is a plain no."""
    settings = load_settings(environ, home=tmp_path, lenient=True)

    assert [each.hard for each in mismatches(settings.values())] == hard


def test_checking_creates_nothing(tmp_path: Path) -> None:
    """Neither a paper account nor a store; the log alone is written where there is a home."""
    assert zoe("config check", home=tmp_path / "home").code == 0
    assert not (tmp_path / "home" / "paper").exists()


def test_a_command_for_alerts_that_cannot_be_run_is_noticed_before_the_night(
    tmp_path: Path,
) -> None:
    """Not there, not to be run, or for everybody to change; a path that is not whole is wrong."""
    home = migrated(tmp_path / "home")
    program = home / "alert"
    warned = []
    for mode in (None, 0o600, 0o707, 0o700):
        if mode is not None:
            program.touch()
            program.chmod(mode)
        ran = zoe("config check", LIVE_KEYS | {"ALERT_EXEC": f"{program} --to me"}, home=home)
        warned.append((ran.code, "nobody is told" in ran.out, "can be changed" in ran.out))
    assert warned == [(3, True, False), (3, True, False), (3, False, True), (0, False, False)]

    ran = zoe("config check", LIVE_KEYS | {"ALERT_EXEC": "alert"}, home=home)
    assert (ran.code, "whole path of a program" in " ".join(ran.out.split())) == (2, True)
