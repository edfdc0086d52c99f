"""Candles that are missing, and why: nothing traded, the venue was away, or nobody asked.

Held against the grid on which every candle of a timeframe would stand. Times are whole seconds
since 1970; a span is from its first second to the one after its last.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice, pairwise

from zoe_tools.domain.candle import Span, Timeframe, merged

WEEK_S = 7 * 86_400
ENOUGH = 100
"""Where so many candles around a hole are there, and none is missing, it always trades."""


class Cause(StrEnum):
    """Why there is no candle."""

    NOTHING_TRADED = "nothing traded"
    OUTAGE = "venue outage"
    NEVER_FETCHED = "never fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """So many candles in a row are missing, for one cause; `since` is where the first begins."""

    since: int
    count: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is stored of one instrument and timeframe.

    `starts` are those of the stored candles, ascending; `read` are the spans of which every trade
    was looked at, so that what is missing there never was.
    """

    timeframe: Timeframe
    starts: Sequence[int]
    read: Sequence[Span]


def gaps_of(
    series: Series, wanted: Span, *, traded_elsewhere: Callable[[Span], bool] = lambda _: False
) -> Iterator[Gap]:
    """All that is missing of the candles that begin and end within `wanted`, oldest first.

    `traded_elsewhere` tells whether another instrument traded within a span: then it was no outage.
    """
    length = series.timeframe.minutes * 60
    for hole in _holes(series.starts, wanted, length):
        for part, is_read in _cut(hole, series.read, length):
            count = (part.until - part.since) // length
            cause = Cause.NEVER_FETCHED
            if is_read:
                is_outage = _always_trades(series, part, length) and not traded_elsewhere(part)
                cause = Cause.OUTAGE if is_outage else Cause.NOTHING_TRADED
            yield Gap(since=part.since, count=count, cause=cause)


def _holes(starts: Sequence[int], wanted: Span, length: int) -> Iterator[Span]:
    """Between the stored candles, and before and after them."""
    first = -(-wanted.since // length) * length
    end = wanted.until // length * length
    within = islice(starts, bisect_left(starts, first), bisect_left(starts, end))
    for before, after in pairwise(chain((first - length,), within, (end,))):
        if after - before > length:
            yield Span(before + length, after)


def _cut(hole: Span, read: Sequence[Span], length: int) -> Iterator[tuple[Span, bool]]:
    """The hole by whether it was read; a candle that was read in part only was not."""
    at = hole.since
    for span in merged(read):
        since = max(at, -(-span.since // length) * length)
        until = min(hole.until, span.until // length * length)
        if until <= since:
            continue
        if since > at:
            yield Span(at, since), False
        yield Span(since, until), True
        at = until
    if at < hole.until:
        yield Span(at, hole.until), False


def _always_trades(series: Series, hole: Span, length: int) -> bool:
    """Whether no candle is missing of what was read in the week on each side of the hole."""
    expected = stored = 0
    for side in (Span(hole.since - WEEK_S, hole.since), Span(hole.until, hole.until + WEEK_S)):
        for span in merged(series.read):
            since = -(-max(side.since, span.since) // length) * length
            until = min(side.until, span.until) // length * length
            if until > since:
                expected += (until - since) // length
                stored += bisect_left(series.starts, until) - bisect_left(series.starts, since)
    return stored >= ENOUGH and stored == expected
