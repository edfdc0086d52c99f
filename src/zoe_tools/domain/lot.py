"""Lots: what was acquired at which cost, what happens to it, and what comes of that.

All money is in one currency, that of the report; quantities are in the asset. Named tuples, for a
long history is a million of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from zoe_tools.domain.money import ZERO


class LotMethod(StrEnum):
    """Which lot a disposal takes first."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    AVERAGE = "average"


class Acquire(NamedTuple):
    """So much of an asset came in; `quantity` net of a fee that was taken in the asset itself.

    `cost` is without `fee`; None while nobody knows it. `is_estimated`: by a price that was missing
    or old.
    """

    event_id: str
    at: datetime
    asset: str
    quantity: Decimal
    cost: Decimal | None
    fee: Decimal = ZERO
    origin: str = "buy"
    is_estimated: bool = False


class Dispose(NamedTuple):
    """So much was given away for good; `quantity` with a fee that was taken in the asset itself.

    `proceeds` are before `fee`; None while nobody can value them. `reason`: `sale`, or `fee` for
    what was paid as one, where the proceeds are what it was worth.
    """

    event_id: str
    at: datetime
    asset: str
    quantity: Decimal
    proceeds: Decimal | None
    fee: Decimal = ZERO
    reason: str = "sale"
    is_estimated: bool = False


class MoveOut(NamedTuple):
    """So much left the account and is still its owner's: lots go with it, nothing is realised."""

    event_id: str
    at: datetime
    asset: str
    quantity: Decimal


LotEvent = Acquire | Dispose | MoveOut


class Match(NamedTuple):
    """A piece of a disposal and the piece of a lot that it consumed.

    The pieces of one event add up to it exactly. `cost` is None for a lot whose cost is pending.
    """

    asset: str
    event_id: str
    disposed_at: datetime
    reason: str
    lot_id: str
    acquired_at: datetime
    quantity: Decimal
    proceeds: Decimal | None
    selling_fee: Decimal
    cost: Decimal | None
    buying_fee: Decimal
    is_estimated: bool

    @property
    def gain(self) -> Decimal | None:
        """Proceeds less cost and both fees; None while either is not known."""
        if self.proceeds is None or self.cost is None:
            return None
        return self.proceeds - self.selling_fee - self.cost - self.buying_fee


class Moved(NamedTuple):
    """A piece of a lot that left the account with its cost."""

    asset: str
    event_id: str
    moved_at: datetime
    lot_id: str
    acquired_at: datetime
    quantity: Decimal
    cost: Decimal | None
    buying_fee: Decimal


class Shortfall(NamedTuple):
    """What was given away beyond all lots: nothing is known of how it came in, and no gain booked.

    `proceeds` is None for what moved out.
    """

    asset: str
    event_id: str
    at: datetime
    reason: str
    quantity: Decimal
    proceeds: Decimal | None
    selling_fee: Decimal


LotOutcome = Match | Moved | Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is left of an acquisition; `cost` without `fee`, None while it is pending."""

    lot_id: str
    asset: str
    quantity: Decimal
    cost: Decimal | None
    fee: Decimal
    acquired_at: datetime
    origin: str
    is_estimated: bool = False

    @property
    def basis(self) -> Decimal | None:
        """Cost and fee; None while the cost is pending."""
        return None if self.cost is None else self.cost + self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBasis:
    """What an operator declared that a deposit had cost: `unit_cost` in `currency` per unit."""

    ledger_id: str
    asset: str
    quantity: Decimal
    unit_cost: Decimal
    currency: str
    declared_at: datetime
    declared_by: str
    reason: str
