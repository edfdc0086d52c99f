"""What the lots are told: the books' records, and the life of an account that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import CostBasis, LotEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All that the account's own books hold of its history.

    `adjustments` are those of the account; one of a position is a part of that position's result.
    """

    fills: Sequence[Fill] = ()
    entries: Sequence[LedgerEntry] = ()
    costs: Sequence[CostBasis] = ()
    adjustments: Sequence[Adjustment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What came from outside, or went there (negative); `value` at its worth of that moment."""

    ledger_id: str
    at: datetime
    asset: str
    quantity: Decimal
    value: Decimal | None
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePaid:
    """A fee; `value` None where it has none that is known."""

    at: datetime
    asset: str
    amount: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was won or lost without a lot: income, a result on margin, a charge in the currency."""

    at: datetime
    kind: str
    asset: str
    amount: Decimal
    value: Decimal | None
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The account's life as its lots see it, oldest first.

    `trades` names the order behind each sale that was a fill. `strange` are ledger rows whose kind
    nobody knows: what they brought has no cost, and what they took is not realised. `ahead`: how
    many ledger rows were left out, being dated later than now.
    """

    events: tuple[LotEvent, ...]
    flows: tuple[Flow, ...]
    fees: tuple[FeePaid, ...]
    results: tuple[Result, ...]
    trades: Mapping[str, str]
    strange: tuple[LedgerEntry, ...]
    ahead: int = 0

    def until(self, end: datetime) -> History:
        """What of it was before `end`."""
        return replace(
            self,
            events=tuple(each for each in self.events if each.at < end),
            flows=tuple(each for each in self.flows if each.at < end),
            fees=tuple(each for each in self.fees if each.at < end),
            results=tuple(each for each in self.results if each.at < end),
            strange=tuple(each for each in self.strange if each.booked_at < end),
        )
