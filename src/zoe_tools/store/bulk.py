"""Many rows without being in the way: short transactions, and a gap after each.

Orders wait for an import no longer than one of its transactions lasts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from zoe_tools.store.store import Store, Transaction

T = TypeVar("T")

COMMIT_EVERY_S = 0.02
GAP_S = 0.004
"""Twice as long as who waits for the lock lets pass between two looks."""

FIRST_ROWS = 50
_FEWEST_ROWS, _MOST_ROWS = 10, 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWritten:
    """How much was written, and for how long the store was kept at the longest."""

    rows: int
    commits: int
    longest_s: float


def write_in_slices(
    store: Store, items: Iterable[T], write: Callable[[Transaction, Sequence[T]], object]
) -> BulkWritten:
    """Write all items in order, a commit about every 20 ms; what is committed stays.

    `write` is handed one slice at a time and must be able to meet rows that are there already: an
    import that was broken off is started again from its beginning.

    Raises:
        StoreError: the store cannot be written; the slices before are in it.
    """
    rest = iter(items)
    size, rows, commits, longest_s = FIRST_ROWS, 0, 0, 0.0
    while part := list(islice(rest, size)):
        began = time.perf_counter()
        with store.transaction() as transaction:
            entered = time.perf_counter()
            write(transaction, part)
        kept_s = time.perf_counter() - entered
        rows, commits, longest_s = rows + len(part), commits + 1, max(longest_s, kept_s)
        size = next_size(len(part), kept_s)
        # Who had to wait itself met others, and leaves them as much again.
        time.sleep(max(GAP_S, entered - began))
    return BulkWritten(rows=rows, commits=commits, longest_s=longest_s)


def next_size(rows: int, kept_s: float) -> int:
    """Towards what fits into a slice, at most twice as many at once."""
    fitting = rows * COMMIT_EVERY_S / max(kept_s, 1e-6)
    return round(min(max(fitting, _FEWEST_ROWS), 2 * rows, _MOST_ROWS))
