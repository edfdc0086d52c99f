"""Latches a kill level in the store alone: what stops a loop, whatever the venue does.

One transaction, which reads nothing but the state: whatever else the books hold, and however much,
a kill is latched. It raises to the higher of what stands and what is wanted, and counts the order.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from zoe_tools.core.kill import plan_latch
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Plan, SetTradingState, StepOutcome
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.snapshot_hash import sealed
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.errors import StoreError
from zoe_tools.gate.action_log import note_action
from zoe_tools.gate.journal import Author
from zoe_tools.gate.kill_events import tell_kill
from zoe_tools.gate.store_steps import apply_store_step
from zoe_tools.gather import effective_trading_state
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """What was ordered, as a plan: without steps where a level as high stood already."""

    plan: Plan
    outcomes: tuple[StepOutcome, ...]
    before: TradingState
    after: TradingState


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
    is_drill: bool = False,
) -> Latch:
    """Raise the account, or one instrument of it, to this level; a drill alarms nobody.

    Raises:
        StoreError: nothing is latched.
    """
    now, by = clock.now(), author.operator or author.command

    def write(transaction: Transaction) -> Latch:
        transaction.audit.lock()  # what is read here stands until it is written
        state = effective_trading_state(transaction)
        seen = Snapshot(taken_at=now, account=account, policy=policy, trading_state=state)
        plan = sealed(plan_latch(seen, level, reason, symbol), seen)
        # Ordered in any case: who is about to arm again has not seen this order.
        before = state.of(symbol).level
        order = SetTradingState(level=level, reason=reason, before=before, symbol=symbol)
        done = tuple(
            apply_store_step(transaction, each, now=now, changed_by=by)
            for each in plan.steps or (order,)
            if isinstance(each, SetTradingState)
        )
        note_action(transaction, done, author=author, plan=plan, now=now)
        after = effective_trading_state(transaction)
        outcomes = () if plan.is_empty else done
        return Latch(plan=plan, outcomes=outcomes, before=state, after=after)

    latch = await store.run(write)
    if not is_drill and latch.after.of(symbol).level > latch.before.of(symbol).level:
        await _tell(store, latch, symbol)
    return latch


async def _tell(store: StoreRunner, latch: Latch, symbol: Symbol | None) -> None:
    """What was held and at work by then goes with it, if the books can be read."""
    positions, orders = None, None
    with suppress(StoreError):
        positions, orders = await store.read(
            lambda tx: (tx.positions(active_only=True), tx.orders(open_only=True))
        )
    tell_kill(
        latch.after.of(symbol),
        before=latch.before.of(symbol),
        positions=positions,
        orders=orders,
        symbol=symbol,
    )
