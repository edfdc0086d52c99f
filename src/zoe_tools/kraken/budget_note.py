"""What all who share a key write down for each other of its budgets.

The text of the note is JSON; `ports.Coordination` keeps it and hands it to one at a time.
Source: kraken-spot section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import msgspec

from zoe_tools.domain.breaker import Breaker
from zoe_tools.kraken import limits
from zoe_tools.kraken.errors import LOCKOUT_S, LONGEST_PAUSE_S
from zoe_tools.kraken.limits import CallCounter, Tier
from zoe_tools.ports import NoteStep

T = TypeVar("T")

MICROSECONDS = 1_000_000
MOST_ORDERS = 2_000
LONGEST_BACKOFF_S = 120
"""With these a key meets fewer than 20 invalid nonces in a lockout's quarter of an hour."""
_FORGET_AFTER_US = 24 * 3600 * MICROSECONDS
_SLACK_US = 5 * MICROSECONDS
"""Processes do not read their clocks alike; so far one may be ahead of another."""
_LONGEST_QUEUE_US = 120 * MICROSECONDS
"""A counter that is full is empty in half of it."""
_LONGEST_SILENCES_US: Mapping[str, int] = MappingProxyType(
    {
        "paused_until": round(LONGEST_PAUSE_S) * MICROSECONDS,
        "backs_off_until": LONGEST_BACKOFF_S * MICROSECONDS,
        "locked_until": round(LOCKOUT_S) * MICROSECONDS,
    }
)
"""What is asked for at most; the venue says it again if it is still so."""

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
    `breaker`: None while it is closed and has counted nothing.
    `public`: when each of the public endpoints that are paced was last asked.
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
    breaker: Breaker | None = None
    public: dict[str, int] = msgspec.field(default_factory=dict)

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


def note_at(text: bytes, now: datetime) -> Note:
    """The note, without what a clock wrote that has been set back since.

    A counter that were to start in an hour would not decay for an hour, and the key stand still.
    """
    note = note_in(text)
    now_us = limits.microseconds_of(now)
    latest = now_us + _SLACK_US
    told = [at for _, at in (*note.engine.values(), *((note.rest,) if note.rest else ()))]
    if max(told, default=0) > latest:
        note.engine = {name: (count, min(at, now_us)) for name, (count, at) in note.engine.items()}
        note.rest = note.rest and (note.rest[0], min(note.rest[1], now_us))
        note.orders = {
            key: (pair, min(at, now_us), called) for key, (pair, at, called) in note.orders.items()
        }
    if max(note.nonce_refusals, default=0) > latest:
        note.nonce_refusals = [at for at in note.nonce_refusals if at <= latest]
    if max(note.public.values(), default=0) > latest:
        note.public = {name: at for name, at in note.public.items() if at <= latest}
    if note.waiting:
        note.waiting = [each for each in note.waiting if each.until <= latest + _LONGEST_QUEUE_US]
    for name, longest_us in _LONGEST_SILENCES_US.items():
        if getattr(note, name) > latest + longest_us:
            setattr(note, name, 0)
    return note


def stepped(step: Callable[[Note, datetime], T]) -> NoteStep[T]:
    """A step of the note as one of its text."""

    def of_text(text: bytes, now: datetime) -> tuple[bytes, T]:
        note = note_at(text, now)
        result = step(note, now)
        return encoded(note), result

    return of_text


def encoded(note: Note) -> bytes:
    """The note as text."""
    return msgspec.json.encode(note)


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
