"""Looks for orders to buy that the books have at work and the venue's list lacks: by their names.

It counts how often the venue showed nothing of one. What that proves is core's to say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from zoe_tools.core.kill_proof import absence_counts, unlisted_buys, unshown
from zoe_tools.domain.identifiers import ClientOrderId, Symbol
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.errors import VenueError
from zoe_tools.gate.gate import Gate

ANSWER_S = 5.0
"""How long the answer is waited for: there may be something to cancel and to sell meanwhile."""


@dataclass(slots=True, kw_only=True)
class ByName:
    """The looks of one kill, which `began` then."""

    gate: Gate
    policy: Policy
    symbol: Symbol | None
    began: datetime
    looks: Counter[ClientOrderId] = field(default_factory=Counter)
    looked_up: set[ClientOrderId] = field(default_factory=set)

    async def asked(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what the venue says of them; as it is where its list lacks none."""
        lacking = unlisted_buys(snapshot, self.symbol)
        if not lacking:
            return snapshot
        seen = replace(snapshot, asked_orders=Missing("it has no name there yet"))
        if names := [each.venue_order_id for each in lacking if each.venue_order_id is not None]:
            try:
                async with asyncio.timeout(ANSWER_S):
                    seen = replace(snapshot, asked_orders=await self.gate.named(names))
            except TimeoutError:
                seen = replace(snapshot, asked_orders=Missing(f"no answer for {ANSWER_S:.0f} s"))
            except VenueError as error:
                seen = replace(snapshot, asked_orders=Missing(error.message.rstrip(".")))
        self.looks.update(each.client_order_id for each in unshown(seen, self.symbol))
        return seen

    def is_news(self, snapshot: Snapshot) -> bool:
        """Whether the list lacks one for the first time: the books can have it looked up."""
        lacking = {each.client_order_id for each in unlisted_buys(snapshot, self.symbol)}
        is_news = not lacking <= self.looked_up
        self.looked_up |= lacking
        return is_news

    def gone(self, snapshot: Snapshot) -> frozenset[ClientOrderId]:
        """Those of which it counts by now that nothing is shown."""
        return frozenset(
            each.client_order_id
            for each in unshown(snapshot, self.symbol)
            if absence_counts(
                each, self.policy, began=self.began, looks=self.looks[each.client_order_id]
            )
        )
