"""Stops and targets that still rest for positions that were given up: they sell coins all the same.

A row in error, or a merged one, manages nothing any more. What was placed for it goes to the
position that its coins are adopted into; beside a position of the same instrument it is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import CancelOrder, still_open, values_of
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot

Leftover = tuple[OrderRecord, VenueOrder]
"""Our own record of an order, and the order as it rests at the venue."""


def leftovers(
    snapshot: Snapshot, open_orders: Iterable[VenueOrder]
) -> dict[Symbol, tuple[Leftover, ...]]:
    """Own stops and targets whose position was given up, by instrument; the largest first."""
    if not snapshot.given_up:
        return {}
    ours = {
        each.client_order_id: each
        for each in snapshot.orders
        if each.purpose in ("stop", "take_profit") and each.position_id in snapshot.given_up
    }
    found: dict[Symbol, list[Leftover]] = {}
    for order in open_orders:
        if order.client_order_id in ours:
            pair = (ours[order.client_order_id], order)
            found.setdefault(order.symbol, []).append(pair)
    return {
        symbol: tuple(sorted(each, key=lambda pair: pair[1].remaining_quantity, reverse=True))
        for symbol, each in found.items()
    }


def resting_of_given_up(
    snapshot: Snapshot, symbol: Symbol, open_orders: Sequence[VenueOrder]
) -> tuple[Leftover, ...]:
    """Those of one instrument."""
    return leftovers(snapshot, open_orders).get(symbol, ())


def too_much_beside(
    snapshot: Snapshot, position: Position, open_orders: Sequence[VenueOrder]
) -> tuple[Leftover, ...]:
    """Those that would sell beside an active position; not the one that is linked to it."""
    return beside(leftovers(snapshot, open_orders), position)


def beside(
    found: Mapping[Symbol, tuple[Leftover, ...]], position: Position
) -> tuple[Leftover, ...]:
    """The same out of all that is left over: for many positions it is looked up once."""
    return tuple(
        each
        for each in found.get(position.symbol, ())
        if each[1].venue_order_id != position.stop_venue_order_id
    )


def taken_back(leftover: Leftover, reason: str) -> CancelOrder:
    """The step that ends such an order."""
    record, order = leftover
    return CancelOrder(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        purpose=record.purpose,
        position_id=record.position_id,
        before=values_of(order),
        preconditions=(still_open(order),),
        reason=reason,
    )


def still_resting(snapshot: Snapshot) -> tuple[OrderRecord, ...]:
    """Own stops and targets of positions that were given up, at work by our own books."""
    return tuple(
        each
        for each in snapshot.orders
        if each.purpose in ("stop", "take_profit")
        and each.position_id in snapshot.given_up
        and not each.status.is_terminal
    )


def told_resting(order: OrderRecord) -> str:
    """What it means, and what to do about it."""
    left, price = short(order.remaining_quantity), order.trigger_price or order.limit_price
    at = "" if price is None else f" at {short(price)}"
    return (
        f"{order.position_id} was given up and not sold: its {order.purpose.replace('_', '-')}"
        f" {order.venue_order_id or order.client_order_id} still rests, {left} {order.symbol}{at}."
        f" To manage these coins again: zoe sync-positions --adopt {order.symbol}={left}; to let"
        f" them be without it: zoe orders cancel {order.venue_order_id or order.client_order_id}"
        " --include-protection"
    )


def total_of(leftovers: Sequence[Leftover]) -> Decimal:
    """What they would sell, in base."""
    return sum((order.remaining_quantity for _, order in leftovers), ZERO)


def told_of(leftovers: Sequence[Leftover]) -> str:
    """Each in words: its id, its quantity, and whose it was."""
    return ", ".join(
        f"{order.venue_order_id} ({short(order.remaining_quantity)}) of {record.position_id},"
        " which was given up"
        for record, order in leftovers
    )
