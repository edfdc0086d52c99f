"""The pairs that are watched as one table: what is known of each, in an order. Pure.

Whoever shows rows that were kept judges them anew: a row that was live when it was written is not
live any more when nobody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from zoe_tools.core.market_focus import Focus
from zoe_tools.core.market_movers import LOOKS_BACK
from zoe_tools.core.market_states import is_old
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market_watch import (
    FocusClaim,
    MarketRow,
    MarketState,
    Mover,
    Snapshot,
    SparkPoint,
)
from zoe_tools.domain.money import ZERO, round_half_up

FOCUS = "focus"
WATCH = "market-watch"
"""The watch's name among the heartbeats."""

BEATS_WITHIN = timedelta(seconds=15)
"""Three signs of life that did not come: nobody watches."""

_SPREAD_DECIMALS = 6
_STATES = tuple(MarketState)
_OWN = frozenset({"symbol", "tier", "state", "reason", "gaps", "written_at"})
"""What a snapshot has beside the ticker's figures."""


class MarketOrder(StrEnum):
    """By what the table is sorted; the greatest comes first."""

    FOCUS = "focus"
    VOLUME = "volume"
    CHANGE = "change"
    SPREAD = "spread"
    AGE = "age"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """Everything the table is made of; `source` says where it comes from: watch, store or look."""

    snapshots: tuple[Snapshot, ...]
    claims: tuple[FocusClaim, ...]
    movers: tuple[Mover, ...]
    points: Mapping[Symbol, tuple[SparkPoint, ...]]
    now: datetime
    is_watched: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketLine:
    """A pair in the table; `age_s` since it was heard, `curve` its prices of a day, oldest first.

    `moved_pct` is the change within an hour of a mover of the last hour.
    """

    symbol: Symbol
    tier: str
    state: MarketState
    reason: str
    age_s: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    mid: Decimal | None
    last: Decimal | None
    spread_pct: Decimal | None
    change_pct: Decimal | None
    quote_volume: Decimal | None
    reasons: tuple[str, ...]
    moved_pct: Decimal | None
    gaps: int
    curve: tuple[Decimal, ...]


def snapshot_of(row: MarketRow, tier: str, now: datetime) -> Snapshot:
    """A pair that is watched right now, as it would be kept."""
    names = [each.name for each in fields(Snapshot) if each.name not in _OWN]
    return Snapshot(
        symbol=row.symbol,
        tier=tier,
        state=row.state,
        reason=row.reason,
        gaps=row.gaps,
        written_at=now,
        **{name: None if row.ticker is None else getattr(row.ticker, name) for name in names},
    )


def market_lines(
    view: MarketView,
    *,
    order: MarketOrder = MarketOrder.FOCUS,
    state: MarketState | None = None,
    top: int | None = None,
) -> tuple[MarketLine, ...]:
    """The table's lines, sorted; of one state, or all; the first `top`, or all."""
    focus = Focus(view.claims).at(view.now)
    movers = {each.symbol: each for each in view.movers if each.detected_at > view.now - LOOKS_BACK}
    lines = [_line(each, view, focus, movers.get(each.symbol)) for each in view.snapshots]
    chosen = [each for each in lines if state in (None, each.state)]
    return tuple(sorted(chosen, key=_KEYS[order]))[:top]


def _line(kept: Snapshot, view: MarketView, focus: Focus, mover: Mover | None) -> MarketLine:
    state, reason = kept.state, kept.reason
    if state is MarketState.LIVE and not view.is_watched:
        state, reason = MarketState.STALE, "nobody watches"
    age_s = None
    if kept.heard_at is not None:
        age_s = Decimal(max(0, round((view.now - kept.heard_at).total_seconds())))
    return MarketLine(
        symbol=kept.symbol,
        tier=kept.tier,
        state=state,
        reason=reason,
        age_s=age_s,
        bid=kept.bid,
        ask=kept.ask,
        mid=kept.mid,
        last=kept.last,
        spread_pct=kept.spread_pct and round_half_up(kept.spread_pct, _SPREAD_DECIMALS),
        change_pct=kept.change_pct,
        quote_volume=kept.quote_volume,
        reasons=tuple(each.value for each in focus.reasons(kept.symbol)),
        moved_pct=None if mover is None else mover.change_pct,
        gaps=kept.gaps,
        curve=tuple(each.mid for each in view.points.get(kept.symbol, ())),
    )


def counted(lines: Iterable[MarketLine]) -> dict[str, int]:
    """How many pairs are in each state."""
    states = [each.state for each in lines]
    return {each.value: states.count(each) for each in _STATES}


def is_watching(beat_at: datetime | None, status: str, now: datetime) -> bool:
    """Whether a watch is at work, by its last sign of life."""
    within_s = BEATS_WITHIN.total_seconds()
    return beat_at is not None and status != "down" and not is_old(beat_at, now, within_s)


def _greatest(value: Decimal | None) -> tuple[bool, Decimal]:
    """What is not known comes last."""
    return value is None, -(value or ZERO)


_Key = Callable[[MarketLine], tuple[object, ...]]
_KEYS: Mapping[MarketOrder, _Key] = {
    MarketOrder.FOCUS: lambda each: (
        each.tier != FOCUS,
        *_greatest(each.quote_volume),
        each.symbol,
    ),
    MarketOrder.VOLUME: lambda each: (*_greatest(each.quote_volume), each.symbol),
    MarketOrder.CHANGE: lambda each: (*_greatest(each.change_pct), each.symbol),
    MarketOrder.SPREAD: lambda each: (*_greatest(each.spread_pct), each.symbol),
    MarketOrder.AGE: lambda each: (*_greatest(each.age_s), each.symbol),
    MarketOrder.NAME: lambda each: (each.symbol,),
}
