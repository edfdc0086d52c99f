"""`zoe run`: its words, and a whole replay of a made-up market with its report."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
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
    report, curve = tmp_path / "report.json", tmp_path / "curve.csv"
    files = ("--report", str(report), "--curve", str(curve))
    told = replayed(tmp_path / "home", market, "--strategy", "demo", *files)
    result = told["result"]

    assert result["candles"] == HOURS
    assert result["round_trips"] >= 2
    assert result["positions_with_stop"] == result["round_trips"] + result["open_positions"]
    assert result["discrepancies"] == 0
    assert json.loads(report.read_text())["result_sha256"] == told["result_sha256"]
    performance = result["performance"]
    assert performance["trades"] == result["round_trips"]
    gained = Decimal(performance["ending_equity"]) - Decimal(performance["starting_equity"])
    booked = Decimal(result["realised_pnl"]) + Decimal(result["unrealised_pnl"])
    assert abs(gained - booked) < Decimal("0.5")  # the fee of what is still held is in one alone
    header, first, *_ = curve.read_text().splitlines()
    assert (header, first.split(",")[1]) == ("at,equity,held", "1000.0000")
    assert len(performance["curve"]) == len(curve.read_text().splitlines()) - 1


def test_a_part_of_a_market_is_replayed(tmp_path: Path) -> None:
    """From a time up to another one, both UTC; the end is not in it. The past is the venue's."""
    part = ("--from", "2020-09-13T20:00", "--to", "2020-09-14T02:00:00+02:00")
    told = replayed(tmp_path / "home", candles(tmp_path), "--strategy", "hold", *part)
    result = told["result"]

    assert result["prints"] == 16
    assert (result["orders"], result["performance"]["profit_factor"]) == (0, None)
    assert result["started_at"].startswith("2020-09-13T20:00")
    (store,) = (tmp_path / "home" / "runs").glob("*/zoe.db")
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("select opened_at from crypto_candles order by 1").fetchall()
    assert (rows[0][0][:16], rows[-1][0][:16]) == ("2020-09-13T19:59", "2020-09-13T19:59")


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
        (("--from", "yesterday"), "neither a day nor a time"),
        (("--from", "2030-01-01"), "tells nothing between"),
        (("--from", "0001-01-01T00:00+14:00"), "neither a day nor a time"),
        (("--for", "1h"), "--for is not for a recorded market"),
        (("--cycles", "5"), "--cycles is not for a recorded market"),
        (("--shadow",), "--shadow is not for a recorded market"),
        (("--report", "/nowhere/report.json"), "there is no such folder"),
        (("--curve", "/"), "it is a folder"),
    ],
)
def test_bad_words_get_a_sentence_and_exit_2(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """And no traceback, and no folder of a run that never was."""
    base = ["run", "--market-data", str(candles(tmp_path)), "--speed", "max"]
    answer = zoe(" ".join([*base, *words]), {}, home=tmp_path / "home")

    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert list((tmp_path / "home").glob("runs/*")) == []


def test_words_of_a_replay_want_a_market(tmp_path: Path) -> None:
    """Nobody trades live because a file was forgotten."""
    answer = zoe("run --from 2020-01-01", {}, home=tmp_path / "home")

    assert (answer.code, "--from is for a recorded market" in answer.err) == (2, True)


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
