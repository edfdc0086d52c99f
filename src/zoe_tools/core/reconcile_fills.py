"""Fills: what the venue shows and our books lack, what ours hold alone, and what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoe_tools.core.reconcile_records import Found, Records, differences, told
from zoe_tools.domain.discrepancy import Finding, FindingKind
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.plan import RecordFill
from zoe_tools.domain.words import counted


def check_fills(records: Records) -> Iterator[Found]:
    """Every fill of either side, once."""
    seen: dict[FillId, Fill] = {}
    for fill in records.venue_fills:
        if fill.fill_id in seen:
            yield from _said_twice(seen[fill.fill_id], fill)
            continue
        seen[fill.fill_id] = fill
        own = records.recorded_fills.get(fill.fill_id)
        if own is not None:
            yield from _compared(own, fill)
    yield from _missing(records)
    yield from _held_alone(records, seen)


def _said_twice(first: Fill, again: Fill) -> Iterator[Found]:
    if first == again:
        return
    names = ("quantity", "price", "cost", "fee", "side", "symbol")
    differing = [name for name in names if getattr(first, name) != getattr(again, name)]
    if differing:
        yield (
            Finding(
                kind=FindingKind.VENUE_CONTRADICTION,
                subject=again.fill_id,
                symbol=again.symbol,
                evidence=f"one answer tells this execution twice: {told(first)}, and {told(again)}",
                at_stake=abs(first.cost - again.cost),
                currency=_quote(again),
                is_absence=True,
            ),
            (),
        )


def _missing(records: Records) -> Iterator[Found]:
    """A fill of an entry none of which is booked is a position that was pending."""
    booked = {each.venue_order_id for each in records.recorded_fills.values()}
    held = {each.position_id for each in records.snapshot.positions if each.quantity > ZERO}
    pending: dict[VenueOrderId, list[Fill]] = {}
    for fill in records.missing_fills:
        order = records.our_order_of(fill)
        if order is None:
            continue
        is_held = order.position_id in held
        if order.purpose == "entry" and not is_held and fill.venue_order_id not in booked:
            pending.setdefault(fill.venue_order_id, []).append(fill)
            continue
        evidence = f"the venue's trades show {told(fill)}; our books do not"
        finding = Finding(
            kind=FindingKind.MISSING_FILL,
            subject=fill.fill_id,
            symbol=fill.symbol,
            evidence=evidence,
            at_stake=fill.cost,
            currency=_quote(fill),
        )
        yield finding, (RecordFill(fill=fill, reason=evidence),)
    for name, fills in pending.items():
        yield _pending(records, name, fills)


def _pending(records: Records, name: VenueOrderId, fills: list[Fill]) -> Found:
    order = records.our_order_of(fills[0])
    quantity = sum((each.quantity for each in fills), ZERO)
    evidence = (
        f"our entry has {counted(len(fills), 'execution')} at the venue,"
        f" {short(quantity)} {fills[0].symbol} in all; here it was pending"
    )
    finding = Finding(
        kind=FindingKind.PENDING_ADOPTED,
        subject=_position_name(order) or name,
        symbol=fills[0].symbol,
        evidence=evidence,
        at_stake=sum((each.cost for each in fills), ZERO),
        currency=_quote(fills[0]),
    )
    return finding, tuple(RecordFill(fill=each, reason=evidence) for each in fills)


def _position_name(order: OrderRecord | None) -> str:
    if order is None:
        return ""
    return order.position_id or f"P-{order.client_order_id}"


def _compared(own: Fill, venue: Fill) -> Iterator[Found]:
    facts = ("symbol", "side", "quantity", "price", "cost")
    differing = [name for name in facts if getattr(own, name) != getattr(venue, name)]
    base = Finding(
        kind=FindingKind.FILL_MISMATCH,
        subject=venue.fill_id,
        symbol=venue.symbol,
        evidence=differences(own, venue, differing),
        at_stake=abs(own.cost - venue.cost),
        currency=_quote(venue),
    )
    if differing:
        yield base, ()
    if own.fee != venue.fee:
        yield (
            replace(
                base,
                kind=FindingKind.FEE_MISMATCH,
                evidence=differences(own, venue, ["fee"]),
                at_stake=abs(own.fee - venue.fee),
            ),
            (),
        )


def _held_alone(records: Records, seen: dict[FillId, Fill]) -> Iterator[Found]:
    facts = {_facts(each): each.fill_id for each in seen.values()}
    for fill in records.doubtful_fills:
        twin = facts.get(_facts(fill))
        kind = FindingKind.PHANTOM_FILL if twin is None else FindingKind.DUPLICATE_FILL
        evidence = f"our books hold {told(fill)}; the venue's trades do not"
        if twin is not None:
            evidence = f"our books hold {told(fill)} twice; the venue knows it as {twin} alone"
        yield (
            Finding(
                kind=kind,
                subject=fill.fill_id,
                symbol=fill.symbol,
                evidence=evidence,
                at_stake=fill.cost,
                currency=_quote(fill),
                is_absence=True,
            ),
            (),
        )


def _facts(fill: Fill) -> tuple[object, ...]:
    return fill.venue_order_id, fill.side, fill.quantity, fill.price, fill.filled_at


def _quote(fill: Fill) -> str:
    return fill.symbol.partition("/")[2]
