"""The state of a pair that is watched: live, stale, halted or delisted, and why. Pure.

Fresh means that the venue vouched for the price within the limit, whether or not it moved. A pair
that was quiet for half of it is worth asking about: its snapshot says that nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.market_watch import MarketState, Ticker
from zoe_tools.domain.money import ZERO

HALTED_BY = frozenset(
    {
        InstrumentStatus.CANCEL_ONLY,
        InstrumentStatus.MAINTENANCE,
        InstrumentStatus.WORK_IN_PROGRESS,
        InstrumentStatus.UNKNOWN,
    }
)
"""In these nobody trades, or nobody knows."""


def state_of(
    *,
    status: InstrumentStatus,
    ticker: Ticker | None,
    is_wire_up: bool,
    now: datetime,
    limit_s: float,
) -> tuple[MarketState, str]:
    """The state and, unless it is live, the reason in a few words; a limit of 0 is none.

    What the venue says of the pair goes before what was heard of its price. Words are limits and
    not ages, so that a reason is the same from one look to the next.
    """
    if status is InstrumentStatus.DELISTED:
        return MarketState.DELISTED, "not listed any more"
    if status in HALTED_BY:
        return MarketState.HALTED, status.value
    if not is_wire_up:
        return MarketState.STALE, "the wire is away"
    if ticker is None:
        return MarketState.STALE, "nothing heard yet"
    if is_old(ticker.heard_at, now, limit_s):
        return MarketState.STALE, f"nothing heard for {limit_s:.0f} s"
    if not ticker.is_two_sided:
        return MarketState.STALE, "a side of the book is empty"
    return MarketState.LIVE, ""


def is_old(heard_at: datetime, now: datetime, limit_s: float) -> bool:
    """Whether that was longer ago than the limit, which is none where it is 0."""
    return limit_s > 0 and now - heard_at > timedelta(seconds=limit_s)


def quiet(
    followed: Iterable[Symbol],
    *,
    heard_at: Mapping[Symbol, datetime],
    asked_at: Mapping[Symbol, datetime],
    now: datetime,
    limit_s: float,
) -> tuple[Symbol, ...]:
    """Pairs to ask about: silent for half the limit, and not asked about within as long."""
    if not limit_s:
        return ()
    return tuple(
        symbol
        for symbol in followed
        if all(
            is_old(each[symbol], now, limit_s / 2)
            for each in (heard_at, asked_at)
            if symbol in each
        )
    )


def followed(
    instruments: Iterable[Instrument],
    *,
    quote: str,
    always: Iterable[Symbol],
    turnover: Mapping[Symbol, Decimal],
    most: int,
) -> tuple[Symbol, ...]:
    """Which pairs are watched: those always, then the others in that currency, at most so many.

    Where there are more, those with the greatest turnover go first.
    """
    listed = [each for each in instruments if each.status is not InstrumentStatus.DELISTED]
    names = {each.symbol for each in listed}
    first = [each for each in dict.fromkeys(always) if each in names]
    others = sorted(
        (each.symbol for each in listed if each.quote == quote and each.symbol not in first),
        key=lambda symbol: (-turnover.get(symbol, ZERO), symbol),
    )
    return tuple([*first, *others][:most])
