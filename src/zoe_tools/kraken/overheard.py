"""What the venue tells of orders moves the counters too: those that others placed and cancelled.

What was sent under the key by those who share the note is known there, and charged already. Steps
of the note; nothing here waits. Source: kraken-spot sections 3.2 and 11.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.kraken import budget_note, limits
from zoe_tools.kraken.budget_note import Note
from zoe_tools.kraken.limits import CALL, Tier, microseconds_of

BY_REQUEST = "User requested"
"""The reason of a cancel that somebody asked for; others are free."""
_ECHO_S = 0.2
"""A second connection tells the same amendment so soon again."""
_NEVER_EMPTY = timedelta(seconds=60)
"""From full to empty takes a counter of any tier no longer."""
_NEW = (ExecutionKind.PENDING_NEW, ExecutionKind.NEW)
_OVER = (ExecutionKind.FILLED, ExecutionKind.CANCELED, ExecutionKind.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheard:
    """A report of the executions stream, and what it says besides of limits.

    `rate_count` in calls, of the report's pair; `called` by client id or user reference;
    `is_child`: another order brought it forth, not a request.
    """

    report: ExecutionReport
    called: str = ""
    is_child: bool = False
    rate_count: Decimal | None = None


def hear(note: Note, now: datetime, rows: Sequence[Overheard], tier: Tier) -> None:
    """Rows of the stream, in their order; snapshots only make orders known."""
    for row in rows:
        report = row.report
        if report.is_snapshot:
            _hear_snapshot(note, now, row)
            continue
        if report.kind in _NEW:
            _hear_new(note, now, row, tier)
        elif report.kind is ExecutionKind.AMENDED:
            _hear_amended(note, now, row, tier)
        elif report.kind in _OVER:
            _hear_over(note, now, row, tier)
        if row.rate_count is not None and report.symbol is not None:
            _raise_to(note, now, report.symbol, int(row.rate_count * CALL), tier)


def see_open(
    note: Note, now: datetime, orders: Sequence[VenueOrder], asked_at: datetime, tier: Tier
) -> None:
    """All open orders, as they were at some time after `asked_at`."""
    now_us, listed = microseconds_of(now), {each.venue_order_id for each in orders}
    gone_before = microseconds_of(asked_at)
    for order_id in [key for key, row in note.orders.items() if row[1] < gone_before]:
        if order_id not in listed:
            note.orders.pop(order_id)
    for each in orders:
        if each.venue_order_id in note.orders or f"over {each.venue_order_id}" in note.own:
            continue
        called = each.client_order_id or ""
        opened_us = min(microseconds_of(each.opened_at), now_us)
        if note.own.pop(called, None) is None:
            _charge(note, now, each.symbol, _left_of_an_add(note, now, each, tier), tier)
        note.knows(each.venue_order_id, (each.symbol, opened_us, called))


def _left_of_an_add(note: Note, now: datetime, order: VenueOrder, tier: Tier) -> int:
    """What was counted for it has decayed since, unless the counter was never empty meanwhile."""
    if budget_note.engine_in(note, tier, order.symbol).level(now):
        return CALL if now - order.opened_at < _NEVER_EMPTY else 0
    elapsed_us = max(microseconds_of(now) - microseconds_of(order.opened_at), 0)
    return max(CALL - elapsed_us * tier.engine_decay, 0)


def _hear_snapshot(note: Note, now: datetime, row: Overheard) -> None:
    report = row.report
    is_open = report.fill is None and not report.status.is_terminal
    if is_open and report.symbol is not None and report.venue_order_id not in note.orders:
        at = min(microseconds_of(report.reported_at), microseconds_of(now))
        note.knows(report.venue_order_id, (report.symbol, at, row.called))


def _hear_new(note: Note, now: datetime, row: Overheard, tier: Tier) -> None:
    report = row.report
    order_id = report.venue_order_id
    if order_id in note.orders or report.symbol is None:
        return
    if f"over {order_id}" in note.own:
        note.own.pop(row.called, None)  # the stream is late: we have ended it meanwhile
        return
    edit = next((each for each in note.own if each.startswith("edit ")), "")
    is_own = note.own.pop(row.called, None) is not None or (
        not report.client_order_id and note.own.pop(edit, None) is not None
    )
    if not is_own and not row.is_child:
        _charge(note, now, report.symbol, limits.engine_cost("add"), tier)
    note.knows(order_id, (report.symbol, microseconds_of(now), row.called))


def _hear_amended(note: Note, now: datetime, row: Overheard, tier: Tier) -> None:
    order_id = row.report.venue_order_id
    known = note.orders.get(order_id)
    is_own = note.own.pop(f"amend {order_id}", None) is not None
    if known is None or is_own or budget_note.age_s(known, now) < _ECHO_S:
        return
    cost = limits.engine_cost("amend", age_s=budget_note.age_s(known, now))
    _charge(note, now, Symbol(known[0]), cost, tier)
    note.knows(order_id, (known[0], microseconds_of(now), known[2]))


def _hear_over(note: Note, now: datetime, row: Overheard, tier: Tier) -> None:
    """An order that is cancelled by those who share the note is out of it before that is sent."""
    known = note.orders.pop(row.report.venue_order_id, None)
    if known is not None and row.report.reason == BY_REQUEST:
        cost = limits.engine_cost("cancel", age_s=budget_note.age_s(known, now))
        _charge(note, now, Symbol(known[0]), cost, tier)


def _charge(note: Note, now: datetime, symbol: Symbol, cost: int, tier: Tier) -> None:
    if cost:
        counter = budget_note.engine_in(note, tier, symbol).after(now, cost)
        note.engine[symbol] = budget_note.kept(counter)


def _raise_to(note: Note, now: datetime, symbol: Symbol, count: int, tier: Tier) -> None:
    """The venue's own count, where it is higher than ours."""
    if count > budget_note.engine_in(note, tier, symbol).level(now):
        note.engine[symbol] = count, microseconds_of(now)
