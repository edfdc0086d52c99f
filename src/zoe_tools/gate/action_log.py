"""Tells the audit log who ordered something, from where, by which command and plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    EndGroup,
    LinkStop,
    OutcomeState,
    Plan,
    PostAdjustment,
    RebuildOrder,
    ResolveIntent,
    SetTargets,
    SettleDiscrepancy,
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
        **names_in(plan),
        "steps": [f"{type(step).__name__}, because {step.reason}" for step in done],
    }
    about = [each for step in done if (each := _about(step))]
    note_order(transaction, facts, (plan.plan_hash, *about), author=author, now=now)


def note_order(
    transaction: Transaction,
    facts: Mapping[str, object],
    subjects: Sequence[str],
    *,
    author: Author,
    now: datetime,
) -> None:
    """One row for what an operator ordered: who, where, by which command, and the facts."""
    who = {"operator": author.operator, "host": author.host}
    transaction.audit.act(now, f"zoe {author.command}", {**who, **facts}, subjects)


def names_in(plan: Plan) -> dict[str, str]:
    """The plan, and what it was made of, by their hashes."""
    return {"plan_hash": plan.plan_hash, "snapshot_hash": plan.snapshot_hash}


def _about(step: Step) -> str:
    match step:
        case AdoptPosition(position=position) | AdjustPosition(after=position):
            return position.position_id
        case LinkStop(position_id=position_id) | SetTargets(position_id=position_id):
            return position_id
        case ResolveIntent(intent_id=intent_id):
            return intent_id
        case EndGroup(group_id=group_id):
            return group_id
        case RebuildOrder(order=order):
            return order.client_order_id
        case SettleDiscrepancy(discrepancy_id=name):
            return name
        case PostAdjustment(adjustment=adjustment):
            return adjustment.adjustment_id
        case _:
            return ""
