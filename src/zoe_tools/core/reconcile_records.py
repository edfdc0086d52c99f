"""Both sides of a reconciliation, indexed once, so that each check is one look-up an order.

The venue's lists may be short: what QueryOrders showed by name completes them. Our side is what our
own events say; a row that somebody changed by hand is not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from zoe_tools.core.proof import CLOCK_TOLERANCE_S
from zoe_tools.domain.discrepancy import Finding
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Reading, Snapshot, value_of
from zoe_tools.domain.wallet import MAIN, holding_of

T = TypeVar("T")

CASH = "USD"
"""What the account's limits and its cash tolerance are reckoned in."""

AT_ONCE = 20
"""So many executions, or rows of the ledger, are asked for by id: what one call takes."""

Found = tuple[Finding, tuple[Step, ...]]
"""A finding, and the steps that mend it; none where it is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """See the module. `ledger` is None where it was not asked for; ends are the newest entries."""

    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    is_whole: bool
    open_orders: dict[VenueOrderId, VenueOrder]
    closed_orders: dict[VenueOrderId, VenueOrder]
    venue_by_client_id: dict[ClientOrderId, VenueOrder]
    venue_fills: tuple[Fill, ...]
    recorded_fills: dict[FillId, Fill]
    ledger: tuple[LedgerEntry, ...] | None
    ledger_ends: dict[str, LedgerEntry]
    ledger_stands: dict[str, tuple[Decimal, ...]]
    """By asset what its ledger ended with when the balances were read, and each balance since."""

    balances: dict[str, Balance]
    balances_as_of: datetime
    own_orders: tuple[OrderRecord, ...]
    own_by_client_id: dict[ClientOrderId, OrderRecord]
    own_by_venue_id: dict[VenueOrderId, OrderRecord]
    own_by_position: dict[PositionId, tuple[OrderRecord, ...]]
    positions: dict[PositionId, Position]
    adjusted: frozenset[PositionId | None]
    ledger_begins: dict[str, LedgerEntry]
    found_fills: frozenset[FillId]
    found_rows: tuple[LedgerEntry, ...]
    """What a list lacked and the venue shows when it is asked by id."""
    denied_fills: frozenset[FillId]
    """Booked fills that the trades lack, and of which another read of the venue's tells."""
    short_ledger: frozenset[str] = frozenset()
    """Assets of which the venue's ledger lacks rows, by another word of the venue's."""

    def ours(self, order: VenueOrder) -> OrderRecord | None:
        """Our record of a venue order."""
        found = self.own_by_venue_id.get(order.venue_order_id)
        if found is None and order.client_order_id is not None:
            found = self.own_by_client_id.get(order.client_order_id)
        return found

    def theirs(self, own: OrderRecord) -> VenueOrder | None:
        """The venue's record of our order: by its id, else by the name we gave it."""
        name = own.venue_order_id
        if name is not None:
            found = self.closed_orders.get(name) or self.open_orders.get(name)
            if found is not None:
                return found
        return self.venue_by_client_id.get(own.client_order_id)

    def our_order_of(self, fill: Fill) -> OrderRecord | None:
        """Our record of the order that a venue fill belongs to."""
        name = fill.venue_order_id
        found = self.own_by_venue_id.get(name)
        if found is not None:
            return found
        if fill.client_order_id is not None and fill.client_order_id in self.own_by_client_id:
            return self.own_by_client_id[fill.client_order_id]
        order = self.closed_orders.get(name) or self.open_orders.get(name)
        return None if order is None else self.ours(order)

    @property
    def missing_fills(self) -> tuple[Fill, ...]:
        """Fills of our orders that the venue shows and our books lack, each once."""
        found = {
            fill.fill_id: fill
            for fill in self.venue_fills
            if fill.fill_id not in self.recorded_fills and self.our_order_of(fill) is not None
        }
        return tuple(found.values())

    @property
    def doubtful_fills(self) -> tuple[Fill, ...]:
        """Booked fills that the venue's whole history does not show, though it had the time."""
        shown = self.snapshot.fills
        if not self.is_whole or not isinstance(shown, Reading):
            return ()
        too_young = shown.as_of - timedelta(seconds=self.snapshot.policy.visibility_lag_s)
        known = {each.fill_id for each in self.venue_fills}
        return tuple(
            each
            for each in self.recorded_fills.values()
            if each.fill_id not in known
            and each.fill_id not in self.denied_fills
            and each.filled_at <= too_young
        )

    @property
    def posted(self) -> dict[str, Decimal]:
        """What a person posted to the account, by asset."""
        found: dict[str, Decimal] = {}
        for each in self.snapshot.adjustments:
            if each.position_id is None:
                found[each.asset] = found.get(each.asset, ZERO) + each.quantity
        return found

    def quantity_tolerance(self, instrument: Instrument | None) -> Decimal:
        """What two quantities may differ by: never finer than the instrument's step."""
        tolerance = self.snapshot.policy.reconcile_quantity_tolerance
        if instrument is None:
            return tolerance
        return max(tolerance, Decimal(1).scaleb(-instrument.quantity_decimals))


def records_of(snapshot: Snapshot, *, is_whole: bool = True) -> Records:
    """Index both sides; `is_whole`: all that the venue's records hold was asked for.

    Raises:
        VenueUnavailable: a part that is needed is missing from the snapshot.
    """
    listed = value_of(snapshot.open_orders, "the open orders")
    open_orders = _by_id(listed)
    closed_orders = _by_id(_part(snapshot.closed_orders, "the closed orders", is_whole=is_whole))
    if isinstance(snapshot.asked_orders, Reading):
        for each in snapshot.asked_orders.value:
            home = closed_orders if each.status.is_terminal else open_orders
            home.setdefault(each.venue_order_id, each)
    for name in closed_orders.keys() & open_orders.keys():
        del open_orders[name]  # it closed between the two answers
    listed_rows = _part(snapshot.ledger, "the ledger", is_whole=is_whole)
    ledger, found_rows = _with_found(listed_rows, snapshot.asked_rows, _row_name)
    ledger = tuple(sorted(ledger, key=_booked_at, reverse=True)) if found_rows else ledger
    listed_fills = _part(snapshot.fills, "the trades history", is_whole=is_whole)
    fills, found_fills = _with_found(listed_fills, snapshot.asked_fills, _fill_name)
    own = believed(snapshot)
    catalogue = value_of(snapshot.catalogue, "the instruments")
    balances = _larger(value_of(snapshot.balances, "the balances"), snapshot.asked_totals)
    balances_as_of = _as_of(snapshot.balances, snapshot.taken_at)
    rows = _named(_merged(snapshot, ledger, is_whole=is_whole), balances, catalogue)
    records = Records(
        snapshot=snapshot,
        catalogue=catalogue,
        is_whole=is_whole,
        open_orders=open_orders,
        closed_orders=closed_orders,
        venue_by_client_id={
            each.client_order_id: each
            for each in (*closed_orders.values(), *open_orders.values())
            if each.client_order_id is not None
        },
        venue_fills=fills,
        recorded_fills={each.fill_id: each for each in snapshot.recorded_fills},
        ledger=ledger if isinstance(snapshot.ledger, Reading) else None,
        ledger_ends={asset: entries[0] for asset, entries in rows.items()},
        ledger_stands={asset: _stands(entries, balances_as_of) for asset, entries in rows.items()},
        balances={each.asset: each for each in balances},
        balances_as_of=balances_as_of,
        own_orders=own,
        own_by_client_id={each.client_order_id: each for each in own},
        own_by_venue_id={each.venue_order_id: each for each in own if each.venue_order_id},
        own_by_position=_by_position(own),
        positions={each.position_id: each for each in snapshot.positions},
        adjusted=frozenset(each.position_id for each in snapshot.adjustments),
        ledger_begins={asset: entries[-1] for asset, entries in rows.items()},
        found_fills=frozenset(each.fill_id for each in found_fills),
        found_rows=found_rows,
        denied_fills=frozenset(),
    )
    return replace(records, denied_fills=_denied(records) | records.found_fills)


def _with_found(
    listed: tuple[T, ...], asked: Reading[tuple[T, ...]] | Missing, name: Callable[[T], str]
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """The list, completed by what was found by id; and what that was."""
    if isinstance(asked, Missing):
        return listed, ()
    shown = {name(each) for each in listed}
    found = tuple(each for each in asked.value if name(each) not in shown)
    return (*listed, *found), found


def _row_name(row: LedgerEntry) -> str:
    return row.ledger_id


def _fill_name(fill: Fill) -> str:
    return fill.fill_id


def _booked_at(row: LedgerEntry) -> datetime:
    return row.booked_at


def _larger(
    listed: tuple[Balance, ...], asked: Reading[tuple[Balance, ...]] | Missing
) -> tuple[Balance, ...]:
    """Of two reads that tell what is held, the one that shows more: one alone proves no loss."""
    if isinstance(asked, Missing):
        return listed
    found = {each.asset: each for each in listed}
    for each in asked.value:
        known = found.get(each.asset)
        if known is None or each.total > known.total:
            found[each.asset] = replace(known or each, total=each.total)
    return tuple(found.values())


def _denied(records: Records) -> frozenset[FillId]:
    """Fills that are missing in the trades, though their order shows as much filled as we booked.

    Where QueryTrades found some, a list is short, and proves nothing of those not asked for.
    """
    shown = _quantities(records.venue_fills)
    booked = _quantities(records.recorded_fills.values())
    doubtful = sorted(records.doubtful_fills, key=lambda each: each.filled_at, reverse=True)
    found = {each.fill_id for each in (doubtful[AT_ONCE:] if records.found_fills else ())}
    for fill in doubtful:
        name = fill.venue_order_id
        order = records.closed_orders.get(name) or records.open_orders.get(name)
        filled = ZERO if order is None else order.filled_quantity
        if shown.get(name, ZERO) < filled and booked[name] <= filled:
            found.add(fill.fill_id)
    return frozenset(found)


def _quantities(fills: Iterable[Fill]) -> dict[VenueOrderId, Decimal]:
    found: dict[VenueOrderId, Decimal] = {}
    for fill in fills:
        found[fill.venue_order_id] = found.get(fill.venue_order_id, ZERO) + fill.quantity
    return found


def is_older(part: Reading[tuple[VenueOrder, ...]] | Missing, own: OrderRecord) -> bool:
    """Whether our events about the order are newer than the venue's answer."""
    return isinstance(part, Reading) and own.updated_at > part.as_of


def told(fill: Fill) -> str:
    """A fill in words."""
    return f"{fill.side.value} {short(fill.quantity)} {fill.symbol} at {short(fill.price)}"


def differences(own: object, venue: object, names: list[str]) -> str:
    """Both values of each field that differs."""
    return "; ".join(
        f"{name}: ours {_word(getattr(own, name))}, the venue's {_word(getattr(venue, name))}"
        for name in names
    )


def _word(value: object) -> str:
    return short(value) if isinstance(value, Decimal) else str(value)


def _by_id(orders: Iterable[VenueOrder]) -> dict[VenueOrderId, VenueOrder]:
    return {each.venue_order_id: each for each in orders}


def _part(part: Reading[tuple[T, ...]] | Missing, what: str, *, is_whole: bool) -> tuple[T, ...]:
    if not is_whole and isinstance(part, Missing):
        return ()
    return value_of(part, what)


def _as_of(part: Reading[tuple[Balance, ...]] | Missing, otherwise: datetime) -> datetime:
    return part.as_of if isinstance(part, Reading) else otherwise


def _merged(
    snapshot: Snapshot, ledger: tuple[LedgerEntry, ...], *, is_whole: bool
) -> Sequence[LedgerEntry]:
    """In a loop the venue tells a page; what is older is in our own ledger."""
    if is_whole or not snapshot.own_ledger:
        return ledger
    told = {each.ledger_id for each in ledger}
    more = (each for each in snapshot.own_ledger if each.ledger_id not in told)
    return sorted((*ledger, *more), key=lambda each: each.booked_at, reverse=True)


def _named(
    ledger: Sequence[LedgerEntry],
    balances: tuple[Balance, ...],
    catalogue: InstrumentCatalogue,
) -> dict[str, list[LedgerEntry]]:
    """The rows of each wallet of each asset, newest first, by the name that its balance goes by."""
    kept: dict[tuple[str, str], list[LedgerEntry]] = {}
    for entry in ledger:  # newest first
        kept.setdefault((entry.asset, entry.wallet), []).append(entry)
    names = {holding_of(each.asset, catalogue): each.asset for each in balances}
    return {
        names.get(
            holding, holding[0] if holding[1] == MAIN else f"{holding[0]}, {holding[1]}"
        ): entries
        for holding, entries in kept.items()
    }


def _stands(entries: list[LedgerEntry], as_of: datetime) -> tuple[Decimal, ...]:
    """Two answers are never of one moment: what the ledger told since is no disagreement."""
    since = as_of - timedelta(seconds=CLOCK_TOLERANCE_S)
    found = [entries[0].balance]
    for newer, older in pairwise(entries):
        if newer.booked_at < since:
            break
        found.append(older.balance)
    return tuple(found)


def believed(snapshot: Snapshot) -> tuple[OrderRecord, ...]:
    """Our orders as their events tell them, also those whose rows were changed or are gone."""
    truth = {row.client_order_id: events for row, events in snapshot.changed_by_hand}
    kept = (truth.get(each.client_order_id, each) for each in snapshot.orders)
    return (*kept, *snapshot.rows_rebuilt)


def _by_position(own: tuple[OrderRecord, ...]) -> dict[PositionId, tuple[OrderRecord, ...]]:
    found: dict[PositionId, list[OrderRecord]] = {}
    for order in own:
        if order.position_id is not None:
            found.setdefault(order.position_id, []).append(order)
    return {name: tuple(orders) for name, orders in found.items()}
