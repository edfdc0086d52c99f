"""Stops one account: the level is latched first, then the venue is worked on until it is so.

What was done is proved by looking again: a plan to stop that has nothing left to do is the proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from zoe_tools.core.kill import plan_kill, plan_latch
from zoe_tools.domain.account import Account
from zoe_tools.domain.plan import OutcomeState, Plan
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import StoreError, StoreUnavailable, VenueError
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.kill_events import tell_kill_of
from zoe_tools.gate.receipt import Receipt, together
from zoe_tools.gather import Need, effective_trading_state, gather_store
from zoe_tools.ports import Clock
from zoe_tools.store.runner import StoreRunner

KILL_NEEDS = frozenset({Need.CATALOGUE, Need.OPEN_ORDERS, Need.QUOTES})
"""What `Stopper.look` has to read of the venue."""

ROUNDS = 6
"""How often the venue is looked at again before the result counts as unproved."""

SILENCE_S = 10.0
"""How long a venue that does not answer is asked, before the operator is told to look elsewhere."""

_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What came of it; `silence` says why the venue was given up, where it did not answer."""

    receipt: Receipt
    silence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopper:
    """Stops the account of a gate; `tell` says that it is latched, before the venue is called."""

    gate: Gate
    store: StoreRunner
    clock: Clock
    account: Account
    policy: Policy
    look: Callable[[], Awaitable[Snapshot]]
    tell: Callable[[str], None]

    async def stop(self, level: KillLevel, reason: str) -> Stopped:
        """Latch, then act and look again until there is nothing left to do.

        Raises:
            StoreError: the level cannot be latched; nothing was asked of the venue.
        """
        latched, snapshot = await self._latched(level, reason)
        if level is KillLevel.PAUSE_ENTRIES:
            return Stopped(receipt=together([latched], is_verified=True))
        if snapshot.unresolved_intents:
            # Looked up once: to wait for what may still show up would keep the cancels.
            with suppress(VenueError):
                await self.gate.recover(patient=False)
        return await self._settled([latched], level, reason)

    async def _latched(self, level: KillLevel, reason: str) -> tuple[Receipt, Snapshot]:
        snapshot = await gather_store(
            store=self.store, clock=self.clock, account=self.account, policy=self.policy
        )
        latch = plan_latch(snapshot, level, reason)
        receipt = await self.gate.carry_out(latch, snapshot=snapshot, execute=True)
        if self.gate.is_store_away or receipt.exit_code == StoreError.exit_code:
            raise StoreUnavailable("The level cannot be latched there.")
        tell_kill_of(snapshot, await self.store.run(effective_trading_state))
        self.tell(f"Latched: {level.label}; no loop of this store enters. Now the venue.")
        return receipt, snapshot

    async def _settled(self, receipts: list[Receipt], level: KillLevel, reason: str) -> Stopped:
        heard_at = asyncio.get_running_loop().time()
        for rounds_left in range(ROUNDS, -1, -1):
            plan = await self._next(level, reason)
            if isinstance(plan, str):
                if not rounds_left or asyncio.get_running_loop().time() - heard_at > SILENCE_S:
                    return Stopped(receipt=together(receipts, is_verified=False), silence=plan)
                await self.clock.sleep(_AGAIN_S)
                continue
            heard_at = asyncio.get_running_loop().time()
            if plan[1].is_empty and _is_stuck(plan[1]):
                await self._wait_for_sales()
                continue
            if plan[1].is_empty:
                return Stopped(receipt=together(receipts, is_verified=True))
            if not rounds_left:
                break  # the last look is for what the last round did
            receipts.append(await self.gate.carry_out(plan[1], snapshot=plan[0], execute=True))
            if all(each.state is not OutcomeState.DONE for each in receipts[-1].outcomes):
                await self._wait_for_sales()
        return Stopped(receipt=together(receipts, is_verified=False))

    async def _wait_for_sales(self) -> None:
        """Somebody else is selling it, or its trades are not shown yet: see how that ends."""
        await self.clock.sleep(_AGAIN_S)
        with suppress(VenueError):
            await self.gate.recover(patient=False)

    async def _next(self, level: KillLevel, reason: str) -> tuple[Snapshot, Plan] | str:
        """What is left to do; a sentence when the venue could not be read."""
        try:
            snapshot = await self.look()
            return snapshot, plan_kill(snapshot, level, reason)
        except VenueError as error:
            return error.message


def _is_stuck(plan: Plan) -> bool:
    return any("being sold already" in note for note in plan.notes)
