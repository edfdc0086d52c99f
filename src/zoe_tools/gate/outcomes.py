"""What became of a step, as the receipt tells it."""

from __future__ import annotations

from zoe_tools.core.risk import Refusal
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.plan import OutcomeState, StepOutcome, StoreStep, VenueStep
from zoe_tools.errors import StoreError
from zoe_tools.gate.journal import STORE_GONE, Entry


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
