"""What an order's row is made of: the step that placed it, its append-only events, its fills."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.order_lifecycle import UndefinedTransition, advance
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.intent_group import IntentGroup, group_id_of
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AmendOrder, PlaceOrder
from zoe_tools.domain.typed_json import NotSuchJson, parse, read


def placed_by(step: PlaceOrder, intent: Intent, client_order_id: ClientOrderId) -> OrderRecord:
    """The row of an order before anything is heard of it."""
    request, ticket = step.request, step.ticket
    group_id = None if ticket is None else ticket.group_id or group_id_of(client_order_id)
    return OrderRecord(
        client_order_id=client_order_id,
        venue_order_id=None,
        intent_id=intent.intent_id,
        symbol=request.symbol,
        side=request.side,
        order_type=request.order_type,
        purpose=request.purpose,
        status=OrderStatus.PENDING_NEW,
        quantity=request.quantity,
        created_at=intent.created_at,
        updated_at=intent.created_at,
        limit_price=request.limit_price,
        trigger_price=request.trigger_price,
        position_id=step.position_id,
        notional=step.notional or request.quantity * (request.limit_price or ZERO),
        group_id=group_id,
        replace_count=0 if ticket is None else ticket.attempt,
        ttl_s=None if ticket is None else ticket.ttl_s,
    )


def opened_by(step: PlaceOrder, intent: Intent, record: OrderRecord) -> IntentGroup | None:
    """The intent group that an order opens; None where it opens none."""
    ticket = step.ticket
    if ticket is None or ticket.group_id is not None or record.group_id is None:
        return None
    return IntentGroup(
        group_id=record.group_id,
        symbol=record.symbol,
        side=record.side,
        purpose=record.purpose,
        style=ticket.style,
        target_quantity=ticket.target_quantity,
        created_at=intent.created_at,
        ttl_s=ticket.ttl_s,
        arrival_bid=ticket.arrival_bid,
        arrival_ask=ticket.arrival_ask,
        worst_price=ticket.worst_price,
        position_id=record.position_id,
        reason=step.reason,
    )


def armed(record: OrderRecord, acked_at: datetime) -> OrderRecord:
    """The desk's time for the order runs from the venue's ack; one that runs is left alone."""
    if record.ttl_s is None or record.next_action_at is not None or record.status.is_terminal:
        return record
    return replace(record, next_action_at=acked_at + timedelta(seconds=float(record.ttl_s)))


def repriced_by(record: OrderRecord, intent: Intent, at: datetime) -> OrderRecord:
    """The order after an amendment that is proved: the next attempt, and its time from the ack.

    What was proved only later, by the venue's records, was done when it was sent.
    """
    step = _step(intent, AmendOrder)
    if not isinstance(step, AmendOrder) or step.attempt is None:
        return record
    acked_at = at if at <= intent.deadline else intent.created_at
    again = replace(record, replace_count=step.attempt, next_action_at=None)
    return armed(again, acked_at)


def folded(row: OrderRecord, events: Sequence[OrderEvent], booked: Decimal) -> OrderRecord | None:
    """The order as its events make it; None where its own quantity cannot be right.

    `booked` is what its booked fills come to.
    """
    told = replace(row, status=OrderStatus.PENDING_NEW, filled_quantity=ZERO)
    try:
        for event in events:
            told = advance(told, event)
    except UndefinedTransition:
        return None
    return replace(told, filled_quantity=max(told.filled_quantity, booked), reason=row.reason)


@dataclass(frozen=True, slots=True)
class Origins:
    """What orders were made of, indexed once: intents oldest first, and booked fills."""

    placed: dict[ClientOrderId, Intent]
    amended: dict[VenueOrderId, list[Intent]]
    fills: dict[VenueOrderId, list[Fill]]


def origins_of(intents: Iterable[Intent], fills: Iterable[Fill]) -> Origins:
    """Index all of them."""
    placed: dict[ClientOrderId, Intent] = {}
    amended: dict[VenueOrderId, list[Intent]] = {}
    for each in intents:
        if each.kind is IntentKind.PLACE and each.client_order_id is not None:
            placed[each.client_order_id] = each
        is_amended = each.kind is IntentKind.AMEND and each.state is IntentState.CONFIRMED
        if is_amended and each.venue_order_id is not None:
            amended.setdefault(each.venue_order_id, []).append(each)
    booked: dict[VenueOrderId, list[Fill]] = {}
    for fill in fills:
        booked.setdefault(fill.venue_order_id, []).append(fill)
    return Origins(placed, amended, booked)


def rebuilt(
    client_order_id: ClientOrderId, origins: Origins, events: Sequence[OrderEvent]
) -> OrderRecord | None:
    """The row of an order whose own is gone; None where no intent says what it was."""
    intent = origins.placed.get(client_order_id)
    step = None if intent is None else _step(intent, PlaceOrder)
    if intent is None or not isinstance(step, PlaceOrder):
        return None
    name = intent.venue_order_id
    row = replace(placed_by(step, intent, client_order_id), venue_order_id=name)
    own = [] if name is None else origins.fills.get(name, [])
    for each in [] if name is None else origins.amended.get(name, []):
        row = _amended(row, each)
    booked = sum((each.quantity for each in own), ZERO)
    told = folded(row, events, min(booked, row.quantity))
    if told is None:
        return None
    return replace(
        told,
        average_price=sum((each.cost for each in own), ZERO) / booked if booked else ZERO,
        fees=sum((each.fee for each in own), ZERO),
    )


def _amended(row: OrderRecord, intent: Intent) -> OrderRecord:
    """With what was changed at the venue since it was placed."""
    step = _step(intent, AmendOrder)
    if not isinstance(step, AmendOrder):
        return row
    change = step.amendment
    return replace(
        row,
        replace_count=row.replace_count if step.attempt is None else step.attempt,
        quantity=change.quantity or row.quantity,
        limit_price=change.limit_price or row.limit_price,
        trigger_price=change.trigger_price or row.trigger_price,
    )


_UNSAID: dict[type[PlaceOrder | AmendOrder], dict[str, None]] = {
    PlaceOrder: {"ticket": None},
    AmendOrder: {"attempt": None},
}


def _step(intent: Intent, wanted: type[PlaceOrder | AmendOrder]) -> PlaceOrder | AmendOrder | None:
    try:
        told = parse(intent.payload)
        if isinstance(told, dict):  # one of an older zoe says nothing of the desk
            told = {**_UNSAID[wanted], **told}
        step: PlaceOrder | AmendOrder = read(told, wanted)
    except NotSuchJson:
        return None
    return step
