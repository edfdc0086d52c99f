"""What a rehearsed kill took, and what the venue's limits would have added to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TierArithmetic:
    """The same kill under the limits of a tier, with a key that has asked for nothing before.

    `rest_points` of the key's counter with room for `rest_room`; `wait_s` is until there was room
    for the last of them. `pair_points` of the dearest pair's counter, all its orders older than
    five minutes; `pair_points_young` where they were placed a moment ago; room for `pair_room`.
    """

    tier: str
    rest_points: Decimal
    rest_room: int
    wait_s: Decimal
    pair_points: Decimal
    pair_points_young: Decimal
    pair_room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A flattening of so many positions, each with its stop, and open buys; times in seconds.

    All from the order to stop on: until the level was latched, until no order could buy any more,
    until nothing rested and nothing was held, proved. `naked_s` is the longest time that a
    position was without its stop before it was sold.
    """

    positions: int
    orders: int
    latched_s: float
    cancelled_s: float
    flat_s: float
    naked_s: float
    is_flat: bool
    exit_code: int
    tiers: tuple[TierArithmetic, ...]
