"""Which stop a position needs, and the steps that bring it there: the loop's protection.

Every protectable quantity that is held has a stop, or a target of its own. A stop changes by
amending, which leaves no gap; one that cannot be amended is cancelled and, once that is proved,
placed anew. A stop is never placed where the market is through it: the position is left instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from zoe_tools.core.position_orders import (
    can_be_canceled,
    cancelled,
    leaves,
    left_in,
    place_stop,
)
from zoe_tools.core.stop_moves import MOVE_PAUSE_S, Raise, raised
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.position_lifecycle import is_loosened

WAY_OUT = (
    "zoe run sells such a position at once, by a limit below the bid and, if that does not fill"
    " within half of ORDER_TTL_SECONDS_EXIT, at market; zoe kill --level flatten --execute sells"
    " all that zoe manages, at market"
)
"""Out of a position without a stop that the market is through the price of."""

UNLISTED = "it is held, and nobody can stop or sell it: the venue lists no such instrument"
"""Of a position in what left the venue's list."""

GATHER_S = 1.0
"""A stop that was changed so short a time ago waits as long to grow: fills come in bursts."""

MOVE_REFUSED_S = 60.0
"""So long a better price that the venue refused for now is not asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A position and what its protection depends on.

    `working`: its orders that are at work; `recent`: all orders of the last hour, over or not, and
    others' too. `refusals`: what the venue said a definite no to in that hour, about its stops.
    `quote` is fresh, or None.
    """

    position: Position
    instrument: Instrument
    policy: Policy
    working: Sequence[OrderRecord]
    recent: Sequence[OrderRecord] = ()
    refusals: Sequence[Intent] = ()
    quote: Quote | None = None
    is_lowered: bool = False
    """Somebody moved its stop against it at the venue: told, and not fought."""
    at: datetime | None = None
    """The time, for a loop that minds the position; a command lets the stop where it is."""
    growing_since: datetime | None = None
    """Since when its stop has been too small, where the loop may gather what else is bought."""

    @property
    def stops(self) -> list[OrderRecord]:
        """The stops at work, on their way ones included."""
        return [order for order in self.working if order.purpose == "stop"]

    @property
    def stop_price(self) -> Decimal:
        """Where the stop belongs."""
        return stop_price_for(self.position, self.instrument, self.policy)

    @property
    def quantity(self) -> Decimal:
        """How much stops have to cover: what is held, less what targets hold.

        A sale at a target's price that nobody has seen at the venue may hold nothing.
        """
        targets = [
            order
            for order in self.working
            if order.purpose == "take_profit"
            and not (leaves(order) and order.status is OrderStatus.UNKNOWN)
        ]
        return self.instrument.floor_quantity(self.position.quantity) - left_in(targets)

    @property
    def raised(self) -> Raise | None:
        """A better price for its stop than where it belongs, as the market has moved."""
        if self.at is None or self.quote is None or self.is_lowered:
            return None
        price = self.stop_price
        return raised(self.position, self.instrument, self.policy, self.quote, price)

    @property
    def can_rest(self) -> bool:
        """Whether a stop at its price would rest, as far as a fresh quote tells."""
        quote = self.quote
        return quote is not None and not is_through(self.position.side, self.stop_price, quote)


def stop_price_for(position: Position, instrument: Instrument, policy: Policy) -> Decimal:
    """Where the protective stop of a long position belongs, on tick."""
    if position.stop_price is not None:
        return position.stop_price
    distance = position.average_cost * policy.stop_loss_pct / HUNDRED
    return instrument.floor_price(position.average_cost - distance)


def is_through(side: Side, price: Decimal, quote: Quote) -> bool:
    """Whether the market is at the stop price of a position, or beyond: a stop there would fire."""
    return quote.bid <= price if side is Side.BUY else quote.ask >= price


def reason_to_leave(held: Held) -> str:
    """Why a position without any stop is sold instead of stopped; empty where it is not.

    By a fresh quote only: where the market is not known, the venue is asked to hold the stop.
    """
    if held.stops:
        return ""
    quote, price = held.quote, held.stop_price
    if quote is not None and is_through(held.position.side, price, quote):
        return f"the market passed its stop at {short(price)} while none rested"
    refused, most = refusals_of_its_stop(held), held.policy.stop_refusals_until_sale
    if most and refused >= most:
        return f"the venue refused its stop {refused} times"
    return ""


def refusals_of_its_stop(held: Held) -> int:
    """How often the venue said no to placing a stop since it took one; passing causes left out."""
    taken = [
        order.created_at
        for order in held.recent
        if order.position_id == held.position.position_id
        and order.purpose == "stop"
        and order.venue_order_id is not None
    ]
    since = max(taken, default=None)
    return sum(
        each.kind is IntentKind.PLACE
        and not each.is_refused_for_now
        and (since is None or each.created_at > since)
        for each in held.refusals
    )


def is_refused_an_amendment(stop_id: str | None, refusals: Sequence[Intent]) -> bool:
    """Whether the venue said no, and not for now, to amending this stop."""
    return any(
        each.kind is IntentKind.AMEND
        and each.venue_order_id == stop_id
        and not each.is_refused_for_now
        for each in refusals
    )


def protect(held: Held) -> Iterator[Step]:
    """The steps after which stops cover what no target holds."""
    price, quantity, stops = held.stop_price, held.quantity, held.stops
    if not held.instrument.is_tradable_quantity(quantity, price=price):
        return
    if not stops:
        better = held.raised
        price = price if better is None else better.price
        told = "" if better is None else f": {better.reason}"
        yield place_stop(
            held.position,
            quantity=quantity,
            price=price,
            notional=price * quantity,
            reason=f"the position has no stop{told}",
        )
    elif len(stops) == 1:
        yield from _fit_one(held, stops[0], quantity)
    elif all(can_be_canceled(each) for each in stops):
        yield from _fit_several(held.position, stops, quantity)


def _fit_one(held: Held, stop: OrderRecord, quantity: Decimal) -> Iterator[Step]:
    """In place where that goes; else it makes room for a new one, which the next turn places."""
    moved = moved_price(held, stop.trigger_price)
    is_other = stop.order_type is not OrderType.STOP_LOSS
    is_sized = stop.remaining_quantity == quantity
    better = _better(held, stop, is_sized=is_sized)
    if is_sized and moved is None and not is_other:
        # A better price is no reason to give up a stop that cannot be amended.
        if better is not None:
            why = f"{better.reason}: to {short(better.price)}"
            yield from resized(held.position, stop, quantity, why, price=better.price)
        return
    if not is_other and stop.remaining_quantity < quantity and _gathers(held, stop):
        return
    if is_other or is_refused_an_amendment(stop.venue_order_id, held.refusals):
        if can_be_canceled(stop) and may_be_replaced(held):
            why = f"it is a {stop.order_type.value}" if is_other else "the venue does not amend it"
            yield from cancelled(stop, f"{why}: a stop-loss takes its place")
        return
    why = f"the stop covers {stop.remaining_quantity:f} of {quantity:f}"
    if is_sized:
        why = f"the stop belongs at {short(held.stop_price)}"
    price = moved if better is None else better.price
    yield from resized(held.position, stop, quantity, why, price=price)


def _gathers(held: Held, stop: OrderRecord) -> bool:
    """Whether a stop that is too small waits for what else is bought in the same moment.

    By a clock that was set back it does not wait.
    """
    at, since = held.at, held.growing_since
    return at is not None and since is not None and since <= at < grows_at(stop, since=since)


def grows_at(stop: OrderRecord, *, since: datetime) -> datetime:
    """When a stop that has been too small since then is to grow: at once, or a moment later.

    Not later than a moment after `since`, whatever is told of the stop meanwhile.
    """
    moment = timedelta(seconds=GATHER_S)
    if since - stop.updated_at >= moment:
        return since
    return min(stop.updated_at, since) + moment


def _better(held: Held, stop: OrderRecord, *, is_sized: bool) -> Raise | None:
    """Where a stop that rests goes as the market moves; by itself not before it has stood awhile.

    What the venue refused is not asked for again at once, and what it does not amend, never.
    """
    found = held.raised
    at, trigger = held.at, stop.trigger_price
    if found is None or at is None or trigger is None or found.price <= trigger:
        return None
    if not can_be_canceled(stop) or not may_be_replaced(held):
        return None
    if is_refused_an_amendment(stop.venue_order_id, held.refusals):
        return None
    refused = [
        each.created_at for each in held.refusals if each.venue_order_id == stop.venue_order_id
    ]
    is_young = any(is_within(at, each, MOVE_REFUSED_S) for each in refused)
    stands = is_sized and is_within(at, stop.updated_at, MOVE_PAUSE_S)
    return None if is_young or stands else found


def is_within(now: datetime, then: datetime, seconds: float) -> bool:
    """Whether that was less than so long ago; by a clock that was set back it was not."""
    return 0 <= (now - then).total_seconds() < seconds


def may_be_replaced(held: Held) -> bool:
    """Whether a new stop would rest: the old one is better than none."""
    return held.can_rest and held.instrument.status is InstrumentStatus.ONLINE


def moved_price(held: Held, trigger: Decimal | None) -> Decimal | None:
    """The price that a stop is to move to: towards profit alone, and where it would rest."""
    price = held.stop_price
    is_behind = is_loosened(held.position.side, price, trigger)
    return price if is_behind and held.can_rest and not held.is_lowered else None


def _fit_several(position: Position, stops: list[OrderRecord], quantity: Decimal) -> Iterator[Step]:
    """The largest grows to what is missing; of what is too much the smallest goes first.

    Stops beyond the position would sell coins that are nobody's here. The one that is linked stays.
    """
    linked = position.stop_venue_order_id
    stops = sorted(stops, key=lambda each: (each.remaining_quantity, each.venue_order_id == linked))
    missing = quantity - left_in(stops)
    for stop in stops[::-1] if missing > ZERO else stops:
        if missing == ZERO:
            return
        rest = stop.remaining_quantity + missing
        if rest > ZERO:
            why = f"the stop covers {stop.remaining_quantity:f} of {rest:f}"
            yield from resized(position, stop, rest, why)
            return
        missing = rest
        yield from cancelled(stop, "other stops cover all of the position")


def resized(
    position: Position,
    stop: OrderRecord,
    quantity: Decimal,
    reason: str,
    *,
    price: Decimal | None = None,
) -> Iterator[Step]:
    """The stop covers `quantity` from now on, in base, at `price` if one is given."""
    if stop.venue_order_id is not None:
        yield AmendOrder(
            amendment=OrderAmendment(
                venue_order_id=stop.venue_order_id,
                symbol=position.symbol,
                quantity=stop.filled_quantity + quantity,
                trigger_price=price,
            ),
            reason=reason,
            position_id=position.position_id,
        )
