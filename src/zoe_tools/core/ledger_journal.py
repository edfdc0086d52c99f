"""A ledger row as a double entry: lines that each move money from one account to another.

A line has one amount, above zero, and two accounts, so that it balances by its shape: there is no
sum of debits and credits that could differ. A row with an amount and a fee makes two lines. All of
it is per asset: a trade is two rows, that meet in `conversion`. See docs/adr/0017.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from zoe_tools.core.ledger_kinds import Book, known_of
from zoe_tools.domain.ledger import Booked, LedgerEntry, Posting
from zoe_tools.domain.money import ZERO

WALLET = "wallet:"
"""What the account of a wallet begins with."""

_FEES = Book.FEES.value


def postings_of(entry: LedgerEntry) -> tuple[Posting, ...]:
    """The lines of a row: its amount and its fee, of which either may be nothing.

    A negative fee is a rebate, and flows the other way.
    """
    own = _account_of(entry.wallet)
    charge: tuple[Posting, ...] = ()
    if entry.fee:
        charge = (_flow(entry.fee_asset or entry.asset, -entry.fee, own, _FEES),)
    if not entry.amount:
        return charge
    other = _counter_of(entry.kind, entry.subtype)
    return (_flow(entry.asset, entry.amount, own, other), *charge)


@lru_cache(maxsize=256)
def _account_of(wallet: str) -> str:
    return f"{WALLET}{wallet}"


@lru_cache(maxsize=256)
def _counter_of(kind: str, subtype: str) -> str:
    return str(known_of(kind, subtype)[0])


def booked(entries: Iterable[LedgerEntry]) -> tuple[Booked, ...]:
    """Each row with its lines, as the store takes them."""
    return tuple((entry, postings_of(entry)) for entry in entries)


def _flow(asset: str, amount: Decimal, own: str, other: str) -> Posting:
    """`amount` as `own` sees it: what is below zero left it."""
    if amount > ZERO:
        return Posting(asset, amount, other, own)
    return Posting(asset, -amount, own, other)


class JournalSums:
    """What each account of the journal holds of each asset; for every asset they sum to zero."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Decimal] = {}

    def add(self, postings: Iterable[Posting]) -> None:
        """These lines too."""
        held = self.held
        for asset, amount, source, target in postings:
            held[asset, source] = held.get((asset, source), ZERO) - amount
            held[asset, target] = held.get((asset, target), ZERO) + amount
