"""What an operator says of a discrepancy: explained, waived, adjusted; as the steps of a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.accounting import base_of, quote_of
from zoe_tools.core.reconcile_records import records_of
from zoe_tools.domain.discrepancy import (
    Adjustment,
    Discrepancy,
    DiscrepancyId,
    DiscrepancyState,
)
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.money import ZERO, plain, short
from zoe_tools.domain.plan import Plan, PostAdjustment, SettleDiscrepancy, Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.errors import ConfigError

LONGEST_WAIVER = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Who says what, and why. `quantity` is of `asset`; without a `price` nothing is won or lost.

    `explains` may stand beside an adjustment: then the adjustment is the explanation.
    """

    author: str
    reason: str
    explains: str = ""
    waives: str = ""
    until: datetime | None = None
    asset: str = ""
    quantity: Decimal = ZERO
    position_id: str = ""
    price: Decimal | None = None


def plan_statement(snapshot: Snapshot, statement: Statement, active: Sequence[Discrepancy]) -> Plan:
    """The steps of a statement; empty where all of it was said before.

    Raises:
        ConfigError: no author, no reason, no such discrepancy or position, or an impossible amount.
    """
    _demand_attribution(statement)
    return Plan(
        command="reconcile",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(_steps(snapshot, statement, active)),
    )


def _demand_attribution(statement: Statement) -> None:
    if not statement.reason.strip():
        raise ConfigError("A statement about the books needs --reason.")
    if not statement.author:
        raise ConfigError(
            "Nobody can be named as the author: USER is not set.",
            hint="Set USER to your name for this command.",
        )


def _steps(
    snapshot: Snapshot, statement: Statement, active: Sequence[Discrepancy]
) -> Iterator[Step]:
    if statement.asset:
        posted = _adjustment(snapshot, replace(statement, asset=_asset(snapshot, statement.asset)))
        known = {each.adjustment_id for each in snapshot.adjustments}
        if posted.adjustment_id not in known:
            _demand_left(snapshot, posted)
            yield PostAdjustment(adjustment=posted, reason=statement.reason)
    if statement.explains:
        yield from _settling(statement, active, statement.explains, DiscrepancyState.EXPLAINED)
    if statement.waives:
        _demand_until(snapshot, statement)
        yield from _settling(statement, active, statement.waives, DiscrepancyState.WAIVED)


def _settling(
    statement: Statement,
    active: Sequence[Discrepancy],
    name: str,
    state: DiscrepancyState,
) -> Iterator[Step]:
    found = next((each for each in active if each.discrepancy_id == name), None)
    if found is None:
        raise ConfigError(
            f"There is no open discrepancy {name}.", hint="`zoe reconcile` lists them by name."
        )
    said = (found.state, found.explanation, found.waived_until)
    until = statement.until if state is DiscrepancyState.WAIVED else None
    if said != (state, statement.reason, until):
        yield SettleDiscrepancy(
            discrepancy_id=DiscrepancyId(name),
            state=state,
            author=statement.author,
            reason=statement.reason,
            waived_until=until,
        )


def _demand_until(snapshot: Snapshot, statement: Statement) -> None:
    until, now = statement.until, snapshot.taken_at
    if until is None or not now < until <= now + LONGEST_WAIVER:
        raise ConfigError(
            "--until must name a time within the next 90 days.", hint="--until 3d, or 2026-12-01"
        )


def _asset(snapshot: Snapshot, spelling: str) -> str:
    """The name that the asset goes by in balances: `BTC` for `XBT`, `DOT.S` as it is."""
    records = records_of(snapshot)
    known = records.catalogue.asset(spelling)
    if known is not None:
        return known.name
    if spelling not in records.balances and spelling not in records.ledger_ends:
        raise ConfigError(
            f"--adjust {spelling}: the venue lists no such asset.",
            hint="As `zoe ledger --proof` names it: BTC, USD.",
        )
    return spelling


def _demand_left(snapshot: Snapshot, posted: Adjustment) -> None:
    """Pass, if the books hold what is taken away; of a position, `_position` has looked."""
    if posted.quantity > ZERO or posted.position_id is not None:
        return
    records, asset = records_of(snapshot), posted.asset
    end, held = records.ledger_ends.get(asset), records.balances.get(asset)
    left = end.balance if end is not None else ZERO if held is None else held.total
    left += sum(
        (
            each.quantity
            for each in snapshot.adjustments
            if each.asset == asset and each.position_id is None
        ),
        ZERO,
    )
    if left + posted.quantity < ZERO:
        raise ConfigError(
            f"The books hold {short(left)} {asset}; they cannot lose {short(-posted.quantity)}."
        )


def _adjustment(snapshot: Snapshot, statement: Statement) -> Adjustment:
    if statement.quantity == ZERO:
        raise ConfigError("An adjustment of nothing is none.")
    if statement.price is not None and statement.price < ZERO:
        raise ConfigError(f"--price {short(statement.price)}: nothing costs less than nothing.")
    position = _position(snapshot, statement)
    # Its name is what it says: the same said again is not booked again.
    words = (
        statement.asset,
        plain(statement.quantity),
        statement.position_id,
        statement.explains,
        "" if statement.price is None else plain(statement.price),
        statement.reason,
        statement.author,
    )
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:10]
    return Adjustment(
        adjustment_id=f"A-{digest}",
        asset=statement.asset,
        quantity=statement.quantity,
        author=statement.author,
        reason=statement.reason,
        adjusted_at=snapshot.taken_at,
        discrepancy_id=DiscrepancyId(statement.explains) if statement.explains else None,
        position_id=PositionId(statement.position_id) if statement.position_id else None,
        unit_price=statement.price,
        currency="" if position is None else quote_of(position.symbol),
    )


def _position(snapshot: Snapshot, statement: Statement) -> Position | None:
    if not statement.position_id:
        return None
    found = [each for each in snapshot.positions if each.position_id == statement.position_id]
    if not found:
        raise ConfigError(f"There is no open position {statement.position_id}.")
    position = found[0]
    if base_of(position.symbol) != statement.asset:
        raise ConfigError(f"{position.position_id} holds no {statement.asset}.")
    if position.quantity + statement.quantity < ZERO:
        raise ConfigError(
            f"{position.position_id} holds {short(position.quantity)} {statement.asset}; it cannot"
            f" lose {short(-statement.quantity)}."
        )
    return position
