"""What an orderly stop has still to do; what is left of it at the end somebody must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoe_tools.core.position_invariants import covered
from zoe_tools.core.position_orders import leaves
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.money import short
from zoe_tools.domain.position import Position

_NAMED = 5
"""So many orders are named one by one; of more, all are meant."""

_UNPROVED, _VENUE = 6, 5
"""Exit codes: an outcome that nobody knows, and what the venue did not let be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A phrase for each order that still works and each position that is not covered.

    `by_hand`: the commands that do what is left, in their order; a loop that is started does, too.
    """

    orders: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    is_unproved: bool = False
    by_hand: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the stop is done."""
        return not (self.orders or self.bare)

    @property
    def what(self) -> str:
        """All of it in one line."""
        return "; ".join((*self.orders, *self.bare))

    @property
    def exit_code(self) -> int:
        """What the process says of it."""
        if self.is_empty:
            return 0
        return _UNPROVED if self.is_unproved else _VENUE


NOTHING = LeftBehind()


def left_behind(
    held: Sequence[Position],
    orders: Sequence[OrderRecord],
    instruments: Mapping[Symbol, Instrument],
    unresolved: Sequence[Intent],
) -> LeftBehind:
    """Entries and exits that work, and what is held without a stop; `held`: what can be traded."""
    at_work = tuple(each for each in orders if each.purpose == "entry" or leaves(each))
    bare = tuple(
        _told(each, orders)
        for each in held
        if covered(each, orders) < instruments[each.symbol].floor_quantity(each.quantity)
    )
    if not (at_work or bare):
        return NOTHING
    return LeftBehind(
        orders=tuple(_working(each) for each in at_work),
        bare=bare,
        is_unproved=bool(unresolved),
        by_hand=tuple(_by_hand(at_work, bare, unresolved)),
    )


def _working(order: OrderRecord) -> str:
    name = order.venue_order_id or order.client_order_id
    how = f"{order.purpose} {order.side.value} {short(order.remaining_quantity)} {order.symbol}"
    return f"{how} is {order.status.value} ({name})"


def _told(position: Position, orders: Sequence[OrderRecord]) -> str:
    holds = covered(position, orders)
    which = f"{short(position.quantity)} {position.symbol}"
    return f"{which} has a stop for {short(holds)}" if holds else f"{which} has NO STOP"


def _by_hand(
    at_work: Sequence[OrderRecord], bare: Sequence[str], unresolved: Sequence[Intent]
) -> list[str]:
    names = [str(each.venue_order_id or each.client_order_id) for each in at_work]
    which = " ".join(names) if len(names) <= _NAMED else "--all"
    is_bare = bool(bare) or any(leaves(each) for each in at_work)
    return [
        *(["zoe reconcile --execute"] if unresolved else []),
        *([f"zoe orders cancel {which} --execute"] if names else []),
        *(["zoe recover-sl --execute"] if is_bare else []),
    ]
