"""What the store lacks of an instrument's candles, how it would be fetched, and in what time.

The venue's OHLC reaches back 720 candles; its trades reach back to the first one. Times are whole
seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from zoe_tools.core.backfill import OHLC_REACH
from zoe_tools.core.candle_gaps import Cause, Gap, Series, gaps_of
from zoe_tools.domain.candle import Candle, Span, Timeframe, merged, moment_at
from zoe_tools.domain.candle_reads import Stretch
from zoe_tools.domain.identifiers import Symbol

CALL_S = 1.0
"""Between two public calls of one endpoint (kraken-spot section 3.1)."""
TRADES_A_CALL = 1_000
SLOW_CALLS = 600
"""So many calls, and a bulk file is worth a look."""
_MARGIN = 60
"""So many candles of OHLC's reach are left to the trades where these are read anyway: the reach
moves on while they are, and where one ends and the other begins must not."""
_DAY_S = 86_400
_JOIN_S = _DAY_S
"""Gaps that are nearer to each other are read in one go."""
_AVERAGED_DAYS = 30
MOST_GAPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A gap as it is told: `count` candles from `since` on."""

    since: datetime
    until: datetime
    count: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesNeed:
    """One timeframe of an instrument: what is wanted, what of it is there, and why not.

    `holes` are the longest gaps, of `gaps`, oldest first. `by_ohlc` and `by_trades` are candles
    that nobody has looked for yet; of those OHLC is asked for what begins at `ohlc_since`.
    """

    timeframe: Timeframe
    since: datetime
    until: datetime
    stored: int
    nothing_traded: int
    outage: int
    never_fetched: int
    by_ohlc: int
    by_trades: int
    ohlc_since: datetime
    gaps: int
    holes: tuple[Hole, ...]

    def asks_ohlc(self, *, reads_trades: bool) -> bool:
        """Whether OHLC fills something, or is held against the trades that are read."""
        return bool(self.by_ohlc) or (reads_trades and self.until > self.ohlc_since)

    @property
    def missing(self) -> int:
        """Candles of the grid that are not there, for whatever cause."""
        return self.nothing_traded + self.outage + self.never_fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentNeed:
    """An instrument: its timeframes, and the calls that would fetch what was never fetched.

    `reads` are the stretches of which all trades would be read. `resumes` says how many trades a
    reading that was broken off has read already. `trades` is what the venue's daily candles count.
    """

    symbol: Symbol
    series: tuple[SeriesNeed, ...]
    reads: tuple[Stretch, ...]
    resumes: int | None
    ohlc_calls: int
    trades: int
    trade_calls: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.ohlc_calls + self.trade_calls

    @property
    def seconds(self) -> float:
        """How long they take: OHLC and Trades are two endpoints, asked one after the other."""
        return self.calls * CALL_S

    @property
    def is_slow(self) -> bool:
        """Whether the venue's bulk files are the quicker way."""
        return self.trade_calls > SLOW_CALLS

    @property
    def is_complete(self) -> bool:
        """Whether nothing is to be fetched."""
        return not self.reads and self.resumes is None and not any(s.by_ohlc for s in self.series)


def wanted_of(timeframe: Timeframe, now: int, since: int | None, until: int | None) -> Span:
    """The whole candles from `since` to `until` that are over; OHLC's reach where none is said."""
    length = timeframe.minutes * 60
    over = now // length * length
    end = over if until is None else min(over, until // length * length)
    begin = over - OHLC_REACH * length if since is None else -(-since // length) * length
    return Span(min(begin, end), end)


def need_of(
    series: Series,
    wanted: Span,
    now: int,
    *,
    traded_elsewhere: Callable[[Span], bool] = lambda _: False,
) -> tuple[SeriesNeed, tuple[Span, ...]]:
    """What one timeframe lacks, and the spans of it that only trades can fill."""
    length = series.timeframe.minutes * 60
    gaps = list(gaps_of(series, wanted, traded_elsewhere=traded_elsewhere))
    counts = {cause: sum(each.count for each in gaps if each.cause is cause) for cause in Cause}
    reach = now // length * length - OHLC_REACH * length
    missed = [
        Span(each.since, each.since + each.count * length)
        for each in gaps
        if each.cause is Cause.NEVER_FETCHED
    ]
    ohlc_since = reach
    if any(each.since < reach for each in missed):
        step = _MARGIN * length
        ohlc_since = -(-reach // step) * step
    old = tuple(
        Span(each.since, min(each.until, ohlc_since)) for each in missed if each.since < ohlc_since
    )
    by_trades = sum((each.until - each.since) // length for each in old)
    need = SeriesNeed(
        timeframe=series.timeframe,
        since=moment_at(wanted.since),
        until=moment_at(wanted.until),
        stored=(wanted.until - wanted.since) // length - sum(counts.values()),
        nothing_traded=counts[Cause.NOTHING_TRADED],
        outage=counts[Cause.OUTAGE],
        never_fetched=counts[Cause.NEVER_FETCHED],
        by_ohlc=counts[Cause.NEVER_FETCHED] - by_trades,
        by_trades=by_trades,
        ohlc_since=moment_at(ohlc_since),
        gaps=len(gaps),
        holes=tuple(_longest(gaps, length)),
    )
    return need, old


def spans_to_read(old: Sequence[Span]) -> tuple[Span, ...]:
    """What all timeframes lack together, in as few readings as are worth it, oldest first."""
    joined: list[Span] = []
    for each in merged(old):
        if joined and each.since - joined[-1].until < _JOIN_S:
            joined[-1] = Span(joined[-1].since, each.until)
        else:
            joined.append(each)
    return tuple(joined)


def trades_within(spans: Sequence[Span], daily: Sequence[Candle]) -> int:
    """How many trades there were, by the counts of daily candles, oldest first.

    Before the first of them it is as on its first thirty days. Without any nothing is known: 0.
    """
    if not daily:
        return 0
    counts = {int(each.opened_at.timestamp()): each.count for each in daily}
    first = min(counts)
    begun = [each.count for each in daily[:_AVERAGED_DAYS]]
    before = sum(begun) / len(begun)
    total = 0.0
    for span in spans:
        for day in range(span.since // _DAY_S * _DAY_S, span.until, _DAY_S):
            share = (min(span.until, day + _DAY_S) - max(span.since, day)) / _DAY_S
            total += share * (counts.get(day, 0) if day >= first else before)
    return round(total)


def calls_for(trades: int, readings: int) -> int:
    """Pages that so many trades fill; each reading ends with a page that is not full."""
    return trades // TRADES_A_CALL + readings


def _longest(gaps: Sequence[Gap], length: int) -> Iterator[Hole]:
    longest = sorted(gaps, key=lambda each: (-each.count, each.since))[:MOST_GAPS]
    for each in sorted(longest, key=lambda each: each.since):
        yield Hole(
            since=moment_at(each.since),
            until=moment_at(each.since + each.count * length),
            count=each.count,
            cause=each.cause,
        )
