"""Which orders the executions stream has shown, so that a send is proved without asking REST."""

from __future__ import annotations

from collections import OrderedDict

from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.stream import ExecutionReport

REMEMBERED = 10_000
"""Orders whose last state is kept."""


class Sightings:
    """The last status the stream gave for each order."""

    def __init__(self) -> None:
        self._statuses: OrderedDict[VenueOrderId, OrderStatus] = OrderedDict()

    def note(self, report: ExecutionReport) -> None:
        """Remember what the stream said."""
        self._statuses[report.venue_order_id] = report.status
        self._statuses.move_to_end(report.venue_order_id)
        if len(self._statuses) > REMEMBERED:
            self._statuses.popitem(last=False)

    def status_of(self, venue_order_id: VenueOrderId) -> OrderStatus | None:
        """What the stream last said, or None."""
        return self._statuses.get(venue_order_id)
