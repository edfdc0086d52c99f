"""What all who share a key write down for each other of its budgets.

The text of the note is JSON; `ports.Coordination` keeps it and hands it to one at a time.
Source: kraken-spot section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from zoe_tools.kraken import limits
from zoe_tools.kraken.limits import CallCounter, Tier
from zoe_tools.ports import NoteStep

T = TypeVar("T")

MICROSECONDS = 1_000_000
MOST_ORDERS = 2_000
_FORGET_AFTER_US = 24 * 3600 * MICROSECONDS

Row = tuple[str, int, str]
"""Pair, when placed or last amended, and what else the order is called."""


class Waiting(msgspec.Struct, array_like=True):
    """A call that waits for room: the first of its urgency in the list goes first."""

    urgency: int
    place: str
    cost: int
    until: int


class Note(msgspec.Struct):
    """Counts in 1e-8 calls, moments in microseconds since 1970 (venue time).

    `orders`: those that are open as far as is known, by id.
    `own`: what was sent under this key and is yet to be heard of from the stream, and when.
    `paused_until` was asked for by the venue, `backs_off_until` is our own caution.
    """

    rest: tuple[int, int] | None = None
    engine: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    orders: dict[str, Row] = msgspec.field(default_factory=dict)
    own: dict[str, int] = msgspec.field(default_factory=dict)
    waiting: list[Waiting] = msgspec.field(default_factory=list)
    paused_until: int = 0
    backs_off_until: int = 0
    locked_until: int = 0
    nonce_refusals: list[int] = msgspec.field(default_factory=list)

    def expects(self, names: Sequence[str], now: datetime) -> None:
        """These are about to be sent; what nobody tells of within a minute is told of no more."""
        now_us = limits.microseconds_of(now)
        oldest = now_us - 60 * MICROSECONDS
        self.own = {name: at for name, at in self.own.items() if at > oldest}
        self.own.update(dict.fromkeys(names, now_us))

    def knows(self, order_id: str, row: Row) -> None:
        """An order is open; the oldest make room for it."""
        self.orders.pop(order_id, None)
        oldest = row[1] - _FORGET_AFTER_US
        if len(self.orders) >= MOST_ORDERS or any(
            each[1] < oldest for each in self.orders.values()
        ):
            kept = [item for item in self.orders.items() if item[1][1] >= oldest]
            self.orders = dict(kept[-MOST_ORDERS + 1 :])
        self.orders[order_id] = row


def note_in(text: bytes) -> Note:
    """A note that cannot be read is as good as none: the venue says when it disagrees."""
    try:
        return msgspec.json.decode(text, type=Note)
    except msgspec.DecodeError:
        return Note()


def stepped(step: Callable[[Note, datetime], T]) -> NoteStep[T]:
    """A step of the note as one of its text."""

    def of_text(text: bytes, now: datetime) -> tuple[bytes, T]:
        note = note_in(text)
        result = step(note, now)
        return msgspec.json.encode(note), result

    return of_text


def rest_in(note: Note, tier: Tier) -> CallCounter:
    """The REST counter."""
    return _standing(limits.rest_counter(tier), note.rest)


def engine_in(note: Note, tier: Tier, name: str) -> CallCounter:
    """The counter of a pair."""
    return _standing(limits.engine_counter(tier), note.engine.get(name))


def kept(counter: CallCounter) -> tuple[int, int]:
    """A counter as the note keeps it."""
    return counter.count, counter.counted_at or 0


def age_s(row: Row, now: datetime) -> float:
    """Seconds since the order was placed or last amended."""
    return max(limits.microseconds_of(now) - row[1], 0) / MICROSECONDS


def _standing(empty: CallCounter, told: tuple[int, int] | None) -> CallCounter:
    if told is None:
        return empty
    count, at = told
    return CallCounter(maximum=empty.maximum, decay=empty.decay, count=count, counted_at=at)
