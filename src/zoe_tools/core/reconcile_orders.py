"""Orders: ours against the venue's, by id and by the name we gave; and rows changed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.proof import CLOCK_TOLERANCE_S
from zoe_tools.core.reconcile_records import Found, Records, believed, differences, is_older
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus, OrderType, VenueOrder
from zoe_tools.domain.plan import RebuildOrder, RecordOrder
from zoe_tools.domain.snapshot import Reading, Snapshot

_ALIVE = (OrderStatus.PENDING_NEW, OrderStatus.OPEN, OrderStatus.CANCEL_PENDING)


def check_orders(records: Records) -> Iterator[Found]:
    """Open orders that nobody here placed or linked, rows that were changed, and each of ours."""
    linked = {each.stop_venue_order_id for each in records.snapshot.positions}
    for order in records.open_orders.values():
        own = records.ours(order)
        if own is None:
            if order.venue_order_id not in linked:
                yield _unknown(order), ()
        elif own.venue_order_id not in (None, order.venue_order_id):
            yield _foreign(order, own, "another order of ours bears that client id"), ()
    yield from (_changed_by_hand(row, told) for row, told in records.snapshot.changed_by_hand)
    yield from (_row_gone(records, each) for each in records.snapshot.rows_gone)
    for own in records.own_orders:
        yield from _compare(records, own)


def unseen(snapshot: Snapshot) -> tuple[VenueOrderId, ...]:
    """Our working orders that the venue's lists do not show: to be asked for by name."""
    lists = (snapshot.open_orders, snapshot.closed_orders)
    shown = {
        each.venue_order_id for part in lists if isinstance(part, Reading) for each in part.value
    }
    return tuple(
        each.venue_order_id
        for each in believed(snapshot)
        if each.venue_order_id is not None
        and not each.status.is_terminal
        and each.venue_order_id not in shown
    )


def _unknown(order: VenueOrder) -> Finding:
    return Finding(
        kind=FindingKind.UNKNOWN_ORDER,
        subject=order.venue_order_id,
        symbol=order.symbol,
        evidence=(
            f"the venue shows {order.side.value} {short(order.quantity)} "
            f"{order.symbol} {order.order_type.value}; nobody here placed it"
        ),
        at_stake=order.quantity * (order.limit_price or order.trigger_price or ZERO),
        currency=_quote(order.symbol),
    )


def _changed_by_hand(row: OrderRecord, told: OrderRecord) -> Found:
    """The events are append-only: they are believed, and the row is brought back to them."""
    names = [name for name in ("status", "filled_quantity") if _is_changed(row, told, name)]
    said = "; ".join(f"{name} {_of(row, name)}, events say {_of(told, name)}" for name in names)
    evidence = f"the row was changed by hand: {said}. The row is not believed"
    finding = Finding(
        kind=FindingKind.STORE_TAMPERED,
        subject=row.client_order_id,
        symbol=row.symbol,
        evidence=evidence,
        at_stake=told.remaining_quantity * (told.limit_price or told.trigger_price or ZERO),
        currency=_quote(row.symbol),
    )
    return finding, (RebuildOrder(order=told, reason=evidence),)


def _row_gone(records: Records, last: OrderEvent) -> Found:
    """Its intent says what it was, its events what became of it."""
    evidence = f"its row was deleted by hand; its events end with {last.status.value}"
    own = records.own_by_client_id.get(last.client_order_id)
    finding = Finding(
        kind=FindingKind.STORE_TAMPERED,
        subject=last.client_order_id,
        symbol="" if own is None else own.symbol,
        evidence=evidence if own else f"{evidence}; no intent says what it was: restore a backup",
    )
    return finding, () if own is None else (RebuildOrder(order=own, reason=evidence),)


def _is_changed(row: OrderRecord, told: OrderRecord, name: str) -> bool:
    return bool(getattr(row, name) != getattr(told, name))


def _of(order: OrderRecord, name: str) -> str:
    value = getattr(order, name)
    return short(value) if isinstance(value, Decimal) else str(value)


def _compare(records: Records, own: OrderRecord) -> Iterator[Found]:
    theirs = records.theirs(own)
    if theirs is None:
        yield from _lost(records, own)
        return
    if is_older(records.snapshot.open_orders, own) and not theirs.status.is_terminal:
        return
    if theirs.venue_order_id != own.venue_order_id is not None:
        return  # told among the venue's orders
    strange = _why_foreign(theirs, own)
    if strange:
        yield _foreign(theirs, own, strange), ()
        return
    names = ("quantity", "filled_quantity")
    differing = [name for name in names if getattr(own, name) != getattr(theirs, name)]
    if not _same_status(own.status, theirs.status):
        differing.append("status")
    if differing:
        evidence = differences(own, theirs, differing)
        finding = Finding(
            kind=FindingKind.ORDER_MISMATCH,
            subject=theirs.venue_order_id,
            symbol=own.symbol,
            evidence=evidence,
            at_stake=abs(own.remaining_quantity - _working(theirs)) * _price(own),
            currency=_quote(own.symbol),
        )
        yield finding, (RecordOrder(order=theirs, reason=evidence),)


def _lost(records: Records, own: OrderRecord) -> Iterator[Found]:
    if own.status.is_terminal or own.venue_order_id is None:
        return
    if is_older(records.snapshot.open_orders, own):
        return
    is_asked = isinstance(records.snapshot.asked_orders, Reading)
    asked = ", not even asked by its id" if is_asked else ""
    yield (
        Finding(
            kind=FindingKind.LOST_ORDER,
            subject=own.client_order_id,
            symbol=own.symbol,
            evidence=f"ours is {own.status.value}; the venue has no such order{asked}",
            at_stake=own.remaining_quantity * _price(own),
            currency=_quote(own.symbol),
            is_absence=True,
        ),
        (),
    )


def _foreign(order: VenueOrder, own: OrderRecord, why: str) -> Finding:
    return Finding(
        kind=FindingKind.FOREIGN_MATCH,
        subject=order.venue_order_id,
        symbol=order.symbol,
        evidence=(
            f"it bears the name of our {own.side.value} {short(own.quantity)} {own.symbol}, and is"
            f" {order.side.value} {short(order.quantity)} {order.symbol}"
            f" {order.order_type.value}: {why}"
        ),
        at_stake=order.quantity * (order.limit_price or order.trigger_price or ZERO),
        currency=_quote(order.symbol),
    )


def _why_foreign(order: VenueOrder, own: OrderRecord) -> str:
    """What never changes in an order's life, and so makes it another one."""
    if order.symbol != own.symbol:
        return "another instrument"
    if order.side is not own.side:
        return "the other side"
    if order.order_type not in (own.order_type, OrderType.UNKNOWN):
        return f"not a {own.order_type.value}"
    if order.opened_at < own.created_at - timedelta(seconds=CLOCK_TOLERANCE_S):
        return "it is older than our intent"
    return ""


def _same_status(own: OrderStatus, venue: OrderStatus) -> bool:
    """A cancel on its way and a moment's acknowledgement are not disagreements."""
    return own is venue or (own in _ALIVE and venue in _ALIVE)


def _working(order: VenueOrder) -> Decimal:
    return ZERO if order.status.is_terminal else order.remaining_quantity


def _price(own: OrderRecord) -> Decimal:
    return own.limit_price or own.trigger_price or ZERO


def _quote(symbol: str) -> str:
    return symbol.partition("/")[2]
