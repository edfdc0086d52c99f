"""The registry's rows against what made them: figures that no fill explains were changed by hand.

What a position has cost less what it has brought is the same in whichever order its fills were
booked; its average cost and its result by themselves are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from zoe_tools.core.accounting import quote_of
from zoe_tools.core.reconcile_records import Found
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.money import short
from zoe_tools.domain.plan import AdjustPosition
from zoe_tools.domain.position import Position, PositionKind
from zoe_tools.domain.snapshot import Snapshot

_ROUNDING = Decimal("0.00000001")
"""What divisions may leave, in the quote asset: no venue books less."""


def figures_changed(
    snapshot: Snapshot, position: Position, booked: Position | None, proved: Position | None
) -> Iterator[Found]:
    """Cost, result and fees of a position that holds as much as its fills say.

    `booked` is what its booked fills make of it, `proved` what the venue's do; either explains the
    row. Not for a position that was adjusted: that moves cost at its own time.
    """
    if position.position_kind is not PositionKind.SPOT:
        return
    made = [each for each in (booked, proved) if each and each.quantity == position.quantity]
    if not made or any(_is_same(position, each) for each in made):
        return
    right = made[-1]
    evidence = (
        f"its fills make an average cost of {short(right.average_cost)}, a result of"
        f" {short(right.realised_pnl)} and fees of {short(right.fees)}; the row says"
        f" {short(position.average_cost)}, {short(position.realised_pnl)} and"
        f" {short(position.fees)}. It was changed by hand, and is not believed"
    )
    after = replace(
        position,
        entry_quantity=right.entry_quantity,
        exit_quantity=right.exit_quantity,
        average_cost=right.average_cost,
        realised_pnl=right.realised_pnl,
        fees=right.fees,
        updated_at=snapshot.taken_at,
    )
    finding = Finding(
        kind=FindingKind.STORE_TAMPERED,
        subject=position.position_id,
        symbol=position.symbol,
        evidence=evidence,
        at_stake=abs(_spent(position) - _spent(right)),
        currency=quote_of(position.symbol),
    )
    yield finding, (AdjustPosition(before=position, after=after, reason=evidence),)


def _is_same(position: Position, made: Position) -> bool:
    return (
        abs(_spent(position) - _spent(made)) <= _ROUNDING
        and abs(position.fees - made.fees) <= _ROUNDING
    )


def _spent(position: Position) -> Decimal:
    return position.quantity * position.average_cost - position.realised_pnl
