"""Latches a kill level in the store alone: what stops a loop, whatever the venue does.

The same plan and the same step as through the gate; only that no venue is needed to open it.
"""

from __future__ import annotations

from zoe_tools.core.kill import plan_latch
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import SetTradingState
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.gate.action_log import note_action
from zoe_tools.gate.journal import Author
from zoe_tools.gate.kill_events import tell_kill_of
from zoe_tools.gate.store_steps import apply_store_steps
from zoe_tools.gather import gather_store
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction


async def latch_level(
    *,
    store: StoreRunner,
    clock: Clock,
    account: Account,
    policy: Policy,
    level: KillLevel,
    reason: str,
    author: Author,
    symbol: Symbol | None = None,
) -> Snapshot:
    """Raise the account, or one instrument of it, to this level; returns its books before that.

    Raises:
        StoreError: nothing is latched.
    """
    snapshot = await gather_store(store=store, clock=clock, account=account, policy=policy)
    plan = sealed(plan_latch(snapshot, level, reason, symbol), snapshot)
    steps = [step for step in plan.steps if isinstance(step, SetTradingState)]
    if steps:
        now = clock.now()
        by = author.operator or author.command

        def write(transaction: Transaction) -> None:
            done = apply_store_steps(transaction, steps, now=now, changed_by=by)
            note_action(transaction, done, author=author, plan=plan, now=now)

        await store.run(write)
        state = TradingState(level=level, reason=reason, changed_at=now, changed_by=by)
        tell_kill_of(snapshot, state, symbol)
    return snapshot
