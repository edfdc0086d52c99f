"""Imports a table into a store of its own; prints what it took.

`python candles_child.py URL FILE [LENGTHS]`
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from decimal import Decimal
from functools import partial
from pathlib import Path

import kraken_answers as kraken
from builders import NOON, PAPER
from zoe_tools.core.candle_import import LENGTHS
from zoe_tools.domain.candle import Span, Timeframe
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.runtime.candle_import import import_tables, tables_of
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Store, Transaction


def volume_of(symbol: Symbol, timeframe: Timeframe, books: Transaction) -> Decimal:
    """The volume of all stored candles, added up exactly, a page at a time."""
    volume, since = Decimal(0), 0
    while True:
        page = books.market.frame(symbol, timeframe, Span(since, 1 << 33))
        if page.is_empty():
            return volume
        volume, since = volume + Decimal(str(page["volume"].sum())), page.item(-1, "at") + 1


def peak_mb() -> float:
    """The memory at its highest since this program began.

    `getrusage` would count what the parent had when it made this process.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


async def imported(url: str, path: Path, lengths: list[Timeframe]) -> dict[str, object]:
    """Read the table, fold it, write it."""
    clock, catalogue = SystemClock(), kraken.catalogue()
    store = WriterThread(Store.open(url, PAPER, clock_now=NOON))
    began, cpu = time.perf_counter(), time.process_time()
    tables = tables_of(path, catalogue).tables
    (told,) = [
        each async for each in import_tables(tables, catalogue, store, clock, lengths=lengths)
    ]
    total_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    highest_mb = peak_mb()
    volumes = {}
    for each in told.series:
        volumes[each.timeframe.value] = str(
            await store.run(partial(volume_of, told.symbol, each.timeframe))
        )
    await store.close()
    return {
        "rows_read": told.rows_read,
        "volume": str(told.volume),
        "volumes": volumes,
        "series": {each.timeframe.value: each.written.new for each in told.series},
        "total_s": total_s,
        "cpu_s": cpu_s,
        "peak_mb": highest_mb,
    }


if __name__ == "__main__":
    chosen = [Timeframe(each) for each in sys.argv[3].split(",")] if sys.argv[3:] else [*LENGTHS]
    sys.stdout.write(json.dumps(asyncio.run(imported(sys.argv[1], Path(sys.argv[2]), chosen))))
