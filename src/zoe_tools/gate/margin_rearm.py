"""Takes back a level that was latched for margin; counted before it is done, in the store.

The count outlives restarts: what has been taken back too often within a day waits for a person.
"""

from __future__ import annotations

import logging
from datetime import datetime

from zoe_tools.core.margin_rule import MARGIN_RULE, is_margins, lately, plan_take_back
from zoe_tools.core.risk import veto
from zoe_tools.domain.plan import OutcomeState, SetTradingState
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.gate.action_log import note_action
from zoe_tools.gate.journal import Author
from zoe_tools.gate.store_steps import apply_store_steps
from zoe_tools.observe.log import event
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)


def acted_at(transaction: Transaction) -> tuple[datetime, ...]:
    """When the rule took a level back."""
    beats = [each for each in transaction.heartbeats() if each.component == MARGIN_RULE]
    told = str(beats[0].details.get("acted_at", "")) if beats else ""
    return tuple(datetime.fromisoformat(each) for each in told.split())


async def take_back(
    store: StoreRunner, snapshot: Snapshot, reason: str, *, author: Author, now: datetime
) -> bool:
    """Arm the account again, if what is latched is still margin's own; whether it was.

    Raises:
        StoreError: nothing was changed.
    """
    plan = sealed(plan_take_back(snapshot, reason), snapshot)
    if veto(plan, snapshot):
        return False

    def write(transaction: Transaction) -> int:
        if not is_margins(transaction.trading_state(), author.command):
            return 0  # a person was quicker
        steps = [step for step in plan.steps if isinstance(step, SetTradingState)]
        done = apply_store_steps(transaction, steps, now=now, changed_by=MARGIN_RULE)
        if any(each.state is not OutcomeState.DONE for each in done):
            return 0  # it was stopped once more since this was planned
        times = (*lately(acted_at(transaction), now), now)
        told = " ".join(each.isoformat() for each in times)
        transaction.beat(MARGIN_RULE, "ok", now, {"acted_at": told})
        note_action(transaction, done, author=author, plan=plan, now=now)
        return len(times)

    count = await store.run(write)
    if count:
        level = snapshot.trading_state.level.label
        event(_LOG, "AUTO_RECOVERY", "warning", level=level, reason=reason, within_a_day=count)
    return bool(count)
