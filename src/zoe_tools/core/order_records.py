"""What an order's row is made of: the step that placed it, its append-only events, its fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from zoe_tools.core.order_lifecycle import UndefinedTransition, advance
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AmendOrder, PlaceOrder
from zoe_tools.domain.typed_json import NotSuchJson, parse, read


def placed_by(step: PlaceOrder, intent: Intent, client_order_id: ClientOrderId) -> OrderRecord:
    """The row of an order before anything is heard of it."""
    request = step.request
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
    )


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


def rebuilt(
    client_order_id: ClientOrderId,
    intents: Sequence[Intent],
    events: Sequence[OrderEvent],
    fills: Sequence[Fill],
) -> OrderRecord | None:
    """The row of an order whose own is gone; None where no intent says what it was.

    `intents` oldest first, `fills` all that are booked.
    """
    found = next(
        (
            (step, each)
            for each in intents
            if each.kind is IntentKind.PLACE and each.client_order_id == client_order_id
            if isinstance(step := _step(each, PlaceOrder), PlaceOrder)
        ),
        None,
    )
    if found is None:
        return None
    step, intent = found
    name = intent.venue_order_id
    own = [each for each in fills if name is not None and each.venue_order_id == name]
    booked = sum((each.quantity for each in own), ZERO)
    row = replace(placed_by(step, intent, client_order_id), venue_order_id=name)
    told = folded(_amended(row, intents), events, min(booked, row.quantity))
    if told is None:
        return None
    return replace(
        told,
        average_price=sum((each.cost for each in own), ZERO) / booked if booked else ZERO,
        fees=sum((each.fee for each in own), ZERO),
    )


def _amended(row: OrderRecord, intents: Sequence[Intent]) -> OrderRecord:
    """With what was changed at the venue since it was placed."""
    for each in intents:
        if each.kind is not IntentKind.AMEND or each.state is not IntentState.CONFIRMED:
            continue
        step = _step(each, AmendOrder)
        if isinstance(step, AmendOrder) and _is_about(step, row.venue_order_id):
            change = step.amendment
            row = replace(
                row,
                quantity=change.quantity or row.quantity,
                limit_price=change.limit_price or row.limit_price,
                trigger_price=change.trigger_price or row.trigger_price,
            )
    return row


def _is_about(step: AmendOrder, name: VenueOrderId | None) -> bool:
    return name is not None and step.amendment.venue_order_id == name


def _step(intent: Intent, wanted: type[PlaceOrder | AmendOrder]) -> PlaceOrder | AmendOrder | None:
    try:
        step: PlaceOrder | AmendOrder = read(parse(intent.payload), wanted)
    except NotSuchJson:
        return None
    return step
