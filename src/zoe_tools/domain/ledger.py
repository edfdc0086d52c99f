"""Rows of the venue's ledger, and balances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.wallet import MAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One ledger row: `balance` is the balance before, plus `amount`, minus `fee`.

    Balances chain in each `wallet` of an `asset` (canonical, without the suffix of a form). The fee
    is in `fee_asset`, where that is said and is another one; then it is not in `balance`.
    """

    ledger_id: LedgerId
    refid: str
    booked_at: datetime
    kind: str
    subtype: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
    wallet: str = MAIN
    asset_class: str = ""
    fee_asset: str = ""

    @property
    def own_fee(self) -> Decimal:
        """What of the fee this row's own balance paid."""
        return self.fee if self.fee_asset in {"", self.asset} else ZERO

    @property
    def change(self) -> Decimal:
        """By how much the row moved the balance of its wallet."""
        return self.amount - self.own_fee


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
