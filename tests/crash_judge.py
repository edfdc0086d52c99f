"""What must be true after a crash: of the journal, of the books, and of the exchange."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from crash_exchange import Seen
from zoe_tools.core.audit_verify import AuditEvidence, AuditReport, verify
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord, ProofKind
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.plan import (
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    Plan,
    SetTradingState,
    Step,
)
from zoe_tools.domain.position import Position
from zoe_tools.domain.trading_state import TradingState
from zoe_tools.gate.fence import is_fenced
from zoe_tools.gate.journal import client_order_id_of
from zoe_tools.store.store import Transaction

derived_id = client_order_id_of
"""As it was when this was loaded: a mutant changes the gate's, not the judge's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The books of one account."""

    epoch: str
    intents: tuple[Intent, ...]
    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    positions: tuple[Position, ...]
    groups: tuple[IntentGroup, ...]
    state: TradingState
    audit: AuditReport

    @classmethod
    def read(cls, transaction: Transaction) -> Facts:
        """Everything that is judged."""
        return cls(
            epoch=transaction.store_epoch(),
            intents=transaction.intents(),
            orders=transaction.orders(),
            fills=transaction.fills(),
            positions=transaction.positions(),
            groups=transaction.groups.since(None),
            state=transaction.trading_state(),
            audit=_verified(transaction),
        )

    def last_arrival(self) -> datetime:
        """When the last of those that never happened could have arrived at the venue."""
        absent = (IntentState.REJECTED, IntentState.DENIED)
        deadlines = (each.deadline for each in self.intents if each.state in absent)
        return max(deadlines, default=datetime.min.replace(tzinfo=UTC))

    def after_recovery(self, venue: Sequence[Seen]) -> Iterator[str]:
        """Every intent is settled, and the exchange has one order for each that is confirmed."""
        at_venue = Counter(order.client_order_id for order in venue)
        known = {each.venue_order_id: each for each in venue}
        for intent in self.intents:
            if not intent.state.is_terminal:
                yield f"{intent.kind} {intent.step_index} is {intent.state}: {intent.evidence}"
            elif intent.kind is IntentKind.PLACE:
                yield from self._placed(intent, at_venue.pop(intent.client_order_id, 0))
            elif not self._is_superseded(intent):
                yield from _changed(intent, known.get(intent.venue_order_id or ""))
        for name, count in at_venue.items():
            if not any(name == each.client_order_id for each in self.intents):
                yield f"the venue has {count} orders {name} that nobody journaled"

    def _is_superseded(self, intent: Intent) -> bool:
        """Whether a later attempt at the same step says how the order ended."""
        step = (intent.plan_hash, intent.step_index)
        return any(
            (each.plan_hash, each.step_index) == step and each.attempt > intent.attempt
            for each in self.intents
        )

    def fenced_off(self, plan: Plan) -> Iterator[str]:
        """Nothing that needs the lease was sent by a loop that had lost it."""
        for each in self.intents:
            if each.plan_hash == plan.plan_hash and each.state is not IntentState.DENIED:
                step = plan.steps[each.step_index]
                if isinstance(step, PlaceOrder | AmendOrder | CancelOrder) and is_fenced(step):
                    yield f"step {each.step_index} was sent without the lease: {each.evidence}"

    def after_resume(self, plan: Plan, venue: Sequence[Seen]) -> Iterator[str]:
        """Each step of the plan was done once, or was definitely refused."""
        for index, step in enumerate(plan.steps):
            tried = [
                each
                for each in self.intents
                if each.plan_hash == plan.plan_hash and each.step_index == index
            ]
            if not any(_is_refused(each) for each in tried):
                yield from (f"step {index}: {each}" for each in self._undone(step, tried, venue))

    def _undone(self, step: Step, tried: Sequence[Intent], venue: Sequence[Seen]) -> Iterator[str]:
        known = {each.venue_order_id: each for each in venue}
        how = "; ".join(f"{each.state}: {each.evidence}" for each in tried) or "never tried"
        match step:
            case PlaceOrder():
                ours = {each.client_order_id for each in tried}
                count = sum(each.client_order_id in ours for each in venue)
                is_done = count == 1
            case CancelOrder(venue_order_id=venue_order_id):
                is_done = not known[venue_order_id].is_open
            case AmendOrder(amendment=change):
                now = known[change.venue_order_id]
                asked = (
                    (change.trigger_price, now.trigger_price),
                    (change.limit_price, now.limit_price),
                )
                is_done = all(wanted in (None, seen) for wanted, seen in asked)
            case AdoptPosition(position=adopted):
                is_done = [each.position_id for each in self.positions].count(
                    adopted.position_id
                ) == 1
            case SetTradingState(level=level):
                is_done = self.state.level is level
            case _:
                raise AssertionError(f"{step} has no judge")
        if not is_done:
            yield f"it is not done exactly once: {how}"

    def of_the_books(self, venue: Sequence[Seen]) -> Iterator[str]:
        """Orders and fills are booked as they are at the exchange."""
        booked: dict[str, Decimal] = {}
        for fill in self.fills:
            booked[fill.venue_order_id] = booked.get(fill.venue_order_id, ZERO) + fill.quantity
        yield from (f"audit: {each.message}" for each in self.audit.findings)
        records = {str(each.venue_order_id): each for each in self.orders}
        for order in venue:
            sum_booked = booked.get(order.venue_order_id, ZERO)
            if sum_booked != order.filled:
                yield f"{order.filled} of {order.venue_order_id} filled, {sum_booked} is booked"
            record = records.get(order.venue_order_id)
            if record is None:
                yield f"order {order.venue_order_id} is not in the books"
            elif record.status.is_terminal is order.is_open:
                yield f"order {order.venue_order_id} is {order.status}, booked {record.status}"
        for record in self.orders:
            if record.venue_order_id is None and not record.status.is_terminal:
                yield f"our order {record.client_order_id} is {record.status} nowhere"

    def of_the_groups(self, venue: Sequence[Seen]) -> Iterator[str]:
        """Of an intent group one order works at most, and no more than its target may fill."""
        known = {each.venue_order_id: each for each in venue}
        for group in self.groups:
            own = [each for each in self.orders if each.group_id == group.group_id]
            there = [known[name] for each in own if (name := str(each.venue_order_id)) in known]
            working = [each for each in there if each.is_open]
            may_fill = sum((each.quantity if each.is_open else each.filled for each in there), ZERO)
            if len(working) > 1 or may_fill > group.target_quantity:
                yield f"{group.group_id}: {len(working)} orders work, {may_fill} may fill"
            yield from self._uncounted(own, known)

    def _uncounted(self, own: Sequence[OrderRecord], known: Mapping[str, Seen]) -> Iterator[str]:
        """What the exchange has repriced is counted as an attempt, and the clock runs."""
        for each in own:
            seen = known.get(str(each.venue_order_id))
            if seen is None or not seen.is_open:
                continue
            amended = [
                intent
                for intent in self.intents
                if intent.kind is IntentKind.AMEND
                and intent.venue_order_id == each.venue_order_id
                and intent.state is IntentState.CONFIRMED
            ]
            if amended and each.replace_count != 1:
                yield f"{each.venue_order_id} was repriced, and that is not counted"
            if each.next_action_at is None:
                yield f"{each.venue_order_id} works, and nothing says when to look at it"

    def _placed(self, intent: Intent, count: int) -> Iterator[str]:
        expected = 1 if intent.state is IntentState.CONFIRMED else 0
        if count != expected:
            yield f"{intent.state} place {intent.step_index} has {count} orders: {intent.evidence}"
        if intent.client_order_id != derived_id(
            intent.account_id, self.epoch, intent.intent_id, intent.attempt
        ):
            yield f"the client id of place {intent.step_index} is not derived from its intent"


def _is_refused(intent: Intent) -> bool:
    """Whether the venue itself said no."""
    return intent.state is IntentState.REJECTED and intent.proof is ProofKind.ANSWER


def _verified(transaction: Transaction) -> AuditReport:
    log = transaction.audit
    return verify(
        AuditEvidence(
            account_id=transaction.account_id,
            rows=log.rows(),
            head=log.head(),
            checkpoint=None,
            signatures=(),
            kept=(),
            is_signed=lambda *_: None,
        )
    )


def _changed(intent: Intent, order: Seen | None) -> Iterator[str]:
    """A confirmed change is seen at the venue, a rejected one is not."""
    if order is None:
        yield f"{intent.kind} of an order that the venue does not know"
        return
    if intent.kind is IntentKind.CANCEL:
        is_done = not order.is_open
    else:
        change = json.loads(intent.payload)["amendment"]
        asked = (
            (change["trigger_price"], order.trigger_price),
            (change["limit_price"], order.limit_price),
        )
        is_done = all(each is None or Decimal(each) == seen for each, seen in asked)
    if is_done is not (intent.state is IntentState.CONFIRMED):
        yield f"{intent.state} {intent.kind}: the order is {order}: {intent.evidence}"
