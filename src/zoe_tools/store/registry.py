"""The part of a transaction that keeps the registry of managed positions.

Every change of a position is held against the rules of `domain/position_lifecycle.py`, and writes
its own events, in the same commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.level_story import (
    ABOUT_LEVELS,
    RetoldLevels,
    levels_as_told,
    spelled,
)
from zoe_tools.domain.money import short
from zoe_tools.domain.position import (
    ACTIVE,
    GIVEN_UP,
    HOLDING,
    Position,
    PositionStatus,
    RawPosition,
)
from zoe_tools.domain.position_event import (
    ABOUT_PRICES,
    LEVELS,
    RESTORED,
    TARGETS_SET,
    PositionEvent,
    event_of,
    events_between,
    retold,
)
from zoe_tools.domain.position_lifecycle import PositionRuleBroken, demand_change
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.store import audit, audit_notes, position_events, positions, targets
from zoe_tools.store.groups import GroupBook
from zoe_tools.store.observing import Observing


class Registry(Observing):
    """What a `Transaction` writes and reads of positions."""

    _audit: audit.Log

    @property
    def groups(self) -> GroupBook:
        """The order desk's intent groups."""
        return GroupBook(self._connection, self.account_id)

    def record_position(self, position: Position, *, by_operator: bool = False) -> None:
        """Insert the position, or bring its row to these values, and append what happened to it.

        `by_operator`: an operator's own step, which may move a stop away from profit.

        Raises:
            PositionRuleBroken: a bug; the change breaks the lifecycle or an invariant.
        """
        before = self.position(position.position_id)
        if before == position:
            return
        demand_change(before, position, by_operator=by_operator)
        if position.status.is_active and (before is None or not before.status.is_active):
            self._demand_alone(position)
        positions.record_position(self._connection, self.account_id, position)
        audit_notes.position(self._audit, position)
        for event in events_between(before, position):
            position_events.append(self._connection, self.account_id, event)

    def copy_position(self, position: Position) -> None:
        """Take over a position of another store as it stands there: its story stays there too."""
        positions.record_position(self._connection, self.account_id, position)
        audit_notes.position(self._audit, position)

    def _demand_alone(self, position: Position) -> None:
        """Invariants A and E: one active position per instrument, and none of the other side."""
        for each in self.positions(active_only=True):
            if each.symbol == position.symbol and each.position_id != position.position_id:
                raise PositionRuleBroken(
                    "A" if each.side is position.side else "E",
                    f"{each.position_id} is active in {each.symbol} already",
                )

    def positions(
        self, *, open_only: bool = False, active_only: bool = False
    ) -> tuple[Position, ...]:
        """Positions, oldest first; `open_only`: that hold something, `active_only`: not over."""
        among = HOLDING if open_only else ACTIVE if active_only else None
        return positions.positions(self._connection, self.account_id, among=among)

    def closed_positions(self, most: int) -> tuple[Position, ...]:
        """The latest round trips, up to `most`, the one that closed first coming first."""
        return positions.closed(self._connection, self.account_id, most)

    def given_up(self) -> frozenset[PositionId]:
        """Positions that were ended without being sold."""
        found = positions.positions(self._connection, self.account_id, among=GIVEN_UP)
        return frozenset(each.position_id for each in found)

    def position(self, position_id: PositionId) -> Position | None:
        """One position."""
        return positions.position(self._connection, self.account_id, position_id)

    def set_targets(self, position_id: PositionId, levels: Sequence[TakeProfitLevel]) -> None:
        """Bring the position's take-profit levels to these; its story has each other setting."""
        before = self.targets(position_id)
        targets.set_levels(self._connection, self.account_id, position_id, levels)
        audit_notes.targets(self._audit, position_id, before, levels)
        if spelled(before) != spelled(levels):
            self._tell_levels(position_id, before, levels)

    def _tell_levels(
        self,
        position_id: PositionId,
        before: Sequence[TakeProfitLevel],
        levels: Sequence[TakeProfitLevel],
    ) -> None:
        position = self.position(position_id)
        if position is None:
            return
        at = max(each.updated_at for each in (*before, *levels))
        told = self._events_about(ABOUT_LEVELS, position_id)
        details = {LEVELS: spelled(levels), "setting": str(len(told))}
        statuses = (position.status, position.status)
        self.append_position_event(event_of(position_id, TARGETS_SET, at, statuses, details))

    def targets(self, position_id: PositionId | None = None) -> tuple[TakeProfitLevel, ...]:
        """The levels of a position, or of every one that is not over, by its own story; in order.

        What somebody wrote into their rows is not among them: `targets_retold` has that.
        """
        return tuple(level for _, _, told in self._levels(position_id) for level in told)

    def targets_retold(self) -> tuple[RetoldLevels, ...]:
        """Levels of positions that are not over, whose rows their own stories contradict."""
        return self.targets_and_retold()[1]

    def targets_and_retold(
        self,
    ) -> tuple[tuple[TakeProfitLevel, ...], tuple[RetoldLevels, ...]]:
        """Both from one look: `targets` of every one that is not over, and `targets_retold`."""
        found = tuple(self._levels(None))
        retold = (
            RetoldLevels(position_id=name, rows=rows, told=told)
            for name, rows, told in found
            if spelled(rows) != spelled(told)
        )
        return tuple(level for _, _, told in found for level in told), tuple(retold)

    def _levels(
        self, position_id: PositionId | None
    ) -> Iterator[tuple[PositionId, tuple[TakeProfitLevel, ...], tuple[TakeProfitLevel, ...]]]:
        """Of each position its rows, and what its story makes of them."""
        rows: dict[PositionId, list[TakeProfitLevel]] = {}
        for level in targets.levels(self._connection, self.account_id, position_id):
            rows.setdefault(level.position_id, []).append(level)
        stories: dict[PositionId, list[PositionEvent]] = {}
        for event in self._events_about(ABOUT_LEVELS, position_id):
            stories.setdefault(event.position_id, []).append(event)
        for name in sorted(rows.keys() | stories.keys()):
            own = tuple(rows.get(name, ()))
            yield name, own, levels_as_told(own, stories.get(name, ()))

    def _events_about(
        self, kinds: Sequence[str], position_id: PositionId | None
    ) -> tuple[PositionEvent, ...]:
        if position_id is None:
            return position_events.of_active(self._connection, self.account_id, kinds)
        story = position_events.events(self._connection, self.account_id, position_id)
        return tuple(each for each in story if each.what in kinds)

    def raw_positions(
        self,
        *,
        is_over: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[RawPosition, ...]:
        """The registry as it is stored, for its audit; see `positions.raw_positions`."""
        return positions.raw_positions(
            self._connection, self.account_id, is_over=is_over, after=after, limit=limit
        )

    def end_position(
        self, position_id: PositionId, status: PositionStatus, *, reason: str, at: datetime
    ) -> None:
        """End a row past the rules, which it breaks already; whoever does so tells its story."""
        positions.end(
            self._connection, self.account_id, position_id, status=status, reason=reason, at=at
        )
        self._note(position_id)

    def rebuild_position(self, row: RawPosition, right: Position, *, at: datetime) -> None:
        """Put quantities, cost and result back to what executions prove, past the rules."""
        name = row.position_id
        positions.rebuild(self._connection, self.account_id, name, right, at=at)
        self._note(name)
        pairs = {
            "quantity": (row.quantity, right.quantity),
            "entry_quantity": (row.entry_quantity, right.entry_quantity),
            "exit_quantity": (row.exit_quantity, right.exit_quantity),
        }
        details = {key: f"{was} -> {short(now)}" for key, (was, now) in pairs.items()}
        statuses = (right.status, right.status)
        self.append_position_event(event_of(name, RESTORED, at, statuses, details))

    def unclose_position(self, position_id: PositionId, *, at: datetime) -> None:
        """Take back the time of closing of a position that is not over."""
        positions.unclose(self._connection, self.account_id, position_id, at=at)
        self._note(position_id)

    def _note(self, position_id: PositionId) -> None:
        after = self.position(position_id)
        if after is not None:
            audit_notes.position(self._audit, after)

    def append_position_event(self, event: PositionEvent) -> bool:
        """Append to a position's story what no change of it tells; False if it is there already."""
        return position_events.append(self._connection, self.account_id, event)

    def position_events(self, position_id: PositionId | None = None) -> tuple[PositionEvent, ...]:
        """A position's story, or that of all, in the order it was written."""
        return position_events.events(self._connection, self.account_id, position_id)

    def price_events(self) -> tuple[PositionEvent, ...]:
        """What the stories of positions that are not over tell of prices, in that order."""
        return position_events.of_active(self._connection, self.account_id, ABOUT_PRICES)

    def stories_without_row(self) -> tuple[PositionEvent, ...]:
        """The stories of positions whose rows are gone, in the order they were written."""
        return position_events.of_none(self._connection, self.account_id)

    def restore_position(self, position: Position, *, at: datetime) -> None:
        """Put back what somebody wrote into the row, past the rules, which that may break."""
        before = self.position(position.position_id)
        if before is None or before == position:
            return
        positions.record_position(self._connection, self.account_id, position)
        audit_notes.position(self._audit, position)
        details = {name: f"{was} -> {now}" for name, was, now in retold(before, position)}
        statuses = (before.status, position.status)
        self.append_position_event(event_of(position.position_id, RESTORED, at, statuses, details))
