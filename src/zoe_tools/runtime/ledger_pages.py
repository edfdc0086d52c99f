"""The ledger from the venue itself, page by page, from where the last reading ended.

Pages come newest first. Each is written with a note of where it ends: a reading that was broken off
goes on there, and only one that came to its end moves the beginning of the next one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

from zoe_tools.core.ledger import prove
from zoe_tools.core.ledger_chain import Chains, chain_row
from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.ledger import (
    LEDGER_OVERLAP,
    VENUE_LEDGER,
    LedgerCursor,
    LedgerEntry,
    is_same,
)
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.history import KrakenHistory, Stretch
from zoe_tools.kraken.pages import PageCursor
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.holdings import confirmed_balances
from zoe_tools.runtime.ledger_import import (
    Count,
    Preview,
    SliceWriter,
    chained_books,
    note_import,
)
from zoe_tools.store.ledger import LedgerConflict
from zoe_tools.store.store import Transaction

SOURCE = VENUE_LEDGER
LOOK_ROWS = 5_000
"""So many rows a dry run reads at the most: a hundred pages, which take minutes."""

OVERLAP = LEDGER_OVERLAP

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def preview_pages(context: Context, *, most: int = LOOK_ROWS) -> Preview:
    """What an import from the venue would bring, and whether it would be proved; writes nothing.

    Reads the same pages, until it has seen `most` rows. The books with the new rows are held to the
    venue's balances; where older pages were left unread, the rows read stand alone.

    Raises:
        VenueError: as reads do; VenueMisbehaved also where it contradicts the books.
    """
    count, begun = Count(), await cursor_of(context)
    seen: dict[str, LedgerEntry] = {}
    new: dict[str, LedgerEntry] = {}
    is_whole = True
    async for stretch in _pages(context, begun):
        known = await _seen(context, stretch, count)
        _demand_overlap(begun, stretch, count)
        for entry in stretch.values:
            seen[entry.ledger_id] = entry
            if entry.ledger_id not in known:
                new[entry.ledger_id] = entry
        if stretch.cursor is not None and count.rows_read >= most:
            is_whole = False
            break
    count.rows_new = len(new)
    held, catalogue = await confirmed_balances(context), await context.venue.catalogue()
    if is_whole:
        chains = await chained_books(context.store, new.values())
    else:
        chains = Chains()
        for row in sorted(map(chain_row, seen.values()), key=lambda row: row.second):
            chains.add(row)
    proof = prove(chains.ends(), None, held, catalogue)
    return replace(count.preview(SOURCE, "", proof), is_whole=is_whole)


async def import_pages(context: Context, operator: str) -> Preview:
    """Book all that is new at the venue; returns what that was.

    Raises:
        VenueError: as `preview_pages`; the pages before are booked, and the next run goes on.
    """
    count = Count()
    begun = await cursor_of(context)
    writer = await SliceWriter.begin(context.store, context.clock, SOURCE)
    newest = _time_in(begun, "top") or begun.newest_at
    async for stretch in _pages(context, begun):
        await _seen(context, stretch, count)
        _demand_overlap(begun, stretch, count)
        newest = max([newest, *(entry.booked_at for entry in stretch.values)])
        follows = _following(begun, stretch.cursor, newest)

        def keep(books: Transaction, cursor: LedgerCursor = follows) -> None:
            books.ledger_book.keep_cursor(cursor)

        try:
            await writer.write(booked(reversed(stretch.values)), keep)
        except LedgerConflict as error:
            raise _contradiction(error.entry) from error
    count.rows_new = writer.rows_new
    preview = count.preview(SOURCE, "", ())
    if writer.rows_new:
        await note_import(context.store, context.clock, writer, preview, operator)
    return preview


async def cursor_of(context: Context) -> LedgerCursor:
    """How far the venue's ledger is in the books."""
    known = await context.store.read(lambda books: books.ledger_book.cursor(SOURCE))
    return known or LedgerCursor(source=SOURCE, newest_at=_NEVER, details={})


async def _seen(
    context: Context, stretch: Stretch[LedgerEntry], count: Count
) -> dict[str, LedgerEntry]:
    """Count a page; returns those of its rows that are in the books."""
    names = [entry.ledger_id for entry in stretch.values]
    known = await context.store.read(lambda books: books.ledger_book.known(names))
    for entry in stretch.values:
        count.rows_read += 1
        count.see(entry)
        before = known.get(entry.ledger_id)
        if before is not None and not is_same(entry, before):
            raise _contradiction(entry)
    count.rows_known += len(known)
    return known


def _demand_overlap(begun: LedgerCursor, stretch: Stretch[LedgerEntry], count: Count) -> None:
    """Pass, unless all that was asked for was read, and the row it begins with did not come back.

    The last page has it; one that goes on with a broken-off reading may be empty.
    """
    if stretch.cursor is not None or begun.newest_at == _NEVER or count.rows_known:
        return
    if begun.details and not count.rows_read:
        return
    raise VenueMisbehaved(
        f"Kraken's ledger shows no row that is in the books, not even the one of"
        f" {begun.newest_at:%Y-%m-%d %H:%M:%S} UTC: the answer is empty or short.",
        hint="Run the command again; the next one asks for the same rows.",
    )


def _pages(context: Context, begun: LedgerCursor) -> AsyncIterator[Stretch[LedgerEntry]]:
    if context.wires is None:
        raise RuntimeError("this command opened its context without a venue")
    history = KrakenHistory(context.wires.rest, context.venue.catalogue)
    end, offset = begun.details.get("end"), begun.details.get("offset")
    resumed = PageCursor(end=end, offset=int(offset)) if end and offset else None
    return history.ledger(since=begins_at(begun), cursor=resumed)


def begins_at(begun: LedgerCursor) -> datetime | None:
    """From when on the venue is asked; None: from the beginning."""
    return None if begun.newest_at == _NEVER else begun.newest_at - OVERLAP


def _following(begun: LedgerCursor, page: PageCursor | None, newest: datetime) -> LedgerCursor:
    """Where the next reading begins; while pages are left, where this one goes on."""
    if page is None:
        return LedgerCursor(source=SOURCE, newest_at=newest, details={})
    details = {"end": page.end, "offset": str(page.offset), "top": newest.isoformat()}
    return LedgerCursor(source=SOURCE, newest_at=begun.newest_at, details=details)


def _time_in(cursor: LedgerCursor, name: str) -> datetime | None:
    text = cursor.details.get(name)
    return datetime.fromisoformat(text) if text else None


def _contradiction(entry: LedgerEntry) -> VenueMisbehaved:
    return VenueMisbehaved(
        f"Kraken tells ledger row {entry.ledger_id} otherwise than it is in the books.",
        hint="Nothing of that page was written. `zoe audit verify` says whether the books changed.",
    )
