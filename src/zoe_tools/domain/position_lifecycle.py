"""The life of a position as one table, and what a change of one may never do.

The store writes no position past these rules: a change that they do not know raises, and changes
nothing. A bug, or a row that was changed by hand: what the venue told is booked all the same, and
`gate/position_books.py` leaves the position as it was.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import Position, PositionStatus

_S = PositionStatus

_HELD = frozenset({_S.OPEN, _S.PROTECTED, _S.PARTIAL, _S.EXIT_PENDING})
_ENDS = frozenset({_S.CLOSED, _S.ERROR, _S.ORPHANED})
_BY_A_LATE_FILL = frozenset({_S.OPEN, _S.PARTIAL, _S.CLOSED})

BIRTHS: frozenset[PositionStatus] = frozenset({_S.PENDING, _S.OPEN})
"""What a position may begin as: its entry works, or something filled or was adopted."""

TRANSITIONS: dict[PositionStatus, frozenset[PositionStatus]] = {
    _S.PENDING: frozenset({_S.OPEN, _S.CANCEL_PENDING, _S.CANCELLED, _S.ERROR}),
    _S.CANCEL_PENDING: frozenset({_S.PENDING, _S.OPEN, _S.CANCELLED, _S.ERROR}),
    _S.OPEN: (_HELD | _ENDS) - {_S.OPEN},
    _S.PROTECTED: (_HELD | _ENDS) - {_S.PROTECTED},
    # What was sold stays sold: never whole again.
    _S.PARTIAL: frozenset({_S.EXIT_PENDING}) | _ENDS,
    # An exit that ended unfilled leaves the position as it was.
    _S.EXIT_PENDING: (_HELD | _ENDS) - {_S.EXIT_PENDING},
    # Cancel and fill may both happen, in either order of arrival.
    _S.CLOSED: frozenset({_S.OPEN, _S.PARTIAL, _S.ERROR}),
    _S.CANCELLED: frozenset({_S.OPEN, _S.ERROR}),
    _S.ORPHANED: _BY_A_LATE_FILL | {_S.ERROR},
    _S.ERROR: frozenset(),
}
"""Status -> the statuses that may follow it; a pair that is absent is undefined."""

INITIAL = tuple(each.name for each in fields(Position) if each.name.startswith("initial_"))


class PositionRuleBroken(Exception):
    """A bug: a change of a position that must not be made. `rule` is the invariant's letter."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(f"{rule}: {sentence}")
        self.rule = rule


def demand_transition(before: PositionStatus | None, after: PositionStatus) -> None:
    """Pass if the one may follow the other; None is a position that is not there yet.

    Raises:
        PositionRuleBroken: the table has no such transition.
    """
    if before is after:
        return
    known = BIRTHS if before is None else TRANSITIONS[before]
    if after not in known:
        begun = "a new position" if before is None else before.value
        raise PositionRuleBroken("lifecycle", f"{begun} cannot become {after.value}")


def demand_change(before: Position | None, after: Position, *, by_operator: bool = False) -> None:
    """Pass if the position may become this; a stop may be loosened by an operator's own step.

    Raises:
        PositionRuleBroken: the lifecycle, or invariant B, C or D, forbids it.
    """
    demand_transition(None if before is None else before.status, after.status)
    if before is None or keeps_remainder(before):
        demand_remainder(after)
    if before is None:
        return
    if after.side is not before.side or after.symbol != before.symbol:
        raise PositionRuleBroken(
            "E", f"{after.position_id} is {before.side.value} {before.symbol} until it is closed"
        )
    for name in INITIAL:
        was, now = getattr(before, name), getattr(after, name)
        if was is not None and was != now:
            raise PositionRuleBroken("C", f"{name} of {after.position_id} was {short(was)}")
    if not by_operator and is_loosened(before.side, before.stop_price, after.stop_price):
        raise PositionRuleBroken("D", f"the stop of {after.position_id} moved against it")


def keeps_remainder(position: Position) -> bool:
    """Whether the position keeps invariant B; a row that was changed by hand may not.

    What is broken already stands in no fill's way: the audit of the registry finds it.
    """
    remaining = position.entry_quantity - position.exit_quantity
    return remaining == position.quantity and remaining >= ZERO


def demand_remainder(position: Position) -> None:
    """Invariant B: what remains is what was bought less what was sold, and never negative.

    Raises:
        PositionRuleBroken: it is something else.
    """
    if not keeps_remainder(position):
        remaining = position.entry_quantity - position.exit_quantity
        raise PositionRuleBroken(
            "B",
            f"{position.position_id} holds {short(position.quantity)};"
            f" {short(position.entry_quantity)} in and {short(position.exit_quantity)} out"
            f" leave {short(remaining)}",
        )


def is_loosened(side: Side, before: Decimal | None, after: Decimal | None) -> bool:
    """Whether a stop moved away from profit: down below a long position, up above a short one."""
    if before is None or after is None:
        return False
    return after < before if side is Side.BUY else after > before
