"""The time in which a loop's store is away: told once at its beginning, and once at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder
from zoe_tools.errors import StoreUnavailable
from zoe_tools.gate.gate import Gate
from zoe_tools.gate.journal import STORE_GONE
from zoe_tools.gate.receipt import Receipt
from zoe_tools.ports import Clock, Narrator
from zoe_tools.store.store import Transaction

BEGUN = "The store is away: no entries. Stops, exits and cancels go on by the emergency journal."
WITHHELD = "the store is away, and what adds risk is not sent unbooked"
OVER = "The store is back, and knows what was done without it."


class Outage:
    """Asks the gate whether its store is away; `is_on` from when that was told to its return."""

    def __init__(self, gate: Gate, clock: Clock, narrator: Narrator) -> None:
        self._gate = gate
        self._clock = clock
        self._narrator = narrator
        self.is_on = False

    def begins(self) -> bool:
        """Whether it is away and was not, when asked last."""
        if self.is_on or not self._gate.is_store_away:
            return False
        self.is_on = True
        self._narrator.show_note(self._clock.now(), BEGUN)
        return True

    def withholds(self, symbols: Iterable[Symbol]) -> None:
        """What the strategy wants to enter meanwhile is told, and not done, now or later."""
        if self._gate.is_store_away:
            for symbol in symbols:
                self._narrator.show_withheld(self._clock.now(), f"{symbol}: {WITHHELD}")

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
