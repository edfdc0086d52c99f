"""`zoe run`: its words, and a whole replay of a made-up market with its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import zoe
from zoe_tools.commands.run import _duration, _speed
from zoe_tools.errors import ConfigError

HOURS = 60


def candles(folder: Path) -> Path:
    """An hourly market that climbs and falls a percent in turn, in Kraken's bulk format."""
    path = folder / "ETHUSD_60.csv"
    rows = []
    price = 20_000
    for hour in range(HOURS):
        close = price + (250 if hour % 3 else -300)
        high, low = max(price, close) + 40, min(price, close) - 40
        texts = [f"{cents / 100:.2f}" for cents in (price, high, low, close)]
        rows.append(f"{1_600_000_000 // 3600 * 3600 + hour * 3600},{','.join(texts)},50.5,12")
        price = close
    path.write_text("\n".join(rows) + "\n")
    return path


def replayed(home: Path, market: Path, *more: str) -> dict[str, Any]:
    """The JSON answer of a replay."""
    words = ["run", "--json", "--market-data", str(market), "--speed", "max", *more]
    answer = zoe(" ".join(words), {}, home=home)
    assert answer.code == 0, answer.err
    told: dict[str, Any] = answer.envelope["result"]
    return told


def test_a_replay_trades_protects_and_agrees_with_the_venue(tmp_path: Path) -> None:
    """Round trips, each with its stop at the venue, and nothing for the auditor to find."""
    market = candles(tmp_path)
    report = tmp_path / "report.json"
    told = replayed(tmp_path / "home", market, "--strategy", "demo", "--report", str(report))
    result = told["result"]

    assert result["candles"] == HOURS
    assert result["round_trips"] >= 2
    assert result["positions_with_stop"] == result["round_trips"] + result["open_positions"]
    assert result["discrepancies"] == 0
    assert json.loads(report.read_text())["result_sha256"] == told["result_sha256"]


def test_hold_only_watches(tmp_path: Path) -> None:
    """No order leaves."""
    result = replayed(tmp_path / "home", candles(tmp_path), "--strategy", "hold")["result"]

    assert (result["orders"], result["prints"] > 0) == (0, True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2d", 172_800)]
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float) -> None:
    """Seconds, minutes, hours, days."""
    assert _duration(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "-5m", "1w", "5 m", "nan s"])
def test_other_durations_are_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match="not a duration"):
        _duration(text)


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", "120.1"])
def test_impossible_speeds_are_refused(text: str) -> None:
    """Above zero, and within reason."""
    with pytest.raises(ConfigError):
        _speed(text)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--strategy", "luck"), "luck"),
        (("--speed", "60"), "--speed max"),
        (("--market-data", "/nowhere/ETHUSD_60.csv"), "cannot be read"),
    ],
)
def test_bad_words_get_a_sentence_and_exit_2(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """And no traceback."""
    base = ["run", "--market-data", str(candles(tmp_path)), "--speed", "max"]
    answer = zoe(" ".join([*base, *words]), {}, home=tmp_path / "home")

    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_disabled_says_so_and_does_nothing(tmp_path: Path) -> None:
    """EDGE_FACTORY_MODE=disabled exits 0."""
    answer = zoe("run", {"EDGE_FACTORY_MODE": "disabled"}, home=tmp_path)

    assert answer.code == 0
    assert "disabled" in answer.out


@pytest.mark.parametrize(("words", "window_s"), [("run", 10.0), ("run --allow-duplicates", 0.0)])
def test_the_duplicate_window_is_overridden_by_an_explicit_word_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, window_s: float
) -> None:
    """The policy that the loop trades by is what counts."""
    seen: list[float] = []

    def trade(*given: Any) -> None:
        seen.append(given[1].policy().duplicate_window_s)
        raise ConfigError("far enough")

    monkeypatch.setattr("zoe_tools.commands.run._trade", trade)
    zoe(words, {}, home=tmp_path)

    assert seen == [window_s]
