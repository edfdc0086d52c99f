"""The ledger as a report that the venue makes: ordered, waited for, fetched, booked, removed.

A report is known by its description, which says from when on it is: a process that was stopped, or
never heard the answer to its order, finds it there and orders no second one. It is removed once all
of it is in the books.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zoe_tools.domain.export_report import ExportReport, ExportStatus
from zoe_tools.domain.ledger import LedgerCursor
from zoe_tools.errors import LedgerFileError, OutcomeUnknown, VenueError, VenueMisbehaved
from zoe_tools.kraken.exports import KrakenExports
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.ledger_import import Preview, import_file, preview_file
from zoe_tools.runtime.ledger_pages import SOURCE, begins_at, cursor_of

LONGEST = timedelta(minutes=30)
"""So long a command waits; what is not made by then is fetched by the next one."""

_BEGINNING = datetime(2011, 1, 1, tzinfo=UTC)
"""Before any account at Kraken. Zero might be taken for no time, and that means this month."""

_FOUND_AGAIN = "Run the same command again: a report that was ordered is found, and none twice."

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLook:
    """What an import of a report would begin with.

    `report` None: none is ordered yet. `preview` None: there is no file yet.
    """

    since: datetime | None
    report: ExportReport | None
    preview: Preview | None


async def look_for_report(context: Context) -> ReportLook:
    """The report that an import would go on with; one that is made is fetched and proved.

    Nothing is ordered, written or removed.

    Raises:
        VenueError: as reads do; VenueMisbehaved: the report cannot be believed.
    """
    begun = await cursor_of(context)
    exports = _exports(context)
    found = await exports.described("ledgers", _description(begun))
    preview = None
    if found is not None and found.status is ExportStatus.PROCESSED:
        async with _fetched(exports, found.report_id) as path:
            preview = await _proved(context, path)
    return ReportLook(since=begins_at(begun), report=found, preview=preview)


async def import_report(context: Context, operator: str, say: Say) -> tuple[Preview, int]:
    """Order a report of all that is new or go on with one; returns it, and how many rows were new.

    `say` is told before the wait which report it is, and what follows if that is broken off.

    Raises:
        OutcomeUnknown: it may have been ordered; the next run finds it.
        VenueUnavailable: it is not made after `LONGEST`; the next run goes on with it.
        VenueMisbehaved: the report cannot be believed. It is removed, and nothing is written.
    """
    begun = await cursor_of(context)
    exports = _exports(context)
    try:
        report_id = await exports.ordered(
            "ledgers",
            since=begins_at(begun) or _BEGINNING,
            until=context.clock.now(),
            description=_description(begun),
        )
    except OutcomeUnknown as error:
        raise OutcomeUnknown(error.message, hint=_FOUND_AGAIN, code=error.code) from error
    minutes = round(LONGEST.total_seconds() / 60)
    say(
        f"Kraken makes the report {report_id}; it is waited for, {minutes} minutes at the most."
        " Broken off, the same command goes on with it."
    )
    await exports.finished("ledgers", report_id, longest=LONGEST)
    async with _fetched(exports, report_id) as path:
        try:
            preview = await _proved(context, path)
        except VenueMisbehaved:
            await _removed(exports, report_id, say)
            raise
        new = 0
        if preview.rows_new:
            catalogue = await context.venue.catalogue()
            new = await import_file(
                path, catalogue, context.store, context.clock, preview, operator
            )
    newest = max(begun.newest_at, preview.last_at or begun.newest_at)
    reached = LedgerCursor(source=SOURCE, newest_at=newest, details={})
    await context.store.run(lambda books: books.ledger_book.keep_cursor(reached))
    await _removed(exports, report_id, say)
    return preview, new


def _exports(context: Context) -> KrakenExports:
    if context.wires is None:
        raise RuntimeError("this command opened its context without a venue")
    return KrakenExports(context.wires.rest, context.clock, context.venue.catalogue)


def _description(begun: LedgerCursor) -> str:
    """The same until the books have gone on."""
    since = begins_at(begun)
    return (
        f"zoe ledger from {since:%Y-%m-%d %H:%M:%S}" if since else "zoe ledger from the first row"
    )


@asynccontextmanager
async def _fetched(exports: KrakenExports, report_id: str) -> AsyncIterator[Path]:
    """The report as a file of nobody else, for as long as it is read: it is read more than once."""
    with tempfile.TemporaryDirectory(prefix="zoe-") as folder:
        path = Path(folder) / f"ledgers-{report_id}.zip"
        path.write_bytes(await exports.file(report_id))
        yield path


async def _proved(context: Context, path: Path) -> Preview:
    try:
        catalogue, now = await context.venue.catalogue(), context.clock.now()
        return await preview_file(path, catalogue, context.store, now=now)
    except LedgerFileError as error:
        told = error.message.replace(f"{path.parent}/", "")
        raise VenueMisbehaved(
            f"The report that Kraken made cannot be believed: {told}",
            hint="Nothing of it was written. The pages tell the same rows: zoe ledger import"
            " --from-venue",
        ) from error


async def _removed(exports: KrakenExports, report_id: str, say: Say) -> None:
    """Off the venue's list. One that stays there is no harm: it expires."""
    try:
        await exports.remove(report_id)
    except VenueError as error:
        say(f"The report {report_id} could not be removed, and will expire: {error.message}")
