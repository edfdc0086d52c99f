"""Prices of the order desk: where an order begins, and where it goes when its time is over.

Everything is exact; rounding to the instrument's tick, inside, comes last. Zero is a value: no
attempts, no steps, no crossing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.intent_group import Style
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import BASIS_POINT, HUNDRED, ONE, ZERO
from zoe_tools.domain.order import Side
from zoe_tools.domain.policy import Policy

PASSIVE_TTL, PANIC_TTL = Decimal("1.5"), Decimal("0.5")
"""What a passive order's and a panic order's time is of the usual one: 90 s and 15 s."""

_NEAR, _FAR = Decimal("0.0005"), Decimal("0.002")
"""How far above the bid a normal entry begins: half of the spread, within these."""

_PANIC_NEAR, _PANIC_FAR = Decimal("0.0005"), Decimal("0.005")
"""How far below the bid a panic exit may sell: the spread, within these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The six knobs, less the two of time: basis points and percent of the mid price."""

    max_attempts: int
    step_bps: Decimal
    max_cross_bps: Decimal
    guard_pct: Decimal
    collar_pct: Decimal

    def trips_guard(self, quote: Quote) -> bool:
        """Whether the spread is wider than the liquidity guard allows."""
        return quote.spread_bps > self.guard_pct * HUNDRED


def ladder_of(policy: Policy, style: Style = Style.NORMAL) -> Ladder:
    """The knobs as they are set; who panics does not step."""
    return Ladder(
        max_attempts=0 if style is Style.PANIC else policy.max_reprice_attempts,
        step_bps=policy.reprice_step_bps,
        max_cross_bps=policy.max_cross_spread_bps,
        guard_pct=policy.liquidity_guard_spread_pct,
        collar_pct=policy.price_collar_pct,
    )


def ttl_of(style: Style, side: Side, policy: Policy) -> Decimal:
    """Seconds that an order of this style may rest before it is looked at again."""
    usual_s = policy.order_ttl_entry_s if side is Side.BUY else policy.order_ttl_exit_s
    factor = {Style.PASSIVE: PASSIVE_TTL, Style.PANIC: PANIC_TTL}.get(style, ONE)
    return Decimal(str(usual_s)) * factor


def longest_life_s(policy: Policy) -> float:
    """How long an entry may work at most, over all of its repricings, in seconds."""
    return policy.order_ttl_entry_s * float(PASSIVE_TTL) * (policy.max_reprice_attempts + 1)


def first_price(style: Style, side: Side, quote: Quote) -> Decimal:
    """Where an order of this style begins, before it is rounded.

    A buy is an entry and a sale is an exit: spot is long only.
    """
    spread = (quote.ask - quote.bid) / quote.mid
    if style is Style.PASSIVE:
        return quote.bid if side is Side.BUY else quote.ask
    if side is Side.BUY:
        return quote.bid * (1 + min(max(_NEAR, spread / 2), _FAR))
    if style is Style.PANIC:
        return quote.bid * (1 - min(max(spread, _PANIC_NEAR), _PANIC_FAR))
    return quote.bid * (1 - _NEAR)


def is_left_behind(style: Style, order: OrderRecord, quote: Quote | None) -> bool:
    """Whether the bid fell below the limit that a sale in panic began with: it waits no more."""
    if style is not Style.PANIC or order.replace_count or quote is None:
        return False
    return order.limit_price is not None and quote.bid < order.limit_price


def next_price(
    side: Side, limit: Decimal, quote: Quote, *, attempt: int, ladder: Ladder
) -> Decimal:
    """The limit after repricing number `attempt + 1`, before it is rounded.

    Each step is as much longer as it is later, and none ends further from the own side of the
    book than may be crossed.
    """
    step = quote.mid * ladder.step_bps * BASIS_POINT * (attempt + 1)
    if side is Side.BUY:
        return min(limit + step, crossed(side, quote, ladder))
    return max(limit - step, crossed(side, quote, ladder))


def crossed(side: Side, quote: Quote, ladder: Ladder) -> Decimal:
    """The furthest from its own side of the book that an order may go."""
    cross = quote.mid * ladder.max_cross_bps * BASIS_POINT
    return quote.bid + cross if side is Side.BUY else quote.ask - cross


def worst_of(first: Decimal, quote: Quote, ladder: Ladder) -> Decimal:
    """The most that a buy begun at `first` may ever ask for: all of its steps, in the collar.

    Not rounded. Quantity is reckoned by it, so that no step costs more than the limits allow.
    """
    steps = ladder.max_attempts * (ladder.max_attempts + 1) // 2
    reach = first + quote.mid * ladder.step_bps * BASIS_POINT * steps
    return max(first, min(reach, collared(Side.BUY, quote, ladder)))


def collared(side: Side, quote: Quote, ladder: Ladder) -> Decimal:
    """The furthest price from the market that the collar allows: a limit there is marketable."""
    share = ladder.collar_pct / HUNDRED
    return quote.mid * (1 + share if side is Side.BUY else 1 - share)


def rounded(side: Side, price: Decimal, instrument: Instrument) -> Decimal:
    """On tick, inside: never beyond the exact price."""
    return instrument.floor_price(price) if side is Side.BUY else instrument.ceil_price(price)


def attempts_used(order: OrderRecord, now: datetime) -> int | None:
    """How many repricings the order has had, or has let pass; None while its time is not over.

    Each further time to live that passed over it counts: after an hour without the desk its life
    is over, it does not begin again. Times from ahead, by a clock that was set back, count as over.
    """
    ttl = timedelta(seconds=float(order.ttl_s or ZERO))
    due_at = order.next_action_at or order.created_at + ttl
    late = now - due_at
    if late < timedelta(0):
        return order.replace_count if -late > ttl else None
    return order.replace_count + (late // ttl if ttl else 0)
