"""Imports a history into the books: first the whole file is read and proved, then it is written.

Nothing of a bad file is written. A good one is written in slices, each committed with its journal,
its row in the audit log, and all or nothing of it: one that was broken off stays as far as it came,
and the same import again completes it.
"""

from __future__ import annotations

import gc
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from zoe_tools.core.ledger import AssetProof, prove
from zoe_tools.core.ledger_chain import ChainBreak, Chains, chain_row
from zoe_tools.core.ledger_journal import JournalSums, booked
from zoe_tools.core.ledger_kinds import is_known
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import (
    Balance,
    Booked,
    ChainRow,
    LedgerEntry,
    LedgerImport,
    Posting,
)
from zoe_tools.domain.money import ZERO, short
from zoe_tools.errors import LedgerFileError
from zoe_tools.ports import Clock
from zoe_tools.runtime.ledger_files import ledger_lines, sha256_of
from zoe_tools.runtime.ledger_repeats import demand_agreement, demand_same
from zoe_tools.store.bulk import FIRST_ROWS, GAP_S, next_size
from zoe_tools.store.ledger import After, LedgerConflict
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

Sought = dict[str, LedgerEntry | None]
"""Rows that somebody looks for, by their ids; None while they are not found."""

_LOOK_UP_ROWS = 2_000
_MANY = 10_000
_COLLECT_AFTER = 100_000
_LEAST_ROWS = 1_000
"""A commit costs as much as so many rows: on a busy machine fewer would make it only slower."""

_ROWS_ALONE = 5_000
"""While no loop runs: some tenth of a second, which other commands may wait. Of the pages of the
random ids' index a larger slice writes fewer for each row."""

_AHEAD = timedelta(days=1)
"""What clocks may differ by, before a row counts as one of the future."""

_CHAIN_HINT = (
    "Export all types of rows, of whole days, unchanged: an export of one type alone does not"
    " chain. Nothing of the file was written."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """So many rows of a type, as the venue spells it: `earn/reward`."""

    kind: str
    rows: int
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an import would bring: a file that was read and proved, or the venue's pages.

    `rows_repeated` stand in the file more than once, with the same content. `rows_announced` have
    no id: the web export tells a deposit first as it is asked for, and that is never booked;
    `rows_rebated` have a fee below zero; `rows_ahead` are of a time after this machine's.
    `unlisted` are assets that the venue's list lacks, `overdrawn` those with a balance below zero.
    `assets` is the proof beforehand: of a file its own, what each asset begins and ends with; of
    pages that of the books with the new rows, against the venue's balances. Not `is_whole`: more
    was there than a look reads, and the proof is of the rows read.
    """

    name: str
    sha256: str
    rows_read: int
    rows_new: int
    rows_known: int
    rows_repeated: int
    rows_announced: int
    rows_rebated: int
    rows_ahead: int
    first_at: datetime | None
    last_at: datetime | None
    kinds: tuple[Tally, ...]
    assets: tuple[AssetProof, ...]
    unlisted: tuple[str, ...] = ()
    overdrawn: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(slots=True)
class Count:
    """What is learnt of rows as they pass; `until` is now, or rather a day later."""

    until: datetime | None = None
    rows_read: int = 0
    rows_new: int = 0
    rows_known: int = 0
    rows_repeated: int = 0
    rows_announced: int = 0
    rows_rebated: int = 0
    rows_ahead: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    overdrawn: set[str] = field(default_factory=set)
    kinds: dict[tuple[str, str], int] = field(default_factory=dict)

    def see(self, entry: LedgerEntry) -> None:
        """One more row that may be booked."""
        at, key = entry.booked_at, (entry.kind, entry.subtype)
        self.kinds[key] = self.kinds.get(key, 0) + 1
        if entry.fee < ZERO:
            self.rows_rebated += 1
        if entry.balance < ZERO:
            self.overdrawn.add(entry.asset)
        if self.until is not None and at > self.until:
            self.rows_ahead += 1
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if self.last_at is None or at > self.last_at:
            self.last_at = at

    def preview(self, name: str, sha256: str, assets: Sequence[AssetProof]) -> Preview:
        """What was learnt."""
        kinds = (
            Tally(kind="/".join(filter(None, key)), rows=rows, is_known=is_known(*key))
            for key, rows in sorted(self.kinds.items())
        )
        return Preview(
            name=name,
            sha256=sha256,
            rows_read=self.rows_read,
            rows_new=self.rows_new,
            rows_known=self.rows_known,
            rows_repeated=self.rows_repeated,
            rows_announced=self.rows_announced,
            rows_rebated=self.rows_rebated,
            rows_ahead=self.rows_ahead,
            first_at=self.first_at,
            last_at=self.last_at,
            kinds=tuple(kinds),
            assets=tuple(assets),
            overdrawn=tuple(sorted(self.overdrawn)),
        )


@contextmanager
def passing_rows() -> Iterator[None]:
    """While rows pass by the million: none is in a cycle, and to look for one is a tenth of it."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def preview_file(
    path: Path,
    catalogue: InstrumentCatalogue,
    store: StoreRunner,
    sought: Sought | None = None,
    *,
    now: datetime | None = None,
) -> Preview:
    """Read and prove a whole file, and hold it to the books; writes nothing.

    Rows that are `sought` as evidence are put there. Rows of a time after `now` are counted.

    Raises:
        LedgerFileError: it makes no sense, its balances do not chain, or a row says something else
            than the file said of it before, or than the books do.
    """
    count, chain, seen = Count(until=now and now + _AHEAD), _FileChain(), set[int]()
    suspects: set[str] = set()
    lines = ledger_lines(path, catalogue)
    is_first = await store.read(lambda books: books.ledger_book.is_empty())
    with passing_rows():
        while part := tuple(islice(lines, _LOOK_UP_ROWS)):
            fresh: dict[str, tuple[int, LedgerEntry]] = {}
            for line in part:
                count.rows_read += 1
                entry = line.entry
                if entry is None:
                    count.rows_announced += 1
                    continue
                name = hash(entry.ledger_id)
                if name in seen:
                    count.rows_repeated += 1
                    suspects.add(entry.ledger_id)
                    continue
                seen.add(name)
                if sought and entry.ledger_id in sought:
                    sought[entry.ledger_id] = entry
                count.see(entry)
                chain.add(chain_row(entry, line.number))
                fresh[entry.ledger_id] = (line.number, entry)
            known = {} if is_first else await _known(store, [*fresh])
            for name_of, before in known.items():
                demand_same(path, *fresh[name_of], before, "in the books")
            count.rows_known += len(known)
            count.rows_new += len(fresh) - len(known)
    if suspects:
        demand_agreement((path,), catalogue, suspects)
    ends = chain.walked(path, catalogue).ends()
    for end in ends:
        if end.broken is not None:
            raise _broken(path, end.broken)
    unlisted = tuple(end.asset for end in ends if catalogue.asset(end.asset) is None)
    return replace(
        count.preview(path.name, sha256_of(path), prove(ends)),
        unlisted=tuple(dict.fromkeys(unlisted)),
    )


async def _known(store: StoreRunner, names: Sequence[str]) -> dict[str, LedgerEntry]:
    return await store.read(lambda books: books.ledger_book.known(names))


class _FileChain:
    """The chains of a file as it passes; one whose times are in no order has to be sorted later."""

    def __init__(self) -> None:
        self._chains = Chains()
        self._last = ""
        self._is_sorted = True

    def add(self, row: ChainRow) -> None:
        self._is_sorted = self._is_sorted and row.second >= self._last
        self._last = row.second
        if self._is_sorted:
            self._chains.add(row)

    def walked(self, path: Path, catalogue: InstrumentCatalogue) -> Chains:
        """All of it. Rows that were in no order are read once more, all at once."""
        if self._is_sorted:
            return self._chains
        rows = {
            line.entry.ledger_id: chain_row(line.entry, line.number)
            for line in ledger_lines(path, catalogue)
            if line.entry is not None
        }
        chains = Chains()
        for row in sorted(rows.values(), key=lambda row: row.second):
            chains.add(row)
        return chains


def _broken(path: Path, broken: ChainBreak) -> LedgerFileError:
    return LedgerFileError(
        f"{path}, line {broken.place}: row {broken.ledger_id} does not follow:"
        f" {short(broken.expected)} {broken.asset} in {broken.wallet}, changed by"
        f" {short(broken.change)}, are not {short(broken.balance)} (off by"
        f" {short(broken.off_by)}).",
        hint=_CHAIN_HINT,
    )


# --- writing -------------------------------------------------------------------------------------


class SliceWriter:
    """Writes rows in slices, a gap after each, each under its name.

    A commit about every 20 ms while a loop works with the database; larger ones while none does.
    """

    def __init__(self, store: StoreRunner, clock: Clock, run: str) -> None:
        self._store = store
        self._clock = clock
        self.run = run
        self.rows_new = 0
        self._slices = 0
        self._size = FIRST_ROWS

    @classmethod
    async def begin(
        cls, store: StoreRunner, clock: Clock, name: str, *, is_large: bool = False
    ) -> SliceWriter:
        """A writer whose name no import had before: it stands at another row of the audit log."""

        def look(books: Transaction) -> str:
            if is_large:
                books.ledger_book.expect_many()
            head = books.audit.head()
            seen = f"{name} {clock.now().isoformat()} {head.hash if head else ''}"
            return hashlib.sha256(seen.encode()).hexdigest()[:12]

        return cls(store, clock, await store.run(look))

    async def write_all(self, entries: Iterator[LedgerEntry]) -> int:
        """Write them all; returns how many were new.

        The next slice is read while nobody is kept waiting, and not beside the writing: the two
        would take turns with the interpreter for each row, and the store be kept twice as long.
        """
        part = booked(islice(entries, self._size))
        while part:
            await self.write(part)
            began = time.perf_counter()
            part = booked(islice(entries, self._size))
            if time.perf_counter() - began < GAP_S:
                await self._clock.sleep(GAP_S)  # who waits for the store gets it
        return self.rows_new

    async def write(
        self, part: Sequence[Booked], also: Callable[[Transaction], object] | None = None
    ) -> None:
        """Write one slice, and what belongs to it."""
        source, at = f"{self.run}/{self._slices}", self._clock.now()
        self._slices += 1

        def work(books: Transaction) -> tuple[int, float, bool]:
            began = time.perf_counter()
            is_watched = books.is_loop_near(at)
            new = books.ledger_book.record(part, source=source, at=at)
            if also is not None:
                also(books)
            return new, time.perf_counter() - began, is_watched

        new, kept_s, is_watched = await self._store.run(work)
        self.rows_new += new
        fitting = max(next_size(len(part), kept_s), _LEAST_ROWS)
        self._size = fitting if is_watched else _ROWS_ALONE


async def import_file(
    path: Path,
    catalogue: InstrumentCatalogue,
    store: StoreRunner,
    clock: Clock,
    preview: Preview,
    operator: str,
) -> int:
    """Write the rows of a file that was previewed; returns how many were new.

    Raises:
        LedgerFileError: it is no longer what was previewed.
    """
    if sha256_of(path) != preview.sha256:
        raise LedgerFileError(f"{path}: it changed while it was read.", hint="Run it again.")
    writer = await SliceWriter.begin(store, clock, preview.name, is_large=preview.rows_new > _MANY)
    entries = (line.entry for line in ledger_lines(path, catalogue) if line.entry is not None)
    try:
        with passing_rows():
            await writer.write_all(entries)
    except LedgerConflict as error:
        raise LedgerFileError(f"{path}: {error}.", hint="Run it again to see which.") from error
    await note_import(store, clock, writer, preview, operator)
    return writer.rows_new


async def note_import(
    store: StoreRunner, clock: Clock, writer: SliceWriter, preview: Preview, operator: str
) -> None:
    """Note that all of it is in the books."""
    done = LedgerImport(
        source=writer.run,
        name=preview.name,
        sha256=preview.sha256,
        rows_read=preview.rows_read,
        rows_new=writer.rows_new,
        first_at=preview.first_at,
        last_at=preview.last_at,
        imported_at=clock.now(),
        operator=operator,
    )
    facts = {
        "import": writer.run,
        "name": preview.name,
        "sha256": preview.sha256,
        "rows_read": preview.rows_read,
        "rows_new": writer.rows_new,
        "operator": operator,
    }

    def work(books: Transaction) -> None:
        books.ledger_book.record_import(done)
        books.audit.act(done.imported_at, "ledger imported", facts, (writer.run,))

    await store.run(work)


# --- proof ---------------------------------------------------------------------------------------


async def prove_books(
    store: StoreRunner,
    held: Sequence[Balance] | None = None,
    catalogue: InstrumentCatalogue | None = None,
) -> tuple[AssetProof, ...]:
    """Walk all of the ledger and its journal as they are in the books, page by page.

    Each page is a transaction of its own, so that nobody waits for the whole.
    """
    chains, sums = await chained_books(store), JournalSums()
    with passing_rows():
        number: int | None = 0
        while number is not None:
            lines, number = await store.read(partial(_journal_page, number))
            sums.add(lines)
    return prove(chains.ends(), sums.held, held, catalogue)


async def chained_books(store: StoreRunner, more: Iterable[LedgerEntry] = ()) -> Chains:
    """The chains of all rows in the books, and of `more` among them that are not there yet."""
    coming = deque(sorted(map(chain_row, more), key=lambda row: row.second))
    chains = Chains()
    after: After | None = None
    is_last = False
    with passing_rows():
        while not is_last:
            rows, after = await store.read(partial(_chain_page, after))
            for row in rows:
                while coming and coming[0].second < row.second:
                    chains.add(coming.popleft())
                chains.add(row)
            is_last = after is None
    for row in coming:
        chains.add(row)
    return chains


def _chain_page(after: After | None, books: Transaction) -> tuple[list[ChainRow], After | None]:
    return books.ledger_book.chain_page(after)


def _journal_page(after: int, books: Transaction) -> tuple[list[Posting], int | None]:
    return books.ledger_book.journal_page(after)
