"""Reports of an account's history: ordered, listed, fetched, taken off the list."""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.paper.engine.matching import Turn
from zoe_tools.paper.exchange.commands import Commands
from zoe_tools.paper.values.events import ExportEvent
from zoe_tools.paper.values.exports import Export, ExportFormat, ExportOptions, Report
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS


class ExportCommands(Commands):
    """Reports; every command is on disk before it returns."""

    export_options: ExportOptions

    def order_export(
        self,
        account_id: str,
        report: Report,
        *,
        description: str,
        form: ExportFormat = "CSV",
        fields: tuple[str, ...] = (),
        from_at: int = 0,
        to_at: int | None = None,
    ) -> Export:
        """Order a report of what happened between two times (ns, inclusive; to now without)."""
        now = self._catch_up()
        options = self.export_options
        account = self._floor.account(account_id)
        export_id = self._floor.mint.export()
        while export_id in account.exports:
            export_id = self._floor.mint.export()
        started_at = now + int(options.queued_s * NS)
        export = Export(
            export_id=export_id,
            account_id=account_id,
            report=report,
            description=description,
            format=form,
            fields=fields,
            created_at=now,
            started_at=started_at,
            completed_at=started_at + int(options.processing_s * NS),
            expires_at=now + int(options.kept_s * NS),
            from_at=from_at,
            to_at=now if to_at is None else to_at,
        )
        self._keep(export, now)
        return export

    def exports(self, account_id: str, report: Report) -> tuple[Export, ...]:
        """The account's reports of one kind that are still kept, newest first."""
        now = self._catch_up()
        known = reversed(self._floor.account(account_id).exports.values())
        return tuple(one for one in known if one.report == report and _is_kept(one, now))

    def finished_export(self, account_id: str, export_id: str) -> Export:
        """A report that can be fetched.

        Raises:
            Refusal: there is none of this id, or it is not done.
        """
        now = self._catch_up()
        export = self._export(account_id, export_id, now)
        if export.status(now) != "Processed":
            raise Refusal("EGeneral:Invalid arguments:id")
        return export

    def remove_export(self, account_id: str, export_id: str, *, is_done: bool) -> None:
        """Cancel a report that is being made, or delete one that `is_done`.

        Raises:
            Refusal: there is none of this id, or it is not so far, or further.
        """
        now = self._catch_up()
        export = self._export(account_id, export_id, now)
        if is_done != (export.status(now) == "Processed"):
            raise Refusal("EGeneral:Invalid arguments:type")
        self._keep(replace(export, is_removed=True), now)

    def _export(self, account_id: str, export_id: str, now: int) -> Export:
        export = self._floor.account(account_id).exports.get(export_id)
        if export is None or not _is_kept(export, now):
            raise Refusal("EGeneral:Invalid arguments:id")
        return export

    def _keep(self, export: Export, now: int) -> None:
        def keep(turn: Turn) -> None:
            self._floor.account(export.account_id).exports[export.export_id] = export
            turn.events.append(
                ExportEvent(at=turn.now, account_id=export.account_id, export=export)
            )

        _, events = self._engine.step(keep, now)
        self._said(events)


def _is_kept(export: Export, now: int) -> bool:
    return not export.is_removed and now < export.expires_at
