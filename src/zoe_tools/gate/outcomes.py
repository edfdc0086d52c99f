"""What became of a step, as the receipt tells it."""

from __future__ import annotations

from dataclasses import replace

from zoe_tools.core.risk import Refusal
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus, VenueOrder
from zoe_tools.domain.plan import OutcomeState, StepOutcome, StoreStep, VenueStep
from zoe_tools.errors import StoreError
from zoe_tools.gate.journal import STORE_GONE, Entry

_THROWN_OUT = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


def denied(step: VenueStep | StoreStep, refusal: Refusal) -> StepOutcome:
    """The veto said no."""
    return StepOutcome(
        step=step, state=OutcomeState.DENIED, evidence=refusal.message, code=refusal.code
    )


def not_kept(step: VenueStep | StoreStep, error: StoreError) -> StepOutcome:
    """Nothing of it was journaled, and so nothing of it was done."""
    return StepOutcome(
        step=step, state=OutcomeState.DENIED, evidence=error.message, code=STORE_GONE
    )


def outcome_of(
    step: VenueStep,
    state: OutcomeState,
    evidence: str,
    *,
    code: str = "",
    venue_order_id: VenueOrderId | None = None,
    entry: Entry | None = None,
) -> StepOutcome:
    """Of a step at the venue; `entry` is its row in the journal, where it came so far."""
    return StepOutcome(
        step=step,
        state=state,
        evidence=evidence,
        code=code,
        venue_order_id=venue_order_id,
        client_order_id=entry.intent.client_order_id if entry else None,
    )


def state_seen(intent: Intent, *shown: VenueOrder | OrderRecord | None) -> tuple[OutcomeState, str]:
    """A placed order that is already over with nothing filled was thrown out after all.

    The streams may have told that before the records, which lag.
    """
    is_out = any(
        each.status in _THROWN_OUT and each.filled_quantity == ZERO
        for each in shown
        if each is not None
    )
    if intent.kind is IntentKind.PLACE and is_out:
        return OutcomeState.REJECTED, "NOT_KEPT"
    return OutcomeState.DONE, ""


def with_venue_id(entry: Entry, venue_order_id: VenueOrderId | None) -> Entry:
    """The entry, by the name that the venue gave its order."""
    intent = replace(entry.intent, venue_order_id=venue_order_id or entry.intent.venue_order_id)
    return replace(entry, intent=intent)
