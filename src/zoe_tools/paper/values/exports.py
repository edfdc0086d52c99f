"""A report of an account's history that was ordered as a file, and how far it is. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Report = Literal["trades", "ledgers"]
ExportFormat = Literal["CSV", "TSV"]
ExportStatus = Literal["Queued", "Processing", "Processed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Venue seconds a report waits, is made, and is kept."""

    queued_s: float = 2.0
    processing_s: float = 3.0
    kept_s: float = 14 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A report that was ordered. Times in ns: `from_at` and `to_at` bound the data, inclusive."""

    export_id: str
    account_id: str
    report: Report
    description: str
    format: ExportFormat
    fields: tuple[str, ...]
    created_at: int
    started_at: int
    completed_at: int
    expires_at: int
    from_at: int
    to_at: int
    is_removed: bool = False

    def status(self, now: int) -> ExportStatus:
        """How far it is by now."""
        if now < self.started_at:
            return "Queued"
        return "Processing" if now < self.completed_at else "Processed"

    def holds(self, at: int) -> bool:
        """Whether what happened then is in it."""
        return self.from_at <= at <= min(self.to_at, self.completed_at)
