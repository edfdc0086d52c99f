"""What our own books say of orders: the journal's intents and the orders they became."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import (
    AccountId,
    ClientOrderId,
    GroupId,
    IntentId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderPurpose, OrderStatus, OrderType, Side

FOR_NOW = "for now, "
"""How the evidence of a refusal begins whose cause passes."""

NO_FUNDS = "EOrder:Insufficient funds"
"""What the venue answers where an order would need more than is free."""


class IntentKind(StrEnum):
    """Which change at the venue an intent stands for."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"


class IntentState(StrEnum):
    """journaled -> sent -> confirmed | rejected | unknown; see `domain/intent_lifecycle.py`."""

    JOURNALED = "journaled"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether it is resolved: known for good what became of it."""
        return self in (IntentState.CONFIRMED, IntentState.REJECTED, IntentState.DENIED)


class ProofKind(StrEnum):
    """How it is known what became of an intent."""

    NONE = ""
    """It is not known yet, or was written down by a zoe that told it in words only."""

    ANSWER = "answer"
    """The venue's own yes or no to the request."""

    RECORDS = "records"
    """The venue's records or its stream: they show it, or show that it never happened."""

    NOT_SENT = "not sent"
    """No byte of it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One change at the venue, committed to the journal before its first byte leaves.

    `payload` is the step as canonical JSON. `proof` is how the state is known, `evidence` the same
    in words, for people. `plan_hash` and `snapshot_hash` name the plan and what it was made of.
    """

    intent_id: IntentId
    account_id: AccountId
    kind: IntentKind
    state: IntentState
    command: str
    plan_hash: str
    step_index: int
    symbol: Symbol
    side: Side | None
    purpose: OrderPurpose
    payload: str
    deadline: datetime
    created_at: datetime
    updated_at: datetime
    attempt: int = 1
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    position_id: PositionId | None = None
    operator: str = ""
    host: str = ""
    evidence: str = ""
    snapshot_hash: str = ""
    proof: ProofKind = ProofKind.NONE

    @property
    def is_refused_for_now(self) -> bool:
        """Whether the venue said no for a cause that passes: a rate limit, a closed market."""
        return self.evidence.startswith(FOR_NOW)

    @property
    def lacked_funds(self) -> bool:
        """Whether the venue said no because another order, or nobody, holds what it would need."""
        return self.evidence.removeprefix(FOR_NOW).startswith(NO_FUNDS)

    @property
    def may_be_tried_again(self) -> bool:
        """Whether it is proved that nothing of it is at the venue, without a no from there."""
        return self.state in (IntentState.REJECTED, IntentState.DENIED) and self.proof in (
            ProofKind.RECORDS,
            ProofKind.NOT_SENT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order in our books, a projection of its events."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    intent_id: IntentId | None
    symbol: Symbol
    side: Side
    order_type: OrderType
    purpose: OrderPurpose
    status: OrderStatus
    quantity: Decimal
    created_at: datetime
    updated_at: datetime
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    filled_quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    fees: Decimal = ZERO
    position_id: PositionId | None = None
    reason: str = ""
    notional: Decimal = ZERO
    """Money an entry puts at stake, in quote, as the plan reckoned it; zero where none did."""
    group_id: GroupId | None = None
    """The intent group it was sent for; None: it is not the order desk's."""
    replace_count: int = 0
    """How often the desk has repriced what this order was sent for."""
    ttl_s: Decimal | None = None
    """Seconds from the venue's ack to the desk's next look at it."""
    next_action_at: datetime | None = None
    """When that is; None until the venue has acknowledged the order."""

    @property
    def remaining_quantity(self) -> Decimal:
        """What may still fill."""
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One row of the append-only log an order is projected from.

    `event_key` makes a repeated report of the same thing recognisable.
    """

    event_key: str
    client_order_id: ClientOrderId
    status: OrderStatus
    occurred_at: datetime
    source: str
    filled_quantity: Decimal | None = None
    reason: str = ""
