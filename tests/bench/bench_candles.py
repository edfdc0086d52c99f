"""What a history of candles costs: trades by the million folded and stored, and bulk candles.

The tables are those of `bulk_tables.py`, whose gaps are stated there; the store is SQLite with
synchronous=FULL. The limits hold on an idle machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import bulk_tables
import kraken_answers as kraken
from zoe_tools.core.candle_import import LENGTHS, Cascade, whole_span
from zoe_tools.runtime.candle_archives import contents_of, parts_of
from zoe_tools.store import schema

TRADES = 5_000_000
MANY_TRADES = 50_000_000
CANDLES = 1_000_000
FOUR = LENGTHS[:4]
LIMIT_S = 8.0
FOLD_LIMIT_S = 1.0
CANDLES_LIMIT_S = 5.0
LIMIT_MB = 500.0
GROWTH = 1.1
CHILD = Path(__file__).with_name("candles_child.py")
MINUTES = bulk_tables.DAYS * bulk_tables.MINUTES_A_DAY


def imported(folder: Path, path: Path) -> dict[str, Any]:
    """Import a table in a process of its own, into a store of its own."""
    url = f"sqlite:///{folder / f'{path.parent.name}-{path.stem}.db'}"
    schema.upgrade(url)
    ran = subprocess.run(
        [sys.executable, CHILD, url, path, ",".join(each.value for each in FOUR)],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def told(what: str, found: dict[str, Any], limit_s: float | None) -> str:
    """One line of figures."""
    limit = f" (limit {limit_s:.0f})" if limit_s else ""
    return (
        f"\n{found['rows_read']:,} {what} in {found['total_s']:.1f} s{limit},"
        f" {found['cpu_s']:.1f} s of CPU, {found['peak_mb']:.0f} MB (limit {LIMIT_MB:.0f}):"
        f" {found['series']}"
    )


def bench_a_year_of_trades_into_four_timeframes(tmp_path: Path) -> None:
    """Printed: seconds and memory, and the same for ten times the trades; failed: over a limit.

    Read twice, folded and written; no digit of the volume may be missing, and ten times the trades
    may take a tenth more memory at the most.
    """
    folders = [tmp_path / "some", tmp_path / "many"]
    found = []
    for folder, count in zip(folders, (TRADES, MANY_TRADES), strict=True):
        folder.mkdir()
        path = bulk_tables.trades(folder / "XBTUSD.csv", count)
        found.append(imported(tmp_path, path))
        path.unlink()
    some, many = found
    sys.stdout.write(told("trades", some, LIMIT_S) + told("trades", many, None))

    assert some["rows_read"] == TRADES
    assert Decimal(some["volume"]) == Decimal(bulk_tables.volume_of(TRADES)).scaleb(-8)
    for each in found:
        assert {*map(Decimal, each["volumes"].values())} == {Decimal(each["volume"])}
    assert some["series"]["1m"] == many["series"]["1m"] == MINUTES >= 400_000
    assert some["total_s"] <= LIMIT_S
    assert some["peak_mb"] <= LIMIT_MB
    assert many["peak_mb"] <= GROWTH * some["peak_mb"]


def bench_the_folding_of_trades(tmp_path: Path) -> None:
    """Printed: seconds to fold five million trades into four lengths; failed: over a second."""
    path = bulk_tables.trades(tmp_path / "XBTUSD.csv", TRADES)
    (table,) = contents_of(path, kraken.catalogue()).tables
    parts = [*parts_of(table)]
    cascade = Cascade(whole_span(parts[0].item(0, "at"), parts[-1].item(-1, "at")), 1, FOUR)
    began, cpu = time.perf_counter(), time.process_time()
    rows = 0
    for part in parts:
        rows += sum(frame.height for _, frame in cascade.add(part))
    rows += sum(frame.height for _, frame in cascade.end())
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu

    sys.stdout.write(
        f"\n{TRADES:,} trades folded into {rows:,} candles in {took_s:.2f} s (limit"
        f" {FOLD_LIMIT_S:.0f}), {cpu_s:.2f} s of CPU"
    )
    assert rows > MINUTES
    assert took_s <= FOLD_LIMIT_S


def bench_a_million_bulk_candles(tmp_path: Path) -> None:
    """Printed: seconds and memory; failed: over five seconds."""
    found = imported(tmp_path, bulk_tables.candles(tmp_path / "XBTUSD_1.csv", CANDLES))

    sys.stdout.write(told("candles", found, CANDLES_LIMIT_S))
    assert found["series"] == {"1m": CANDLES}
    assert found["total_s"] <= CANDLES_LIMIT_S
    assert found["peak_mb"] <= LIMIT_MB
