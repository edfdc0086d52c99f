"""Rows of the venue's ledger, and balances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One ledger row: `balance` is the balance before, plus `amount`, minus `fee`."""

    ledger_id: LedgerId
    refid: str
    booked_at: datetime
    kind: str
    subtype: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the venue holds of one asset (canonical name); `hold` is tied up in open orders."""

    asset: str
    total: Decimal
    hold: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        """What a new order may use."""
        return self.total - self.hold
