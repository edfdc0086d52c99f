"""The time in which a loop's store is away: told once at its beginning, and once at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Plan
from zoe_tools.engine.protection import ProtectionWatch
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import STORE_GONE
from zoe_tools.gate.receipt import Receipt
from zoe_tools.observe.log import event
from zoe_tools.ports import Clock, Narrator
from zoe_tools.store.store import Transaction

_LOG = logging.getLogger(__name__)

BEGUN = "The store is away: no entries. Stops, exits and cancels go on by the emergency journal."
WITHHELD = "the store is away, and what adds risk is not sent unbooked"
LAPSED = (
    "The lease may have run out, and another host may have the account: nothing is sent but cancels"
    " of entries, and what looks after a position that stands without a stop."
)
TAKEN_OVER_S = 60.0
"""A host that took the account has looked after what stands without a stop well before that."""

OVER = "The store is back, and knows what was done without it."


class Outage:
    """Asks the gate whether its store is away; `is_on` from when that was told to its return."""

    def __init__(self, gate: Gate, clock: Clock, narrator: Narrator) -> None:
        self._gate = gate
        self._clock = clock
        self._narrator = narrator
        self.is_on = False
        self._lapsed_at: datetime | None = None

    def begins(self) -> bool:
        """Whether it is away and was not, when asked last."""
        if self.is_on or not self._gate.is_store_away:
            return False
        self.is_on = True
        self._narrator.show_note(self._clock.now(), BEGUN)
        self._narrator.show_note(self._clock.now(), self._gate.store_trouble)
        return True

    def withholds(self, symbols: Iterable[Symbol]) -> None:
        """What the strategy wants to enter meanwhile is told, and not done, now or later."""
        if self._gate.is_store_away:
            for symbol in symbols:
                self._narrator.show_withheld(self._clock.now(), f"{symbol}: {WITHHELD}")

    def look(self, now: datetime, watch: ProtectionWatch) -> None:
        """Once the lease may have run out: that is told, and who still needs this loop."""
        lease = self._gate.lease
        if not (self._gate.is_store_away and lease.is_over(now)):
            self._lapsed_at, lease.spared = None, frozenset()
            return
        if self._lapsed_at is None:
            self._lapsed_at = now
            self._narrator.show_note(now, LAPSED)
            event(_LOG, "LEASE_LAPSED", "critical", bare=len(watch.bare))
        long_ago = now - timedelta(seconds=TAKEN_OVER_S)
        lease.spared = watch.bare_since(max(self._lapsed_at, long_ago))

    def narrowed(self, plan: Plan) -> Plan:
        """What of a turn's plan can be done without the store; all of it where that is there.

        Levels follow from the position, and can be kept when there is something to keep them.
        """
        if not self._gate.is_store_away:
            return plan
        lease, now = self._gate.lease, self._clock.now()
        kept = tuple(
            each
            for each in plan.steps
            if isinstance(each, PlaceOrder | AmendOrder | CancelOrder)
            and (adds_risk(each) or lease.allows(each, now))
        )
        return replace(plan, steps=kept)

    async def ends(self, check: Callable[[Transaction], None]) -> bool:
        """Whether it was away and is back: it has been told, after `check`, what it missed."""
        if not self.is_on or not await self._gate.return_to_store(check):
            return False
        self.is_on = False
        self._narrator.show_note(self._clock.now(), OVER)
        return True


def demand_journal(receipt: Receipt) -> None:
    """Nothing, unless a reduction could be journaled nowhere: then nothing is protected here.

    A step for the books alone is made again once they are back.

    Raises:
        StoreUnavailable: the run has to end.
    """
    for outcome in receipt.outcomes:
        is_sent = isinstance(outcome.step, PlaceOrder | AmendOrder | CancelOrder)
        if outcome.code == STORE_GONE and is_sent and not adds_risk(outcome.step):
            raise StoreUnavailable(
                f"Neither the store nor the emergency journal can be written: {outcome.evidence}",
                hint="Look after the open positions at the venue, then make room or start it.",
            )
