"""A process that imports a bulk table until it is killed: `python import_child.py URL FILE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from typing_extensions import override

import kraken_answers as kraken
from builders import NOON, PAPER
from zoe_tools.runtime import candle_slices
from zoe_tools.runtime.candle_import import import_tables, tables_of
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.store.runner import InlineRunner
from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")


class Telling(InlineRunner):
    """A line on stdout with each commit."""

    @override
    async def run(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        """See `StoreRunner`."""
        result = await super().run(work, is_urgent=is_urgent)
        sys.stdout.write("committed\n")
        sys.stdout.flush()
        return result


async def main(url: str, path: Path) -> None:
    """Import, in slices of two thousand rows."""
    candle_slices.ROWS_ALONE = 2_000
    catalogue = kraken.catalogue()
    store = Telling(Store.open(url, PAPER, clock_now=NOON))
    tables = tables_of(path, catalogue).tables
    async for _ in import_tables(tables, catalogue, store, SystemClock()):
        sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
