"""The paper exchange's time as its clock file tells it: known without asking the exchange."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from zoe_tools.ports import Clock
from zoe_tools.runtime.clocks import ScaledClock
from zoe_tools.runtime.paper_process import folder_of

_SHORT_BREAK = timedelta(minutes=10)
"""By the wall: what an exchange may be away for while its time goes on."""


class _NotedClock(msgspec.Struct):
    """Venue and wall time of one moment, and how fast the venue's goes."""

    venue: datetime
    wall: datetime
    speed: float

    def __post_init__(self) -> None:
        if self.venue.tzinfo is None or self.wall.tzinfo is None or not self.speed > 0:
            raise ValueError("a noted clock is aware and goes forward")


def clock_of_paper(home: Path) -> Clock | None:
    """The exchange's clock as its clock file tells it; None when it was never served.

    Commands that call no venue use it, so that ages are right at any speed.
    """
    noted = _noted_clock(home)
    if noted is None:
        return None
    passed = _wall_now() - noted.wall
    return ScaledClock(epoch=noted.venue + passed * noted.speed, speed=noted.speed)


def time_after_a_break(home: Path, *, left_at: datetime, speed: float) -> datetime:
    """The venue's time for an exchange that was left at `left_at` (venue time) and starts again.

    A venue's time does not stop while its server is away, and a loop that waits for it counts on:
    after a short break at the same speed time has gone on. After a long one it goes on from where
    it was left, or a night at sixty times the speed would be twenty days.
    """
    noted = _noted_clock(home)
    if noted is None or noted.speed != speed:
        return left_at
    away = _wall_now() - (noted.wall + (left_at - noted.venue) / noted.speed)
    if not timedelta(0) <= away <= _SHORT_BREAK:
        return left_at
    return left_at + away * speed


def _noted_clock(home: Path) -> _NotedClock | None:
    try:
        text = (folder_of(home) / "clock.json").read_bytes()
        return msgspec.json.decode(text, type=_NotedClock)
    except (OSError, msgspec.MsgspecError):
        return None


def note_clock(home: Path, *, venue: datetime, speed: float) -> None:
    """Write down how the exchange's time goes from now on."""
    noted = _NotedClock(venue=venue, wall=_wall_now(), speed=speed)
    path = folder_of(home) / "clock.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(noted))
    fresh.replace(path)


def _wall_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the exchange's epoch is the machine's time
