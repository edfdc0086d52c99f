"""Which candles the store lacks, and which of the venue's answer fill the gap.

The expected grid runs from the first candle wanted to the last one that is over. The venue's OHLC
reaches back 720 candles; what lies further back, `core/candle_needs.py` has read from the trades.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from zoe_tools.domain.account import Account
from zoe_tools.domain.candle import Candle, Span, Timeframe, second_at
from zoe_tools.domain.candle_reads import stretch_of
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.plan import Plan, WriteCandles

OHLC_REACH = 720
"""Finished candles that one OHLC answer holds at most (kraken-spot section 5)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of missing candles; both ends are candle starts, inclusive."""

    first: datetime
    last: datetime
    count: int


def expected_starts(timeframe: Timeframe, now: datetime) -> tuple[datetime, ...]:
    """The starts of all finished candles within OHLC's reach, oldest first."""
    length = timeframe.length
    running = now - (now - _EPOCH) % length
    return tuple(running - length * back for back in range(OHLC_REACH, 0, -1))


def find_gaps(
    expected: Sequence[datetime], stored: Sequence[Candle], timeframe: Timeframe
) -> tuple[Gap, ...]:
    """Stretches of `expected` that `stored` (final candles) does not hold."""
    known = {candle.opened_at for candle in stored if candle.is_final}
    gaps: list[Gap] = []
    for start in expected:
        if start in known:
            continue
        if gaps and gaps[-1].last + timeframe.length == start:
            gaps[-1] = Gap(first=gaps[-1].first, last=start, count=gaps[-1].count + 1)
        else:
            gaps.append(Gap(first=start, last=start, count=1))
    return tuple(gaps)


def looked_through(
    candles: Sequence[Candle], timeframe: Timeframe, since: datetime | None = None
) -> Span | None:
    """What an OHLC answer looked through: 720 candles, or all there is of a younger market.

    With `since` nothing older was asked for. None without a candle; one that only has the running
    one has no finished one to tell.
    """
    if not candles:
        return None
    length = timeframe.minutes * 60
    last = candles[-1]
    until = second_at(last.opened_at) + (length if last.is_final else 0)
    begin = second_at(candles[0].opened_at)
    if sum(each.is_final for each in candles) < OHLC_REACH:
        begin = min(begin, until - OHLC_REACH * length)
    return Span(begin if since is None else max(begin, second_at(since)), until)


def plan_backfill(
    *,
    account: Account,
    now: datetime,
    symbol: Symbol,
    timeframe: Timeframe,
    stored: Sequence[Candle],
    fetched: Sequence[Candle],
    lifetime_s: float,
    from_trades: Collection[datetime] = (),
    looked: Span | None = None,
) -> Plan:
    """Write what the venue has and the store lacks; a second run finds nothing to write.

    `fetched` is the venue's OHLC answer; running candles are never stored. Candles that begin at
    one of `from_trades` stay as they are: they were made of every trade (ADR 30). `looked` is what
    the answer looked through, which is noted with the candles.
    """
    known = {candle.opened_at: candle for candle in stored}
    missing = tuple(
        candle
        for candle in fetched
        if candle.is_final
        and known.get(candle.opened_at) != candle
        and candle.opened_at not in from_trades
    )
    gaps = find_gaps(expected_starts(timeframe, now), stored, timeframe)
    offered = {candle.opened_at for candle in fetched if candle.is_final}
    unfillable = sum(
        1 for start in expected_starts(timeframe, now) if start not in offered | known.keys()
    )
    notes = [
        f"{symbol} {timeframe.value}: {gap.count} missing, "
        f"{gap.first:%Y-%m-%d %H:%M} to {gap.last:%Y-%m-%d %H:%M}"
        for gap in gaps
    ]
    if unfillable:
        notes.append(f"{symbol} {timeframe.value}: {unfillable} are not in the venue's answer.")
    steps: tuple[WriteCandles, ...] = ()
    if missing:
        steps = (
            WriteCandles(
                symbol=symbol,
                timeframe=timeframe,
                candles=missing,
                source="kraken OHLC",
                reason=f"{len(missing)} candles are missing or differ",
                looked=None if looked is None else stretch_of(looked),
            ),
        )
    return Plan(
        command="backfill",
        account=account,
        created_at=now,
        expires_at=now + timedelta(seconds=lifetime_s),
        steps=steps,
        notes=tuple(notes),
    )
