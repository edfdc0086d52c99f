"""Writes what happened into the books: order event, fill and position, in one transaction.

The decisions are core's; this applies them. Everything is idempotent: an event by its key, a fill
by its id, so the stream, the venue's records and a recovery may all tell the same story. Orders
that are not ours are never booked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.accounting import (
    apply_fill,
    begun_by,
    entry_position_id,
    excess_of,
    in_time_order,
    is_begun_again,
)
from zoe_tools.core.order_lifecycle import UndefinedTransition, advance, event_of
from zoe_tools.core.order_records import armed
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import IntentKind, IntentState, OrderRecord, ProofKind
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.plan import AmendOrder, VenueStep
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.gate.group_books import note_on_group
from zoe_tools.gate.journal import resolve_intent
from zoe_tools.gate.position_books import active_in, keep, note_on_position
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one source says of one order; None is what it does not say."""

    venue_order_id: VenueOrderId
    status: OrderStatus
    seen_at: datetime
    source: str
    client_order_id: ClientOrderId | None = None
    filled_quantity: Decimal | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reason: str = ""
    opened_at: datetime | None = None
    """When the venue took the order, where the source tells."""
    lags_s: float = 0.0
    """How old what a source tells may be: an amendment that is younger is not undone by it."""


def sighting_of_report(report: ExecutionReport) -> Sighting:
    """What a row of the executions stream says."""
    return Sighting(
        venue_order_id=report.venue_order_id,
        status=report.status,
        seen_at=report.reported_at,
        source="executions stream",
        client_order_id=report.client_order_id,
        filled_quantity=report.cumulative_quantity,
        quantity=report.quantity,
        limit_price=report.limit_price,
        trigger_price=report.trigger_price,
        reason=report.reason,
        opened_at=report.reported_at if report.kind is ExecutionKind.NEW else None,
    )


def sighting_of_order(
    order: VenueOrder, *, seen_at: datetime, source: str, lags_s: float = 0.0
) -> Sighting:
    """What the venue's own record of an order says."""
    return Sighting(
        venue_order_id=order.venue_order_id,
        status=order.status,
        seen_at=order.closed_at or seen_at,
        source=source,
        client_order_id=order.client_order_id,
        filled_quantity=order.filled_quantity,
        quantity=order.quantity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price,
        reason=order.reason,
        opened_at=order.opened_at,
        lags_s=lags_s,
    )


def record_execution(
    transaction: Transaction, sighting: Sighting, fills: Sequence[Fill] = ()
) -> OrderRecord | None:
    """Book what was seen of one order; returns our record of it, None when it is not ours.

    Raises:
        UndefinedTransition: the sighting contradicts what is proved; nothing is booked.
    """
    record = find_order(transaction, sighting.client_order_id, sighting.venue_order_id)
    if record is None:
        return None
    seen = _with_details(transaction, record, sighting)
    if sighting.status is not OrderStatus.UNKNOWN:
        event = event_of(
            record.client_order_id,
            sighting.status,
            occurred_at=sighting.seen_at,
            source=sighting.source,
            filled_quantity=sighting.filled_quantity,
            reason=sighting.reason,
        )
        after = advance(seen, event)
        transaction.append_order_event(event)
    else:
        after = seen
    for fill in in_time_order(fills):
        after = book_fill(transaction, after, fill)
    if sighting.opened_at is not None:
        after = armed(after, sighting.opened_at)
    if after != record:
        transaction.record_order(after)
    note_on_position(transaction, after)
    note_on_group(transaction, after)
    _resolve_intent(transaction, after, sighting)
    return after


def book_amended(transaction: Transaction, step: VenueStep, at: datetime) -> None:
    """An order is as asked once the venue said yes; what tells of it may lag, and is no news then.

    What was told as a distance from the market only the venue knows.
    """
    if not isinstance(step, AmendOrder):
        return
    change = step.amendment
    record = transaction.order_by_venue_id(change.venue_order_id)
    if record is None or record.status.is_terminal:
        return
    after = replace(
        record,
        quantity=change.quantity or record.quantity,
        limit_price=change.limit_price or record.limit_price,
        trigger_price=change.trigger_price or record.trigger_price,
    )
    if after != record:
        transaction.record_order(replace(after, updated_at=max(record.updated_at, at)))


def book_proved(transaction: Transaction, sighting: Sighting, fills: Sequence[Fill] = ()) -> None:
    """Book what the venue's records prove; what contradicts the books is logged, its fills kept."""
    try:
        record_execution(transaction, sighting, fills)
    except UndefinedTransition as error:
        _LOG.error("INVARIANT_VIOLATION %s", error.message)
        for fill in fills:
            book_missed_fill(transaction, fill)


def find_order(
    transaction: Transaction,
    client_order_id: ClientOrderId | None,
    venue_order_id: VenueOrderId | None,
) -> OrderRecord | None:
    """Our record of an order by our id, or by the venue's."""
    if client_order_id is not None:
        found = transaction.order(client_order_id)
        if found is not None:
            return found
    if venue_order_id is None:
        return None
    return transaction.order_by_venue_id(venue_order_id)


def book_fill(transaction: Transaction, record: OrderRecord, fill: Fill) -> OrderRecord:
    """Book one fill of our order and what it does to the position; a known fill changes nothing."""
    ours = replace(fill, client_order_id=record.client_order_id)
    position = _position_of(transaction, record, ours)
    position_id = position.position_id if position else entry_position_id(record)
    is_new = transaction.record_fill(ours, position_id=position_id, purpose=record.purpose)
    if not is_new:
        return record
    booked = _with_fill(transaction, record, ours)
    excess = excess_of(position, ours)
    if excess > ZERO:
        _LOG.error(
            "INVARIANT_VIOLATION fill %s sold %s %s more than is managed",
            fill.fill_id,
            short(excess),
            fill.symbol,
        )
    if position is None and ours.side is Side.SELL:
        return booked
    if position is None:
        position = begun_by(record)
    if position.status is PositionStatus.ERROR:
        _LOG.error(
            "INVARIANT_VIOLATION fill %s belongs to %s, which is in error",
            fill.fill_id,
            position.position_id,
        )
        return booked
    if is_begun_again(position, record):
        position = replace(
            position, stop_price=None, take_profit_price=None, opened_at=ours.filled_at
        )
        transaction.set_targets(position_id, ())
    after = apply_fill(position, ours, position_id=position_id, purpose=record.purpose)
    if not keep(transaction, after):
        return booked
    return replace(booked, position_id=after.position_id)


def book_missed_fill(transaction: Transaction, fill: Fill) -> bool:
    """Book a fill by itself; False when its order is not ours."""
    record = find_order(transaction, fill.client_order_id, fill.venue_order_id)
    if record is None:
        return False
    after = book_fill(transaction, record, fill)
    if after != record:
        transaction.record_order(after)
        note_on_group(transaction, after)
    return True


def _with_details(transaction: Transaction, record: OrderRecord, sighting: Sighting) -> OrderRecord:
    """What only the venue knows, and what an amendment changed."""
    is_market = sighting.limit_price in (None, ZERO)
    after = replace(
        record,
        venue_order_id=sighting.venue_order_id,
        quantity=sighting.quantity or record.quantity,
        limit_price=record.limit_price if is_market else sighting.limit_price,
        trigger_price=sighting.trigger_price or record.trigger_price,
    )
    if after == record or not _is_overtaken(transaction, sighting):
        return after
    return replace(record, venue_order_id=sighting.venue_order_id)


def _is_overtaken(transaction: Transaction, sighting: Sighting) -> bool:
    """Whether an amendment of ours was made since the source may have looked."""
    if not sighting.lags_s:
        return False
    since = sighting.seen_at - timedelta(seconds=sighting.lags_s)
    return any(
        each.kind is IntentKind.AMEND
        and each.state is IntentState.CONFIRMED
        and each.venue_order_id == sighting.venue_order_id
        for each in transaction.intents(since=since)
    )


def _with_fill(transaction: Transaction, record: OrderRecord, fill: Fill) -> OrderRecord:
    """Average price and fees follow the booked fills; the fills' sum is a floor of the quantity."""
    fills = transaction.fills(venue_order_id=fill.venue_order_id)
    quantity = sum((each.quantity for each in fills), ZERO)
    cost = sum((each.cost for each in fills), ZERO)
    return replace(
        record,
        filled_quantity=max(record.filled_quantity, quantity),
        average_price=cost / quantity if quantity else ZERO,
        fees=sum((each.fee for each in fills), ZERO),
    )


def _position_of(transaction: Transaction, record: OrderRecord, fill: Fill) -> Position | None:
    """The order's own position, else the open one of the instrument.

    A row of another instrument was changed by hand, and no fill of this one is booked on it.
    """
    own = transaction.position(entry_position_id(record))
    if own is not None and own.symbol != fill.symbol:
        own = None
    if own is not None and (own.status.is_active or fill.side is Side.SELL):
        return own
    return active_in(transaction, record.symbol) or own


def _resolve_intent(transaction: Transaction, record: OrderRecord, sighting: Sighting) -> None:
    """An order the venue shows is proof that its place intent arrived."""
    if record.intent_id is not None:
        resolve_intent(
            transaction,
            record.intent_id,
            IntentState.CONFIRMED,
            at=sighting.seen_at,
            evidence=f"{sighting.source}: {sighting.status.value}",
            proof=ProofKind.RECORDS,
            venue_order_id=sighting.venue_order_id,
        )
