"""Intent groups in the books: what a cancel ends or renews, when a group is over, its hard limit.

The decisions are `core/order_desk.py`'s; this reads and writes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from zoe_tools.core.order_desk import room_for, settled
from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import GroupId
from zoe_tools.domain.intent_group import GroupEnd
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, VenueStep
from zoe_tools.gate.fence import Withheld
from zoe_tools.store.store import Transaction


def demand_group_room(transaction: Transaction, step: VenueStep) -> None:
    """What filled, what works and what is to be sent is never more than the group's target.

    Read in the transaction that journals the step: a fill that came after the plan counts.

    Raises:
        Withheld: it would be more.
    """
    if not isinstance(step, PlaceOrder) or not adds_risk(step):
        return  # what a sale may be for, its position says
    if step.ticket is None or step.ticket.group_id is None:
        return
    orders = transaction.groups.orders_of((step.ticket.group_id,))
    group = transaction.groups.of(step.ticket.group_id)
    target = step.ticket.target_quantity if group is None else group.target_quantity
    if step.request.quantity > room_for(target, orders):
        raise Withheld(
            "together with what filled and works it would be too much", code="GROUP_OVERFILL"
        )


def note_cancel(transaction: Transaction, step: AmendOrder | CancelOrder) -> None:
    """Before the cancel is sent: whether its group ends with it, or goes on with what is left."""
    if not isinstance(step, CancelOrder):
        return
    order = transaction.order_by_venue_id(step.venue_order_id)
    group = None
    if order is not None and order.group_id is not None:
        group = transaction.groups.of(order.group_id)
    if order is None or group is None or group.ended_at is not None:
        return
    renews = order.client_order_id if step.is_renewal else None
    after = replace(group, ending=step.ends_group or group.ending, renews=renews)
    if after != group:
        transaction.groups.record(after)


def note_on_group(transaction: Transaction, record: OrderRecord) -> None:
    """A group is over with the last of its orders; saying so again changes nothing."""
    if record.group_id is None or not record.status.is_terminal:
        return
    group = transaction.groups.of(record.group_id)
    if group is None:
        return
    after = settled(group, transaction.groups.orders_of((record.group_id,)))
    if after != group:
        transaction.groups.record(after)


def end_group(transaction: Transaction, group_id: GroupId, ending: GroupEnd, at: datetime) -> bool:
    """Give up what is left of a group; False if it is over, or an order of it is at work."""
    group = transaction.groups.of(group_id)
    orders = transaction.groups.orders_of((group_id,))
    if group is None or group.ended_at is not None:
        return False
    if any(not each.status.is_terminal for each in orders):
        return False
    transaction.groups.record(replace(group, ending=group.ending or ending, ended_at=at))
    return True
