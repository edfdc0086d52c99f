"""What each kind of change tells the audit log: the ids it is about, and the facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from zoe_tools.domain.audit import AuditKind, cost_name, levels_text
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import IntentId, PositionId, Symbol
from zoe_tools.domain.journal import Intent, IntentState, OrderEvent, ProofKind
from zoe_tools.domain.lot import CostBasis
from zoe_tools.domain.order import OrderPurpose
from zoe_tools.domain.position import Position
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.store.audit import Log

_NAMES = {
    kind: tuple(each.name for each in fields(kind) if each.name != "account_id")
    for kind in (Intent, OrderEvent, Fill, Position)
}
"""Every field but the one that each row has anyway."""


def intent(log: Log, intent: Intent) -> None:
    """A new intent, whole: the step it stands for, who ordered it, from where, by which plan."""
    ids = (
        intent.intent_id,
        intent.client_order_id,
        intent.venue_order_id,
        intent.position_id,
        intent.plan_hash,
    )
    log.note(AuditKind.INTENT, intent.created_at, ids, _facts(intent))


def intent_state(
    log: Log,
    ids: Sequence[str | None],
    state: IntentState,
    at: datetime,
    known: tuple[str, ProofKind],
) -> None:
    """An intent's next state, and how it is `known`; its id is the first of the ids."""
    evidence, proof = known
    facts = {
        "intent_id": ids[0],
        "state": state,
        "evidence": evidence,
        "proof": proof,
        "venue_order_id": ids[1],
    }
    log.note(AuditKind.INTENT_STATE, at, ids, facts)


def intent_deadline(log: Log, intent_id: IntentId, deadline: datetime) -> None:
    """A second send has a later deadline; the row's time is that deadline's."""
    facts = {"intent_id": intent_id, "deadline": deadline}
    log.note(AuditKind.INTENT_DEADLINE, deadline, (intent_id,), facts)


def order_event(log: Log, event: OrderEvent) -> None:
    """What happened to an order."""
    log.note(AuditKind.ORDER_EVENT, event.occurred_at, (event.client_order_id,), _facts(event))


def booked_fill(
    log: Log, fill: Fill, ours: Sequence[str | None], purpose: OrderPurpose | None
) -> None:
    """An execution, and what of ours it belongs to."""
    ids = (fill.fill_id, fill.venue_order_id, *ours)
    log.note(AuditKind.FILL, fill.filled_at, ids, {**_facts(fill), "purpose": purpose})


def position(log: Log, position: Position) -> None:
    """A position as it now stands; its time is that of what caused it, in the same transaction."""
    ids = (position.position_id, position.stop_client_order_id, position.stop_venue_order_id)
    at = None if log.has_notes else position.closed_at or position.opened_at
    log.note(AuditKind.POSITION, at, ids, _facts(position))


def adjustment(log: Log, posted: Adjustment) -> None:
    """What was added to the books where nothing explained a difference, whole."""
    facts = {
        "about": f"adjustment {posted.adjustment_id}",
        "asset": posted.asset,
        "quantity": posted.quantity,
        "price": posted.unit_price,
        "currency": posted.currency,
        "position_id": posted.position_id or "",
        "discrepancy_id": posted.discrepancy_id or "",
        "author": posted.author,
        "reason": posted.reason,
    }
    ids = (posted.adjustment_id, posted.position_id, posted.discrepancy_id)
    log.note(AuditKind.STATEMENT, posted.adjusted_at, ids, facts)


def cost(log: Log, basis: CostBasis) -> None:
    """What somebody declared that a deposit had cost."""
    facts = {
        "about": cost_name(basis.ledger_id, basis.declared_at),
        "asset": basis.asset,
        "quantity": basis.quantity,
        "price": basis.unit_cost,
        "currency": basis.currency,
        "position_id": "",
        "author": basis.declared_by,
        "reason": basis.reason,
    }
    log.note(AuditKind.STATEMENT, basis.declared_at, (basis.ledger_id,), facts)


def targets(
    log: Log,
    position_id: PositionId,
    before: Sequence[TakeProfitLevel],
    after: Sequence[TakeProfitLevel],
) -> None:
    """A position's take-profit levels, if they are others than before."""
    now = levels_text(after)
    if now == levels_text(before):
        return
    at = None if log.has_notes else max(each.updated_at for each in (*before, *after))
    facts = {"position_id": position_id, "levels": now}
    log.note(AuditKind.TARGETS, at, (position_id,), facts)


def trading_state(log: Log, state: TradingState, symbol: Symbol | None) -> None:
    """A kill level was latched, or taken back: the account's, or one instrument's."""
    facts = {"level": state.level.label, "reason": state.reason, "by": state.changed_by}
    if symbol is None:
        log.note(AuditKind.TRADING_STATE, state.changed_at, (), facts)
    else:
        told = {"symbol": symbol, **facts}
        log.note(AuditKind.INSTRUMENT_STATE, state.changed_at, (symbol,), told)


def config(
    log: Log, key: str, values: tuple[str | None, str], at: datetime, who: Mapping[str, str]
) -> None:
    """A switch or a limit was set through zoe: its values before and after, and who did it."""
    before, after = values
    log.note(AuditKind.CONFIG, at, (key,), {"key": key, "before": before, "value": after, **who})


def _facts(value: Intent | OrderEvent | Fill | Position) -> dict[str, object]:
    return {name: getattr(value, name) for name in _NAMES[type(value)]}
