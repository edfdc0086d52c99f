"""Integer nanoseconds since the epoch and the texts the wire wants of them. No clock here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ns_of(moment: datetime) -> int:
    """Nanoseconds of an aware time (exact to its microsecond)."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def moment_of(ns: int) -> datetime:
    """The aware UTC time, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    """`2026-01-05T07:49:37`: everything happens in one of the last few seconds."""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def iso(ns: int) -> str:
    """RFC 3339 with microseconds: `2026-01-05T07:49:37.708706Z`."""
    seconds, rest = divmod(ns, NS)
    return f"{_whole(seconds)}.{rest // 1000:06d}Z"


def iso_nanos(ns: int) -> str:
    """RFC 3339 with nanoseconds: `2026-01-05T16:25:00.000000000Z`."""
    seconds, rest = divmod(ns, NS)
    return f"{_whole(seconds)}.{rest:09d}Z"


def iso_seconds(ns: int) -> str:
    """RFC 3339 in whole seconds: `2026-01-05T07:49:37Z`."""
    return f"{_whole(ns // NS)}Z"
