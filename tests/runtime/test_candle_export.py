"""Stored candles in a file: all of them, exactly, in order; the file is whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from builders import BTC, NOON
from candle_rows import AT, frame
from fakes import fresh_store
from zoe_tools.domain.candle import Source, Span, Timeframe
from zoe_tools.errors import ConfigError
from zoe_tools.runtime import candle_export
from zoe_tools.runtime.candle_export import Exported, export_candles
from zoe_tools.runtime.virtual_loop import run_virtual
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store

M1 = Timeframe.M1
ALL = Span(0, 1 << 33)
LINES = ("0 10 12 9 11 10.5 3 4", "1 11 11 11 11 - 0.000000000001 1", "9 7.5 8 7 8 7.9 100 2")


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    """A store with three candles, one without a vwap."""
    store = fresh_store(tmp_path)
    with store.transaction() as books:
        books.market.write_frame(BTC, M1, frame(*LINES), Source.TRADES)
    return store


def exported(store: Store, path: Path, span: Span = ALL, *, force: bool = False) -> Exported:
    """Export the series."""
    runner = InlineRunner(store)
    return run_virtual(export_candles(runner, path, BTC, M1, span, may_overwrite=force))


@pytest.mark.parametrize("page_rows", [1, 2, 3, 100])
def test_a_csv_holds_every_candle_in_plain_digits(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    """One header, however many pages there are."""
    monkeypatch.setattr(candle_export, "PAGE_ROWS", page_rows)
    path = tmp_path / "out.csv"
    with closing(filled):
        done = exported(filled, path)

    assert path.read_text().splitlines() == [
        "opened_at,open,high,low,close,vwap,volume,count,is_final,source",
        "2026-01-05T12:00:00Z,10,12,9,11,10.5,3,4,true,kraken trades",
        "2026-01-05T12:01:00Z,11,11,11,11,,0.000000000001,1,true,kraken trades",
        "2026-01-05T12:09:00Z,7.5,8,7,8,7.9,100,2,true,kraken trades",
    ]
    assert (done.rows, done.first_at, done.last_at) == (3, NOON, NOON + timedelta(minutes=9))
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("page_rows", [1, 2, 100])
def test_a_parquet_holds_exact_decimals_and_times_in_utc(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    """In order, as they were."""
    monkeypatch.setattr(candle_export, "PAGE_ROWS", page_rows)
    path = tmp_path / "out.parquet"
    with closing(filled):
        exported(filled, path)

    found = pl.read_parquet(path)
    names = ["open", "high", "low", "close", "vwap", "volume", "count", "is_final"]
    assert found.select(names).rows() == frame(*LINES).select(names).rows()
    assert found["opened_at"].to_list() == [NOON + timedelta(minutes=n) for n in (0, 1, 9)]
    assert found.schema["volume"] == pl.Decimal(38, 12)


def test_a_part_of_the_time_may_be_asked_for(filled: Store, tmp_path: Path) -> None:
    """[since, until); without a candle there is no file."""
    path = tmp_path / "out.csv"
    with closing(filled):
        assert exported(filled, path, Span(AT + 600, AT + 6_000)).rows == 0
        assert not path.exists()
        assert exported(filled, path, Span(AT + 60, AT + 540)).rows == 1


def test_a_file_that_is_there_is_written_over_only_if_told(filled: Store, tmp_path: Path) -> None:
    """And a name that says no kind, or a folder that is not there, is refused."""
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with closing(filled):
        with pytest.raises(ConfigError, match="is there already"):
            exported(filled, path)
        assert path.read_text() == "mine"
        assert exported(filled, path, force=True).rows == 3
        for name in ("out.xlsx", "nowhere/out.csv"):
            with pytest.raises(ConfigError):
                exported(filled, tmp_path / name)
    assert path.read_text().startswith("opened_at")


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    filled: Store, tmp_path: Path, name: str
) -> None:
    """With its errno, by which the operator is told to make room."""
    path = tmp_path / name
    rng = random.Random(1)
    rows = (
        f"{n} 10 12 9 11 10.{rng.getrandbits(30)} 3.{rng.getrandbits(36)} 4" for n in range(9_000)
    )
    with closing(filled):
        with filled.transaction() as books:
            books.market.write_frame(BTC, M1, frame(*rows), Source.TRADES)
        before = sorted(tmp_path.iterdir())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
        try:
            with pytest.raises(OSError, match="too large") as caught:
                exported(filled, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert sorted(tmp_path.iterdir()) == before

    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))


def test_what_a_killed_export_has_left_is_swept_up_by_the_next(
    filled: Store, tmp_path: Path
) -> None:
    """But not what one that is at work beside it holds, nor anything of another name."""
    dead, alive, other = (
        tmp_path / name for name in (".out.csv.0123abcd", ".out.csv.89abcdef", ".out.csv.backup")
    )
    for folder in (dead, alive, other):
        folder.mkdir()
        (folder / "whole").write_text("a draft")
    holds = os.open(alive, os.O_RDONLY)
    fcntl.flock(holds, fcntl.LOCK_EX)
    try:
        with closing(filled):
            exported(filled, tmp_path / "out.csv")
    finally:
        os.close(holds)

    assert [each.exists() for each in (dead, alive, other)] == [False, True, True]
