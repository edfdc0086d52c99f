"""Where a stop may move to as the market moves in its position's favour, and how old one may be.

Nothing is remembered: the stop itself is the mark of how far the market went. It is told with its
reason, and never loosened; what moves it is a fresh quote alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position

STEP_PART = 10
"""A trailing stop follows by steps of one part in so many of its distance."""

MOVE_PAUSE_S = 5.0
"""So long a stop stands before its price alone is changed: then the venue's budget bears it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A better price for the stop of a position, on tick, and why."""

    price: Decimal
    reason: str


def without_moves(policy: Policy) -> Policy:
    """The same, and no stop follows the market."""
    return replace(policy, trailing_stop_pct=ZERO, break_even_at_pct=ZERO)


def raised(
    position: Position, instrument: Instrument, policy: Policy, quote: Quote, price: Decimal
) -> Raise | None:
    """The best that the policy asks for beyond `price`, where a stop would rest; None: nothing.

    For a long position: spot has no other.
    """
    if position.side is not Side.BUY:
        return None
    wanted = [
        each
        for each in _wanted(position, instrument, policy, quote, price)
        if price < each.price < quote.bid
    ]
    return max(wanted, key=lambda each: each.price, default=None)


def _wanted(
    position: Position, instrument: Instrument, policy: Policy, quote: Quote, price: Decimal
) -> Iterator[Raise]:
    profit = policy.break_even_at_pct
    if profit > ZERO and quote.bid >= position.average_cost * (1 + profit / HUNDRED):
        even = break_even_price(position, instrument)
        yield Raise(price=even, reason=f"the profit reached {short(profit)} %: no loss from here")
    distance = policy.trailing_stop_pct
    if distance > ZERO:
        follows = instrument.floor_price(quote.bid * (1 - distance / HUNDRED))
        step = quote.bid * distance / HUNDRED / STEP_PART
        if follows >= price + step:
            yield Raise(price=follows, reason=f"it follows the market, {short(distance)} % below")


def break_even_price(position: Position, instrument: Instrument) -> Decimal:
    """The price whose sale brings what the position cost, fees of both in it; on tick.

    The fee is the venue's first tier's, the dearest.
    """
    fee = instrument.tier(ZERO).taker_pct / HUNDRED
    return instrument.ceil_price(position.average_cost / (1 - fee))


def is_overdue(position: Position, policy: Policy, now: datetime) -> bool:
    """Whether a position has been held for longer than the policy allows."""
    limit_s = policy.max_position_age_s
    return limit_s > 0 and (now - position.opened_at).total_seconds() > limit_s
