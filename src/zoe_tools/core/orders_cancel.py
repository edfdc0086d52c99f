"""Which open orders an operator's word cancels, and which it spares.

Protective stops stay unless they are asked for: what they protect would stand bare. Orders that are
not zoe's are cancelled by their id alone, never because they happen to be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import short
from zoe_tools.domain.order import Side, VenueOrder
from zoe_tools.domain.plan import CancelOrder, Plan, still_open, values_of
from zoe_tools.domain.snapshot import Snapshot, value_of
from zoe_tools.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Orders by id, ours or the venue's; or all of an instrument; or with neither all there are."""

    ids: tuple[str, ...] = ()
    symbol: Symbol | None = None
    include_protection: bool = False


def plan_orders_cancel(snapshot: Snapshot, choice: Choice) -> Plan:
    """One cancel for each chosen order that is open at the venue; the notes name who stays.

    Raises:
        VenueUnavailable: the open orders are missing.
        ConfigError: an id names no order that anybody knows.
    """
    resting = value_of(snapshot.open_orders, "the open orders")
    notes: list[str] = []
    steps: list[CancelOrder] = []
    for order in resting:
        record = _record_of(snapshot, order)
        if not _is_chosen(order, record, choice):
            continue
        reason = _why_spared(order, record, choice)
        if reason:
            notes.append(f"{order.symbol}: {order.venue_order_id} stays: {reason}.")
        else:
            steps.append(_cancel(order, record))
    notes.extend(_absent(snapshot, resting, choice))
    return Plan(
        command="orders cancel",
        account=snapshot.account,
        created_at=snapshot.taken_at,
        expires_at=snapshot.taken_at + timedelta(seconds=snapshot.policy.plan_lifetime_s),
        steps=tuple(steps),
        notes=tuple(notes),
    )


def _is_chosen(order: VenueOrder, record: OrderRecord | None, choice: Choice) -> bool:
    if choice.ids:
        return any(each in _names(order, record) for each in choice.ids)
    return choice.symbol in (None, order.symbol)


def _why_spared(order: VenueOrder, record: OrderRecord | None, choice: Choice) -> str:
    """Empty when it goes."""
    if record is None and not choice.ids:
        return "it is not zoe's; name it by its id to cancel it"
    is_protection = order.side is Side.SELL and order.order_type.is_stop
    if is_protection and not choice.include_protection:
        return "it is a protective stop; --include-protection takes it too"
    return ""


def _cancel(order: VenueOrder, record: OrderRecord | None) -> CancelOrder:
    side = order.side.value
    purpose = record.purpose if record else "entry" if order.side is Side.BUY else "exit"
    return CancelOrder(
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        reason=f"the operator's word; it could still {side} {short(order.remaining_quantity)}",
        before=values_of(order),
        client_order_id=record.client_order_id if record else None,
        purpose=purpose,
        position_id=record.position_id if record else None,
        preconditions=(still_open(order),),
    )


def _absent(snapshot: Snapshot, resting: tuple[VenueOrder, ...], choice: Choice) -> Iterator[str]:
    """What was named and is not open: over already, or known to nobody."""
    open_names = {name for order in resting for name in _names(order, _record_of(snapshot, order))}
    for wanted in choice.ids:
        if wanted in open_names:
            continue
        record = next((each for each in snapshot.orders if wanted in _names_of_record(each)), None)
        if record is None:
            raise ConfigError(
                f"No order {wanted} is open at the venue, and zoe's books know none.",
                hint="See `zoe orders` for what there is.",
            )
        if record.status.is_terminal:
            yield f"{record.symbol}: {wanted} is {record.status.value} already."
        else:
            yield (
                f"{record.symbol}: {wanted} is {record.status.value} in zoe's books and not open at"
                " the venue: run `zoe reconcile`."
            )


def _names(order: VenueOrder, record: OrderRecord | None) -> frozenset[str]:
    ours = record.client_order_id if record else order.client_order_id
    return frozenset(each for each in (order.venue_order_id, ours) if each)


def _names_of_record(record: OrderRecord) -> frozenset[str]:
    return frozenset(each for each in (record.venue_order_id, record.client_order_id) if each)


def _record_of(snapshot: Snapshot, order: VenueOrder) -> OrderRecord | None:
    for record in snapshot.orders:
        is_same_client = bool(order.client_order_id) and (
            record.client_order_id == order.client_order_id
        )
        if is_same_client or record.venue_order_id == order.venue_order_id:
            return record
    return None
