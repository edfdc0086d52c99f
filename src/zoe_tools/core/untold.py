"""What may be done about a position while nobody has told yet what the venue did meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from zoe_tools.core.executed import booked_of, unbooked
from zoe_tools.core.lanes import about
from zoe_tools.core.position_orders import leaves
from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AmendOrder, PlaceOrder, Plan, Step
from zoe_tools.domain.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How much of each position is certain.

    `whole`: the books can lack nothing of these instruments. `unsold`: they can lack what an entry
    bought, and nothing that was sold. `stops`: the quantities of the stops that rest alone beside
    entries. One of these may have sold unheard of, and to have it cover what was bought is right
    all the same: a new quantity counts what an order has filled.
    """

    whole: frozenset[Symbol]
    unsold: frozenset[Symbol]
    stops: Mapping[VenueOrderId, Decimal]

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be done."""
        return not (self.unsold or self.stops)

    def allows(self, step: Step) -> bool:
        """Whether what the step does is right, whatever is told later; what adds risk is not."""
        if adds_risk(step):
            return False
        if about(step) in self.whole:
            return True
        if isinstance(step, AmendOrder):
            rests = self.stops.get(step.amendment.venue_order_id)
            asked = step.amendment.quantity
            return rests is not None and asked is not None and asked > rests
        return isinstance(step, PlaceOrder) and about(step) in self.unsold


def known_of(
    positions: Iterable[Position],
    orders: Sequence[OrderRecord],
    unresolved: Iterable[Intent],
    fills: Iterable[Fill],
) -> Known:
    """What is certain by the books, of which `orders` are the working and the recent ones, or both.

    An order that is open at the venue may have executed while nobody listened, and so may one that
    shows more than is booked among the `fills`, or whose intent's outcome is unknown. A sale of
    which nobody knows whether it arrived does not count: the venue says so of the stop that is
    tried beside it.
    """
    doubtful = {
        each.client_order_id
        for each in orders
        if each.status is OrderStatus.UNKNOWN and leaves(each) and each.filled_quantity == ZERO
    }
    certain = {e.client_order_id: e for e in orders if e.client_order_id not in doubtful}
    open_ones = _open_of(certain.values(), fills)
    unknown = [each for each in unresolved if each.client_order_id not in doubtful]
    held = {each.symbol for each in positions}
    entries = {each.symbol for each in open_ones if each.purpose == "entry"}
    others = [each for each in open_ones if each.purpose != "entry"]
    in_doubt = {
        each.symbol for each in unknown if each.purpose != "entry" and not _changes_stop(each)
    }
    unsold = frozenset(held - in_doubt - {each.symbol for each in others})
    return Known(
        whole=unsold - entries - {each.symbol for each in unknown},
        unsold=unsold,
        stops=dict(_alone(each for each in others if each.symbol in held - in_doubt)),
    )


def _changes_stop(intent: Intent) -> bool:
    """Whether it leaves the stop where it is, with one quantity or another: it may go again."""
    return intent.purpose == "stop" and intent.kind is IntentKind.AMEND


def narrowed(plan: Plan, known: Known) -> Plan:
    """What of a turn's plan may be done by that."""
    return replace(plan, steps=tuple(each for each in plan.steps if known.allows(each)))


def _open_of(orders: Iterable[OrderRecord], fills: Iterable[Fill]) -> list[OrderRecord]:
    """Those that are not over, or whose executions are not all booked."""
    booked = booked_of(fills)
    return [each for each in orders if not each.status.is_terminal or unbooked(each, booked)]


def _alone(orders: Iterable[OrderRecord]) -> Iterator[tuple[VenueOrderId, Decimal]]:
    """The stops beside which nothing else that sells is open: name, and quantity in base."""
    of_symbol: dict[Symbol, list[OrderRecord]] = {}
    for each in orders:
        of_symbol.setdefault(each.symbol, []).append(each)
    for one, *more in of_symbol.values():
        rests = one.purpose == "stop" and one.status is OrderStatus.OPEN
        if rests and not more and one.venue_order_id is not None and one.filled_quantity == ZERO:
            yield one.venue_order_id, one.quantity
