"""Integer nanoseconds since the epoch and the texts the wire wants of them. No clock here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns_of(moment: datetime) -> int:
    """Nanoseconds of an aware time (exact to its microsecond)."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def moment_of(ns: int) -> datetime:
    """The aware UTC time, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def iso(ns: int) -> str:
    """RFC 3339 with microseconds: `2026-01-05T07:49:37.708706Z`."""
    return moment_of(ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_seconds(ns: int) -> str:
    """RFC 3339 in whole seconds: `2026-01-05T07:49:37Z`."""
    return moment_of(ns).strftime("%Y-%m-%dT%H:%M:%SZ")
