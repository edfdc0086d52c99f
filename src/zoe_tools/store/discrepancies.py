"""Reconciliation as the store keeps it: runs, discrepancies, the account's state, adjustments.

All but adjustments are observations: they may be written by a dry run, and are no business. An
adjustment is append-only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from zoe_tools.domain.discrepancy import (
    NEVER_COMPARED,
    Adjustment,
    Discrepancy,
    DiscrepancyId,
    DiscrepancyState,
    FindingKind,
    Level,
    ReconciliationRun,
    ReconciliationState,
    Response,
    Severity,
)
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import (
    AccountId,
    ClientOrderId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import plain
from zoe_tools.store import audit, audit_notes, fills, orders
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.record_tables import (
    ADJUSTMENTS,
    CRYPTO_RECONCILIATION_EVENTS,
    DISCREPANCIES,
    RECONCILIATION_STATES,
)
from zoe_tools.store.rows import insert_new, upsert
from zoe_tools.store.types import word

_OVER = DiscrepancyState.RESOLVED.value
_STATE = Query(
    select(RECONCILIATION_STATES).where(RECONCILIATION_STATES.c.account_id == bindparam("owner"))
)


class ReconciliationBook:
    """One account's part, within one transaction."""

    def __init__(
        self, connection: Connection, account_id: AccountId, mode: str, log: audit.Log
    ) -> None:
        self._connection = connection
        self._log = log
        self._account_id = account_id
        self._mode = mode

    # --- runs ------------------------------------------------------------------------------------

    def record_run(self, run: ReconciliationRun) -> None:
        """Write one comparison down."""
        self._connection.execute(
            CRYPTO_RECONCILIATION_EVENTS.insert(),
            {
                "account_id": self._account_id,
                "taken_at": run.taken_at,
                "run_id": run.run_id,
                "mode": self._mode,
                "status": run.status,
                "reason": run.reason,
                "local_cash": run.local_cash,
                "venue_cash": run.venue_cash,
                "cash_diff": run.cash_diff,
                "local_holdings": _spelled(run.local_holdings),
                "venue_holdings": _spelled(run.venue_holdings),
                "holdings_diff": _spelled(run.holdings_diff),
                "report": dict(run.counts),
            },
        )

    def runs(self, since: datetime | None = None) -> tuple[ReconciliationRun, ...]:
        """Comparisons at `since` or later, oldest first."""
        table = CRYPTO_RECONCILIATION_EVENTS
        statement = (
            select(table)
            .where(table.c.account_id == self._account_id)
            .order_by(table.c.taken_at, table.c.row_id)
        )
        if since is not None:
            statement = statement.where(table.c.taken_at >= since)
        return tuple(_run_of(row) for row in self._connection.execute(statement))

    # --- discrepancies ---------------------------------------------------------------------------

    def active(self) -> tuple[Discrepancy, ...]:
        """Those that are not resolved, oldest first."""
        return self._select(DISCREPANCIES.c.state != _OVER)

    def all(self, since: datetime | None = None) -> tuple[Discrepancy, ...]:
        """Those seen at `since` or later, resolved ones too, oldest first."""
        if since is None:
            return self._select()
        return self._select(DISCREPANCIES.c.last_seen_at >= since)

    def discrepancy(self, name: str) -> Discrepancy | None:
        """The one so called."""
        found = self._select(DISCREPANCIES.c.discrepancy_id == name)
        return found[0] if found else None

    def record(self, discrepancies: Sequence[Discrepancy]) -> None:
        """Insert them, or bring their rows to these values."""
        upsert(
            self._connection,
            DISCREPANCIES,
            [_row_of(self._account_id, each) for each in discrepancies],
        )

    def _select(self, *conditions: ColumnElement[bool]) -> tuple[Discrepancy, ...]:
        table = DISCREPANCIES
        statement = (
            select(table)
            .where(table.c.account_id == self._account_id, *conditions)
            .order_by(table.c.first_seen_at, table.c.discrepancy_id)
        )
        return tuple(_discrepancy_of(row) for row in self._connection.execute(statement))

    # --- the account's state ---------------------------------------------------------------------

    def state(self) -> ReconciliationState:
        """Where the account stands after its last comparison."""
        found = _STATES.first(self._connection, _STATE, owner=self._account_id)
        return NEVER_COMPARED if found is None else found

    def set_state(self, state: ReconciliationState, at: datetime) -> None:
        """Write it down."""
        values = {
            "account_id": self._account_id,
            "state": state.level.value,
            "is_degraded": state.is_degraded,
            "reason": state.reason,
            "since": state.since or at,
            "clean_runs": state.clean_runs,
            "last_run_at": state.last_run_at,
            "details": {"paused": list(state.paused)},
        }
        upsert(self._connection, RECONCILIATION_STATES, values)

    # --- adjustments -----------------------------------------------------------------------------

    def post(self, adjustment: Adjustment) -> bool:
        """Book it, and tell the audit log all of it; False if it is booked already."""
        values = {
            "account_id": self._account_id,
            "adjustment_id": adjustment.adjustment_id,
            "discrepancy_id": adjustment.discrepancy_id or "",
            "position_id": adjustment.position_id or "",
            "asset": adjustment.asset,
            "quantity": adjustment.quantity,
            "unit_price": adjustment.unit_price,
            "currency": adjustment.currency,
            "author": adjustment.author,
            "reason": adjustment.reason,
            "adjusted_at": adjustment.adjusted_at,
        }
        is_new = insert_new(self._connection, ADJUSTMENTS, values)
        if is_new:
            audit_notes.adjustment(self._log, adjustment)
        return is_new

    def adjustments(self) -> tuple[Adjustment, ...]:
        """All of them, oldest first."""
        return _ADJUSTMENTS.all(self._connection, _ALL_ADJUSTMENTS, owner=self._account_id)

    # --- the orders' own log ---------------------------------------------------------------------

    def order_log(
        self, client_order_ids: Collection[ClientOrderId] | None = None
    ) -> dict[ClientOrderId, list[OrderEvent]]:
        """The append-only events of these orders, or of all, in the order of writing."""
        return orders.log(self._connection, self._account_id, client_order_ids)

    def orders_shown(
        self,
        client_order_ids: Collection[ClientOrderId],
        venue_order_ids: Collection[VenueOrderId],
    ) -> tuple[OrderRecord, ...]:
        """Ours among the orders with these ids, by our id or by the venue's."""
        return orders.orders_shown(
            self._connection, self._account_id, client_order_ids, venue_order_ids
        )

    def newest_orders(self, within: timedelta) -> tuple[OrderRecord, ...]:
        """Orders that were made within so long of the last one, oldest first."""
        return orders.newest_orders(self._connection, self._account_id, within)

    def fills_of_orders(self, venue_order_ids: Collection[VenueOrderId]) -> tuple[Fill, ...]:
        """What is booked of these orders."""
        return fills.fills_of_orders(self._connection, self._account_id, venue_order_ids)


def _spelled(holdings: Sequence[tuple[str, Decimal]]) -> dict[str, str]:
    return {asset: plain(quantity) for asset, quantity in holdings}


def _read(holdings: dict[str, Any]) -> tuple[tuple[str, Decimal], ...]:
    return tuple(sorted((asset, Decimal(text)) for asset, text in holdings.items()))


def _run_of(row: Row[Any]) -> ReconciliationRun:
    return ReconciliationRun(
        run_id=row.run_id,
        taken_at=row.taken_at,
        status=row.status,
        reason=row.reason,
        local_cash=row.local_cash,
        venue_cash=row.venue_cash,
        local_holdings=_read(row.local_holdings),
        venue_holdings=_read(row.venue_holdings),
        counts=tuple(row.report.items()),
    )


def _row_of(account_id: AccountId, each: Discrepancy) -> dict[str, object]:
    return {
        "account_id": account_id,
        "discrepancy_id": each.discrepancy_id,
        "kind": each.kind.value,
        "subject": each.subject,
        "symbol": each.symbol,
        "state": each.state.value,
        "severity": each.severity.value,
        "policy": each.policy.value,
        "evidence": each.evidence,
        "at_stake": each.at_stake,
        "currency": each.currency,
        "first_seen_at": each.first_seen_at,
        "last_seen_at": each.last_seen_at,
        "confirmed_at": each.confirmed_at,
        "resolved_at": each.resolved_at,
        "times_seen": each.times_seen,
        "waived_until": each.waived_until,
        "explained_by": each.explained_by,
        "explanation": each.explanation,
    }


def _discrepancy_of(row: Row[Any]) -> Discrepancy:
    return Discrepancy(
        discrepancy_id=DiscrepancyId(row.discrepancy_id),
        kind=word(FindingKind, row.kind),
        subject=row.subject,
        symbol=row.symbol,
        state=word(DiscrepancyState, row.state),
        severity=word(Severity, row.severity),
        policy=word(Response, row.policy),
        evidence=row.evidence,
        at_stake=row.at_stake,
        currency=row.currency,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        confirmed_at=row.confirmed_at,
        resolved_at=row.resolved_at,
        times_seen=row.times_seen,
        waived_until=row.waived_until,
        explained_by=row.explained_by,
        explanation=row.explanation,
    )


def _adjustment_of(row: Row[Any]) -> Adjustment:
    return Adjustment(
        adjustment_id=row.adjustment_id,
        discrepancy_id=DiscrepancyId(row.discrepancy_id) if row.discrepancy_id else None,
        position_id=PositionId(row.position_id) if row.position_id else None,
        asset=row.asset,
        quantity=row.quantity,
        unit_price=row.unit_price,
        currency=row.currency,
        author=row.author,
        reason=row.reason,
        adjusted_at=row.adjusted_at,
    )


def _state_of(row: Row[Any]) -> ReconciliationState:
    return ReconciliationState(
        level=word(Level, row.state),
        is_degraded=row.is_degraded,
        reason=row.reason,
        since=row.since,
        clean_runs=row.clean_runs,
        last_run_at=row.last_run_at,
        paused=tuple(Symbol(each) for each in row.details.get("paused", ())),
    )


_STATES = Reader(RECONCILIATION_STATES, _state_of)
_ALL_ADJUSTMENTS = Query(
    select(ADJUSTMENTS)
    .where(ADJUSTMENTS.c.account_id == bindparam("owner"))
    .order_by(ADJUSTMENTS.c.adjusted_at, ADJUSTMENTS.c.row_id)
)
_ADJUSTMENTS = Reader(ADJUSTMENTS, _adjustment_of)
