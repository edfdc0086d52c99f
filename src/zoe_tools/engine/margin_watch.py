"""How much of the account's equity is in use as margin: what others trade there may use some."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.cadence import Cadence
from zoe_tools.domain.margin import MarginStanding
from zoe_tools.domain.money import ZERO
from zoe_tools.errors import VenueError
from zoe_tools.ports import Clock

_LOG = logging.getLogger(__name__)

SELDOM, OFTEN = 60, 6
"""In `Cadence.health_s`, between two questions: without margin in use, and with some."""


class MarginWatch:
    """Asks now and then; `ask` costs a point of the key's counter."""

    def __init__(
        self, ask: Callable[[], Awaitable[MarginStanding]], clock: Clock, cadence: Cadence
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._look_s = cadence.health_s
        self._told: tuple[datetime, Decimal] | None = None

    def used_pct(self, now: datetime) -> Decimal | None:
        """Percent of equity; None where nobody could tell lately."""
        if self._told is None or now - self._told[0] > timedelta(seconds=2 * SELDOM * self._look_s):
            return None
        return self._told[1]

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                self._told = (self._clock.now(), (await self._ask()).used_pct)
            except VenueError as error:
                _LOG.info("How much margin is in use cannot be asked: %s", error.message)
            is_used = self._told is not None and self._told[1] > ZERO
            await self._clock.sleep(self._look_s * (OFTEN if is_used else SELDOM))
