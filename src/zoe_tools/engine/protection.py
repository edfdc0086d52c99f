"""How long positions stood without a stop at the venue, and why; tells what was healed.

Counted in seconds of the venue's clock, from the turn in which a position was seen without a
resting stop that covers it to the turn in which it was seen covered or gone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from zoe_tools.core.position_invariants import covered, is_protected, resting_stops
from zoe_tools.core.position_orders import can_be_canceled
from zoe_tools.core.protection import grows_at
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.plan import CancelOrder, Plan
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.engine.fill_watch import FillWatch
from zoe_tools.observe.log import event

_LOG = logging.getLogger(__name__)

CAUSES = ("found", "growing", "leaving", "lost", "opening", "replacing", "targets", "unsold")

_HEALED = frozenset({"found", "lost"})
"""Nobody here brought these about: their end is told."""

_ON_PURPOSE = frozenset({"leaving", "targets"})
"""It is being sold, or an operator let targets hold all of it: nobody is alarmed."""

ALARM_CYCLES = 5
"""Unprotected for longer, and not on its way out: somebody should know while it lasts."""


@dataclass(slots=True)
class _Gap:
    """One time without a covering stop: its causes one after the other."""

    began: datetime
    since: datetime
    cause: str
    healed: str = ""
    is_told: bool = False
    grows_at: datetime | None = None


class ProtectionWatch:
    """Adds up `unprotected_seconds` by cause.

    `opening`: a fill has no stop yet; `growing`: it has one that is too small; `replacing`: the
    loop took its stop away for another one; `lost`: somebody else did; `found`: it had none when
    the loop began; `leaving`: its sale is on its way; `unsold`: that sale comes to nothing;
    `targets`: they hold all of it at the venue, as an operator allowed, and the loop minds its
    stop.
    """

    def __init__(self, alarm_s: float, *, targets_may_hold: bool = False) -> None:
        """`alarm_s`: so many seconds of the venue's clock are too many without a stop.

        `targets_may_hold`: whether targets that hold all of a position are as they should be.
        """
        self._targets_may_hold = targets_may_hold
        self.fills = FillWatch()
        self._alarm = timedelta(seconds=alarm_s)
        self._gaps: dict[PositionId, _Gap] = {}
        self._seconds = dict.fromkeys(CAUSES, 0.0)
        self._stopped: set[PositionId] = set()
        self._replaced: set[PositionId] = set()
        self._with_stop = 0
        self._has_looked = False

    @property
    def seconds(self) -> float:
        """All causes together."""
        return sum(self._seconds.values())

    @property
    def by_cause(self) -> Mapping[str, float]:
        """Seconds by cause."""
        return dict(self._seconds)

    @property
    def naked(self) -> int:
        """How many positions stand without a covering stop now."""
        return len(self._gaps)

    @property
    def bare(self) -> Collection[PositionId]:
        """Those positions."""
        return self._gaps.keys()

    def bare_since(self, before: datetime) -> frozenset[PositionId]:
        """Those of them that have stood so since then, or for longer."""
        return frozenset(name for name, each in self._gaps.items() if each.began <= before)

    def naked_s(self, now: datetime) -> float:
        """Seconds that the longest of them has stood so; what is so on purpose is left out."""
        began = [each.began for each in self._gaps.values() if each.cause not in _ON_PURPOSE]
        return (now - min(began)).total_seconds() if began else 0.0

    @property
    def alarming(self) -> int:
        """How many of them have stood so for too long, and not on purpose."""
        return sum(each.is_told and each.cause not in _ON_PURPOSE for each in self._gaps.values())

    @property
    def growing(self) -> Mapping[PositionId, datetime]:
        """Whose stop is too small, and since when they are not covered."""
        return {name: each.began for name, each in self._gaps.items() if each.cause == "growing"}

    @property
    def grows_at(self) -> datetime | None:
        """When the first stop that waits for it is to grow; None: none is too small."""
        due = [each.grows_at for each in self._gaps.values() if each.grows_at is not None]
        return min(due, default=None)

    @property
    def positions_with_stop(self) -> int:
        """How many positions had a covering stop resting at the venue at some time."""
        return self._with_stop

    def planned(self, plan: Plan) -> None:
        """What the loop itself is about to take away."""
        self._replaced |= {
            each.position_id
            for each in plan.steps
            if isinstance(each, CancelOrder) and each.purpose == "stop" and each.position_id
        }

    def look(
        self,
        now: datetime,
        positions: Sequence[Position],
        orders: Sequence[OrderRecord],
        instruments: Mapping[Symbol, Instrument],
        exiting: frozenset[PositionId],
        at_work: frozenset[Symbol] = frozenset(),
        unsold: frozenset[PositionId] = frozenset(),
    ) -> None:
        """Take note of what is covered now.

        `at_work`: where something is under way; a stop that rests there may be about to go.
        `unsold`: of those on their way out who is not, as sales come to nothing.
        """
        naked = set()
        for position in positions:
            name = position.position_id
            if is_protected(position, orders, instruments[position.symbol]):
                self._close(now, position, orders)
                if resting_stops(position, orders):  # dust has none
                    self._with_stop += name not in self._stopped
                    self._stopped.add(name)
                    if position.symbol not in at_work:
                        self._replaced.discard(name)
            else:
                naked.add(name)
                cause = "unsold" if name in unsold else self._cause(position, orders, exiting)
                gap = self._note(now, position, cause)
                stops = resting_stops(position, orders)
                gap.grows_at = None
                if gap.cause == "growing" and stops:
                    gap.grows_at = min(grows_at(each, since=gap.began) for each in stops)
        for name in [each for each in self._gaps if each not in naked]:
            self._add(now, self._gaps.pop(name))
        held = {each.position_id for each in positions}
        self._stopped &= held
        self._replaced &= held
        self._has_looked = True

    def _note(self, now: datetime, position: Position, cause: str) -> _Gap:
        gap = self._gaps.setdefault(position.position_id, _Gap(now, now, cause))
        if gap.cause != cause:
            self._add(now, gap)
            if gap.cause in _ON_PURPOSE:
                gap.began = now  # until then nobody had neglected it
            gap.since, gap.cause = now, cause
        if cause in _HEALED:
            gap.healed = cause
        if cause not in _ON_PURPOSE and not gap.is_told and now - gap.began > self._alarm:
            gap.is_told = True
            self._tell("POSITION_UNPROTECTED", "error", now, position, gap, cause)
        return gap

    def _close(self, now: datetime, position: Position, orders: Sequence[OrderRecord]) -> None:
        gap = self._gaps.pop(position.position_id, None)
        if gap is None:
            return
        self._add(now, gap)
        if gap.healed:
            stops = resting_stops(position, orders)
            name = stops[-1].venue_order_id if stops else None
            told = "error" if gap.healed == "lost" else "warning"
            self._tell("SELF_HEAL", told, now, position, gap, gap.healed, venue_order_id=name)

    def _tell(
        self,
        name: str,
        severity: str,
        now: datetime,
        position: Position,
        gap: _Gap,
        cause: str,
        **more: object,
    ) -> None:
        event(
            _LOG,
            name,
            severity,
            symbol=position.symbol,
            position_id=position.position_id,
            quantity=position.quantity,
            cause=cause,
            unprotected_ms=round((now - gap.began).total_seconds() * 1000),
            **more,
        )

    def _add(self, now: datetime, gap: _Gap) -> None:
        self._seconds[gap.cause] += max(0.0, (now - gap.since).total_seconds())

    def _cause(
        self, position: Position, orders: Sequence[OrderRecord], exiting: frozenset[PositionId]
    ) -> str:
        name = position.position_id
        if name in exiting or position.status is PositionStatus.EXIT_PENDING:
            return "leaving"
        if self._targets_may_hold and position.quantity <= covered(position, orders):
            return "targets"
        if any(
            each.position_id == name and each.purpose == "stop" and can_be_canceled(each)
            for each in orders
        ):
            return "growing"
        if name in self._stopped:
            return "replacing" if name in self._replaced else "lost"
        gap = self._gaps.get(name)
        is_found = not self._has_looked if gap is None else gap.healed == "found"
        return "found" if is_found else "opening"

    def finish(self, now: datetime) -> None:
        """Close what is still open at the end of a run."""
        for gap in self._gaps.values():
            self._add(now, gap)
        self._gaps.clear()
