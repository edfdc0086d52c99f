"""A report of the account's history that the venue makes as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

ExportKind = Literal["trades", "ledgers"]


class ExportStatus(StrEnum):
    """How far a report is (kraken-spot section 6)."""

    QUEUED = "Queued"
    PROCESSING = "Processing"
    PROCESSED = "Processed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """A report that was ordered: what it covers, how far it is, until when the venue keeps it."""

    report_id: str
    kind: ExportKind
    description: str
    status: ExportStatus
    since: datetime
    until: datetime
    expires_at: datetime
