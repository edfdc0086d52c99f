"""Whole histories as files: reports that the venue makes at its leisure (kraken-spot section 6).

A report is ordered, waited for, and fetched. Its id is all there is to keep: a later process goes
on with it where this one was stopped, and does not order a second one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from zoe_tools.domain.export_report import ExportKind, ExportReport, ExportStatus
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.errors import VenueMisbehaved, VenueUnavailable
from zoe_tools.kraken import export_file, strange, wire_account
from zoe_tools.kraken.codec import seconds_of, time_of, understanding
from zoe_tools.kraken.rest import RestClient
from zoe_tools.ports import Clock

LONGEST_WAIT = timedelta(hours=2)
_FIRST_LOOK_S, _LAST_LOOK_S = 2.0, 60.0


class KrakenExports:
    """The export reports of one account; needs the permission `export-data`."""

    def __init__(
        self,
        rest: RestClient,
        clock: Clock,
        catalogue: Callable[[], Awaitable[InstrumentCatalogue]],
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._catalogue = catalogue

    async def order(
        self, kind: ExportKind, *, since: datetime, until: datetime, description: str
    ) -> str:
        """AddExport: order a report of what happened from `since` to `until`; returns its id.

        Raises:
            OutcomeUnknown: it may have been ordered: look for `description` in `reports`.
        """
        params = {
            "report": kind,
            "description": description,
            "format": "CSV",
            "starttm": str(int(seconds_of(since))),
            "endtm": str(int(seconds_of(until)) + 1),
        }
        answer = await self._rest.private(
            "AddExport", params, wire_account.ExportAdded, is_write=True
        )
        return answer.id

    async def reports(self, kind: ExportKind) -> tuple[ExportReport, ...]:
        """ExportStatus: all reports of the kind that the venue still keeps."""
        rows = await self._rest.private(
            "ExportStatus", {"report": kind}, wire_account.ExportRows, is_write=False
        )
        with understanding("ExportStatus"):
            return tuple(_report_of(row) for row in rows)

    async def ordered(
        self, kind: ExportKind, *, since: datetime, until: datetime, description: str
    ) -> str:
        """The id of the report with this description: found if it was ordered before, else ordered.

        So a process that was stopped, or never heard the answer, orders nothing twice.
        """
        found = await self.described(kind, description)
        if found is not None:
            return found.report_id
        return await self.order(kind, since=since, until=until, description=description)

    async def described(self, kind: ExportKind, description: str) -> ExportReport | None:
        """The report with this description, if the venue still keeps one."""
        for report in await self.reports(kind):
            if report.description == description and report.status is not ExportStatus.UNKNOWN:
                return report
        return None

    async def finished(
        self, kind: ExportKind, report_id: str, *, longest: timedelta = LONGEST_WAIT
    ) -> ExportReport:
        """Wait until the report is made, asking ever more seldom, from 2 s to once a minute.

        Raises:
            VenueUnavailable: it is not made after `longest`; the id stays good.
            VenueMisbehaved: the venue knows no such report: removed, or beyond its keeping.
        """
        ends_at = self._clock.now() + longest
        pause_s = _FIRST_LOOK_S
        while True:
            found = [each for each in await self.reports(kind) if each.report_id == report_id]
            if not found:
                raise VenueMisbehaved(
                    f"Kraken knows no {kind} report {report_id}.", hint="Order the report again."
                )
            if found[0].status is ExportStatus.PROCESSED:
                return found[0]
            if self._clock.now() >= ends_at:
                raise VenueUnavailable(
                    f"The {kind} report {report_id} is still being made.",
                    hint="Run the same command again later: it goes on with this report.",
                )
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, _LAST_LOOK_S)

    async def file(self, report_id: str) -> bytes:
        """RetrieveExport: the zip file of a finished report, however often."""
        return await self._rest.private("RetrieveExport", {"id": report_id}, bytes, is_write=False)

    async def fills(self, report_id: str) -> tuple[Fill, ...]:
        """The executions of a finished `trades` report, in the file's order."""
        content = await self.file(report_id)
        return tuple(export_file.fills_in(content, await self._catalogue()))

    async def entries(self, report_id: str) -> tuple[LedgerEntry, ...]:
        """The rows of a finished `ledgers` report, in the file's order."""
        content = await self.file(report_id)
        return tuple(export_file.entries_in(content, await self._catalogue()))

    async def remove(self, report_id: str) -> None:
        """RemoveExport: have the venue delete a finished report."""
        await self._rest.private(
            "RemoveExport",
            {"id": report_id, "type": "delete"},
            wire_account.ExportRemoved,
            is_write=True,
        )


def _report_of(row: wire_account.ExportRow) -> ExportReport:
    return ExportReport(
        report_id=row.id,
        kind="ledgers" if row.report == "ledgers" else "trades",
        description=row.descr,
        status=_status_of(row.status),
        since=time_of(row.datastarttm),
        until=time_of(row.dataendtm),
        expires_at=time_of(row.expiretm),
    )


def _status_of(text: str) -> ExportStatus:
    try:
        return ExportStatus(text)
    except ValueError:
        strange.noted("the status of an export report", text)
        return ExportStatus.UNKNOWN
