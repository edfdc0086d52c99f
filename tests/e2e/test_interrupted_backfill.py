"""A backfill that is interrupted anywhere and run again ends as one that was never interrupted."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import backfill_rig
from backfill_rig import (
    END,
    TRADES,
    Blow,
    Killed,
    Kind,
    blow_of,
    dump,
    run_once,
    run_to_the_end,
    trades_of,
)
from builders import BTC, PAPER
from zoe_tools.errors import PlanRefused, VenueUnavailable
from zoe_tools.paper.values.times import moment_of
from zoe_tools.runtime.candle_backfill import hold_instrument

SEEDS = range(20)
QUICK = range(5)
"""One of each kind."""


@cache
def uninterrupted() -> tuple[bytes, int]:
    """What is in the store in the end, and through how many moments it came there."""
    with TemporaryDirectory() as folder:
        run = run_once(Path(folder))
        assert (run.code, run.error) == (0, None), run.told
        return dump(Path(folder)), run.moments


def test_all_that_was_traded_is_in_the_store(tmp_path: Path) -> None:
    """Counts, volumes and the last price of every minute, by a sum of its own."""
    run_to_the_end(tmp_path)
    counts: Counter[int] = Counter()
    volumes: Counter[int] = Counter()
    closes: dict[int, str] = {}
    for each in trades_of(1):
        minute = each.at // 60_000_000_000 * 60
        counts[minute] += 1
        volumes[minute] += int(each.quantity * 10**8)
        closes[minute] = f"{each.price.normalize():f}"
    with sqlite3.connect(tmp_path / "zoe.db") as connection:
        rows = connection.execute(
            "SELECT CAST(strftime('%s', opened_at) AS INTEGER), count, volume, close"
            " FROM crypto_candles WHERE timeframe = '1m' AND count > 0"
        ).fetchall()
    connection.close()

    assert {at: count for at, count, _, _ in rows} == counts
    assert {at: round(float(volume) * 10**8) for at, _, volume, _ in rows} == volumes
    assert {at: close for at, _, _, close in rows} == closes
    assert sum(counts.values()) == TRADES


def test_a_second_run_asks_for_nothing_and_changes_nothing(tmp_path: Path) -> None:
    """All of it was looked for; what is missing never was."""
    run_to_the_end(tmp_path)
    before = dump(tmp_path)
    (again,) = run_to_the_end(tmp_path)

    assert again.code == 0
    assert not [path for path in again.asked if "Trades" in path or "OHLC" in path]
    assert dump(tmp_path) == before
    assert run_once(tmp_path, execute=False).code == 0


def test_a_dry_run_writes_nothing_and_says_what_it_takes(tmp_path: Path) -> None:
    """Exit 3; by one question more than the list of instruments."""
    run = run_once(tmp_path, execute=False, width=80)

    assert run.code == 3
    assert "1,800 never fetched" in run.told
    assert "4 of OHLC and about 6 of Trades" in run.told
    assert max(map(len, run.told.splitlines())) <= 80
    assert dump(tmp_path) == b""


def test_interrupted_and_resumed_it_ends_the_same(tmp_path: Path) -> None:
    """By each kind of interruption once."""
    for seed in QUICK:
        demand_the_same(tmp_path / str(seed), blow_of(seed, uninterrupted()[1]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_at_twenty_random_points(tmp_path: Path, seed: int) -> None:
    """SIGINT, kill -9, a cut network, 502s and refusals for too many calls."""
    demand_the_same(tmp_path / "home", blow_of(seed, uninterrupted()[1]))


def demand_the_same(folder: Path, blow: Blow) -> None:
    """That the candles are those of an uninterrupted run, byte for byte."""
    folder.mkdir()
    runs = run_to_the_end(folder, blow)

    assert dump(folder) == uninterrupted()[0], blow
    if blow.kind == "kill":
        assert isinstance(runs[0].error, Killed)
    elif blow.kind == "sigint":
        assert isinstance(runs[0].error, asyncio.CancelledError)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_a_process_that_is_killed_in_earnest(tmp_path: Path, seed: int) -> None:
    """SIGKILL from without: nothing of it runs on, and its lock is free."""
    whole, moments = uninterrupted()
    moment = blow_of(seed, moments).moment
    done = subprocess.run(
        [sys.executable, backfill_rig.__file__, tmp_path, str(moment)],
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    run_to_the_end(tmp_path)

    assert dump(tmp_path) == whole


@pytest.mark.parametrize("kind", ["cut", "502", "rate limit"])
def test_a_venue_that_stays_away_ends_in_a_clear_error(tmp_path: Path, kind: Kind) -> None:
    """After minutes; it says how far it came, and the next run goes on from there."""
    moment = uninterrupted()[1] - 20
    first, second = run_to_the_end(tmp_path, Blow(kind=kind, moment=moment))

    assert isinstance(first.error, VenueUnavailable)
    assert "trades read, up to 2026-01-05" in first.error.message
    assert "goes on from there" in first.error.hint
    assert 240 < first.took_s < 600
    asked = [path for path in second.asked if "Trades" in path]
    assert 0 < len(asked) < 7
    assert "gone on from there" in second.told


@pytest.mark.parametrize("kind", ["cut", "502", "rate limit"])
def test_a_venue_that_comes_back_is_waited_for(tmp_path: Path, kind: Kind) -> None:
    """Forty seconds without an answer end nothing."""
    moment = uninterrupted()[1] // 2
    (run,) = run_to_the_end(tmp_path, Blow(kind=kind, moment=moment, short=True))

    assert run.error is None
    assert run.took_s > 40
    assert dump(tmp_path) == uninterrupted()[0]


def test_an_interrupted_run_says_that_it_can_be_gone_on_with(tmp_path: Path) -> None:
    """SIGINT in the midst of the trades."""
    run = run_once(tmp_path, blow=Blow(kind="sigint", moment=uninterrupted()[1] - 20))

    assert isinstance(run.error, asyncio.CancelledError)
    assert "the same command goes on from there" in run.told
    told = run_once(tmp_path, execute=False).told
    assert "broken off after" in told


def test_of_trades_that_the_venue_has_dropped_nothing_is_concluded(tmp_path: Path) -> None:
    """The paper exchange keeps ten thousand: what was before is never fetched, and not silent."""
    first = run_once(tmp_path, trades=14_000)
    begins = moment_of(trades_of(1, 14_000)[4_000].at)

    assert (first.error, first.code) == (None, 3)
    assert f"trades begin at {begins:%Y-%m-%d %H:%M:%S}" in " ".join(first.told.split())
    with sqlite3.connect(tmp_path / "zoe.db") as connection:
        found = connection.execute(
            "SELECT min(opened_at) FROM crypto_candles WHERE timeframe = '1m' UNION ALL"
            " SELECT min(since) FROM candle_coverage WHERE timeframe = '1m'"
        ).fetchall()
    connection.close()
    for (at,) in found:
        assert begins < datetime.fromisoformat(at) < begins + timedelta(minutes=3)
    kept = dump(tmp_path)
    assert run_once(tmp_path, trades=14_000).code == 3
    assert dump(tmp_path) == kept


def test_a_clock_that_is_a_day_ahead_makes_no_candles_of_tomorrow(tmp_path: Path) -> None:
    """What is still to be traded at the venue was not looked for."""
    ahead = timedelta(days=1)
    run = run_once(tmp_path, ahead=ahead, until=END + ahead)

    assert (run.error, run.code) == (None, 0)
    assert dump(tmp_path) == uninterrupted()[0]


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    """The second one says who is at it; one that was killed holds up nobody."""
    with hold_instrument(tmp_path, PAPER.account_id, BTC), pytest.raises(PlanRefused) as refused:
        run_once(tmp_path)
    assert "A backfill of BTC/USD is under way: pid" in refused.value.message
    run_once(tmp_path, blow=Blow(kind="kill", moment=uninterrupted()[1] - 20))
    assert run_once(tmp_path).code == 0
