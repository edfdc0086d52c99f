"""One acquisition with its cost basis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """`quantity` still held, `unit_cost` in quote per base with the buying fee included."""

    symbol: Symbol
    quantity: Decimal
    unit_cost: Decimal
    acquired_at: datetime
    source: str
