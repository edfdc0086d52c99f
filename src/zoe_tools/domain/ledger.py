"""Rows of the venue's ledger, and balances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
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
        is_own = not self.fee_asset or self.fee_asset == self.asset
        return self.fee if is_own else ZERO

    @property
    def change(self) -> Decimal:
        """By how much the row moved the balance of its wallet."""
        return self.amount - self.own_fee


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """The newest rows of a ledger, newest first; `is_all`: no older one of the range was left."""

    rows: tuple[LedgerEntry, ...]
    is_all: bool


class Posting(NamedTuple):
    """One line of the journal; `amount` is above zero. A tuple: an import makes a million of them.

    It moves the amount from one account of the book to another, and so balances by its shape.
    """

    asset: str
    amount: Decimal
    from_account: str
    to_account: str


class ChainRow(NamedTuple):
    """What the chain of balances needs of a row; a tuple, because a proof reads a million of them.

    `place` is where it was found, for whoever looks for it: a line of a file. `charge` is a fee in
    another asset, of that asset's chain.
    """

    second: str
    ledger_id: str
    asset: str
    wallet: str
    change: Decimal
    balance: Decimal
    place: int = 0
    charge: tuple[str, Decimal] | None = None


Booked = tuple[LedgerEntry, tuple[Posting, ...]]
"""A ledger row and the lines of the journal that it makes."""

AccountSums = Mapping[tuple[str, str], Decimal]
"""What each (asset, account) of the journal comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerImport:
    """A file or a run of pages whose rows were booked; times are those of its rows.

    `source` names its slices: a row's own source is that, a stroke, and the slice's number.
    """

    source: str
    name: str
    sha256: str
    rows_read: int
    rows_new: int
    first_at: datetime | None
    last_at: datetime | None
    imported_at: datetime
    operator: str


VENUE_LEDGER = "Ledgers"
"""The source whose cursor tells how far the venue's own ledger was read."""

LEDGER_OVERLAP = timedelta(hours=1)
"""So much of it is read again: a row may be shown later than one that is younger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCursor:
    """How far the venue's ledger was read: all up to `newest_at` is booked.

    `details` says where a reading that was broken off goes on.
    """

    source: str
    newest_at: datetime
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedTrade:
    """A row of a trades export: what an execution moved, and the ledger rows that say so too.

    `base` and `quote` are empty for an instrument that nobody knows.
    """

    trade_id: str
    base: str
    quote: str
    side: Side
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    is_on_margin: bool
    ledger_ids: tuple[str, ...]


@lru_cache(maxsize=1024)
def second_of(at: datetime) -> str:
    """A time in UTC to the second, as text that sorts."""
    return at.astimezone(UTC).isoformat()[:19]


def is_same(one: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether two tellings of a row agree. An export tells times to the second, and no class."""
    return (
        one.refid == other.refid
        and one.kind == other.kind
        and one.asset == other.asset
        and one.amount == other.amount
        and one.fee == other.fee
        and one.balance == other.balance
        and second_of(one.booked_at) == second_of(other.booked_at)
    )


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
