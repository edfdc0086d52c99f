"""All that a decision may look at, frozen, every part with its time.

What could not be read is `Missing`, never zero and never empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

from zoe_tools.domain.account import Account, KeyInfo
from zoe_tools.domain.discrepancy import NEVER_COMPARED, Adjustment, ReconciliationState
from zoe_tools.domain.equity import EquityPoint
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import Intent, OrderEvent, OrderRecord
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.level_story import RetoldLevels
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import GonePosition, Position
from zoe_tools.domain.rate_cost import VenueRead
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.domain.trading_state import ARMED, TradingState
from zoe_tools.errors import VenueUnavailable

T = TypeVar("T")

RECENT = timedelta(hours=1)
"""How far back `Snapshot.recent_orders` goes."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A part that was read: its value, when it was true, and where it came from."""

    value: T
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that was not asked for, or could not be read."""

    reason: str


NOT_GATHERED = Missing("not gathered")
SEEN_IN_OPEN_ORDERS = "OpenOrders, which tell of none"
"""Where that there are no new fills comes from: no call was made for them."""


def value_of(part: Reading[T] | Missing, what: str) -> T:
    """The value of a part that a decision cannot do without.

    Raises:
        VenueUnavailable: the part is missing; the sentence says which and why.
    """
    if isinstance(part, Missing):
        raise VenueUnavailable(f"Cannot decide without {what}: {part.reason}.")
    return part.value


def quote_in(snapshot: Snapshot, symbol: Symbol) -> Quote | None:
    """The quote of an instrument; None where there is none, or none were read."""
    quotes = () if isinstance(snapshot.quotes, Missing) else snapshot.quotes.value
    return next((each for each in quotes if each.symbol == symbol), None)


def reads_in(snapshot: Snapshot) -> tuple[VenueRead, ...]:
    """What of the account was asked for it, and is asked again by looking again."""
    parts = (
        (VenueRead.OPEN_ORDERS, snapshot.open_orders),
        (VenueRead.CLOSED_ORDERS, snapshot.closed_orders),
        (VenueRead.FILLS, snapshot.fills),
        (VenueRead.LEDGER, snapshot.ledger),
        (VenueRead.BALANCES, snapshot.balances),
    )
    return tuple(
        read
        for read, part in parts
        if part is not NOT_GATHERED
        and not (isinstance(part, Reading) and part.source == SEEN_IN_OPEN_ORDERS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The world as one command saw it. Venue parts are readings; the store's are plain values."""

    taken_at: datetime
    account: Account
    policy: Policy
    trading_state: TradingState = ARMED
    times_stopped: tuple[tuple[Symbol | None, int], ...] = ()
    """How often it was ordered to stop, by instrument; None is the account."""
    venue_mode: Reading[VenueMode] | Missing = NOT_GATHERED
    catalogue: Reading[InstrumentCatalogue] | Missing = NOT_GATHERED
    balances: Reading[tuple[Balance, ...]] | Missing = NOT_GATHERED
    open_orders: Reading[tuple[VenueOrder, ...]] | Missing = NOT_GATHERED
    closed_orders: Reading[tuple[VenueOrder, ...]] | Missing = NOT_GATHERED
    fills: Reading[tuple[Fill, ...]] | Missing = NOT_GATHERED
    ledger: Reading[tuple[LedgerEntry, ...]] | Missing = NOT_GATHERED
    quotes: Reading[tuple[Quote, ...]] | Missing = NOT_GATHERED
    key: Reading[KeyInfo] | Missing = NOT_GATHERED
    positions: tuple[Position, ...] = ()
    """With prices as their own stories tell them: no row is believed that was changed by hand."""
    unbooked: tuple[tuple[PositionId, Decimal], ...] = ()
    """How much in `positions` was bought by the word of orders whose trades are not booked yet."""
    may_lack: bool = False
    """Whether the venue may have executed what neither orders nor trades in the books tell."""
    retold: tuple[tuple[Position, Position], ...] = ()
    """Rows of positions that their own stories contradict; each with what the story makes of it."""
    positions_gone: tuple[GonePosition, ...] = ()
    """Positions that hold something by their own stories, and have no row any more."""
    stops_lowered: frozenset[PositionId] = frozenset()
    """Positions whose stop somebody moved against them at the venue: told, and not fought."""
    refusals: tuple[Intent, ...] = ()
    """What the venue said a definite no to in the last hour: placing and amending orders."""
    given_up: frozenset[PositionId] = frozenset()
    """Positions that were ended unsold; for a loop, of working stops and targets, rows gone too."""
    targets: tuple[TakeProfitLevel, ...] = ()
    targets_retold: tuple[RetoldLevels, ...] = ()
    """Levels whose rows the positions' own stories contradict; `targets` are the stories'."""
    orders: tuple[OrderRecord, ...] = ()
    recent_orders: tuple[OrderRecord, ...] = ()
    """Orders of the last hour, finished ones too: `orders` may hold the working ones alone."""
    groups: tuple[IntentGroup, ...] = ()
    """Those that are not over; all of their orders are among the recent ones, however old."""
    recorded_fills: tuple[Fill, ...] = ()
    unresolved_intents: tuple[Intent, ...] = ()
    daily_notional: Decimal = ZERO
    reconciled_at: datetime | None = None
    """When books and all of the venue's records were last compared, if that left nothing open."""
    reconciliation: ReconciliationState = NEVER_COMPARED
    asked_orders: Reading[tuple[VenueOrder, ...]] | Missing = NOT_GATHERED
    """By name (QueryOrders), because the lists lacked them: the second opinion on an absence."""
    asked_totals: Reading[tuple[Balance, ...]] | Missing = NOT_GATHERED
    asked_fills: Reading[tuple[Fill, ...]] | Missing = NOT_GATHERED
    asked_rows: Reading[tuple[LedgerEntry, ...]] | Missing = NOT_GATHERED
    """By Balance, QueryTrades and QueryLedgers, where the lists looked empty or short."""
    streamed_balances: Reading[tuple[Balance, ...]] | Missing = NOT_GATHERED
    """What the balances stream told last, where a loop has one."""
    changed_by_hand: tuple[tuple[OrderRecord, OrderRecord], ...] = ()
    """Rows of orders that say something else than their own events do; each with the latter."""
    rows_gone: tuple[OrderEvent, ...] = ()
    """The last event of each order that has events and no row."""
    rows_rebuilt: tuple[OrderRecord, ...] = ()
    closed_positions: tuple[Position, ...] = ()
    own_ledger: tuple[LedgerEntry, ...] = ()
    """Rows of our own ledger, newest first: all, or in a loop the newest, as far as the venue's."""
    adjustments: tuple[Adjustment, ...] = ()
    worth: EquityPoint | None = None
    """The newest point of the equity curve."""
    held_back: tuple[tuple[Symbol, str], ...] = ()
    """Instruments in safe mode, each with the reason: a loop enters nothing there."""
    adopted: tuple[tuple[Symbol, Decimal], ...] = field(default=())
    """Quantities the operator adopted by name in this invocation (`--adopt BTC/USD=0.5`)."""
