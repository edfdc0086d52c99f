"""The order desk's part of a turn: working entries, entries to be replaced, exits until they fill.

What to do with one group is `core/order_desk.py`'s; this finds the groups and their orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.accounting import base_of
from zoe_tools.core.executed import is_over
from zoe_tools.core.order_desk import (
    Desk,
    cancel_of,
    desk_of,
    end_of,
    exit_ticket,
    opening_sale,
    renew_entry,
    room_for,
    sale_of,
    tend_entry,
    tend_exit,
)
from zoe_tools.core.position_orders import can_be_canceled, place_exit
from zoe_tools.core.risk import keeps_back
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentCatalogue, InstrumentStatus
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup, Style
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderPurpose, OrderStatus
from zoe_tools.domain.plan import CancelOrder, EndGroup, PlaceOrder, Step
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import KillLevel

_CLOSED_TO_ENTRIES = frozenset({InstrumentStatus.CANCEL_ONLY, InstrumentStatus.REDUCE_ONLY})
"""Where a working entry would wait for a market that nobody knows yet, and can be cancelled."""

TAKES_NO_SALE = frozenset(
    {
        InstrumentStatus.CANCEL_ONLY,
        InstrumentStatus.POST_ONLY,
        InstrumentStatus.MAINTENANCE,
        InstrumentStatus.WORK_IN_PROGRESS,
        InstrumentStatus.DELISTED,
    }
)
"""Of an instrument; the stop that rests there is better than a sale that is refused."""

CLOSED_TO_SALES = frozenset({VenueMode.CANCEL_ONLY, VenueMode.MAINTENANCE, VenueMode.POST_ONLY})
"""Of the whole venue; the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What the desk sees of a turn.

    `may_enter`: entries may be made and repriced. `entries_stopped`: working ones are to go.
    """

    snapshot: Snapshot
    catalogue: InstrumentCatalogue
    quotes: Mapping[Symbol, Quote]
    exiting: frozenset[PositionId]
    may_enter: bool
    entries_stopped: bool

    def desk(self, group: IntentGroup) -> Desk:
        """One group's."""
        instrument = self.catalogue.resolve(group.symbol)
        return desk_of(group, self.snapshot, instrument, self.quotes.get(group.symbol))

    def group_of(self, order: OrderRecord) -> IntentGroup | None:
        """The group an order was sent for, if that is not over."""
        if order.group_id is None:
            return None
        return next((g for g in self.snapshot.groups if g.group_id == order.group_id), None)

    def exit_of(self, position: Position) -> IntentGroup | None:
        """The group that sells the position, if there is one."""
        return next(
            (
                each
                for each in self.snapshot.groups
                if each.purpose != "entry" and each.position_id == position.position_id
            ),
            None,
        )

    def is_closed(self, symbol: Symbol) -> bool:
        """Whether no entry is to work there: by the venue's word, in safe mode, or by a kill."""
        if any(symbol == held for held, _ in self.snapshot.held_back):
            return True
        if self.snapshot.trading_state.of(symbol).level >= KillLevel.CANCEL_OPEN:
            return True
        instrument = self.catalogue.find(symbol)
        return instrument is not None and instrument.status in _CLOSED_TO_ENTRIES


def takes_sales(snapshot: Snapshot, instrument: Instrument) -> bool:
    """Whether the venue takes a sale of the instrument now, as far as anybody was told."""
    mode = snapshot.venue_mode
    is_open = isinstance(mode, Missing) or mode.value not in CLOSED_TO_SALES
    return is_open and instrument.status not in TAKES_NO_SALE


def takes_sales_of(snapshot: Snapshot, symbol: Symbol) -> bool:
    """The same of an instrument by its name; of one that is not listed nobody was told anything."""
    listed = snapshot.catalogue
    instrument = None if isinstance(listed, Missing) else listed.value.find(symbol)
    return instrument is None or takes_sales(snapshot, instrument)


# --- entries -------------------------------------------------------------------------------------


def tend_entries(floor: Floor) -> Iterator[Step]:
    """Working entries: cancelled where they are not wanted, else as their group's desk says."""
    leaving = {each.position_id for each in floor.snapshot.positions} & floor.exiting
    for order in floor.snapshot.orders:
        if order.purpose != "entry" or not can_be_canceled(order):
            continue
        if order.position_id in leaving:
            continue
        step = _tended(floor, order)
        if step is not None:
            yield step


def _tended(floor: Floor, order: OrderRecord) -> Step | None:
    if floor.entries_stopped or floor.is_closed(order.symbol):
        why = "entries are stopped" if floor.entries_stopped else "nothing is entered there now"
        return cancel_of(order, why, GroupEnd.STOPPED)
    group = floor.group_of(order)
    if group is not None:
        may_enter = floor.may_enter and not keeps_back(order.symbol, floor.snapshot)
        return tend_entry(floor.desk(group), order, may_enter=may_enter)
    return _old(floor, order)


def _old(floor: Floor, order: OrderRecord) -> CancelOrder | None:
    """An entry that is no group's goes with its age; from ahead is as bad, the clock was set."""
    lifetime = timedelta(seconds=floor.snapshot.policy.order_ttl_entry_s)
    if abs(floor.snapshot.taken_at - order.created_at) < lifetime:
        return None
    return cancel_of(order, "its time is over", GroupEnd.EXHAUSTED)


def renew_entries(floor: Floor) -> Iterator[PlaceOrder | EndGroup]:
    """Entry groups without a working order: one for the rest, or their end."""
    held = {each.symbol for each in floor.snapshot.positions if each.position_id in floor.exiting}
    for group in floor.snapshot.groups:
        if group.purpose != "entry":
            continue
        desk = floor.desk(group)
        if not floor.may_enter or floor.is_closed(group.symbol) or group.symbol in held:
            step: PlaceOrder | EndGroup | None = end_of(desk, GroupEnd.STOPPED)
        elif keeps_back(group.symbol, floor.snapshot):
            step = renew_entry(replace(desk, quote=None))  # until its time is over
        else:
            step = renew_entry(desk)
        if step is not None:
            yield step


# --- exits ---------------------------------------------------------------------------------------


def tend_exits(floor: Floor, exits: list[OrderRecord], *, is_urgent: bool) -> Iterator[Step]:
    """Working exits of one position, by their group's desk."""
    for order in exits:
        group = floor.group_of(order)
        step = None if group is None else tend_exit(floor.desk(group), order, is_urgent=is_urgent)
        if step is not None:
            yield step


def sell(
    floor: Floor,
    position: Position,
    instrument: Instrument,
    *,
    purpose: OrderPurpose,
    reason: str,
    is_urgent: bool,
) -> PlaceOrder | EndGroup | None:
    """The next order of a position that is being left, and has none at work; None: it is dust."""
    quote, group = floor.quotes.get(position.symbol), floor.exit_of(position)
    price = position.average_cost if quote is None else quote.bid
    quantity = instrument.floor_quantity(position.quantity)
    if not instrument.is_tradable_quantity(quantity, price=price):
        return None if group is None else end_of(floor.desk(group), GroupEnd.NOT_HELD)
    if group is None:
        style = Style.PANIC if is_urgent else Style.NORMAL
        limit = opening_sale(style, quote, instrument, floor.snapshot.policy)
        ticket = exit_ticket(style, quantity, quote, floor.snapshot.policy)
    else:
        desk = floor.desk(group)
        rest = instrument.floor_quantity(room_for(group.target_quantity, desk.orders))
        quantity = min(quantity, rest)
        if not instrument.is_tradable_quantity(quantity, price=price):
            return end_of(desk, GroupEnd.TOO_SMALL)
        limit, ticket = sale_of(desk, is_urgent=is_urgent)
    return place_exit(
        position,
        quantity=quantity,
        notional=price * quantity,
        purpose=purpose if group is None else group.purpose,
        reason=reason,
        limit=limit,
        ticket=ticket,
    )


def is_in_doubt(snapshot: Snapshot, position: Position, exits: list[OrderRecord]) -> bool:
    """Whether nobody knows if any sale of it arrived, and a stop is tried: once.

    Where a sale did arrive, it holds the coins, and the venue refuses the stop: that proves it. It
    would take both where as many coins lie on the account that are not zoe's: then none is tried.
    """
    if any(each.status is not OrderStatus.UNKNOWN for each in exits):
        return False
    if _others_coins(snapshot, position) >= position.quantity:
        return False
    sent = min(each.created_at for each in exits)
    return not any(
        each.purpose == "stop"
        and each.position_id == position.position_id
        and each.created_at >= sent
        and (each.lacked_funds or not each.is_refused_for_now)
        for each in snapshot.refusals
    )


def _others_coins(snapshot: Snapshot, position: Position) -> Decimal:
    """How much of its asset is on the account beyond what is managed; zero where nobody told."""
    if isinstance(snapshot.balances, Missing):
        return ZERO
    asset = base_of(position.symbol)
    total = sum((each.total for each in snapshot.balances.value if each.asset == asset), ZERO)
    managed = (each.quantity for each in snapshot.positions if base_of(each.symbol) == asset)
    return max(total - sum(managed, ZERO), ZERO)


def ended_exits(floor: Floor) -> Iterator[EndGroup]:
    """Exit groups whose position is over."""
    for group in floor.snapshot.groups:
        if group.purpose == "entry":
            continue
        if group.position_id is None or is_over(group.position_id, floor.snapshot):
            step = end_of(floor.desk(group), GroupEnd.NOT_HELD)
            if step is not None:
                yield step
