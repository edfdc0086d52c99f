"""Which positions are to be sold and are not: their sales come to nothing, turn after turn.

What the books tell of refused sales is judged in core; here is remembered what they do not tell:
since when a position that is left stands bare with no sale at work, and when it was tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from zoe_tools.core.position_invariants import is_protected
from zoe_tools.core.unsold import IDLE_S, Unsold, is_selling, unsold_of
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.plan import PlaceOrder, Plan
from zoe_tools.domain.position import Position
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

IDLE_LOOKS = 3
"""So often a sale could have begun: what waits for an answer, or for a wire, is not idle."""

REMEMBERED = 10
"""Notes of one position; the pauses do not grow any more by then."""


@dataclass(slots=True)
class _Idle:
    """A time in which a position stands bare, and no sale is at work."""

    since: datetime
    looks: int = 0


class UnsoldWatch:
    """Looks at each turn, and says of each such position once that it is stuck."""

    def __init__(self) -> None:
        self._idle: dict[PositionId, _Idle] = {}
        self._noted: dict[PositionId, tuple[datetime, ...]] = {}
        self._told: set[PositionId] = set()
        self.found: Mapping[PositionId, Unsold] = {}

    @property
    def names(self) -> frozenset[PositionId]:
        """Those positions."""
        return frozenset(self.found)

    def look(
        self,
        now: datetime,
        leaving: Sequence[Position],
        orders: Iterable[OrderRecord],
        instruments: Mapping[Symbol, Instrument],
        shut: Collection[Symbol] = (),
    ) -> None:
        """Take note of what is being left; `orders` are the recent ones, and then the working ones.

        `shut`: where nothing could have begun.
        """
        self._forget({each.position_id for each in leaving})
        found: dict[PositionId, Unsold] = {}
        known = {each.client_order_id: each for each in orders} if leaving else {}
        for position in leaving:
            name, own = position.position_id, tuple(known.values())
            is_sold = is_selling(name, own)
            if is_sold or is_protected(position, own, instruments[position.symbol]):
                self._idle.pop(name, None)
            else:
                self._note_idle(now, name, is_free=position.symbol not in shut)
            unsold = unsold_of(name, own, self._noted.get(name, ()))
            if not is_sold and position.symbol in shut:
                # What has begun is planned once more on its way, and must come out the same.
                unsold = self.found.get(name, unsold)
            if unsold is not None:
                found[name] = unsold
                self._tell(position, unsold)
            elif not is_sold:
                self._told.discard(name)
        self.found = found

    def begun(self, now: datetime, plan: Plan) -> None:
        """What is tried once more, whether or not anything of it is journaled."""
        for step in plan.steps:
            if not isinstance(step, PlaceOrder) or step.request.purpose == "stop":
                continue
            if step.position_id is not None and step.position_id in self.found:
                self._note(now, step.position_id)

    def _note(self, now: datetime, name: PositionId) -> None:
        self._noted[name] = (*self._noted.get(name, ()), now)[-REMEMBERED:]

    def _note_idle(self, now: datetime, name: PositionId, *, is_free: bool) -> None:
        """Once for each time; a clock that was set back begins it anew."""
        idle = self._idle.setdefault(name, _Idle(now))
        idle.since = min(idle.since, now)
        idle.looks += is_free
        noted = self._noted.get(name, ())
        is_new = not noted or noted[-1] < idle.since
        is_long = (now - idle.since).total_seconds() >= IDLE_S
        if is_free and is_new and is_long and idle.looks > IDLE_LOOKS:
            self._note(now, name)

    def _forget(self, names: Collection[PositionId]) -> None:
        """Who is sold, or stays after all."""
        self._told &= set(names)
        self._idle = {name: each for name, each in self._idle.items() if name in names}
        self._noted = {name: each for name, each in self._noted.items() if name in names}

    def _tell(self, position: Position, unsold: Unsold) -> None:
        if position.position_id in self._told:
            return
        self._told.add(position.position_id)
        event(
            _LOG,
            "EXIT_STUCK",
            "error",
            symbol=position.symbol,
            position_id=position.position_id,
            quantity=position.quantity,
            pause_s=unsold.pause_s,
        )
