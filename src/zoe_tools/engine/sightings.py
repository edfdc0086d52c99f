"""What the executions stream has shown of each order, so that a send is proved without REST.

An order is proved placed by a report of it, cancelled by a terminal one, amended by a report of an
amendment that is not older than the intent. One that the venue threw out again is for the records.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.stream import ExecutionKind, ExecutionReport
from zoe_tools.ports import Clock

REMEMBERED = 10_000
"""Orders whose last state is kept."""

PATIENCE_S = 1.0
"""Seconds of venue time to wait for the stream before REST is asked."""

BARE_PATIENCE_S = 0.3
"""The same where a position may have lost its stop: what comes after a cancel of it waits."""

_THROWN_OUT = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})

_CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(slots=True)
class _Seen:
    status: OrderStatus
    amended_at: datetime | None = None


class Sightings:
    """The last word of the stream on each order; whoever waits looks again at each news."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[VenueOrderId, _Seen] = OrderedDict()
        self._news = asyncio.Event()

    def note(self, report: ExecutionReport) -> None:
        """Remember what the stream said."""
        seen = self._seen.setdefault(report.venue_order_id, _Seen(report.status))
        seen.status = report.status
        if report.kind in (ExecutionKind.AMENDED, ExecutionKind.RESTATED):
            seen.amended_at = report.reported_at
        self._seen.move_to_end(report.venue_order_id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._news.set()

    async def proof(self, intent: Intent, venue_order_id: VenueOrderId) -> str | None:
        """Evidence for the gate, or None when the stream says nothing in time."""
        is_bare = intent.kind is IntentKind.CANCEL and intent.purpose != "entry"
        patience_s = BARE_PATIENCE_S if is_bare else PATIENCE_S
        timer = asyncio.ensure_future(self._clock.sleep(patience_s))
        try:
            while True:
                self._news.clear()
                evidence = self._evidence(intent, venue_order_id)
                if evidence is not None or timer.done() or self._is_out(intent, venue_order_id):
                    return evidence
                news = asyncio.ensure_future(self._news.wait())
                waits: set[asyncio.Future[Any]] = {news, timer}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            timer.cancel()

    def _is_out(self, intent: Intent, venue_order_id: VenueOrderId) -> bool:
        """Whether a placed order is over; only the records tell how much of it had filled."""
        seen = self._seen.get(venue_order_id)
        return intent.kind is IntentKind.PLACE and seen is not None and seen.status in _THROWN_OUT

    def _evidence(self, intent: Intent, venue_order_id: VenueOrderId) -> str | None:
        seen = self._seen.get(venue_order_id)
        if seen is None:
            return None
        told = f"executions stream: {venue_order_id} is {seen.status.value}"
        match intent.kind:
            case IntentKind.PLACE:
                return None if seen.status in _THROWN_OUT else told
            case IntentKind.CANCEL:
                return told if seen.status.is_terminal else None
            case IntentKind.AMEND:
                since = intent.created_at - _CLOCKS_DIFFER
                is_new = seen.amended_at is not None and seen.amended_at >= since
                return f"{told}, amended" if is_new else None
