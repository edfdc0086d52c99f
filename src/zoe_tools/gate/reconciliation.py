"""Writes down what a comparison found: its run, its discrepancies, where the account stands.

These are observations, written in a dry run too. The event RECONCILIATION_REPORT goes out with
exactly the run's counts; a change of level is an event of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from zoe_tools.core.accounting import entry_position_id
from zoe_tools.core.discrepancies import Followed, follow
from zoe_tools.core.escalation import CLEAN_RUNS, LONG, run_of, state_after
from zoe_tools.core.order_records import origins_of, rebuilt
from zoe_tools.core.position_rows import as_told
from zoe_tools.core.reconcile import Reconciliation, reconcile, second_questions
from zoe_tools.core.reconcile_orders import unseen
from zoe_tools.core.reconcile_store import changed_by_hand
from zoe_tools.domain.discrepancy import (
    LIVE_LOOK,
    WHOLE_LOOK,
    Discrepancy,
    Level,
    ReconciliationRun,
    ReconciliationState,
    Severity,
)
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, PositionId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import PositionEvent
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Reading, Snapshot
from zoe_tools.errors import VenueError
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock, Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_WINDOW = LONG * 2
"""How far back runs are read: the longest threshold looks beyond its own window once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A comparison as it was written down."""

    run: ReconciliationRun
    followed: Followed
    state: ReconciliationState
    before: ReconciliationState


def note_reconciliation(
    transaction: Transaction,
    result: Reconciliation,
    *,
    at: datetime,
    is_whole: bool = True,
    actions_taken: int = 0,
    clean_runs_needed: int = CLEAN_RUNS,
) -> Noted:
    """Follow the discrepancies, judge the thresholds, and write all of it."""
    book = transaction.reconciliation
    before = book.state()
    followed = follow(
        book.active(), result.findings, now=at, is_whole=is_whole, compared=result.compared
    )
    run_id = f"R-{at:%Y%m%dT%H%M%S%f}"
    run = run_of(run_id, at, followed, result.figures, actions_taken=actions_taken)
    runs = (*book.runs(at - _WINDOW), run)
    state = state_after(before, runs, followed.active, now=at, clean_runs_needed=clean_runs_needed)
    book.record_run(run)
    book.record(followed.changed)
    book.set_state(state, at)
    transaction.beat(
        WHOLE_LOOK if is_whole else LIVE_LOOK,
        "ok" if state.level is Level.OK and not state.is_degraded else "warning",
        at,
        {"findings": run.count("issues_total"), "level": state.level.value},
    )
    return Noted(run=run, followed=followed, state=state, before=before)


def report(noted: Noted) -> None:
    """Tell the log; call it once what was written is committed."""
    severity = "info" if noted.state.level is Level.OK else "warning"
    event(_LOG, "RECONCILIATION_REPORT", severity, **dict(noted.run.counts))
    for each in noted.followed.seen:
        if each.confirmed_at == noted.run.taken_at:
            _tell_confirmed(each)
    was, now = noted.before, noted.state
    if (was.level, was.is_degraded) == (now.level, now.is_degraded):
        return
    is_worse = now.pauses_account or (now.level is Level.WARN and was.level is Level.OK)
    event(
        _LOG,
        "RECONCILIATION_ESCALATED" if is_worse else "RECONCILIATION_CLEARED",
        "critical" if now.pauses_account else "warning",
        level=now.level.value,
        before=was.level.value,
        is_degraded=now.is_degraded,
        reason=now.reason,
    )


def _tell_confirmed(each: Discrepancy) -> None:
    event(
        _LOG,
        "DISCREPANCY_CONFIRMED",
        "critical" if each.severity is Severity.CRITICAL else "warning",
        discrepancy_id=each.discrepancy_id,
        kind=each.kind.value,
        subject=each.subject,
        symbol=each.symbol,
        policy=each.policy.value,
        at_stake=each.at_stake,
        currency=each.currency,
        evidence=each.evidence,
    )


async def completed(
    snapshot: Snapshot, *, venue: Venue, store: StoreRunner, clock: Clock
) -> Snapshot:
    """The snapshot with what only a reconciliation needs.

    Rows that somebody changed, read in one transaction with their events; adjustments; and by name
    the orders of ours that the venue's lists do not show.

    Raises:
        StoreError: the books cannot be read.
    """
    seen = await store.read(lambda tx: _with_rows(tx, snapshot))
    return await asked_by_name(seen, venue=venue, clock=clock)


async def asked_by_name(snapshot: Snapshot, *, venue: Venue, clock: Clock) -> Snapshot:
    """The snapshot with those working orders of ours that the venue's lists do not show."""
    names = unseen(snapshot)
    if not names:
        return snapshot
    try:
        asked = await venue.orders(names)
    except VenueError as error:
        return replace(snapshot, asked_orders=Missing(error.message.rstrip(".")))
    return replace(snapshot, asked_orders=Reading(asked, clock.now(), "QueryOrders"))


async def with_all_orders(snapshot: Snapshot, *, venue: Venue, clock: Clock) -> Snapshot:
    """The snapshot with those open orders, too, that the list lacks and the venue shows by id.

    For what plans by open orders. Where the venue cannot be asked by id, the list is missing.
    """
    listed = snapshot.open_orders
    if isinstance(listed, Missing):
        return snapshot
    asked = (await asked_by_name(snapshot, venue=venue, clock=clock)).asked_orders
    if isinstance(asked, Missing):
        return snapshot if asked is NOT_GATHERED else replace(snapshot, open_orders=asked)
    found = tuple(each for each in asked.value if not each.status.is_terminal)
    return replace(snapshot, open_orders=replace(listed, value=(*listed.value, *found)))


async def compared(
    snapshot: Snapshot, *, venue: Venue, clock: Clock, is_whole: bool = True
) -> tuple[Snapshot, Reconciliation]:
    """What the comparison finds, once a second endpoint was asked about what looks empty or short.

    On a clean account nothing more is asked. A second endpoint that does not answer leaves what
    it was asked about unconfirmed.

    Raises:
        VenueUnavailable: a part of the venue's records that is needed is missing.
    """
    result = reconcile(snapshot, is_whole=is_whole)
    asked = second_questions(snapshot, result, is_whole=is_whole)
    if asked.is_empty:
        return snapshot, result
    heard = replace(
        snapshot,
        asked_totals=await _heard(asked.totals, venue.balances_again, clock, "Balance"),
        asked_fills=await _heard(
            bool(asked.fills), lambda: venue.fills_named(asked.fills), clock, "QueryTrades"
        ),
        asked_rows=await _heard(
            bool(asked.rows), lambda: venue.ledger_rows(asked.rows), clock, "QueryLedgers"
        ),
    )
    return heard, reconcile(heard, is_whole=is_whole)


async def _heard(
    is_asked: bool,  # noqa: FBT001 - it stands first in three calls of one form
    call: Callable[[], Awaitable[tuple[T, ...]]],
    clock: Clock,
    source: str,
) -> Reading[tuple[T, ...]] | Missing:
    if not is_asked:
        return NOT_GATHERED
    try:
        return Reading(await call(), clock.now(), source)
    except VenueError as error:
        return Missing(error.message.rstrip("."))


def _with_rows(transaction: Transaction, snapshot: Snapshot) -> Snapshot:
    orders, log = transaction.orders(), transaction.reconciliation.order_log()
    fills = transaction.fills()
    known = {each.client_order_id for each in orders}
    gone = {name: events for name, events in log.items() if name not in known}
    closed = _closed(transaction)
    return replace(
        snapshot,
        retold=(*snapshot.retold, *(pair for pair in closed if pair[0] != pair[1])),
        changed_by_hand=changed_by_hand(orders, log, fills),
        rows_gone=tuple(events[-1] for events in gone.values()),
        rows_rebuilt=_rebuilt(transaction, gone, fills),
        own_ledger=transaction.ledger()[::-1],
        adjustments=transaction.reconciliation.adjustments(),
        closed_positions=tuple(told for _, told in closed),
    )


def _closed(transaction: Transaction) -> tuple[tuple[Position, Position], ...]:
    """Each position that is closed: its row, and what its own story makes of it."""
    stories: dict[PositionId, list[PositionEvent]] = {}
    for each in transaction.position_events():
        stories.setdefault(each.position_id, []).append(each)
    rows = (each for each in transaction.positions() if each.status is PositionStatus.CLOSED)
    return tuple((row, as_told(row, stories.get(row.position_id, ()))) for row in rows)


def _rebuilt(
    transaction: Transaction,
    gone: Mapping[ClientOrderId, Sequence[OrderEvent]],
    fills: Sequence[Fill],
) -> tuple[OrderRecord, ...]:
    """The orders whose rows are gone, where an intent says what they were."""
    if not gone:
        return ()
    origins = origins_of(transaction.intents(), fills)
    made = [rebuilt(name, origins, events) for name, events in gone.items()]
    found = [each for each in made if each is not None]
    names = {each.position_id for each in transaction.positions()}
    names |= {entry_position_id(each) for each in found}
    homes = {
        fill.venue_order_id: name
        for name in sorted(names)
        for fill in transaction.fills_of_position(name)
    }
    return tuple(
        replace(each, position_id=each.position_id or homes.get(each.venue_order_id))
        if each.venue_order_id is not None
        else each
        for each in found
    )
