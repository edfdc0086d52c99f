"""How long positions stood without a stop at the venue, and why.

Counted in seconds of the venue's clock, from the turn in which a position was seen without a
resting stop that covers it to the turn in which it was seen covered or gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from zoe_tools.core.position_invariants import is_protected
from zoe_tools.core.position_orders import can_be_canceled
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.position import Position


class ProtectionWatch:
    """Adds up `unprotected_seconds` by cause.

    `opening`: a fill has no stop yet, or a stop that is too small; `replacing`: the stop that it
    had is gone, and the next one does not rest yet; `leaving`: its sale is on its way.
    """

    def __init__(self) -> None:
        self._since: dict[PositionId, tuple[datetime, str]] = {}
        self._seconds = {"leaving": 0.0, "opening": 0.0, "replacing": 0.0}
        self._stopped: set[PositionId] = set()

    @property
    def seconds(self) -> float:
        """All causes together."""
        return sum(self._seconds.values())

    @property
    def by_cause(self) -> Mapping[str, float]:
        """Seconds by cause."""
        return dict(self._seconds)

    @property
    def positions_with_stop(self) -> int:
        """How many positions had a covering stop resting at the venue at some time."""
        return len(self._stopped)

    def look(
        self,
        now: datetime,
        positions: Sequence[Position],
        orders: Sequence[OrderRecord],
        instruments: Mapping[Symbol, Instrument],
        exiting: frozenset[PositionId],
    ) -> None:
        """Take note of what is covered now."""
        naked: dict[PositionId, str] = {}
        for position in positions:
            if is_protected(position, orders, instruments[position.symbol]):
                self._stopped.add(position.position_id)
            else:
                naked[position.position_id] = self._cause(position.position_id, orders, exiting)
        for position_id in [each for each in self._since if each not in naked]:
            since, cause = self._since.pop(position_id)
            self._seconds[cause] += (now - since).total_seconds()
        for position_id, cause in naked.items():
            self._since.setdefault(position_id, (now, cause))

    def _cause(
        self,
        name: PositionId,
        orders: Sequence[OrderRecord],
        exiting: frozenset[PositionId],
    ) -> str:
        if name in exiting:
            return "leaving"
        has_stop = any(
            each.position_id == name and each.purpose == "stop" and can_be_canceled(each)
            for each in orders
        )
        return "replacing" if name in self._stopped and not has_stop else "opening"

    def finish(self, now: datetime) -> None:
        """Close what is still open at the end of a run."""
        for since, cause in self._since.values():
            self._seconds[cause] += (now - since).total_seconds()
        self._since.clear()
