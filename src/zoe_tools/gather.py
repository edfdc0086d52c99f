"""Reads venue and store into one frozen snapshot; what cannot be read is missing, with a reason.

It changes nothing, and it never turns a failed read into an empty or a zero one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import TypeVar

from zoe_tools.config.tightening import tightened
from zoe_tools.core.position_rows import as_told, positions_gone, stop_was_lowered
from zoe_tools.core.proof import CLOCK_TOLERANCE_S
from zoe_tools.domain.account import Account
from zoe_tools.domain.discrepancy import WHOLE_LOOK
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.observation import COUNTDOWN
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.position_event import PositionEvent
from zoe_tools.domain.snapshot import (
    NOT_GATHERED,
    RECENT,
    SEEN_IN_OPEN_ORDERS,
    Missing,
    Reading,
    Snapshot,
)
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    CONFIG_SWITCH_TOO,
    SWITCHED,
    KillLevel,
    TradingState,
)
from zoe_tools.errors import VenueError
from zoe_tools.ports import Clock, Venue
from zoe_tools.store.runner import StoreRunner
from zoe_tools.store.store import Transaction

T = TypeVar("T")


class Need(Enum):
    """A part of the venue that a decision needs. The store's parts are always read."""

    MODE = auto()
    CATALOGUE = auto()
    BALANCES = auto()
    OPEN_ORDERS = auto()
    CLOSED_ORDERS = auto()
    FILLS = auto()
    NEW_FILLS = auto()
    """Fills that the books may lack: the history is asked if an order of ours tells of any."""

    LEDGER = auto()
    QUOTES = auto()
    KEY = auto()


EVERYTHING = frozenset(Need) - {Need.NEW_FILLS}
TRADES = "TradesHistory"


async def gather(
    *,
    venue: Venue,
    store: StoreRunner,
    clock: Clock,
    account: Account,
    policy: Policy,
    needs: frozenset[Need],
    symbols: Sequence[Symbol] = (),
    since: datetime | None = None,
    adopted: tuple[tuple[Symbol, Decimal], ...] = (),
) -> Snapshot:
    """One snapshot: the store's view, then the venue's.

    `symbols` are quoted besides those of open positions and adoptions. `since` bounds closed
    orders, fills and ledger; None asks for all there is.

    Raises:
        StoreError: the store cannot be read.
    """
    snapshot = await gather_store(store=store, clock=clock, account=account, policy=policy)
    read = _Reader(clock, needs)
    wanted = dict.fromkeys(
        (
            *symbols,
            *(each.symbol for each in snapshot.positions),
            *(symbol for symbol, _ in adopted),
        )
    )
    mode = await read.part(Need.MODE, venue.mode, "SystemStatus")
    catalogue = await read.part(Need.CATALOGUE, venue.catalogue, "AssetPairs")
    open_orders = await read.part(Need.OPEN_ORDERS, venue.open_orders, "OpenOrders")
    closed = await read.part(
        Need.CLOSED_ORDERS, lambda: venue.closed_orders(since=since), "ClosedOrders"
    )
    fills = await read.part(Need.FILLS, lambda: venue.fills(since=since), TRADES)
    if Need.NEW_FILLS in needs:
        fills = await _new_fills(read, venue, snapshot, open_orders)
    # the ledger after the balances: its pages take minutes, and it must know what they know
    balances = await read.part(Need.BALANCES, venue.balances, "BalanceEx")
    ledger = await read.part(Need.LEDGER, lambda: venue.ledger(since=since), "Ledgers")
    quotes = await read.part(Need.QUOTES, lambda: _quotes(venue, wanted, catalogue), "Ticker")
    key = await read.part(Need.KEY, venue.key_info, "GetApiKeyInfo")
    return replace(
        snapshot,
        taken_at=clock.now(),
        venue_mode=mode,
        catalogue=catalogue,
        open_orders=open_orders,
        closed_orders=closed,
        fills=fills,
        ledger=ledger,
        balances=balances,
        quotes=quotes,
        key=key,
        adopted=adopted,
    )


async def _quotes(
    venue: Venue, wanted: Iterable[Symbol], catalogue: Reading[InstrumentCatalogue] | Missing
) -> tuple[Quote, ...]:
    """Those that make sense; what left the venue's list has none, and keeps no other one back."""
    if not isinstance(catalogue, Missing):
        wanted = (each for each in wanted if catalogue.value.find(each) is not None)
    return tuple(each for each in await venue.quotes(tuple(wanted)) if each.makes_sense)


async def _new_fills(
    read: _Reader,
    venue: Venue,
    snapshot: Snapshot,
    open_orders: Reading[tuple[VenueOrder, ...]] | Missing,
) -> Reading[tuple[Fill, ...]] | Missing:
    """Two points of the venue's counter for each page: not spent where nothing can have traded."""
    if isinstance(open_orders, Missing):
        return open_orders
    since = _may_lack_fills_since(snapshot, open_orders.value)
    if since is None:
        return Reading((), open_orders.as_of, SEEN_IN_OPEN_ORDERS)
    since -= timedelta(seconds=CLOCK_TOLERANCE_S)
    return await read.part(Need.NEW_FILLS, lambda: venue.fills(since=since), TRADES)


def _may_lack_fills_since(snapshot: Snapshot, shown: Sequence[VenueOrder]) -> datetime | None:
    """When the oldest order of ours was made that has more at the venue than in the books.

    Or may have: one that works here and is not among the open orders has closed there.
    """
    filled_there = {each.venue_order_id: each.filled_quantity for each in shown}
    booked: dict[VenueOrderId, Decimal] = {}
    for fill in snapshot.recorded_fills:
        booked[fill.venue_order_id] = booked.get(fill.venue_order_id, ZERO) + fill.quantity

    def is_doubtful(order: OrderRecord) -> bool:
        name = order.venue_order_id
        if name not in filled_there and not order.status.is_terminal:
            return True
        if name is None:
            return False
        there = max(order.filled_quantity, filled_there.get(name, ZERO))
        return there > booked.get(name, ZERO)

    return min((each.created_at for each in snapshot.orders if is_doubtful(each)), default=None)


async def gather_store(
    *, store: StoreRunner, clock: Clock, account: Account, policy: Policy
) -> Snapshot:
    """A snapshot of the store alone; every venue part is missing."""
    now = clock.now()

    def read(transaction: Transaction) -> Snapshot:
        times_stopped = transaction.times_stopped()  # before the state: see there
        orders, known = transaction.orders(), registry_of(transaction)
        return Snapshot(
            taken_at=now,
            account=account,
            policy=tightened(policy, transaction.limits()),
            times_stopped=times_stopped,
            trading_state=effective_trading_state(transaction),
            positions=known.positions,
            retold=known.retold,
            positions_gone=positions_gone(transaction.stories_without_row(), orders),
            stops_lowered=known.stops_lowered,
            refusals=transaction.refusals(now - RECENT),
            given_up=transaction.given_up(),
            targets=transaction.targets(),
            targets_retold=transaction.targets_retold(),
            groups=transaction.groups.active(),
            orders=orders,
            recent_orders=tuple(each for each in orders if each.created_at >= now - RECENT),
            recorded_fills=transaction.fills(),
            unresolved_intents=transaction.unresolved_intents(),
            daily_notional=transaction.daily_notional(now.date()),
            reconciled_at=_reconciled_at(transaction),
            reconciliation=transaction.reconciliation.state(),
            worth=transaction.latest_equity(),
        )

    return await store.read(read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Positions that are not over; see the fields of the same names in `Snapshot`."""

    positions: tuple[Position, ...]
    retold: tuple[tuple[Position, Position], ...]
    stops_lowered: frozenset[PositionId]


def registry_of(transaction: Transaction) -> Known:
    """The registry as the positions' own stories tell its prices."""
    stories: dict[PositionId, list[PositionEvent]] = {}
    for event in transaction.price_events():
        stories.setdefault(event.position_id, []).append(event)
    rows = transaction.positions(active_only=True)
    pairs = [(row, _as_told(row, stories.get(row.position_id, []))) for row in rows]
    return Known(
        positions=tuple(told for _, told in pairs),
        retold=tuple((row, told) for row, told in pairs if row != told),
        stops_lowered=frozenset(
            name for name, events in stories.items() if stop_was_lowered(events)
        ),
    )


_MOST_TOLD = 200
_TOLD: dict[PositionId, tuple[Position, list[PositionEvent], Position]] = {}
"""Each position as its story told it last; a loop asks after every fill, and of all of them."""


def _as_told(row: Position, story: list[PositionEvent]) -> Position:
    known = _TOLD.get(row.position_id)
    if known is not None and known[0] == row and known[1] == story:
        return known[2]
    if len(_TOLD) >= _MOST_TOLD:
        _TOLD.clear()
    told = as_told(row, story)
    _TOLD[row.position_id] = row, story, told
    return told


def _reconciled_at(transaction: Transaction) -> datetime | None:
    """What a loop compares is live; that a day's fills are in the books it cannot know."""
    beats = [each for each in transaction.heartbeats() if each.component == WHOLE_LOOK]
    if not beats:
        return None
    since = beats[0].beat_at
    is_open = any(each.is_open for each in transaction.reconciliation.active())
    return None if is_open else since


def countdown_at_stake(transaction: Transaction) -> int:
    """How long the venue's countdown may run that somebody armed; 0: it is disarmed for sure."""
    beats = (each for each in transaction.heartbeats() if each.component == COUNTDOWN)
    return next((int(each.details["seconds"]) for each in beats), 0)


def effective_trading_state(transaction: Transaction) -> TradingState:
    """The account's latched level; while the runbooks' global switch is set, at least reduce-only.

    A higher level keeps its reason; that the switch still stands in the way is told by the author.
    """
    state = transaction.trading_state()
    if not transaction.kill_switch():
        return state
    if state.level >= KillLevel.REDUCE_ONLY:
        return replace(state, changed_by=CONFIG_SWITCH_TOO)
    return TradingState(
        level=KillLevel.REDUCE_ONLY,
        reason=SWITCHED,
        changed_at=state.changed_at,
        changed_by=CONFIG_SWITCH,
        stopped=state.stopped,
    )


class _Reader:
    """Turns a venue call into a reading, or into the reason why there is none."""

    def __init__(self, clock: Clock, needs: frozenset[Need]) -> None:
        self._clock = clock
        self._needs = needs

    async def part(
        self, need: Need, call: Callable[[], Awaitable[T]], source: str
    ) -> Reading[T] | Missing:
        if need not in self._needs:
            return NOT_GATHERED
        try:
            value = await call()
        except VenueError as error:
            return Missing(error.message.rstrip("."))
        return Reading(value, self._clock.now(), source)
