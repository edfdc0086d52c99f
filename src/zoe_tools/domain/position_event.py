"""What happened to a position, told by the difference that a change makes.

The same change told twice makes no second event: there is no difference then. The key names the
fact and its time, so that a real repetition is an event of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.position import Position, PositionStatus

BEGUN = "begun"
STOP_PRICE_SET = "stop_price_set"
TARGET_PRICE_SET = "take_profit_price_set"
STOP_LOOSENED = "stop_loosened"
"""Somebody moved the stop against the position, at the venue."""

TARGETS_SET = "targets_set"
"""At which levels profit is taken from then on; all of them."""

LEVELS = "levels"
"""The detail that has them; a story that tells of levels has it from its beginning."""

RESTORED = "restored"
"""What somebody wrote into the row was put back to what this story tells."""

ABOUT_PRICES = (BEGUN, STOP_PRICE_SET, TARGET_PRICE_SET, STOP_LOOSENED)

_UNSET = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionEvent:
    """One row of the append-only story of a position. `details` are names and texts."""

    event_key: str
    position_id: PositionId
    what: str
    occurred_at: datetime
    from_status: PositionStatus | None
    to_status: PositionStatus
    details: dict[str, str]


def events_between(before: Position | None, after: Position) -> tuple[PositionEvent, ...]:
    """What the change tells, in order; nothing where nothing changed."""
    at = after.updated_at or after.closed_at or after.opened_at
    was = None if before is None else before.status
    return tuple(
        event_of(after.position_id, what, at, (was, after.status), details)
        for what, details in _changes(before, after)
    )


def event_of(
    position_id: PositionId,
    what: str,
    at: datetime,
    statuses: tuple[PositionStatus | None, PositionStatus],
    details: dict[str, str],
) -> PositionEvent:
    """An event whose key is the fact itself and its time."""
    facts = ",".join(f"{name}={text}" for name, text in sorted(details.items()))
    return PositionEvent(
        event_key=f"{position_id}|{what}|{at.isoformat()}|{facts}",
        position_id=position_id,
        what=what,
        occurred_at=at,
        from_status=statuses[0],
        to_status=statuses[1],
        details=details,
    )


_Change = tuple[str, dict[str, str]]


def _changes(before: Position | None, after: Position) -> Iterator[_Change]:
    if before is None:
        begun = {"origin": after.origin, "side": after.side.value, LEVELS: "none"}
        yield BEGUN, {**begun, **_planned(after)}
    yield from _quantities(before, after)
    yield from _protection(before, after)
    if before is not None and before.status is not after.status:
        details = {"exit_reason": after.exit_reason} if after.exit_reason else {}
        yield after.status.value, details


def _quantities(before: Position | None, after: Position) -> Iterator[_Change]:
    entered = after.entry_quantity - (before.entry_quantity if before else ZERO)
    left = after.exit_quantity - (before.exit_quantity if before else ZERO)
    if entered > ZERO:
        yield (
            "entered",
            {
                "quantity": short(entered),
                "in": short(after.entry_quantity),
                "average_cost": short(after.average_cost),
            },
        )
    if left > ZERO:
        yield (
            "left",
            {
                "quantity": short(left),
                "out": short(after.exit_quantity),
                "realised_pnl": short(after.realised_pnl),
            },
        )
    if entered < ZERO or left < ZERO:
        yield "adjusted", {"in": short(after.entry_quantity), "out": short(after.exit_quantity)}


def _protection(before: Position | None, after: Position) -> Iterator[_Change]:
    linked = None if before is None else before.stop_venue_order_id
    if linked != after.stop_venue_order_id:
        if after.stop_venue_order_id is None:
            yield "stop_gone", {"order": str(linked)}
        else:
            yield "stop_linked", {"order": after.stop_venue_order_id}
    for name in ("stop_price", "take_profit_price"):
        was = None if before is None else getattr(before, name)
        now = getattr(after, name)
        if was != now:
            yield f"{name}_set", {"before": _price(was), "after": _price(now)}


def _planned(position: Position) -> dict[str, str]:
    """What no later event tells of how it began."""
    planned = {
        "initial_quantity": position.initial_quantity,
        "initial_price": position.initial_price,
    }
    return {name: short(value) for name, value in planned.items() if value is not None}


def _price(price: Decimal | None) -> str:
    return _UNSET if price is None else short(price)


def price_in(text: str) -> Decimal | None:
    """A price as an event tells it."""
    return None if text == _UNSET else Decimal(text)


_TOLD_BY_STORY = (
    "side",
    "stop_price",
    "take_profit_price",
    "initial_quantity",
    "initial_price",
    "initial_stop_price",
    "initial_take_profit_price",
    "exit_reason",
)
"""Fields of a position that its story alone explains, no fill and no order."""


def retold(before: Position, after: Position) -> tuple[tuple[str, str, str], ...]:
    """Of what the story alone explains each field that differs: its name, and both texts."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in _TOLD_BY_STORY)
    return tuple((name, _text(was), _text(now)) for name, was, now in pairs if was != now)


def as_retold(position: Position, after: Position) -> Position:
    """The position with all that the story alone explains as `after` has it."""
    return replace(position, **{name: getattr(after, name) for name in _TOLD_BY_STORY})


def _text(value: Decimal | str | None) -> str:
    return value or _UNSET if isinstance(value, str) else _price(value)
