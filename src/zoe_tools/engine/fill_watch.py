"""Measures for each fill how long it stood until a resting stop covered it, by the venue's clock.

From the execution, whenever it was heard of, to the moment the books know of the stop. What is too
small for any stop begins to count once it is not; what is sold instead is not measured here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.position_invariants import covered, is_dust, resting_stops
from zoe_tools.core.protection_times import SLOW_MS, ProtectionTimes
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.position import Position
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Fills that are known again; the books hold those of about an hour."""


@dataclass(slots=True)
class _Waiting:
    """A fill of a position, and how much has to be covered, in base, so that it is."""

    fill: Fill
    position: PositionId
    wanted: Decimal
    since: datetime | None


class FillWatch:
    """One loop's fills, from look to look."""

    def __init__(self) -> None:
        self.times = ProtectionTimes()
        self._known: dict[FillId, None] = {}
        self._looked_at: Sequence[Fill] | None = None
        self._waiting: list[_Waiting] = []

    def look(
        self,
        now: datetime,
        fills: Sequence[Fill],
        positions: Sequence[Position],
        orders: Iterable[OrderRecord],
        instruments: Mapping[Symbol, Instrument],
    ) -> None:
        """Take note of new `fills`, and of those that are covered now.

        `orders`, recent ones and then those that work, tell what covers and whose a fill is; one
        may be among both.
        """
        known: Sequence[OrderRecord] = ()
        if fills is not self._looked_at or self._waiting:
            known = tuple({each.client_order_id: each for each in orders}.values())
        if fills is not self._looked_at:
            self._take(fills, positions, known)
            self._looked_at = fills
        if not self._waiting:
            return
        held = {each.position_id: each for each in positions}
        still = []
        for each in self._waiting:
            position = held.get(each.position)
            if position is not None and not self._is_over(
                each, position, now, known, instruments[position.symbol]
            ):
                still.append(each)
        self._waiting = still

    def _take(
        self, fills: Sequence[Fill], positions: Sequence[Position], orders: Sequence[OrderRecord]
    ) -> None:
        """Those that made a position larger; a start takes what a stop held before for known."""
        is_first = self._looked_at is None
        held = {each.position_id: each for each in positions}
        owners = {each.venue_order_id: each.position_id for each in orders}
        for fill in fills:
            if fill.fill_id in self._known:
                continue
            self._known[fill.fill_id] = None
            owner = owners.get(fill.venue_order_id)
            position = None if owner is None else held.get(owner)
            if position is None or fill.side is not position.side:
                continue
            if is_first and position.initial_stop_price is not None:
                continue
            self._waiting.append(
                _Waiting(
                    fill=fill, position=position.position_id, wanted=position.quantity, since=None
                )
            )
        for name in list(self._known)[: max(0, len(self._known) - REMEMBERED)]:
            del self._known[name]

    def _is_over(
        self,
        waiting: _Waiting,
        position: Position,
        now: datetime,
        orders: Sequence[OrderRecord],
        instrument: Instrument,
    ) -> bool:
        """Whether it is covered; that is told."""
        if is_dust(position, instrument):
            return False
        if waiting.since is None:
            waiting.since = self._protectable_since(waiting, instrument)
        stops = resting_stops(position, orders)
        wanted = instrument.floor_quantity(min(waiting.wanted, position.quantity))
        if not stops or covered(position, orders) < wanted:
            return False
        newest = max(each.updated_at for each in stops)
        at = min(now, max(newest, waiting.since))
        took_ms = max(0, round((at - waiting.since).total_seconds() * 1000))
        self.times = self.times.with_one(took_ms)
        event(
            _LOG,
            "FILL_PROTECTED",
            "info" if took_ms <= SLOW_MS else "warning",
            symbol=position.symbol,
            position_id=position.position_id,
            fill_id=waiting.fill.fill_id,
            quantity=waiting.fill.quantity,
            venue_order_id=stops[-1].venue_order_id,
            took_ms=took_ms,
        )
        return True

    def _protectable_since(self, waiting: _Waiting, instrument: Instrument) -> datetime:
        """Its own execution, or the later one that made enough of it for an order."""
        own = instrument.floor_quantity(waiting.wanted)
        if instrument.is_tradable_quantity(own, price=waiting.fill.price):
            return waiting.fill.filled_at
        return max(
            each.fill.filled_at for each in self._waiting if each.position == waiting.position
        )
