"""Cancels without a journal, for the day when the store is gone: cancels are always allowed.

Only for `kill`, only what could still add risk, by id. It proves its result by reading back.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoe_tools.core.kill import remaining_risk
from zoe_tools.domain.order import VenueOrder
from zoe_tools.errors import VenueError
from zoe_tools.ports import Clock, Venue

LOOKS = 5
LOOK_GAP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyResult:
    """What was cancelled, and what may still be open (None when the venue cannot be read)."""

    cancelled: tuple[VenueOrder, ...]
    still_open: tuple[VenueOrder, ...] | None


async def cancel_without_journal(venue: Venue, clock: Clock) -> EmergencyResult:
    """Cancel every open order that could add risk, until none is seen or patience ends."""
    cancelled: dict[str, VenueOrder] = {}
    still_open: tuple[VenueOrder, ...] | None = None
    for _ in range(LOOKS):
        try:
            still_open = remaining_risk(await venue.open_orders())
        except VenueError:
            still_open = None
        if still_open == ():
            break
        for order in still_open or ():
            try:
                await venue.cancel(order.venue_order_id)
            except VenueError:
                continue
            cancelled[order.venue_order_id] = order
        await clock.sleep(LOOK_GAP_S)
    return EmergencyResult(cancelled=tuple(cancelled.values()), still_open=still_open)
