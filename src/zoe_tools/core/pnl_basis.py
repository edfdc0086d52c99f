"""`zoe pnl basis`: what came in without a cost, and what an operator says that it had cost.

An adjustment that took something away stands there too: what it says is what that brought.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.ledger_kinds import Role, movement_of
from zoe_tools.core.lot_exchanges import NATIONAL
from zoe_tools.core.lot_history import Records
from zoe_tools.core.marks import MarkBook
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import CostBasis
from zoe_tools.domain.money import ZERO
from zoe_tools.errors import ConfigError

_UNPRICED = frozenset({Role.DEPOSIT, Role.ADJUSTMENT, Role.UNKNOWN})
"""What brings a quantity and no cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameIn:
    """Something that came in, or (below zero) was adjusted away.

    `ledger_id` is an adjustment's own id where it is one. `unit_cost` in `cost_currency` is what a
    unit had cost, or brought; None while nobody has told it.

    `worth` is what it was worth then, in the report's currency; None where no price is known.
    """

    ledger_id: str
    booked_at: datetime
    asset: str
    quantity: Decimal
    unit_cost: Decimal | None
    cost_currency: str
    declared_by: str
    worth: Decimal | None


def what_came_in(records: Records, marks: MarkBook, currency: str) -> tuple[CameIn, ...]:
    """All that came in without a cost of its own, and adjustments; oldest first."""
    costs = {each.ledger_id: each for each in records.costs}
    booked = [
        _told(entry, costs.get(entry.ledger_id), marks, currency)
        for entry in records.entries
        if _needs_cost(entry, currency)
    ]
    posted = [
        _posted(each, costs.get(each.adjustment_id), marks, currency)
        for each in records.adjustments
        if each.asset != currency
    ]
    return tuple(sorted((*booked, *posted), key=lambda each: each.booked_at))


def pending(rows: Iterable[CameIn]) -> tuple[CameIn, ...]:
    """Those of which nobody has told the cost; money of countries came in at its worth."""
    return tuple(each for each in rows if each.unit_cost is None and each.asset not in NATIONAL)


def demand_row(rows: Iterable[CameIn], ledger_id: str) -> CameIn:
    """The one with this ledger id.

    Raises:
        ConfigError: the books have no such row, or it needs no cost.
    """
    for each in rows:
        if each.ledger_id == ledger_id:
            return each
    raise ConfigError(
        f"Nothing that came in without a cost has the ledger id {ledger_id}.",
        hint="`zoe pnl basis` lists what did.",
    )


def _needs_cost(entry: LedgerEntry, currency: str) -> bool:
    role = movement_of(entry).role
    return role in _UNPRICED and entry.asset != currency and entry.change > ZERO


def _told(entry: LedgerEntry, basis: CostBasis | None, marks: MarkBook, currency: str) -> CameIn:
    return CameIn(
        ledger_id=entry.ledger_id,
        booked_at=entry.booked_at,
        asset=entry.asset,
        quantity=entry.change,
        unit_cost=basis.unit_cost if basis else None,
        cost_currency=basis.currency if basis else currency,
        declared_by=basis.declared_by if basis else "",
        worth=marks.worth(entry.change, entry.asset, currency, entry.booked_at).value,
    )


def _posted(posted: Adjustment, basis: CostBasis | None, marks: MarkBook, currency: str) -> CameIn:
    """An adjustment; a price that it was posted with counts until another one is told."""
    at = posted.adjusted_at
    return CameIn(
        ledger_id=posted.adjustment_id,
        booked_at=at,
        asset=posted.asset,
        quantity=posted.quantity,
        unit_cost=basis.unit_cost if basis else posted.unit_price,
        cost_currency=basis.currency if basis else posted.currency or currency,
        declared_by=basis.declared_by if basis else posted.author,
        worth=marks.worth(posted.quantity, posted.asset, currency, at).value,
    )
