"""What of the books stands against the proof of a kill: one empty answer is no evidence.

An order to buy that the books have at work and the venue's list lacks is over once the venue says
so by its name. That nothing shows it at all counts for an order that had to be visible by then,
and only when it was looked for more than once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from zoe_tools.core.proof import LOOKS_NEEDED
from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.journal import Intent, IntentKind, OrderRecord
from zoe_tools.domain.money import short
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Missing, Snapshot

IN_DOUBT = "is not known to be over"
"""What the note of an order says that may still buy, for all that the venue has shown."""


def may_still_buy(snapshot: Snapshot, symbol: Symbol | None = None) -> tuple[Intent, ...]:
    """The orders to buy of which the books do not know yet whether they reached the venue."""
    return tuple(
        each
        for each in snapshot.unresolved_intents
        if each.kind is IntentKind.PLACE and each.side is Side.BUY and symbol in (None, each.symbol)
    )


def unlisted_buys(snapshot: Snapshot, symbol: Symbol | None = None) -> tuple[OrderRecord, ...]:
    """Our orders to buy that the books have at work, and the venue's list lacks.

    None where there is no list; and without those of which the books do not know yet whether they
    reached the venue.
    """
    if isinstance(snapshot.open_orders, Missing):
        return ()
    listed = {each.venue_order_id for each in snapshot.open_orders.value}
    owned = {each.client_order_id for each in snapshot.open_orders.value}
    sent = {each.client_order_id for each in may_still_buy(snapshot)}
    return tuple(
        each
        for each in snapshot.orders
        if each.side is Side.BUY
        and not each.status.is_terminal
        and symbol in (None, each.symbol)
        and each.venue_order_id not in listed
        and each.client_order_id not in owned | sent
    )


def named_at_venue(snapshot: Snapshot) -> Mapping[VenueOrderId, VenueOrder]:
    """What the venue told by name of orders that its list lacks."""
    asked = snapshot.asked_orders
    return {} if isinstance(asked, Missing) else {each.venue_order_id: each for each in asked.value}


def unshown(snapshot: Snapshot, symbol: Symbol | None = None) -> tuple[OrderRecord, ...]:
    """Those that the venue was asked for, by its list and by their names, and shows nowhere."""
    asked, found = snapshot.asked_orders, named_at_venue(snapshot)
    return tuple(
        each
        for each in unlisted_buys(snapshot, symbol)
        if each.venue_order_id not in found
        and (each.venue_order_id is None or not isinstance(asked, Missing))
    )


def still_open(snapshot: Snapshot) -> tuple[VenueOrder, ...]:
    """Orders to buy that rest by the venue's word for their names, for all that its list lacks."""
    found = named_at_venue(snapshot)
    shown = (found.get(each.venue_order_id or VenueOrderId("")) for each in unlisted_buys(snapshot))
    return tuple(each for each in shown if each is not None and not each.status.is_terminal)


def visible_from(order: OrderRecord, policy: Policy) -> datetime:
    """From when on an order that the venue took has to be shown."""
    lag_s = policy.order_deadline_s + policy.visibility_lag_s
    return order.created_at + timedelta(seconds=lag_s)


def absence_counts(order: OrderRecord, policy: Policy, *, began: datetime, looks: int) -> bool:
    """Whether an order is over that was shown by none of so many looks.

    Only where it had to be visible when the kill `began`: what the venue took and does not show
    rests for all that anybody knows.
    """
    return looks >= LOOKS_NEEDED and began >= visible_from(order, policy)


def in_doubt(
    snapshot: Snapshot, gone: frozenset[ClientOrderId] = frozenset()
) -> tuple[OrderRecord, ...]:
    """Orders to buy that may still buy; `gone` are those whose absence counts."""
    found = named_at_venue(snapshot)
    return tuple(
        each
        for each in unlisted_buys(snapshot)
        if each.client_order_id not in gone and not _is_over(each, found)
    )


def told_doubt(order: OrderRecord, snapshot: Snapshot) -> str:
    """The sentence about one of them."""
    asked, name = snapshot.asked_orders, order.venue_order_id or order.client_order_id
    by_name = "by its name it is not shown either"
    if isinstance(asked, Missing):
        by_name = f"what it says by its name is not known ({asked.reason})"
    elif order.venue_order_id in named_at_venue(snapshot):
        by_name = "by its name it is open"
    return (
        f"{order.symbol}: order {name} to buy {short(order.remaining_quantity)} {IN_DOUBT}: the"
        f" venue's list lacks it, and {by_name}."
    )


def _is_over(order: OrderRecord, found: Mapping[VenueOrderId, VenueOrder]) -> bool:
    seen = found.get(order.venue_order_id or VenueOrderId(""))
    return seen is not None and seen.status.is_terminal
