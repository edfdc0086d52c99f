"""Whether the sale of a position comes to anything, and when one that does not is tried again.

On spot the stop makes room for the sale. Where the venue refuses that sale, or nothing comes of it,
the position is not on its way out: its stop goes back, and the next try waits longer each time. As
far as it can, that try is a small part beside the stop, which yields once the venue takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.core.position_orders import can_be_canceled, leaves
from zoe_tools.core.protection import Held, is_within, resized
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import PlaceOrder, Step

SALES_UNTIL_STOP = 3
"""So many sales in a row come to nothing before the stop goes back."""

IDLE_S = 5.0
"""So long a position that is left may stand bare without a sale at work, whatever the reason."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
"""Between two tries while the stop rests: twice as long each time. Bare, the first is kept to."""

SHORT_LIVED_S = 2.0
"""A sale that ended sooner, unfilled, was not taken."""

_MARGIN = Decimal("1.1")
"""A part that is tried is worth more than the venue's least by this, as prices move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsold:
    """A sale that came to nothing: how often beyond what is tried at once, and when last."""

    rounds: int
    last_at: datetime

    @property
    def pause_s(self) -> float:
        """How long the stop rests before the next try."""
        return min(FIRST_PAUSE_S * 2.0 ** min(self.rounds, 10), LONGEST_PAUSE_S)

    def is_due(self, now: datetime, *, is_bare: bool) -> bool:
        """Whether the sale is tried now; by a clock that was set back it is."""
        pause_s = FIRST_PAUSE_S if is_bare else self.pause_s
        return not is_within(now, self.last_at, pause_s)


def is_selling(position_id: PositionId, orders: Iterable[OrderRecord]) -> bool:
    """Whether a sale of the position is at work, or on its way."""
    return any(
        each.position_id == position_id and leaves(each) and not each.status.is_terminal
        for each in orders
    )


def unsold_of(
    position_id: PositionId, orders: Iterable[OrderRecord], noted: Sequence[datetime] = ()
) -> Unsold | None:
    """What became of the sales of a position that is left; None while they may be under way.

    `noted` are what no order tells: that it stood bare for too long with no sale at work, and later
    tries, of which nothing need be journaled. A sale that is taken ends it; once sales have come to
    nothing, one more that does is enough.
    """
    sales = {
        each.client_order_id: each
        for each in orders
        if each.position_id == position_id and leaves(each)
    }
    if is_selling(position_id, sales.values()):
        return None
    taken = [each.updated_at for each in sales.values() if not _came_to_nothing(each)]
    failed = [each.updated_at for each in sales.values() if _came_to_nothing(each)]
    since = max(taken, default=None)
    is_noted = any(since is None or each > since for each in noted)
    last = [each for each in (*failed, *noted) if since is None or each > since]
    if not last or not (is_noted or len(failed) >= SALES_UNTIL_STOP):
        return None
    rounds = max(0, len(failed) - SALES_UNTIL_STOP, len(noted) - 1)
    return Unsold(rounds=rounds, last_at=max(last))


def _came_to_nothing(sale: OrderRecord) -> bool:
    """Whether the venue refused it, or took it and ended it at once, unfilled."""
    if not sale.status.is_terminal or sale.filled_quantity > ZERO:
        return False
    is_short = is_within(sale.updated_at, sale.created_at, SHORT_LIVED_S)
    return sale.venue_order_id is None or sale.status is OrderStatus.REJECTED or is_short


def tried_beside(held: Held, sale: PlaceOrder) -> Iterator[Step]:
    """A small part of the sale, for which the stop makes room and no more; nothing if none can be.

    Both never ask for the same coins: the stop shrinks first.
    """
    if len(held.working) != 1 or held.working != held.stops:
        return
    (stop,) = held.stops
    if stop.remaining_quantity < held.quantity:
        return
    price = held.position.average_cost if held.quote is None else held.quote.bid
    part = _smallest(held, price)
    left = stop.remaining_quantity - part
    is_refused = any(each.venue_order_id == stop.venue_order_id for each in held.refusals)
    if is_refused or not can_be_canceled(stop):
        return
    if part > sale.request.quantity:
        return
    if not held.instrument.is_tradable_quantity(left, price=min(price, held.stop_price)):
        return
    yield from resized(held.position, stop, left, "a part of its sale is tried beside it")
    yield replace(sale, request=replace(sale.request, quantity=part), notional=price * part)


def _smallest(held: Held, price: Decimal) -> Decimal:
    """What the venue takes at least, with a margin, on its step."""
    instrument = held.instrument
    least = max(instrument.min_quantity, instrument.min_cost * _MARGIN / price)
    part = instrument.floor_quantity(least)
    return part if part == least else part + instrument.lot_step
