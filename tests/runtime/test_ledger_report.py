"""The ledger by the venue's reports: the same books as by its pages; none is ordered twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import d
from fakes import fresh_store
from paper_venue import PaperVenue, context_of, lived, visited
from zoe_tools.core.ledger import ProofState
from zoe_tools.core.ledger_journal import booked
from zoe_tools.domain.export_report import ExportStatus
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.errors import VenueMisbehaved, VenueUnavailable
from zoe_tools.runtime import ledger_report
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.ledger_import import prove_books
from zoe_tools.runtime.ledger_pages import import_pages, preview_pages
from zoe_tools.runtime.ledger_report import import_report, look_for_report
from zoe_tools.store.runner import InlineRunner


def books(venue: PaperVenue, folder: Path) -> Context:
    """The venue with books of its own."""
    folder.mkdir(exist_ok=True)
    return context_of(venue.spot, InlineRunner(fresh_store(folder)), venue.clock)


async def rows_in(context: Context) -> Sequence[LedgerEntry]:
    """All ledger rows, by their ids; an export tells times to the second, and names own fees."""
    rows = await context.store.run(lambda tx: tx.ledger())
    told = (
        replace(
            each,
            booked_at=each.booked_at.replace(microsecond=0),
            fee_asset="" if each.fee_asset == each.asset else each.fee_asset,
        )
        for each in rows
    )
    return sorted(told, key=lambda each: each.ledger_id)


async def lines_in(context: Context) -> Sequence[object]:
    """The journal, alike lines together."""
    lines, _ = await context.store.run(lambda tx: tx.ledger_book.journal_page())
    return sorted(lines)


def test_a_report_brings_row_by_row_what_the_pages_bring(tmp_path: Path) -> None:
    """Every field, every journal line, the proof; no report is left. The next is of what is new."""

    async def use(venue: PaperVenue) -> None:
        await lived(venue)
        paged, reported = books(venue, tmp_path / "a"), books(venue, tmp_path / "b")
        said: list[str] = []
        await import_pages(paged, "tester")
        preview, new = await import_report(reported, "tester", said.append)

        assert (new, preview.rows_new, preview.rows_read) == (new, new, new)
        assert await rows_in(reported) == await rows_in(paged)
        assert await lines_in(reported) == await lines_in(paged)
        held, catalogue = await venue.spot.balances(), await venue.spot.catalogue()
        proofs = await prove_books(reported.store, held, catalogue)
        assert {each.state for each in proofs} == {ProofState.PROVED}
        assert await venue.exports.reports("ledgers") == ()
        assert "Broken off, the same command goes on with it" in said[0]

        await venue.clock.sleep(2 * 3600)
        venue.exchange.deposit(venue.account, "USD", d("7"))
        await venue.clock.sleep(60)
        again, more = await import_report(reported, "tester", said.append)
        assert (again.rows_new, again.rows_known, more) == (1, 20, 1)
        by_pages = await preview_pages(reported)
        assert by_pages.rows_new == 0
        await paged.store.close()
        await reported.store.close()

    visited(use)


def test_a_report_that_was_not_waited_for_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption and after the longest wait; a look orders none, and tells of one."""

    async def use(venue: PaperVenue) -> None:
        context, said = books(venue, tmp_path), list[str]()
        nothing = await look_for_report(context)
        assert (nothing.report, nothing.preview) == (None, None)
        assert await venue.exports.reports("ledgers") == ()

        waiting = asyncio.create_task(import_report(context, "tester", said.append))
        await venue.clock.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        monkeypatch.setattr(ledger_report, "LONGEST", timedelta(seconds=1))
        with pytest.raises(VenueUnavailable, match="still being made") as late:
            await import_report(context, "tester", said.append)
        assert "goes on with this report" in late.value.hint
        (ordered,) = await venue.exports.reports("ledgers")

        await venue.clock.sleep(10)
        look = await look_for_report(context)
        assert look.report is not None
        assert (look.report.report_id, look.report.status) == (
            ordered.report_id,
            ExportStatus.PROCESSED,
        )
        assert look.preview is not None
        assert (look.preview.rows_new, await rows_in(context)) == (1, [])
        preview, new = await import_report(context, "tester", said.append)
        assert (preview.name, new) == (f"ledgers-{ordered.report_id}.zip", 1)
        assert await venue.exports.reports("ledgers") == ()
        await context.store.close()

    visited(use)


def test_a_report_that_contradicts_the_books_is_not_booked_and_not_kept(tmp_path: Path) -> None:
    """The next run would find it by its description for two weeks, and end alike."""

    async def use(venue: PaperVenue) -> None:
        context = books(venue, tmp_path)
        (row,) = await venue.spot.ledger()
        changed = booked([replace(row, amount=row.amount + 1, balance=row.balance + 1)])
        at = venue.clock.now()
        await context.store.run(lambda tx: tx.ledger_book.record(changed, source="x/0", at=at))
        venue.exchange.deposit(venue.account, "USD", d("5"))

        with pytest.raises(VenueMisbehaved, match=r"believed: ledgers-\w+.zip, line 2: row L"):
            await import_report(context, "tester", lambda _: None)
        assert len(await rows_in(context)) == 1
        assert await venue.exports.reports("ledgers") == ()
        await context.store.close()

    visited(use)
