"""Replays of recorded markets: complete, repeatable, and blind for what has not happened yet."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from program import SHARED_DATA, Home, result_of
from recordings import HOUR_S, CandleLine, made_candles, write_candles, write_frames
from zoe_tools.config import load_settings
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.observation import Decision
from zoe_tools.render.printer import Printer
from zoe_tools.render.runs import RunPrinter
from zoe_tools.runtime.replay import replay
from zoe_tools.runtime.replay_order import ReplayOrder

FRAMES = SHARED_DATA / "crossbook" / "kraken_btcusd_sample.frames.tsv"
ETH = SHARED_DATA / "aironav" / "ETHUSD_60.csv"

_numbers = itertools.count(1)


ROWS = made_candles(220)
FIRST_OTHER = 70
"""Where the changed market goes another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a replay's books hold, in order of time."""

    decisions: tuple[Decision, ...]
    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]

    def until(
        self, end: datetime | None
    ) -> tuple[list[Decision], list[tuple[object, ...]], list[Fill]]:
        """Everything that was decided, ordered and filled before a moment, or at all.

        An order counts as it was asked for, not as it ended.
        """
        return (
            [each for each in self.decisions if end is None or each.decided_at < end],
            [_asked(each) for each in self.orders if end is None or each.created_at < end],
            [each for each in self.fills if end is None or each.filled_at < end],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay's report, and its story."""

    told: dict[str, Any]
    sha256: str
    story: Story


def _asked(order: OrderRecord) -> tuple[object, ...]:
    return (
        order.created_at, order.client_order_id, order.symbol, order.side, order.order_type,
        order.purpose, order.position_id,
    )  # fmt: skip


def _story(home: Home) -> Story:
    return Story(
        decisions=home.in_the_books(lambda tx: tx.decisions()),
        orders=home.in_the_books(lambda tx: tx.orders()),
        fills=home.in_the_books(lambda tx: tx.fills()),
    )


def replayed(
    folder: Path,
    market: Path,
    strategy: str = "demo",
    *,
    hash_seed: str = "",
    environ: Mapping[str, str] | None = None,
) -> Replayed:
    """Replay in a process of its own, in a home of its own; another one audits it.

    Where a hash seed is asked for, the process is started from the beginning.
    """
    home = Home(folder=folder / f"replay-{next(_numbers)}")
    home.folder.mkdir(mode=0o700, parents=True)
    words = ("--json", "run", "--market-data", str(market), "--speed", "max")
    surroundings = {**({"PYTHONHASHSEED": hash_seed} if hash_seed else {}), **(environ or {})}
    ran = home.zoe(*words, "--strategy", strategy, environ=surroundings)
    told = result_of(ran)
    assert ran.code == 0, (ran.err, told)
    (run_folder,) = (home.folder / "runs").iterdir()
    return Replayed(
        told=told["result"], sha256=told["result_sha256"], story=_story(Home(folder=run_folder))
    )


def told_here(folder: Path, rows: Sequence[CandleLine]) -> Story:
    """Replay these candles in this process, unaudited: for what was done, and when."""
    home = Home(folder=folder / f"replay-{next(_numbers)}")
    home.folder.mkdir(mode=0o700, parents=True)
    order = ReplayOrder(
        market_data=write_candles(home.folder / "market", rows),
        strategy="demo",
        seed=1,
        home=home.folder,
    )
    printer = RunPrinter(Printer(out=io.StringIO(), err=io.StringIO()))
    replay(load_settings(home.surroundings()), order, printer)
    return _story(home)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """All candles, with everything that belongs to a run."""
    folder = tmp_path_factory.mktemp("whole")
    return replayed(folder, write_candles(folder / "a", ROWS), hash_seed="1")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The candles before the one where the other market begins."""
    return told_here(tmp_path_factory.mktemp("cut"), ROWS[:FIRST_OTHER])


def demand_complete(run: Replayed) -> None:
    """Round trips, a stop for every position, and an auditor with nothing to say."""
    told = run.told
    assert told["discrepancies"] == 0, told["findings"]
    assert told["round_trips"] > 0
    assert told["positions_with_stop"] == told["round_trips"] + told["open_positions"]
    assert told["checksums"]["failed"] == 0
    assert told["checksums"]["verified"] > 0
    stops = {order.position_id for order in run.story.orders if order.purpose == "stop"}
    assert stops == {
        order.position_id for order in run.story.orders if order.purpose == "entry"
    } - {None}


# --- complete and repeatable ---------------------------------------------------------------------


def test_a_replay_is_complete_and_the_same_everywhere(tmp_path: Path, whole: Replayed) -> None:
    """Two hash seeds, two folders, two processes: one result, one SHA-256, one story."""
    other = replayed(tmp_path / "two", write_candles(tmp_path / "b", ROWS), hash_seed="2")

    demand_complete(whole)
    assert whole.told["round_trips"] >= 20
    assert whole.told["candles"] == len(ROWS)
    assert other.told == whole.told
    assert other.sha256 == whole.sha256
    assert other.story == whole.story


def test_every_checksum_of_a_made_recording_is_verified(tmp_path: Path) -> None:
    """The snapshot and each update."""
    run = replayed(tmp_path, write_frames(tmp_path, 300), "hold")

    assert (run.told["checksums"]["verified"], run.told["checksums"]["failed"]) == (301, 0)
    assert run.told["discrepancies"] == 0
    assert run.story.orders == ()


# --- nothing looks ahead -------------------------------------------------------------------------


def test_what_comes_later_changes_nothing_of_what_was(
    tmp_path: Path, whole: Replayed, cut: Story
) -> None:
    """Cut off, or turned into another market: all before that moment stays as it was."""
    end, later = _moment(ROWS[FIRST_OTHER]), _moment(ROWS[FIRST_OTHER + 19])
    others = made_candles(20, seed=99, starts_at=ROWS[FIRST_OTHER][0])
    changed = told_here(tmp_path, ROWS[:FIRST_OTHER] + others)

    decisions, orders, fills = whole.story.until(end)
    assert (len(decisions) > 10, len(orders) > 20, len(fills) > 20) == (True, True, True)
    assert cut.until(end) == (decisions, orders, fills)
    assert changed.until(end) == (decisions, orders, fills)
    assert changed.until(later) != whole.story.until(later)


def test_each_decision_knows_the_last_closed_candle_and_no_later_one(whole: Replayed) -> None:
    """The close it names is that of the newest candle that had ended."""
    entered = [each for each in whole.story.decisions if each.kind == "enter"]
    assert len(entered) > 10
    for decision in entered:
        ended = [
            row for row in ROWS if _moment(row) + timedelta(seconds=HOUR_S) <= decision.decided_at
        ]
        seen = (decision.details["previous_close"], decision.details["close"])
        assert [_number(each) for each in seen] == [float(row[4]) for row in ended[-2:]]


def test_the_same_candles_an_hour_later_are_decided_an_hour_later(
    tmp_path: Path, cut: Story
) -> None:
    """Shifted by one candle, the decisions shift by one candle; dropped ones shift nothing back."""
    rows = ROWS[:FIRST_OTHER]
    shifted = told_here(tmp_path, [(row[0] + HOUR_S, *row[1:]) for row in rows])
    dropped = told_here(tmp_path, rows[1:])

    hour = timedelta(seconds=HOUR_S)
    assert _told(shifted.decisions) == [(at + hour, kind) for at, kind in _told(cut.decisions)]
    # Without the first candle there is less to decide on at the second: a hold may stand there.
    wanted = {each for each in _told(dropped.decisions) if each[1] != "hold"}
    assert wanted <= set(_told(cut.decisions))
    assert set(_told(cut.decisions[5:])) <= set(_told(dropped.decisions))


def _told(decisions: Sequence[Decision]) -> list[tuple[datetime, str]]:
    return [(each.decided_at, each.kind) for each in decisions]


def _moment(row: CandleLine) -> datetime:
    return datetime.fromtimestamp(row[0], tz=UTC)


def _number(value: object) -> float:
    assert isinstance(value, str)
    return float(value)


# --- real recordings -----------------------------------------------------------------------------


@pytest.mark.skipif(not FRAMES.exists(), reason="the recorded frames are not beside the checkout")
def test_every_checksum_of_the_recorded_frames_is_verified(tmp_path: Path) -> None:
    """2,052 of 2,052, as Kraken sent them."""
    run = replayed(tmp_path, FRAMES, "hold")

    assert (run.told["checksums"]["verified"], run.told["checksums"]["failed"]) == (2052, 0)
    assert run.told["discrepancies"] == 0


@pytest.mark.slow
@pytest.mark.skipif(not ETH.exists(), reason="the recorded candles are not beside the checkout")
def test_all_hours_of_the_recorded_market_are_traded_alike_twice(tmp_path: Path) -> None:
    """15,333 hourly candles, at least 100 round trips, nothing to complain of, and repeatable."""
    usual = {"MAX_DAILY_NOTIONAL": "50"}
    one = replayed(tmp_path, ETH, hash_seed="1", environ=usual)
    other = replayed(tmp_path, ETH, hash_seed="2", environ=usual)

    demand_complete(one)
    assert one.told["candles"] == 15_333
    assert one.told["round_trips"] >= 100
    assert other.sha256 == one.sha256
