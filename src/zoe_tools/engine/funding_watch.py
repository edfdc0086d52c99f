"""Asks a public source for perpetual funding now and then, beside the turns.

What it last told is kept with the source's own time; whoever uses it looks at its age. A source
that fails is asked again soon, and its last word grows old meanwhile.
"""

from __future__ import annotations

import logging

from zoe_tools.core.strategy.protocol import FundingView
from zoe_tools.domain.funding_rate import FundingRate
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.errors import VenueError
from zoe_tools.ports import Clock, FundingSource

_LOG = logging.getLogger(__name__)

ASK_AGAIN_S = 30.0
"""Venue seconds after a failure."""


class FundingWatch:
    """One source, asked every `poll_s` venue seconds."""

    def __init__(self, source: FundingSource, clock: Clock, *, poll_s: float) -> None:
        self._source = source
        self._clock = clock
        self._poll_s = poll_s
        self._rates: dict[Symbol, FundingRate] = {}
        self._trouble = "it has not answered yet"

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(
                min(self._poll_s, ASK_AGAIN_S) if self._trouble else self._poll_s
            )

    async def look(self) -> None:
        """Ask once; a failure is noted."""
        try:
            found = await self._source.rates()
        except VenueError as error:
            if error.message != self._trouble:
                _LOG.warning("Funding cannot be read: %s", error.message)
            self._trouble = error.message
            return
        self._trouble = ""
        self._rates = {each.symbol: each for each in found}

    def view(self, symbol: Symbol) -> FundingView:
        """What was last told of it; its age is for the reader to judge."""
        told = self._rates.get(symbol)
        if told is not None:
            return FundingView(
                rate_8h=told.rate_8h, as_of=told.as_of, source=self._source.name, note=told.note
            )
        note = self._trouble or f"there is no perpetual on {symbol}"
        return FundingView(rate_8h=None, as_of=None, source=self._source.name, note=note)
