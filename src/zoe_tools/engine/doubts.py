"""Stops that may have been sent and that nobody sees: sent again beside the turns."""

from __future__ import annotations

from datetime import datetime, timedelta

from zoe_tools.core.run_desk import takes_sales_of
from zoe_tools.domain.identifiers import IntentId
from zoe_tools.domain.journal import Intent
from zoe_tools.domain.plan import OutcomeState
from zoe_tools.domain.snapshot import Snapshot
from zoe_tools.engine.books import Books
from zoe_tools.engine.lanes import Lanes
from zoe_tools.engine.parts import LoopParts


class Doubts:
    """Remembers of which it asked in the last cycle."""

    def __init__(self, parts: LoopParts, books: Books, lanes: Lanes) -> None:
        self._parts = parts
        self._books = books
        self._lanes = lanes
        self._asked_at: dict[IntentId, datetime] = {}

    def look_after(self, now: datetime, snapshot: Snapshot) -> None:
        """Where nothing else is to be done, and each once a cycle.

        What its position does not want now would else keep the instrument from all others.
        """
        gate = self._parts.gate
        if gate.is_store_away:
            return
        cycle = timedelta(seconds=self._parts.cadence.cycle_s)
        asked = self._asked_at.items()
        self._asked_at = {name: at for name, at in asked if timedelta(0) <= now - at < cycle}
        for intent in gate.due_again(self._books.unresolved):
            is_shut = intent.symbol in self._lanes.at_work | self._lanes.resting(now)
            is_shut |= not takes_sales_of(snapshot, intent.symbol)
            if not (is_shut or intent.intent_id in self._asked_at):
                self._asked_at[intent.intent_id] = now
                self._lanes.begin(intent.symbol, self._find_out(intent), stops=True)

    async def _find_out(self, intent: Intent) -> None:
        outcome = await self._parts.gate.send_again(intent)
        await self._books.refresh(self._parts.clock.now())
        if outcome is not None and outcome.state is not OutcomeState.DONE:
            self._lanes.rest((intent.symbol,))
