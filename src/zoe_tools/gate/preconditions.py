"""What must still be true of the books when a step is journaled; read in that very transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.accounting import entry_position_id
from zoe_tools.core.executed import booked_of, no_more_than_told, unbooked
from zoe_tools.core.reconcile_positions import ADOPTED
from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import (
    AmendOrder,
    OrderStillOpen,
    PlaceOrder,
    PositionStill,
    VenueStep,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import RECENT
from zoe_tools.gate.fence import Withheld
from zoe_tools.gate.trouble import symbol_of
from zoe_tools.gather import effective_trading_state
from zoe_tools.store.store import Transaction

HALTED = "HALTED"
"""The code of what would add risk while trading is stopped."""

_LEAVING = frozenset({"exit", "flatten", "take_profit"})


def demand_preconditions(transaction: Transaction, step: VenueStep, now: datetime) -> None:
    """What the store can say about a step's preconditions, in the journaling transaction.

    Raises:
        Withheld: one no longer holds.
    """
    for condition in step.preconditions:
        match condition:
            case PositionStill():
                _demand_position(transaction, condition, step, now)
            # A cancel passes: whatever has traded meanwhile, the rest of the order is not wanted.
            case OrderStillOpen():
                if isinstance(step, AmendOrder):
                    _demand_order(transaction, condition)
    if isinstance(step, PlaceOrder | AmendOrder) and not adds_risk(step):
        _demand_room(transaction, step, now)
        _demand_backed(transaction, step, now)


def demand_may_enter(transaction: Transaction, step: VenueStep) -> None:
    """What adds risk is journaled only where the state allows it as the transaction ends.

    On a server a kill waits for this transaction, or this one for the kill: its proof finds the
    intent in the books, or there is none. To be asked last: what is locked here, others wait for.

    Raises:
        Withheld: trading is stopped.
    """
    if adds_risk(step):
        transaction.audit.lock()
        if told := why_halted(transaction, step):
            raise Withheld(told, code=HALTED)


def why_halted(transaction: Transaction, step: VenueStep) -> str:
    """Why nothing may be entered in the step's instrument now; empty where it may."""
    symbol = symbol_of(step)
    state = effective_trading_state(transaction).in_force(symbol)
    if state.may_enter:
        return ""
    return f"trading is at {state.level.label}: {state.reason or 'no reason given'}"


def _demand_backed(transaction: Transaction, step: PlaceOrder | AmendOrder, now: datetime) -> None:
    """A row can be changed by hand: beyond what its own executions leave, coins are not zoe's.

    What was adopted is in no execution; that is the row's word alone, and so is a position that
    none of them made.
    """
    position = transaction.position(step.position_id) if step.position_id else None
    if position is None or position.origin == ADOPTED or position.side is not Side.BUY:
        return
    wanted = _sold_by(transaction, step)
    fills = transaction.fills_of_position(position.position_id)
    if not fills:
        return
    left = sum((each.quantity if each.side is Side.BUY else -each.quantity for each in fills), ZERO)
    left += sum(
        each.quantity
        for each in transaction.reconciliation.adjustments()
        if each.position_id == position.position_id
    )
    if wanted > max(left, ZERO) and _is_stop(step):
        left += _bought_unbooked(transaction, position.position_id, now)
    if wanted > max(left, ZERO):
        raise Withheld(
            f"the position's own executions leave {short(max(left, ZERO))}, its row says"
            f" {short(position.quantity)}: `zoe reconcile`"
        )


def _sold_by(transaction: Transaction, step: PlaceOrder | AmendOrder) -> Decimal:
    """What the order may sell from now on; nothing, where an amendment leaves the quantity."""
    if isinstance(step, PlaceOrder):
        return step.request.quantity
    order = transaction.order_by_venue_id(step.amendment.venue_order_id)
    filled = ZERO if order is None else order.filled_quantity
    return (step.amendment.quantity or filled) - filled


def _is_stop(step: VenueStep) -> bool:
    """A stop holds what was executed, a sale takes only what is booked."""
    if isinstance(step, PlaceOrder):
        return step.request.purpose == "stop"
    return isinstance(step, AmendOrder) and step.purpose == "stop"


def _demand_position(
    transaction: Transaction, condition: PositionStill, step: VenueStep, now: datetime
) -> None:
    position = transaction.position(condition.position_id)
    held = position.quantity if position is not None else ZERO
    if held < condition.quantity and _is_stop(step):
        held += _bought_unbooked(transaction, condition.position_id, now)
    if held != condition.quantity:
        raise Withheld(
            f"the position holds {short(held)}, the plan counted on {short(condition.quantity)}"
        )


def _demand_order(transaction: Transaction, condition: OrderStillOpen) -> None:
    """An order that the books do not know is the venue's to judge."""
    order = transaction.order_by_venue_id(condition.venue_order_id)
    if order is None:
        return
    if order.status.is_terminal:
        raise Withheld(f"the order is {order.status.value}")
    if order.remaining_quantity != condition.remaining_quantity:
        raise Withheld(
            f"{short(order.remaining_quantity)} of the order is left, the plan counted on"
            f" {short(condition.remaining_quantity)}"
        )


def _demand_room(transaction: Transaction, step: PlaceOrder | AmendOrder, now: datetime) -> None:
    """What was sold, is sold and is being sold together never exceeds the position.

    An order that grows is held to it as a new one is; one that does not passes.

    A resting stop does not count: at the venue it holds the very asset an exit would need. What
    the venue's orders tell of as sold counts before its trades do: they may be shown later.
    """
    position = transaction.position(step.position_id) if step.position_id else None
    if position is None or not _grows(transaction, step):
        return
    working = unbooked = ZERO
    for order in transaction.orders_of_position(position.position_id):
        if order.side is position.side:
            continue
        unbooked += _unbooked(transaction, order, now)
        if order.purpose in _LEAVING and not order.status.is_terminal:
            working += order.remaining_quantity
    is_leaving = isinstance(step, PlaceOrder) and step.request.purpose in _LEAVING
    gone = unbooked + (working if is_leaving else ZERO)
    wanted = _sold_by(transaction, step)
    if (is_leaving or gone > ZERO) and gone + wanted > position.quantity:
        raise Withheld(
            f"{short(gone)} of the position's {short(position.quantity)} are being sold already"
        )


def _grows(transaction: Transaction, step: PlaceOrder | AmendOrder) -> bool:
    if isinstance(step, PlaceOrder):
        return True
    order = transaction.order_by_venue_id(step.amendment.venue_order_id)
    return order is not None and _sold_by(transaction, step) > order.remaining_quantity


def _unbooked(transaction: Transaction, order: OrderRecord, now: datetime) -> Decimal:
    """What an order has filled and the books have no trade of, as long as one may be on its way."""
    is_old = order.status.is_terminal and order.updated_at < now - RECENT
    if order.venue_order_id is None or order.filled_quantity == ZERO or is_old:
        return ZERO
    return unbooked(order, booked_of(transaction.fills(venue_order_id=order.venue_order_id)))


def _bought_unbooked(transaction: Transaction, position_id: PositionId, now: datetime) -> Decimal:
    """What entries have bought for the position by their own events, and no trade tells yet.

    Asked only where a step counts on more than is booked: the books are short for a moment.
    """
    position = transaction.position(position_id)
    found = {
        each.client_order_id: each
        for each in (
            *transaction.orders(open_only=True),
            *transaction.orders(since=now - RECENT),
            *transaction.orders_of_position(position_id),
        )
        if each.side is Side.BUY and _is_for(each, position_id, position)
    }
    return sum(
        (_unbooked(transaction, _as_told(transaction, each), now) for each in found.values()), ZERO
    )


def _is_for(order: OrderRecord, position_id: PositionId, position: Position | None) -> bool:
    """Whether an entry's trades will be booked on the position: on its own, or on what there is."""
    if order.position_id is not None or position is None or not position.status.is_active:
        return entry_position_id(order) == position_id
    return order.symbol == position.symbol


def _as_told(transaction: Transaction, order: OrderRecord) -> OrderRecord:
    return no_more_than_told(order, transaction.order_events(order.client_order_id))


def demand_no_other_stop(
    transaction: Transaction, step: VenueStep, looked_at: datetime, policy: Policy
) -> None:
    """A position gets one stop, whoever sees first that it has none.

    What another process placed so lately need not have been seen by the plan's look at the venue.

    Raises:
        Withheld: it has one.
    """
    if not isinstance(step, PlaceOrder) or step.request.purpose != "stop":
        return
    unseen_since = looked_at - timedelta(seconds=policy.visibility_lag_s)
    for order in transaction.orders(open_only=True):
        is_rival = order.purpose == "stop" and order.position_id == step.position_id
        if is_rival and step.position_id is not None and order.created_at > unseen_since:
            name = order.venue_order_id or order.client_order_id
            raise Withheld(f"a stop for this position was placed just now ({name}): plan again")
