"""The ledger from the venue itself, page by page, from where the last reading ended.

Pages come newest first. Each is written with a note of where it ends: a reading that was broken off
goes on there, and only one that came to its end moves the beginning of the next one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.ledger import LedgerCursor, LedgerEntry
from zoe_tools.errors import VenueMisbehaved
from zoe_tools.kraken.history import KrakenHistory, Stretch
from zoe_tools.kraken.pages import PageCursor
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.ledger_import import Count, Preview, SliceWriter, note_import
from zoe_tools.store.ledger import LedgerConflict, is_same
from zoe_tools.store.store import Transaction

SOURCE = "Ledgers"
OVERLAP = timedelta(hours=1)
"""So much is read again: a row may be shown later than one that is younger."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def preview_pages(context: Context) -> Preview:
    """What an import from the venue would bring; reads the same pages and writes nothing.

    Raises:
        VenueError: as reads do; VenueMisbehaved also where it contradicts the books.
    """
    count = Count()
    begun = await _cursor(context)
    async for stretch in _pages(context, begun):
        known = await _seen(context, stretch, count)
        count.rows_new += len(stretch.values) - len(known)
    return count.preview(SOURCE, "", ())


async def import_pages(context: Context, operator: str) -> Preview:
    """Book all that is new at the venue; returns what that was.

    Raises:
        VenueError: as `preview_pages`; the pages before are booked, and the next run goes on.
    """
    count = Count()
    begun = await _cursor(context)
    writer = await SliceWriter.begin(context.store, context.clock, SOURCE)
    newest = _time_in(begun, "top") or begun.newest_at
    async for stretch in _pages(context, begun):
        await _seen(context, stretch, count)
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


async def _cursor(context: Context) -> LedgerCursor:
    known = await context.store.run(lambda books: books.ledger_book.cursor(SOURCE))
    return known or LedgerCursor(source=SOURCE, newest_at=_NEVER, details={})


async def _seen(
    context: Context, stretch: Stretch[LedgerEntry], count: Count
) -> dict[str, LedgerEntry]:
    """Count a page; returns those of its rows that are in the books."""
    names = [entry.ledger_id for entry in stretch.values]
    known = await context.store.run(lambda books: books.ledger_book.known(names))
    for entry in stretch.values:
        count.rows_read += 1
        count.see(entry)
        before = known.get(entry.ledger_id)
        if before is not None and not is_same(entry, before):
            raise _contradiction(entry)
    count.rows_known += len(known)
    return known


def _pages(context: Context, begun: LedgerCursor) -> AsyncIterator[Stretch[LedgerEntry]]:
    if context.wires is None:
        raise RuntimeError("this command opened its context without a venue")
    history = KrakenHistory(context.wires.rest, context.venue.catalogue)
    since = None if begun.newest_at == _NEVER else begun.newest_at - OVERLAP
    end, offset = begun.details.get("end"), begun.details.get("offset")
    resumed = PageCursor(end=end, offset=int(offset)) if end and offset else None
    return history.ledger(since=since, cursor=resumed)


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
