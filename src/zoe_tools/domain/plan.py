"""A plan: typed steps, each one change, with its reason and what must still be true.

Plans are values: the same snapshot gives the same plan, byte for byte. `Plan.plan_hash` is the
SHA-256 of the canonical JSON and holds nothing about the host, nor what the venue's limits make of
the plan at the moment.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache

from zoe_tools.domain.account import Account
from zoe_tools.domain.candle import Candle, Timeframe
from zoe_tools.domain.candle_reads import Stretch
from zoe_tools.domain.discrepancy import Adjustment, DiscrepancyId, DiscrepancyState
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import (
    ClientOrderId,
    GroupId,
    IntentId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.intent_group import GroupEnd, Ticket
from zoe_tools.domain.journal import IntentState, OrderRecord
from zoe_tools.domain.money import ZERO, plain
from zoe_tools.domain.order import OrderAmendment, OrderPurpose, OrderRequest, VenueOrder
from zoe_tools.domain.position import Position
from zoe_tools.domain.position_event import as_retold
from zoe_tools.domain.rate_cost import PlanRateCost, RateCost
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.domain.trading_state import KillLevel

# --- preconditions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStillOpen:
    """The order still rests at the venue with this remaining quantity."""

    venue_order_id: VenueOrderId
    remaining_quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionStill:
    """The registry still holds the position at this quantity."""

    position_id: PositionId
    quantity: Decimal


Precondition = OrderStillOpen | PositionStill


# --- what a change changes -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderValues:
    """What an order rests at, before it is changed: quantity in base, prices in quote."""

    quantity: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None


def values_of(order: VenueOrder | OrderRecord) -> OrderValues:
    """The values of an order as it is now."""
    return OrderValues(
        quantity=order.quantity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price,
    )


def still_open(order: VenueOrder) -> OrderStillOpen:
    """That the order rests as it does now."""
    return OrderStillOpen(
        venue_order_id=order.venue_order_id, remaining_quantity=order.remaining_quantity
    )


# --- steps: at the venue -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Place one order."""

    request: OrderRequest
    reason: str
    position_id: PositionId | None = None
    preconditions: tuple[Precondition, ...] = ()
    notional: Decimal = ZERO
    """Money at stake, in quote."""
    ticket: Ticket | None = None
    """What the order desk wants with it; None: the desk does not look after it."""
    rate_cost: RateCost | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendOrder:
    """Change one resting order in place; `before` is what it rests at, where that is known.

    `attempt` counts the repricing that this is; None: it is none.
    """

    amendment: OrderAmendment
    reason: str
    before: OrderValues | None = None
    purpose: OrderPurpose = "stop"
    position_id: PositionId | None = None
    preconditions: tuple[Precondition, ...] = ()
    attempt: int | None = None
    rate_cost: RateCost | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Cancel one resting order; `before` is what it rests at, where that is known.

    `ends_group`: its intent group is over with it, and why. `is_renewal`: the desk will place
    another order for what is left. Neither: somebody wants it gone, and so it stays.
    """

    venue_order_id: VenueOrderId
    symbol: Symbol
    reason: str
    before: OrderValues | None = None
    client_order_id: ClientOrderId | None = None
    purpose: OrderPurpose = "entry"
    position_id: PositionId | None = None
    preconditions: tuple[Precondition, ...] = ()
    ends_group: GroupEnd | None = None
    is_renewal: bool = False
    rate_cost: RateCost | None = field(default=None, compare=False)


# --- steps: in the store -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptPosition:
    """Put a holding under management, by the operator's word."""

    position: Position
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustPosition:
    """Bring a position to what its own fills say, or its prices to what its own story tells."""

    before: Position
    after: Position
    reason: str
    preconditions: tuple[Precondition, ...] = ()

    @property
    def is_retelling(self) -> bool:
        """Whether nothing changes but what the position's own story alone explains."""
        return self.before != self.after == as_retold(self.before, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStop:
    """Note which resting order at the venue protects a position."""

    position_id: PositionId
    order: VenueOrder
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTargets:
    """Set at which levels a position takes its profit, and which of them rest at the venue."""

    position_id: PositionId
    symbol: Symbol
    levels: tuple[TakeProfitLevel, ...]
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFill:
    """Book a fill that the venue's records show and ours lack."""

    fill: Fill
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrder:
    """Bring our record of an order to what the venue's records show."""

    order: VenueOrder
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOrder:
    """Bring the row of an order back to what its own append-only events say."""

    order: OrderRecord
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleDiscrepancy:
    """Say what a discrepancy is (explained), or that it may stay for a while (waived)."""

    discrepancy_id: DiscrepancyId
    state: DiscrepancyState
    author: str
    reason: str
    waived_until: datetime | None = None
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAdjustment:
    """Book what no fill and no ledger row explains, by the operator's word."""

    adjustment: Adjustment
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIntent:
    """Close an intent whose outcome was unknown, with the evidence."""

    intent_id: IntentId
    state: IntentState
    evidence: str
    reason: str
    venue_order_id: VenueOrderId | None = None
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndGroup:
    """Give up what is left of an intent group that has no order at work."""

    group_id: GroupId
    symbol: Symbol
    ending: GroupEnd
    reason: str
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCandles:
    """Store candles; a re-run changes nothing.

    `looked` is what was looked through for them: what is missing of it never was.
    """

    symbol: Symbol
    timeframe: Timeframe
    candles: tuple[Candle, ...]
    source: str
    reason: str
    looked: Stretch | None = None
    preconditions: tuple[Precondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTradingState:
    """Latch a kill level, or re-arm; `before` is the level there is, where that is known.

    Of the whole account, or of one instrument alone. `stopped_at`: since when what is re-armed was
    stopped, and `times_stopped`: how often somebody had ordered that by then, where it is known;
    what was stopped again later is another matter.
    """

    level: KillLevel
    reason: str
    before: KillLevel | None = None
    symbol: Symbol | None = None
    stopped_at: datetime | None = None
    times_stopped: int | None = None
    preconditions: tuple[Precondition, ...] = ()


VenueStep = PlaceOrder | AmendOrder | CancelOrder
StoreStep = (
    AdoptPosition
    | AdjustPosition
    | LinkStop
    | SetTargets
    | RecordFill
    | RecordOrder
    | RebuildOrder
    | SettleDiscrepancy
    | PostAdjustment
    | ResolveIntent
    | EndGroup
    | WriteCandles
    | SetTradingState
)
Step = VenueStep | StoreStep

_MOST_HASHES = 50
_HASHES: dict[int, tuple[Plan, str]] = {}
"""The last plans with their hashes, by the address each has while it is kept here.

None that writes into the store: that may be candles by the thousand.
"""

Arguments = tuple[tuple[str, str], ...]
"""Options of a command as name and text, e.g. `(("adopt", "BTC/USD=0.5"),)`; a name may repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a command would do, in order. `notes` say what was left alone, and why.

    `arguments` are the command's own, by option, for planning again; `snapshot_hash` names what
    the plan was made of. `rate_cost`, like that of each step at the venue, is there once the
    venue's limits were asked.
    """

    command: str
    account: Account
    created_at: datetime
    expires_at: datetime
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    arguments: Arguments = ()
    snapshot_hash: str = ""
    rate_cost: PlanRateCost | None = field(default=None, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps

    @property
    def plan_hash(self) -> str:
        """SHA-256 of the canonical JSON, of what is done and not of what it costs just now."""
        known = _HASHES.get(id(self))
        if known is not None:
            return known[1]
        told = hashlib.sha256(canonical_json(self.without_costs()).encode()).hexdigest()
        if all(isinstance(step, VenueStep) for step in self.steps):
            if len(_HASHES) >= _MOST_HASHES:
                _HASHES.clear()
            _HASHES[id(self)] = self, told
        return told

    def without_costs(self) -> Plan:
        """The plan as its hash knows it, and as it is saved: without what it costs just now."""
        steps = tuple(
            replace(step, rate_cost=None) if isinstance(step, VenueStep) else step
            for step in self.steps
        )
        return replace(self, steps=steps, rate_cost=None)


class OutcomeState(StrEnum):
    """What became of a step."""

    DONE = "done"
    REJECTED = "rejected"
    DENIED = "denied"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


ORDER_GONE = "ORDER_GONE"
"""The code of a step whose order is over, and booked: who plans again plans by what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What became of one step, and how we know."""

    step: Step
    state: OutcomeState
    evidence: str
    code: str = ""
    venue_order_id: VenueOrderId | None = None
    client_order_id: ClientOrderId | None = None


# --- canonical JSON ------------------------------------------------------------------------------


def canonical_json(value: object) -> str:
    """One spelling for one value: sorted keys, plain decimals, ISO times, no spaces."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def jsonable(value: object) -> object:
    """The value as JSON types; dataclasses carry their class name as `kind`.

    Raises:
        TypeError: a float, or a type with no canonical spelling.
    """
    if type(value) is str or value is None:  # most of them
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [jsonable(each) for each in value]
    if isinstance(value, dict):
        return {str(key): jsonable(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        named = {name: jsonable(getattr(value, name)) for name in _names_of(type(value))}
        return {"kind": type(value).__name__, **named}
    raise TypeError(f"{type(value).__name__} has no canonical spelling")


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))
