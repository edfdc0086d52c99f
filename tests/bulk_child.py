"""A process that imports candles into a store until it is killed: `python bulk_child.py URL`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from builders import NOON, PAPER, make_candle
from zoe_tools.domain.candle import Candle
from zoe_tools.store.bulk import write_in_slices
from zoe_tools.store.store import Store


def candles() -> Iterator[Candle]:
    """One after the other, for ever; a line on stdout with the first."""
    first = make_candle()
    for number in itertools.count():
        if not number:
            sys.stdout.write("importing\n")
            sys.stdout.flush()
        yield replace(first, opened_at=NOON + timedelta(minutes=number))


def main(url: str) -> None:
    """Import."""
    with closing(Store.open(url, PAPER, clock_now=NOON)) as store:
        write_in_slices(store, candles(), lambda books, part: books.write_candles(part, "import"))


if __name__ == "__main__":
    main(sys.argv[1])
