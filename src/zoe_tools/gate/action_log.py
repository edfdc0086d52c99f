"""Tells the audit log who ordered a change of the books, and by which plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    LinkStop,
    OutcomeState,
    Plan,
    ResolveIntent,
    Step,
    StepOutcome,
    WriteCandles,
)
from zoe_tools.gate.journal import Author
from zoe_tools.store.store import Transaction


def note_action(
    transaction: Transaction,
    outcomes: Sequence[StepOutcome],
    *,
    author: Author,
    plan: Plan,
    now: datetime,
) -> None:
    """One row for the steps that were done together; candles are no news."""
    done = [
        each.step
        for each in outcomes
        if each.state is OutcomeState.DONE and not isinstance(each.step, WriteCandles)
    ]
    if not done:
        return
    facts = {
        "operator": author.operator,
        "host": author.host,
        "plan_hash": plan.plan_hash,
        "steps": [f"{type(step).__name__}, because {step.reason}" for step in done],
    }
    about = [each for step in done if (each := _about(step))]
    transaction.audit.act(now, f"zoe {author.command}", facts, (plan.plan_hash, *about))


def _about(step: Step) -> str:
    match step:
        case AdoptPosition(position=position) | AdjustPosition(after=position):
            return position.position_id
        case LinkStop(position_id=position_id):
            return position_id
        case ResolveIntent(intent_id=intent_id):
            return intent_id
        case _:
            return ""
