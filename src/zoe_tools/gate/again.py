"""Sends what is a stop's again, where whoever sent it is gone and nobody knows whether it arrived.

The very same order under its own id, once its deadline has passed: the first one is dead or rests.
Else what was bought would wait for its stop until the records' silence counts, for a minute.
"""

from __future__ import annotations

from zoe_tools.core.proof import is_due_again
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.plan import AmendOrder, PlaceOrder, StepOutcome, VenueStep
from zoe_tools.domain.typed_json import NotSuchJson, parse, read
from zoe_tools.gate.carry import Carrier
from zoe_tools.gate.journal import Entry, entry_of, stops_at_work
from zoe_tools.gate.send import Answer, Reply
from zoe_tools.store.store import Transaction


async def send_again(carrier: Carrier, intent: Intent) -> StepOutcome | None:
    """Look for it, and if the venue does not show it, send it; None where it is not wanted now.

    Nor is it where the books cannot be read.
    """
    if intent.intent_id in carrier.in_flight:
        return None
    carrier.in_flight.add(intent.intent_id)
    try:
        found = await carrier.keeper.read(lambda tx: _wanted(tx, intent, carrier), without=None)
        if found is None:
            return None
        step, entry = found
        gone = Reply(answer=Answer.LOST, words="whoever sent it is gone", code="NO_ANSWER")
        return await carrier.after_silence(step, entry, gone)
    finally:
        carrier.in_flight.discard(intent.intent_id)


def _wanted(
    transaction: Transaction, intent: Intent, carrier: Carrier
) -> tuple[VenueStep, Entry] | None:
    """The step as it was journaled, if the books still ask for it as they stand."""
    known = transaction.intent(intent.intent_id)
    is_dead = intent.intent_id in carrier.turned_down
    if known is None or not is_due_again(known, carrier.clock.now(), is_dead=is_dead):
        return None
    try:
        step = read(parse(known.payload), VenueStep)
    except NotSuchJson:  # another version wrote it; the records' silence has to settle it
        return None
    match step:
        case PlaceOrder(position_id=position_id) if position_id is not None:
            is_wanted = _is_bare(transaction, position_id, step)
        case AmendOrder():
            order = transaction.order_by_venue_id(step.amendment.venue_order_id)
            is_wanted = order is not None and not order.status.is_terminal
        case _:
            is_wanted = False
    return (step, entry_of(transaction, known)) if is_wanted else None


def _is_bare(transaction: Transaction, position_id: PositionId, step: PlaceOrder) -> bool:
    """Whether the position holds as much, and no other stop of it may rest."""
    position = transaction.position(position_id)
    if position is None or position.quantity < step.request.quantity:
        return False
    return not stops_at_work(transaction, position_id)
