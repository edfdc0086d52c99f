"""Audits the stored registry and, at a start, brings to rest what contradicts itself.

First the report on what is stored, then the repairs, each told once, kept in the position's own
story and in its row, so that it does not come back with the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from zoe_tools.core.adjustments import made_by
from zoe_tools.core.registry_audit import (
    KeyOf,
    RegistryAudit,
    RegistryRepair,
    as_executed,
    as_spelled,
    audit_registry,
    contradicting,
    repairs_for,
)
from zoe_tools.domain.money import short
from zoe_tools.domain.observation import Details
from zoe_tools.domain.position import PositionStatus, RawPosition
from zoe_tools.domain.position_event import event_of
from zoe_tools.observe.log import event
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

REPORT = "REGISTRY_AUDIT_REPORT"
COMPONENT = "registry audit"
"""The sign of life under which the last audit is kept, for whoever looks later."""


def audit_stored(
    transaction: Transaction,
    *,
    phase: str,
    now: datetime,
    key_of: KeyOf = as_spelled,
    over: Sequence[RawPosition] | None = None,
) -> RegistryAudit:
    """The audit of what is stored now; told in the log and kept as an observation.

    `over`: rows that ended, where somebody has read them already; the others are read now.
    """
    live = transaction.raw_positions(is_over=None if over is None else False)
    report = audit_registry((*(over or ()), *live), phase=phase, key_of=key_of)
    event(_LOG, REPORT, "error" if report.violations else "info", **report.told())
    status = "error" if report.violations else "ok"
    details: Details = {"phase": phase, "violations_total": report.violations_total}
    transaction.beat(COMPONENT, status, now, details)
    return report


def repair_stored(
    transaction: Transaction, *, now: datetime, key_of: KeyOf = as_spelled
) -> tuple[RegistryRepair, ...]:
    """Bring to rest what contradicts itself; nothing is sold, nothing at the venue touched.

    A row whose own executions prove what is held says that again, and is not given up.
    """
    for row in contradicting(transaction.raw_positions()):
        _rebuild(transaction, row, now)
    repairs = repairs_for(transaction.raw_positions(), key_of=key_of)
    for repair in repairs:
        _carry_out(transaction, repair, now)
    return repairs


def _rebuild(transaction: Transaction, row: RawPosition, now: datetime) -> None:
    name = row.position_id
    adjustments = transaction.reconciliation.adjustments()
    made = made_by(name, transaction.fills_of_position(name), adjustments)
    right = as_executed(row, made, transaction.position_events(name))
    if right is None:
        return
    transaction.rebuild_position(row, right, at=now)
    said = f"quantity {row.quantity}, entry {row.entry_quantity}, exit {row.exit_quantity}"
    message = (
        f"{name} said {said}, which was changed by hand: by its executions it holds"
        f" {short(right.quantity)}, and says so again (STORE_TAMPERED)"
    )
    event(_LOG, "INVARIANT_VIOLATION", "error", message=message)


def _carry_out(transaction: Transaction, repair: RegistryRepair, now: datetime) -> None:
    details = dict(repair.details)
    before = next(
        (each for each in PositionStatus if each.value in _states(details)), repair.status
    )
    if repair.is_unclosed:
        transaction.unclose_position(repair.position_id, at=now)
    else:
        transaction.end_position(repair.position_id, repair.status, reason=repair.reason, at=now)
    transaction.append_position_event(
        event_of(repair.position_id, repair.reason, now, (before, repair.status), details)
    )
    event(_LOG, repair.event, "error", **details)


def _states(details: dict[str, str]) -> set[str]:
    return {details.get("state", ""), details.get("dropped_state", "")}
