"""Which pairs move, told once for each move. Pure.

A move is told when it begins; it lasts until it has fallen to two thirds of what it takes to
begin, and the same one again is told only after a rest. One in the other direction is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import (
    FocusClaim,
    FocusReason,
    MarketRow,
    MarketState,
    Mover,
    MoverKind,
    SparkPoint,
)
from zoe_tools.domain.money import HUNDRED, ZERO

LOOKS_BACK = timedelta(hours=1)
TOLERANCE = timedelta(minutes=15)
"""A price of an hour ago may be so much younger or older."""

_HOURS = Decimal(24)
_ENDS_AT = Decimal(2) / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverRules:
    """What makes a mover: percent in an hour, times the usual hour's turnover; 0 switches one off.

    A pair whose spread is wider than `spread_max_pct` is none: its mid price means little.
    """

    momentum_pct: Decimal = Decimal(3)
    acceleration: Decimal = Decimal(2)
    spread_max_pct: Decimal = Decimal(1)
    rest: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move that was told: whether it still lasts, and when it was last seen to."""

    kind: MoverKind
    is_up: bool
    seen_at: datetime
    lasts: bool = True


def reference_of(points: Sequence[SparkPoint], now: datetime) -> SparkPoint | None:
    """The point nearest to an hour ago; None where none is within the tolerance."""
    wanted = now - LOOKS_BACK
    near = [each for each in points if abs(each.bucket_at - wanted) <= TOLERANCE]
    return min(near, key=lambda each: (abs(each.bucket_at - wanted), each.bucket_at), default=None)


def acceleration_of(now: Decimal, before: Decimal) -> Decimal | None:
    """How many times its usual hour the last hour's turnover was.

    `now` and `before` are the turnovers of 24 hours, an hour apart. The hour that left the day is
    taken for a usual one, a 24th of it. None: nothing was traded before.
    """
    if before <= ZERO:
        return None
    return max(ZERO, 1 + (now - before) / (before / _HOURS))


def judged(
    row: MarketRow,
    reference: SparkPoint | None,
    last: Move | None,
    rules: MoverRules,
    now: datetime,
) -> tuple[Move | None, Mover | None]:
    """The pair's move from now on, and the mover to tell of, if one is new.

    Where nothing can be said, because the price or the one of an hour ago is missing or the spread
    is too wide, the move stands as it was.
    """
    mover = _measured(row, reference, rules, now)
    if mover is None:
        return last, None
    if last is not None and last.lasts and _lasts(mover, last, rules):
        return Move(kind=last.kind, is_up=last.is_up, seen_at=now), None
    kind = _kind(mover, rules)
    if kind is None:
        over = last and replace(last, lasts=False)
        return over, None
    is_up = mover.change_pct >= ZERO
    move = Move(kind=kind, is_up=is_up, seen_at=now)
    is_known = last is not None and (last.kind, last.is_up) == (kind, is_up)
    if last is not None and is_known and now - last.seen_at < rules.rest:
        return move, None
    return move, replace(mover, kind=kind)


def remembered(
    movers: Iterable[Mover], claims: Iterable[FocusClaim], rest: timedelta
) -> dict[Symbol, Move]:
    """The moves that a watch goes on with which begins anew; movers oldest first.

    A move that lasts claims focus for another rest each time it is seen.
    """
    ends = {each.symbol: each.expires_at for each in claims if each.reason is FocusReason.MOVER}
    found: dict[Symbol, Move] = {}
    for each in movers:
        ends_at = ends.get(each.symbol)
        seen_at = each.detected_at if ends_at is None else max(each.detected_at, ends_at - rest)
        found[each.symbol] = Move(kind=each.kind, is_up=each.change_pct >= ZERO, seen_at=seen_at)
    return found


def _measured(
    row: MarketRow, reference: SparkPoint | None, rules: MoverRules, now: datetime
) -> Mover | None:
    ticker = row.ticker
    if row.state is not MarketState.LIVE or ticker is None or reference is None:
        return None
    mid, spread_pct = ticker.mid, ticker.spread_pct
    if mid is None or spread_pct is None or spread_pct > rules.spread_max_pct:
        return None
    return Mover(
        symbol=row.symbol,
        kind=MoverKind.MOMENTUM,
        detected_at=now,
        mid=mid,
        reference=reference.mid,
        reference_at=reference.bucket_at,
        change_pct=(mid - reference.mid) / reference.mid * HUNDRED,
        acceleration=acceleration_of(ticker.quote_volume, reference.quote_volume),
        spread_pct=spread_pct,
    )


def _kind(mover: Mover, rules: MoverRules) -> MoverKind | None:
    if rules.momentum_pct and abs(mover.change_pct) >= rules.momentum_pct:
        return MoverKind.MOMENTUM
    accelerates = mover.acceleration is not None and mover.acceleration >= rules.acceleration
    return MoverKind.VOLUME if rules.acceleration and accelerates else None


def _lasts(mover: Mover, last: Move, rules: MoverRules) -> bool:
    """Whether it is still the same move, and nothing greater has begun; one that is off is over."""
    if last.kind is MoverKind.VOLUME:
        if _kind(mover, rules) is MoverKind.MOMENTUM or not rules.acceleration:
            return False
        return (mover.acceleration or ZERO) >= rules.acceleration * _ENDS_AT
    is_up = mover.change_pct >= ZERO
    return (
        bool(rules.momentum_pct)
        and is_up == last.is_up
        and abs(mover.change_pct) >= rules.momentum_pct * _ENDS_AT
    )
