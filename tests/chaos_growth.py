"""Whether anything grows in quiet days that should not: memory, rows, queues, what is remembered.

A trial is looked at in even steps. The first quarter is warm-up; then the least of the last quarter
is held against the most of the second one. The paper exchange keeps its history in memory here, and
the chronicle all events: both are part of the test, and their share of the memory is reckoned.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

LOOKS = 64
"""So many a trial, the last one included."""

WARM_UP_H = 26.0
"""A day's orders and entries are kept, and a little more."""

LIMIT_MB_A_DAY = 1.0
"""What memory may grow in a day after warm-up, beside what the test keeps for itself."""

KEPT_BYTES = 6_000
"""What exchange and chronicle keep of one event, at most."""

ROOM_MB = 4.0
"""What memory moves up and down by itself."""

SLACK, MOST_GROWTH = 32, 1.25
"""Of two counts so much may be chance."""

ROWS_SLACK = 8
"""Rows that a table of how things are may gain."""

BOUNDED: Mapping[str, tuple[int, str]] = {
    "Reader._known": (2_000, "rows read again, of each table; all forgotten when it is full"),
    "_Kept._places": (20_000, "a day's orders, some hours' fills"),
    "_Kept._values": (20_000, "a day's orders, some hours' fills"),
    "AccountFacts._closed": (200, "the last round trips"),
    "ExecutionDecoder._known": (10_000, "orders whose rich rows complete sparse ones"),
    "FillWatch._known": (10_000, "fills that are known again"),
    "PrivateChannels._told": (20_000, "fills that are known again"),
    "Sightings._seen": (10_000, "orders as the stream told them"),
    "zoe_tools.domain.snapshot_hash._NAMED": (2_000, "the last hour's rows, named; as above"),
}
"""What fills up to a bound of its own, for each object that has it, and what it is."""

STANDING = frozenset(
    {
        "accounts",
        "adjustments",
        "audit_checkpoints",
        "audit_heads",
        "config",
        "discrepancies",
        "engine_leases",
        "instrument_states",
        "key_notes",
        "ledger_cursors",
        "ledger_imports",
        "reconciliation_states",
        "store_backups",
        "store_meta",
        "trade_locks",
        "trading_states",
    }
)
"""Tables of how things are; all others tell what happened, and grow with it at an even pace."""

_Cache: Any = type(cache(len))
_CONTAINERS = (dict, list, set, deque)
_OURS, _EXCHANGE = "zoe_tools.", "zoe_tools.paper."


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there was at a moment; `events` are those of the exchange's log until then."""

    at_s: float
    memory_mb: float
    events: int
    lengths: Mapping[str, int]
    fullest: Mapping[str, int]
    rows: Mapping[str, int]


def looked(at_s: float, events: int, database: Path) -> Look:
    """Everything, now."""
    gc.collect()
    lengths, fullest = _lengths()
    return Look(
        at_s=at_s,
        memory_mb=_resident_mb(),
        events=events,
        lengths=lengths,
        fullest=fullest,
        rows=_rows(database),
    )


def is_long_enough(hours: float) -> bool:
    """Whether all that is kept for a day is full after the warm-up; else much may still grow."""
    return hours / 4 >= WARM_UP_H


def growth(looks: Sequence[Look]) -> Iterator[str]:
    """What grew without a reason, each in a sentence; of a short trial nothing is said."""
    quarter = len(looks) // 4
    if not quarter or not is_long_enough(looks[-1].at_s / 3_600):
        return
    early, late = looks[quarter : 2 * quarter], looks[-quarter:]
    yield from _of_memory(looks[quarter:])
    for name in sorted(late[-1].lengths):
        before, after = _most(early, name), min(each.lengths.get(name, 0) for each in late)
        bound, _ = BOUNDED.get(name, (None, ""))
        if bound is None and after > before * MOST_GROWTH + SLACK:
            yield f"{name} grew from {before} to {after}"
        elif bound is not None and late[-1].fullest[name] > bound:
            yield f"{name} holds {late[-1].fullest[name]}, {bound} are its bound"
    yield from _of_rows(early, late)


def slope_mb_a_day(looks: Sequence[Look]) -> float:
    """The line through what is not the test's own, by least squares."""
    days = [each.at_s / 86_400 for each in looks]
    own = [each.memory_mb - each.events * KEPT_BYTES / 1e6 for each in looks]
    middle, mean = sum(days) / len(days), sum(own) / len(own)
    spread = sum((day - middle) ** 2 for day in days)
    return sum((day - middle) * (mb - mean) for day, mb in zip(days, own, strict=True)) / spread


def _of_memory(looks: Sequence[Look]) -> Iterator[str]:
    slope = slope_mb_a_day(looks)
    days = (looks[-1].at_s - looks[0].at_s) / 86_400
    if slope > LIMIT_MB_A_DAY + ROOM_MB / days:
        yield f"memory grew by {slope:.1f} MB a day, {LIMIT_MB_A_DAY} are allowed"


def _of_rows(early: Sequence[Look], late: Sequence[Look]) -> Iterator[str]:
    """A log grows as fast at the end as at the beginning, by what happens; no other table does."""
    happened = [each[-1].events - each[0].events for each in (early, late)]
    for table in sorted(late[-1].rows):
        gained = [each[-1].rows[table] - each[0].rows.get(table, 0) for each in (early, late)]
        if table in STANDING:
            if late[-1].rows[table] - early[0].rows.get(table, 0) > ROWS_SLACK:
                yield f"table {table} grew to {late[-1].rows[table]} rows"
        elif gained[1] > max(1.0, happened[1] / max(1, happened[0])) * gained[0] * 1.5 + SLACK:
            yield f"table {table} gained {gained[0]} rows early and {gained[1]} late"


def _most(looks: Sequence[Look], name: str) -> int:
    return max(each.lengths.get(name, 0) for each in looks)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _rows(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names of tables that are there
            for (name,) in names
        }


def _lengths() -> tuple[dict[str, int], dict[str, int]]:
    """How long everything is that one of our objects holds, all together and the longest of them.

    Named by class and attribute, or by module and name. And how many objects there are of a class.
    """
    together: Counter[str] = Counter()
    fullest: dict[str, int] = {}
    for name, length in _found():
        together[name] += length
        fullest[name] = max(length, fullest.get(name, 0))
    return dict(together), fullest


def _found() -> Iterator[tuple[str, int]]:
    loop: Any = asyncio.get_running_loop()
    yield "tasks", len(asyncio.all_tasks())
    yield "timers", len(loop._scheduled)
    for thing in gc.get_objects():
        module = getattr(type(thing), "__module__", None)
        if isinstance(thing, ModuleType) and _is_ours(thing.__name__):
            yield from _held(thing.__name__, vars(thing), _CONTAINERS)
        elif isinstance(module, str) and _is_ours(module):
            name = type(thing).__name__
            yield name, 1
            if not is_dataclass(thing):
                yield from _held(name, _attributes(thing), (*_CONTAINERS, tuple))
        elif isinstance(thing, _Cache) and thing.cache_info().maxsize is None:
            yield f"cache of {thing.__qualname__}", thing.cache_info().currsize


def _is_ours(module: str) -> bool:
    return module.startswith(_OURS) and not module.startswith(_EXCHANGE)


def _attributes(thing: object) -> dict[str, object]:
    slots = [each for kind in type(thing).__mro__ for each in getattr(kind, "__slots__", ())]
    found = {each: getattr(thing, each) for each in slots if hasattr(thing, each)}
    return found | getattr(thing, "__dict__", {})


def _held(
    owner: str, attributes: Mapping[str, object], kinds: tuple[type, ...]
) -> Iterator[tuple[str, int]]:
    for name, value in attributes.items():
        if isinstance(value, asyncio.Queue):
            yield f"{owner}.{name}", value.qsize()
        elif isinstance(value, kinds) and not name.startswith("__"):
            yield f"{owner}.{name}", len(value)  # type: ignore[arg-type]
