"""What to replay: known without loading an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """What to replay, with what, and where; of the market what is told in [since, until).

    `curve` is where the equity curve is written as CSV.
    """

    market_data: Path
    strategy: str
    seed: int
    home: Path
    since: datetime | None = None
    until: datetime | None = None
    curve: Path | None = None
