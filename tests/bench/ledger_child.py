"""Imports a ledger export into a store of its own and proves it; prints what it took."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import kraken_answers as kraken
from builders import NOON, PAPER
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.runtime.ledger_import import import_file, preview_file, prove_books
from zoe_tools.runtime.writer_thread import WriterThread
from zoe_tools.store.store import Store


async def imported(url: str, path: Path) -> dict[str, object]:
    """Read and prove the file, write it, and prove the books."""
    clock, catalogue = SystemClock(), kraken.catalogue()
    store = WriterThread(Store.open(url, PAPER, clock_now=NOON))
    marks = [time.perf_counter()]
    preview = await preview_file(path, catalogue, store)
    marks.append(time.perf_counter())
    new = await import_file(path, catalogue, store, clock, preview, "bench")
    marks.append(time.perf_counter())
    proofs = await prove_books(store, None, catalogue)
    marks.append(time.perf_counter())
    await store.close()
    return {
        "rows": new,
        "parts_s": [after - before for before, after in pairwise(marks)],
        "total_s": marks[-1] - marks[0],
        "cpu_s": time.process_time(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "is_sound": all(each.is_sound for each in proofs),
        "proved_rows": sum(each.rows for each in proofs),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(imported(sys.argv[1], Path(sys.argv[2])))))
