"""Lets a position follow its orders: an entry that works or ended, a stop that rests, an exit.

Everything is idempotent: an order that is seen again as it was changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from zoe_tools.core.accounting import begun_by, entry_position_id, next_standing, with_stop
from zoe_tools.core.executed import booked_of, unbooked
from zoe_tools.core.position_orders import leaves
from zoe_tools.core.take_profit import as_taken
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import event_of
from zoe_tools.domain.position_lifecycle import PositionRuleBroken, is_loosened
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


def active_in(transaction: Transaction, symbol: Symbol) -> Position | None:
    """The one position of the instrument that is not over."""
    active = transaction.positions(active_only=True)
    return next((each for each in active if each.symbol == symbol), None)


def keep(transaction: Transaction, position: Position) -> bool:
    """Bring the registry to what the venue told; False where its rules forbid that, and it stays.

    What happened has happened: order and fill are booked in any case, and the rule is told.
    """
    try:
        transaction.record_position(position)
    except PositionRuleBroken as error:
        _LOG.error(
            "INVARIANT_VIOLATION %s was left as it was: rule %s",
            position.position_id,
            error,
        )
        return False
    return True


def note_on_position(transaction: Transaction, record: OrderRecord) -> None:
    """Let the order's position follow it: its entry works or ended, a stop rests, it is left."""
    match record.purpose:
        case "entry":
            _note_entry(transaction, record)
        case "stop":
            link_stop(transaction, record)
        case "exit" | "flatten" | "take_profit":
            _note_exit(transaction, record)
        case _:
            pass
    if record.side is not Side.BUY and record.position_id is not None:
        note_levels(transaction, record.position_id, record.updated_at)


def note_levels(transaction: Transaction, position_id: PositionId, at: datetime) -> None:
    """What has become of each of the position's targets."""
    levels = transaction.targets(position_id)
    position = transaction.position(position_id) if levels else None
    if position is None:
        return
    orders = transaction.orders_of_position(position_id)
    now = as_taken(position, levels, orders, at=at)
    if now != levels:
        transaction.set_targets(position_id, now)


def _note_entry(transaction: Transaction, record: OrderRecord) -> None:
    """A working entry is a pending position; one that ended unfilled is a cancelled one.

    One that executed and whose trades are not shown yet is alive: they make it a held one.
    """
    own = transaction.position(entry_position_id(record))
    if own is None:
        is_working = record.status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)
        is_alive = is_working or is_short(transaction, record)
        if is_alive and active_in(transaction, record.symbol) is None:
            keep(transaction, begun_by(record))
        return
    if own.status.holds or own.status.is_terminal:
        return
    status = PositionStatus.PENDING
    if record.status is OrderStatus.CANCEL_PENDING:
        status = PositionStatus.CANCEL_PENDING
    elif record.status.is_terminal and not is_short(transaction, record):
        status = PositionStatus.CANCELLED
    if status is not own.status:
        closed_at = record.updated_at if status.is_terminal else None
        keep(
            transaction,
            replace(own, status=status, closed_at=closed_at, updated_at=record.updated_at),
        )


def is_short(transaction: Transaction, record: OrderRecord) -> bool:
    """Whether the order has executed more than the books have trades of."""
    if record.venue_order_id is None or record.filled_quantity == ZERO:
        return False
    fills = transaction.fills(venue_order_id=record.venue_order_id)
    return unbooked(record, booked_of(fills)) > ZERO


def _note_exit(transaction: Transaction, record: OrderRecord) -> None:
    """A position is being left while an order for that works; one that ended leaves it held."""
    position = transaction.position(record.position_id) if record.position_id else None
    if position is None or not position.status.holds:
        return
    is_leaving = any(
        leaves(each) and not each.status.is_terminal
        for each in transaction.orders_of_position(position.position_id)
    )
    status = next_standing(position, is_leaving=is_leaving)
    if status is not position.status:
        keep(transaction, replace(position, status=status, updated_at=record.updated_at))


def link_stop(transaction: Transaction, record: OrderRecord) -> None:
    """Note on the position which resting stop protects it, or that none does any more."""
    if record.purpose != "stop" or record.position_id is None:
        return
    position = transaction.position(record.position_id)
    if position is None:
        return
    is_linked = position.stop_client_order_id == record.client_order_id
    if record.status.is_terminal:
        if is_linked:
            keep(transaction, with_stop(position, None, None, None, at=record.updated_at))
        return
    if record.venue_order_id is None:
        return
    price = record.trigger_price
    if is_loosened(position.side, position.stop_price, price):
        _tell_loosened(transaction, position, record)
        price = None
    keep(
        transaction,
        with_stop(
            position, record.client_order_id, record.venue_order_id, price, at=record.updated_at
        ),
    )


def _tell_loosened(transaction: Transaction, position: Position, record: OrderRecord) -> None:
    """Somebody moved a stop against its position, at the venue: told once, and not believed."""
    story = event_of(
        position.position_id,
        "stop_loosened",
        record.updated_at,
        (position.status, position.status),
        {"order": str(record.venue_order_id), "price": short(record.trigger_price or ZERO)},
    )
    if transaction.append_position_event(story):
        _LOG.error(
            "INVARIANT_VIOLATION stop %s of %s was moved against its position, to %s",
            record.venue_order_id,
            position.position_id,
            short(record.trigger_price or ZERO),
        )
