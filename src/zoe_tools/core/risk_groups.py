"""What an order of an intent group may ask for: no more than its target, no worse than its price.

Entries alone are held to it here. A sale is held to what its position has; nothing of the desk's
may keep it back. The codes are those of `core/risk.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from zoe_tools.core.order_alarms import refused_too_often
from zoe_tools.core.order_desk import orders_of, room_for
from zoe_tools.core.risk_limits import Running
from zoe_tools.core.risk_orders import Found, price_at_risk
from zoe_tools.domain.identifiers import GroupId, Symbol
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderAmendment, Side
from zoe_tools.domain.plan import PlaceOrder
from zoe_tools.domain.snapshot import Missing, Snapshot


def worst_price(step: PlaceOrder, quote: Quote) -> Decimal:
    """The worst that the order, or any repricing of it, will ask for."""
    price = price_at_risk(step.request, quote)
    worst = None if step.ticket is None else step.ticket.worst_price
    return price if worst is None else max(price, worst)


def group_checks(step: PlaceOrder, snapshot: Snapshot, running: Running) -> Iterator[Found | None]:
    """The target and the worst price of the group, by the books and by what the plan did before."""
    ticket, request = step.ticket, step.request
    if ticket is None:
        return
    group = _group(ticket.group_id, snapshot)
    target = ticket.target_quantity if group is None else group.target_quantity
    orders = () if group is None else orders_of(group, snapshot)
    before = running.grouped.get(ticket.group_id, ZERO) if ticket.group_id else ZERO
    left = room_for(target, orders) - before
    if request.quantity > left:
        yield (
            "GROUP_OVERFILL",
            (
                f"To buy {short(request.quantity)} more would be too much: of {short(target)}"
                f" only {short(max(left, ZERO))} are left to buy."
            ),
        )
    yield _price_check(request.limit_price, ticket.worst_price, request.side)


def amended_group_check(
    change: OrderAmendment, order: OrderRecord, snapshot: Snapshot
) -> Found | None:
    """The same for a change: neither more than the target, nor beyond the worst price."""
    group = _group(order.group_id, snapshot)
    if group is None:
        return None
    more = (change.quantity or order.quantity) - order.quantity
    if more > max(room_for(group.target_quantity, orders_of(group, snapshot)), ZERO):
        return "GROUP_OVERFILL", f"To buy {short(more)} more would pass the target of its group."
    return _price_check(change.limit_price, group.worst_price, order.side)


def amended_tick_check(change: OrderAmendment, snapshot: Snapshot) -> Found | None:
    """A new price stands on the tick, where the instrument is known."""
    if isinstance(snapshot.catalogue, Missing) or change.limit_price is None:
        return None
    instrument = snapshot.catalogue.value.find(change.symbol)
    if instrument is None or instrument.is_on_tick(change.limit_price):
        return None
    tick = short(instrument.tick_size)
    return "OFF_TICK", f"{short(change.limit_price)} is not a multiple of the tick {tick}."


def refusals_check(symbol: Symbol, snapshot: Snapshot) -> Found | None:
    """An instrument where the venue refuses time after time rests until ten minutes are over."""
    count = refused_too_often(symbol, snapshot.refusals, snapshot.taken_at)
    if not count:
        return None
    return "REPEATED_REJECTIONS", f"The venue refused {count} orders within the last ten minutes."


def _group(group_id: GroupId | None, snapshot: Snapshot) -> IntentGroup | None:
    return next((each for each in snapshot.groups if each.group_id == group_id), None)


def _price_check(price: Decimal | None, worst: Decimal | None, side: Side) -> Found | None:
    if price is None or worst is None:
        return None
    if price > worst if side is Side.BUY else price < worst:
        told = f"{short(price)} is worse than {short(worst)}, the worst its group may ask for."
        return "WORST_PRICE", told
    return None
