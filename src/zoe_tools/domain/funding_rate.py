"""What a perpetual pays those on the other side, which tells how crowded one side is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRate:
    """Of the perpetual on that instrument, at the source's own time `as_of`.

    `rate_8h` is a fraction of the notional per eight hours, above zero where longs pay; None where
    the source tells none, and `note` says why.
    """

    symbol: Symbol
    rate_8h: Decimal | None
    as_of: datetime
    note: str = ""
