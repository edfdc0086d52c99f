"""Tells the audit log of one gate's orders: plans that are applied, intents that are settled.

Where the store is gone the rows wait in the emergency journal, like everything else.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoe_tools.domain.observation import COUNTDOWN
from zoe_tools.domain.plan import Plan
from zoe_tools.errors import StoreError
from zoe_tools.gate.action_log import names_in, note_order
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.gate.journal import Author
from zoe_tools.gate.keeper import Keeper
from zoe_tools.gate.receipt import Receipt
from zoe_tools.gate.recover import Recovery
from zoe_tools.ports import Clock
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

BEGUN = "begun"
"""What a row says that is written before anything is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLog:
    """The rows of one author."""

    keeper: Keeper
    clock: Clock
    author: Author

    async def begun(self, plan: Plan, *, is_resumed: bool) -> None:
        """Before the first step of a saved plan; a crash after it leaves this row alone.

        Raises:
            StoreError: it could be written nowhere.
        """
        await self._note(_of_plan(plan, is_resumed=is_resumed, result=BEGUN), (plan.plan_hash,))

    async def ended(self, plan: Plan, receipt: Receipt, *, is_resumed: bool) -> None:
        """What became of it; that this cannot be written does not undo what was done."""
        counts = Counter(each.state.value for each in receipt.outcomes)
        words = ", ".join(f"{count} {state}" for state, count in counts.items()) or "nothing to do"
        facts = _of_plan(plan, is_resumed=is_resumed, result=words)
        try:
            await self._note({**facts, "exit_code": str(receipt.exit_code)}, (plan.plan_hash,))
        except StoreError as error:
            _LOG.error("The audit log lacks the end of a plan: %s", error.message)

    async def recovered(self, found: Recovery) -> None:
        """What was settled and booked from the venue's records; no news is no row.

        Raises:
            StoreError: it could be written nowhere.
        """
        settled = [each for each in found.resolutions if each.state.is_terminal]
        if not (settled or found.orders_updated or found.fills_booked):
            return
        told = ", ".join(f"{each.intent.intent_id} {each.state.value}" for each in settled)
        facts = {
            "settled": told,
            "orders_updated": str(found.orders_updated),
            "fills_booked": str(found.fills_booked),
        }
        await self._note(facts, [each.intent.intent_id for each in settled])

    async def countdown(self, seconds: int, result: str, *, at_stake_s: int) -> None:
        """The venue's dead man's countdown, before it is set and after.

        `at_stake_s`: how long it may run from now on; 0, it is disarmed for sure. What the store
        never knew of nobody would take back after a crash: an arming is written there, or not made.

        Raises:
            StoreError: it could be written nowhere, an arming not in the store.
        """
        now = self.clock.now()
        facts = {"countdown_s": str(seconds), "result": result}

        def in_store(transaction: Transaction) -> None:
            note_order(transaction, facts, (), author=self.author, now=now)
            status = "warning" if at_stake_s else "ok"
            transaction.beat(COUNTDOWN, status, now, {"seconds": at_stake_s})

        def in_file(emergency: EmergencyJournal) -> None:
            emergency.order(self.author, facts, (), at=now)

        is_arming = seconds > 0 and result == BEGUN
        await self.keeper.run(in_store, instead=None if is_arming else in_file)

    async def _note(self, facts: Mapping[str, str], subjects: Sequence[str]) -> None:
        now = self.clock.now()

        def in_store(transaction: Transaction) -> None:
            note_order(transaction, facts, subjects, author=self.author, now=now)

        def in_file(emergency: EmergencyJournal) -> None:
            emergency.order(self.author, facts, subjects, at=now)

        await self.keeper.run(in_store, instead=in_file)


def _of_plan(plan: Plan, *, is_resumed: bool, result: str) -> dict[str, str]:
    return {**names_in(plan), "resumed": "yes" if is_resumed else "no", "result": result}
