"""Beside the turns: while the API circuit breaker is not closed nothing is entered.

Other calls of a loop are far apart, so it sends the probe itself, as soon as one may go.
"""

from __future__ import annotations

import logging

from zoe_tools.domain.breaker import Breaker
from zoe_tools.engine.loop import TradingLoop
from zoe_tools.engine.parts import LoopParts
from zoe_tools.errors import CircuitOpen, VenueError
from zoe_tools.kraken.breaker import CircuitBreaker

_LOG = logging.getLogger(__name__)

BREAKER = "breaker"
"""The watch's name among those that keep entries back."""


async def watch_breaker(breaker: CircuitBreaker, loop: TradingLoop, parts: LoopParts) -> None:
    """Look every second, until cancelled."""
    while True:
        await parts.clock.sleep(parts.cadence.state_poll_s)
        found = parts.work.breaker = await breaker.look()
        loop.stand(BREAKER, reasons_of(found))
        if found.is_due(parts.clock.now()):
            await _probe(parts)


def reasons_of(breaker: Breaker) -> tuple[str, ...]:
    """What it has against entries, without counts and times: it is told once."""
    if breaker.is_closed:
        return ()
    return (f"the API circuit breaker is {breaker.state.value} ({breaker.reason})",)


async def _probe(parts: LoopParts) -> None:
    """A cheap call that proves connection, key and clock; somebody else's will do as well."""
    try:
        await parts.venue.key_info()
    except CircuitOpen:
        pass
    except VenueError as error:
        _LOG.info("The probe failed: %s", error.message)
