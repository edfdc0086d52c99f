"""How far a plan got in an earlier run: read from the journal, step by step.

What the venue confirmed or refused is settled. What provably never reached it, or never left here,
may be tried again, as an attempt with ids of its own. What is still unknown blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.journal import Intent, IntentState
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    OutcomeState,
    PlaceOrder,
    Plan,
    Step,
    StepOutcome,
)
from zoe_tools.gate.journal import intent_id_of
from zoe_tools.gate.recheck import subject_of
from zoe_tools.store.store import Transaction

EARLIER = "EARLIER"
"""The code of an outcome that an earlier run left in the journal."""

_WORDS = {
    IntentState.CONFIRMED: OutcomeState.DONE,
    IntentState.REJECTED: OutcomeState.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """By index of the step: what is settled, and which attempt comes next where it is not 1.

    `looked_at` is when the world was looked at again for a plan that is older.
    """

    settled: Mapping[int, StepOutcome] = field(default_factory=lambda: MappingProxyType({}))
    attempts: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    looked_at: datetime | None = None

    @property
    def is_begun(self) -> bool:
        """Whether an earlier run left anything in the journal."""
        return bool(self.settled or self.attempts)


NOTHING_YET = Standing()


def standing_of(transaction: Transaction, plan: Plan, account_id: AccountId) -> Standing:
    """What the journal knows of this plan's steps at the venue."""
    plan_hash = plan.plan_hash
    settled: dict[int, StepOutcome] = {}
    attempts: dict[int, int] = {}
    for index, step in enumerate(plan.steps):
        if not isinstance(step, PlaceOrder | AmendOrder | CancelOrder):
            continue
        last = _last_attempt(transaction, account_id, plan_hash, index)
        if last is None:
            continue
        if last.may_be_tried_again:
            attempts[index] = last.attempt + 1
        else:
            settled[index] = _outcome(step, last)
    return Standing(settled=settled, attempts=attempts)


def with_books(standing: Standing, plan: Plan, fresh: Plan) -> Standing:
    """The same, and the steps in the books that planning again no longer asks for: they are done.

    Such steps leave no intent; the books themselves say that they were carried out.
    """
    wanted = {subject_of(step) for step in fresh.steps}
    settled = dict(standing.settled)
    for index, step in enumerate(plan.steps):
        is_in_books = not isinstance(step, PlaceOrder | AmendOrder | CancelOrder)
        if is_in_books and subject_of(step) not in wanted:
            settled[index] = StepOutcome(
                step=step,
                state=OutcomeState.DONE,
                evidence="the books are so already: planning again no longer asks for it",
                code=EARLIER,
            )
    return replace(standing, settled=settled)


def _last_attempt(
    transaction: Transaction, account_id: AccountId, plan_hash: str, index: int
) -> Intent | None:
    found: Intent | None = None
    for attempt in range(1, 1_000):
        intent = transaction.intent(intent_id_of(account_id, plan_hash, index, attempt))
        if intent is None:
            break
        found = intent
    return found


def _outcome(step: Step, intent: Intent) -> StepOutcome:
    state = _WORDS.get(intent.state, OutcomeState.UNKNOWN)
    return StepOutcome(
        step=step,
        state=state,
        evidence=f"in the journal since {intent.updated_at:%Y-%m-%d %H:%M:%SZ}:"
        f" {intent.evidence or f'{intent.state.value}, and no word of how it ended'}",
        code=EARLIER,
        venue_order_id=intent.venue_order_id,
        client_order_id=intent.client_order_id,
    )
