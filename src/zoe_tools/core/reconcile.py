"""Own books against the venue's records: every disagreement named, with its evidence and money.

Reads only what the venue's REST records show (open and closed orders, trades, ledger, balances)
and what the store holds. It explains; the plan it makes books only what the venue proves. What it
does not understand it reports and leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus, Side, VenueOrder
from zoe_tools.domain.plan import RecordFill, RecordOrder, Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot, value_of
from zoe_tools.domain.wallet import holding_of


class FindingKind(StrEnum):
    """The classes of disagreement."""

    MISSING_FILL = "MISSING_FILL"
    PHANTOM_FILL = "PHANTOM_FILL"
    FILL_MISMATCH = "FILL_MISMATCH"
    FEE_MISMATCH = "FEE_MISMATCH"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    PHANTOM = "PHANTOM"
    ORDER_MISMATCH = "ORDER_MISMATCH"
    STOP_MISSING = "STOP_MISSING"
    STOP_QTY = "STOP_QTY"
    STOP_SIDE = "STOP_SIDE"
    QTY_MISMATCH = "QTY_MISMATCH"
    LEDGER_MISMATCH = "LEDGER_MISMATCH"
    BALANCE_DRIFT = "BALANCE_DRIFT"
    UNRESOLVED_INTENT = "UNRESOLVED_INTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement; `at_stake` in quote (or in the asset where the evidence says so)."""

    kind: FindingKind
    subject: str
    evidence: str
    at_stake: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """All findings, the steps that mend what can be mended, and what was left alone."""

    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """Both sides, indexed once."""

    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    open_orders: dict[VenueOrderId, VenueOrder]
    closed_orders: dict[VenueOrderId, VenueOrder]
    venue_fills: tuple[Fill, ...]
    ledger: tuple[LedgerEntry, ...]
    balances: dict[str, Balance]
    by_client_id: dict[ClientOrderId, OrderRecord]
    by_venue_id: dict[VenueOrderId, OrderRecord]

    def ours(self, order: VenueOrder) -> OrderRecord | None:
        """Our record of a venue order."""
        found = self.by_venue_id.get(order.venue_order_id)
        if found is None and order.client_order_id is not None:
            found = self.by_client_id.get(order.client_order_id)
        return found

    def our_order_of(self, fill: Fill) -> OrderRecord | None:
        """Our record of the order that a venue fill belongs to."""
        found = self.by_venue_id.get(fill.venue_order_id)
        if found is not None:
            return found
        order = self.closed_orders.get(fill.venue_order_id) or self.open_orders.get(
            fill.venue_order_id
        )
        return None if order is None else self.ours(order)


def reconcile(snapshot: Snapshot) -> Reconciliation:
    """Compare everything.

    Raises:
        VenueUnavailable: a part of the venue's records is missing from the snapshot.
    """
    records = _index(snapshot)
    findings: list[Finding] = []
    steps: list[Step] = []
    notes: list[str] = []
    for check in (_check_fills, _check_orders):
        for found, step in check(records):
            findings.append(found)
            if step is not None:
                steps.append(step)
    findings.extend(_check_positions(records))
    findings.extend(_check_ledger(records))
    findings.extend(_check_balances(records))
    findings.extend(
        Finding(
            kind=FindingKind.UNRESOLVED_INTENT,
            subject=intent.intent_id,
            evidence=f"{intent.kind.value} of {intent.symbol} is {intent.state.value}",
        )
        for intent in snapshot.unresolved_intents
    )
    notes.extend(_foreign(records))
    return Reconciliation(findings=tuple(findings), steps=tuple(steps), notes=tuple(notes))


def _index(snapshot: Snapshot) -> _Records:
    open_orders = value_of(snapshot.open_orders, "the open orders")
    closed_orders = value_of(snapshot.closed_orders, "the closed orders")
    balances = value_of(snapshot.balances, "the balances")
    return _Records(
        snapshot=snapshot,
        catalogue=value_of(snapshot.catalogue, "the instruments"),
        open_orders={each.venue_order_id: each for each in open_orders},
        closed_orders={each.venue_order_id: each for each in closed_orders},
        venue_fills=value_of(snapshot.fills, "the trades history"),
        ledger=value_of(snapshot.ledger, "the ledger"),
        balances={each.asset: each for each in balances},
        by_client_id={each.client_order_id: each for each in snapshot.orders},
        by_venue_id={
            each.venue_order_id: each for each in snapshot.orders if each.venue_order_id is not None
        },
    )


# --- fills ---------------------------------------------------------------------------------------


def _check_fills(records: _Records) -> Iterator[tuple[Finding, Step | None]]:
    recorded = {fill.fill_id: fill for fill in records.snapshot.recorded_fills}
    seen = set()
    for fill in records.venue_fills:
        seen.add(fill.fill_id)
        own = recorded.get(fill.fill_id)
        if own is not None:
            yield from ((finding, None) for finding in _compare_fill(own, fill))
        elif records.our_order_of(fill) is not None:
            yield _missing_fill(fill)
    for fill in records.snapshot.recorded_fills:
        if fill.fill_id not in seen:
            yield (
                Finding(
                    kind=FindingKind.PHANTOM_FILL,
                    subject=fill.fill_id,
                    evidence=f"our books hold {_told(fill)}; the venue's trades do not",
                    at_stake=fill.cost,
                ),
                None,
            )


def _missing_fill(fill: Fill) -> tuple[Finding, Step]:
    evidence = f"the venue's trades show {_told(fill)}; our books do not"
    finding = Finding(
        kind=FindingKind.MISSING_FILL,
        subject=fill.fill_id,
        evidence=evidence,
        at_stake=fill.cost,
    )
    return finding, RecordFill(fill=fill, reason=evidence)


def _compare_fill(own: Fill, venue: Fill) -> Iterator[Finding]:
    facts = ("symbol", "side", "quantity", "price", "cost")
    differing = [name for name in facts if getattr(own, name) != getattr(venue, name)]
    if differing:
        yield Finding(
            kind=FindingKind.FILL_MISMATCH,
            subject=venue.fill_id,
            evidence=_differences(own, venue, differing),
            at_stake=abs(own.cost - venue.cost),
        )
    if own.fee != venue.fee:
        yield Finding(
            kind=FindingKind.FEE_MISMATCH,
            subject=venue.fill_id,
            evidence=_differences(own, venue, ["fee"]),
            at_stake=abs(own.fee - venue.fee),
        )


def _differences(own: object, venue: object, names: list[str]) -> str:
    return "; ".join(
        f"{name}: ours {_word(getattr(own, name))}, the venue's {_word(getattr(venue, name))}"
        for name in names
    )


def _word(value: object) -> str:
    return short(value) if isinstance(value, Decimal) else str(value)


def _told(fill: Fill) -> str:
    return f"{fill.side.value} {short(fill.quantity)} {fill.symbol} at {short(fill.price)}"


# --- orders --------------------------------------------------------------------------------------


def _check_orders(records: _Records) -> Iterator[tuple[Finding, Step | None]]:
    for order in records.open_orders.values():
        if records.ours(order) is None:
            yield (
                Finding(
                    kind=FindingKind.UNKNOWN_ORDER,
                    subject=order.venue_order_id,
                    evidence=(
                        f"the venue shows {order.side.value} {short(order.quantity)} "
                        f"{order.symbol} {order.order_type.value}; nobody here placed it"
                    ),
                    at_stake=order.quantity * (order.limit_price or order.trigger_price or ZERO),
                ),
                None,
            )
    for own in records.snapshot.orders:
        yield from _compare_order(records, own)


def _compare_order(records: _Records, own: OrderRecord) -> Iterator[tuple[Finding, Step | None]]:
    venue = _venue_side(records, own)
    if venue is None:
        if own.status.is_terminal or own.venue_order_id is None:
            return
        yield (
            Finding(
                kind=FindingKind.PHANTOM,
                subject=own.client_order_id,
                evidence=f"ours is {own.status.value}; the venue has no such order",
                at_stake=own.remaining_quantity * (own.limit_price or own.trigger_price or ZERO),
            ),
            None,
        )
        return
    differing = [
        name
        for name in ("symbol", "side", "quantity", "filled_quantity")
        if getattr(own, name) != getattr(venue, name)
    ]
    if not _same_status(own.status, venue.status):
        differing.append("status")
    if differing:
        evidence = _differences(own, venue, differing)
        finding = Finding(
            kind=FindingKind.ORDER_MISMATCH, subject=venue.venue_order_id, evidence=evidence
        )
        yield finding, RecordOrder(order=venue, reason=evidence)


def _venue_side(records: _Records, own: OrderRecord) -> VenueOrder | None:
    for orders in (records.open_orders, records.closed_orders):
        if own.venue_order_id is not None and own.venue_order_id in orders:
            return orders[own.venue_order_id]
        for order in orders.values():
            if order.client_order_id == own.client_order_id:
                return order
    return None


def _same_status(own: OrderStatus, venue: OrderStatus) -> bool:
    """A cancel on its way and a moment's acknowledgement are not disagreements."""
    alive = (OrderStatus.PENDING_NEW, OrderStatus.OPEN, OrderStatus.CANCEL_PENDING)
    return own is venue or (own in alive and venue in alive)


# --- positions -----------------------------------------------------------------------------------


def _check_positions(records: _Records) -> Iterator[Finding]:
    for position in records.snapshot.positions:
        instrument = records.catalogue.find(position.symbol)
        if instrument is None:
            continue
        base = records.balances.get(instrument.base)
        held = ZERO if base is None else base.total
        if held < position.quantity:
            yield Finding(
                kind=FindingKind.QTY_MISMATCH,
                subject=position.position_id,
                evidence=(
                    f"managed {short(position.quantity)} {instrument.base}; "
                    f"the venue holds {short(held)}"
                ),
                at_stake=(position.quantity - held) * position.average_cost,
            )
        quantity = instrument.floor_quantity(position.quantity)
        if instrument.is_tradable_quantity(quantity, price=position.average_cost):
            yield from _check_stop(records, position, quantity)


def _check_stop(records: _Records, position: Position, quantity: Decimal) -> Iterator[Finding]:
    stops = [
        order
        for order in records.open_orders.values()
        if (own := records.ours(order)) is not None
        and own.purpose == "stop"
        and own.position_id == position.position_id
    ]
    at_stake = quantity * position.average_cost
    if not stops:
        yield Finding(
            kind=FindingKind.STOP_MISSING,
            subject=position.position_id,
            evidence=f"{short(quantity)} {position.symbol} has no stop resting at the venue",
            at_stake=at_stake,
        )
        return
    covered = sum((stop.remaining_quantity for stop in stops), ZERO)
    if covered != quantity:
        yield Finding(
            kind=FindingKind.STOP_QTY,
            subject=position.position_id,
            evidence=f"stops cover {short(covered)} of {short(quantity)} {position.symbol}",
            at_stake=abs(quantity - covered) * position.average_cost,
        )
    if any(stop.side is position.side for stop in stops):
        yield Finding(
            kind=FindingKind.STOP_SIDE,
            subject=position.position_id,
            evidence=f"a stop of {position.symbol} is on the position's own side",
            at_stake=at_stake,
        )


# --- ledger and balances -------------------------------------------------------------------------


def _check_ledger(records: _Records) -> Iterator[Finding]:
    legs: dict[str, list[LedgerEntry]] = {}
    for entry in records.ledger:
        legs.setdefault(entry.refid, []).append(entry)
    for fill in records.venue_fills:
        if records.our_order_of(fill) is None:
            continue
        evidence = _ledger_evidence(records, fill, legs.get(fill.fill_id, []))
        if evidence:
            yield Finding(
                kind=FindingKind.LEDGER_MISMATCH,
                subject=fill.fill_id,
                evidence=evidence,
                at_stake=fill.cost,
            )


def _ledger_evidence(records: _Records, fill: Fill, legs: list[LedgerEntry]) -> str:
    instrument = records.catalogue.find(fill.symbol)
    if instrument is None:
        return ""
    by_asset = {leg.asset: leg for leg in legs}
    base, quote = by_asset.get(instrument.base), by_asset.get(instrument.quote)
    if base is None or quote is None:
        return f"the ledger lacks a leg of {_told(fill)}"
    sign = 1 if fill.side is Side.BUY else -1
    if base.amount != sign * fill.quantity:
        return f"the ledger moved {short(base.amount)} {instrument.base} for {_told(fill)}"
    asset = records.catalogue.asset(instrument.quote)
    unit = Decimal(1).scaleb(-(asset.decimals if asset else 0))
    if abs(quote.amount + sign * fill.cost) > unit:
        return f"the ledger moved {short(quote.amount)} {instrument.quote} for {_told(fill)}"
    if fill.fee_asset == instrument.quote and abs(quote.fee - fill.fee) > unit:
        return f"the ledger charged {short(quote.fee)}; the trade says {short(fill.fee)}"
    return ""


def _check_balances(records: _Records) -> Iterator[Finding]:
    newest: dict[tuple[str, str], LedgerEntry] = {}
    for entry in records.ledger:  # newest first
        newest.setdefault((entry.asset, entry.wallet), entry)
    names = {holding_of(name, records.catalogue): name for name in records.balances}
    for holding, entry in sorted(newest.items()):
        asset = names.get(holding, entry.asset)
        held = records.balances.get(asset) if holding in names else None
        total = ZERO if held is None else held.total
        if total != entry.balance:
            yield Finding(
                kind=FindingKind.BALANCE_DRIFT,
                subject=asset,
                evidence=f"the ledger ends at {short(entry.balance)}; held are {short(total)}",
                at_stake=abs(total - entry.balance),
            )


def _foreign(records: _Records) -> Iterator[str]:
    foreign = sum(records.ours(order) is None for order in records.closed_orders.values())
    if foreign:
        yield f"{foreign} closed orders at the venue were not placed here; left alone."
