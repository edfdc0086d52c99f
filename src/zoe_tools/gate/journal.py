"""The journal: each change at the venue is a committed row before its first byte leaves.

Ids are derived, not drawn: the same step of the same plan has the same client order id, so an order
found at the venue can be recognised as ours after any crash.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from zoe_tools.core.order_lifecycle import advance, event_of
from zoe_tools.core.order_records import armed, opened_by, placed_by, repriced_by
from zoe_tools.core.proof import deadline_for
from zoe_tools.core.risk import adds_risk
from zoe_tools.core.self_trade import as_sent
from zoe_tools.domain.account import Account
from zoe_tools.domain.identifiers import (
    AccountId,
    ClientOrderId,
    IntentId,
    PositionId,
    Symbol,
    VenueOrderId,
)
from zoe_tools.domain.intent_group import IntentGroup
from zoe_tools.domain.intent_lifecycle import IllegalTransition, steps_to
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord, ProofKind
from zoe_tools.domain.observation import Lease
from zoe_tools.domain.order import OrderPurpose, OrderStatus, Side
from zoe_tools.domain.plan import (
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    Plan,
    VenueStep,
    canonical_json,
)
from zoe_tools.domain.policy import Policy
from zoe_tools.gate.fence import (
    Fence,
    LockHolder,
    Withheld,
    latest_deadline,
    take_lock,
)
from zoe_tools.gate.group_books import demand_group_room, note_cancel, note_on_group
from zoe_tools.gate.preconditions import (
    demand_may_enter,
    demand_no_other_stop,
    demand_preconditions,
)
from zoe_tools.store.journal import AlreadyJournaled
from zoe_tools.store.store import Transaction

STORE_GONE = "STORE_GONE"
"""The code of what was not done because nothing could be journaled."""


class StopMayRest(Exception):
    """The venue has to be asked about these stops before there is another one; nothing is kept."""

    def __init__(self, stops: Sequence[VenueOrderId]) -> None:
        super().__init__(", ".join(stops))
        self.stops = tuple(stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks: written beside every intent."""

    account: Account
    command: str
    operator: str
    host: str
    pid: int = 0
    process: str = ""
    """A random word of this process: two containers may have the same host and process id."""

    @property
    def lock_holder(self) -> LockHolder:
        """The process, as other processes are told of it."""
        word = f", process {self.process}" if self.process else ""
        name = f"zoe {self.command} (pid {self.pid} on {self.host}{word})"
        return LockHolder(name=name, host=self.host, pid=self.pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journaled step: its intent, for a place the order record that goes with it.

    `lock` is the instrument's, where the step adds risk; it is given back with the outcome.
    `group` is the intent group that the order opens.
    """

    intent: Intent
    record: OrderRecord | None = None
    group: IntentGroup | None = None
    lock: Lease | None = None


def entry_of(transaction: Transaction, intent: Intent) -> Entry:
    """What was journaled, as whoever finds it in the books takes it up."""
    record = None
    if intent.kind is IntentKind.PLACE and intent.client_order_id is not None:
        record = transaction.order(intent.client_order_id)
    return Entry(intent=intent, record=record)


def intent_id_of(
    account_id: AccountId, plan_hash: str, step_index: int, attempt: int = 1
) -> IntentId:
    """The id of one step of one plan of one account; of each attempt at it, from the second on."""
    again = () if attempt == 1 else (str(attempt),)
    return IntentId(_digest(account_id, plan_hash, str(step_index), *again).hex()[:32])


def client_order_id_of(
    account_id: AccountId, store_epoch: str, intent_id: IntentId, attempt: int
) -> ClientOrderId:
    """A UUID of the first 128 bits of SHA-256(account, store epoch, intent, attempt)."""
    digest = _digest(account_id, store_epoch, intent_id, str(attempt))
    return ClientOrderId(str(uuid.UUID(bytes=digest[:16])))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def journal(
    transaction: Transaction,
    plan: Plan,
    index: int,
    *,
    author: Author,
    policy: Policy,
    now: datetime,
    fence: Fence | None = None,
    attempt: int = 1,
    planned_at: datetime | None = None,
    nearest_s: float = 0.0,
    gone: Collection[VenueOrderId] = (),
) -> Entry:
    """Check what must still be true, and write the intent (and the order it will become).

    An `attempt` after the first has ids of its own. `planned_at` is when the world was last looked
    at for this plan; None: when it was made. `nearest_s`: see `core.proof.deadline_for`. `gone`
    are stops that the venue does not show any more, whatever the books say.

    Raises:
        StopMayRest: a stop would be the second one of its position, as far as the books know.
        Withheld: a precondition no longer holds, another order already does the step's work,
            this very attempt at this very step was made before, the loop lost its lease,
            another process trades the instrument, or trading is stopped and it adds risk.
    """
    step, looked_at = _venue_step(plan, index), planned_at or plan.created_at
    if isinstance(step, PlaceOrder) and not adds_risk(step):
        # On PostgreSQL two of them would each find that nothing is sold or stopped there yet.
        transaction.audit.lock()
    demand_preconditions(transaction, step, now)
    demand_group_room(transaction, step)
    demand_no_other_stop(transaction, step, looked_at, policy)
    _demand_stops_gone(transaction, step, gone)
    intent_id = intent_id_of(author.account.account_id, plan.plan_hash, index, attempt)
    if transaction.intent(intent_id) is not None:
        raise Withheld("this very plan was carried out before")
    deadline = deadline_for(step, policy, now=now, nearest_s=nearest_s, is_first=True)
    deadline = within_lease(transaction, step, deadline, now=now, fence=fence)
    intent = _intent_of(
        plan, index, step, author, intent_id, attempt=attempt, now=now, deadline=deadline
    )
    lock = take_lock(
        transaction,
        step,
        intent.symbol,
        holder=author.lock_holder,
        planned_at=looked_at,
        now=now,
        life=deadline - now,
    )
    if isinstance(step, PlaceOrder):
        entry = _placed(transaction, step, intent, lock)
    else:
        _write(transaction, intent)
        note_cancel(transaction, step)
        entry = Entry(intent=intent, lock=lock)
    demand_may_enter(transaction, step)
    return entry


def _placed(
    transaction: Transaction, step: PlaceOrder, intent: Intent, lock: Lease | None
) -> Entry:
    """The intent of a new order, with the name that the venue will know it by, and its record."""
    epoch = transaction.store_epoch()
    client_order_id = client_order_id_of(intent.account_id, epoch, intent.intent_id, intent.attempt)
    intent = replace(intent, client_order_id=client_order_id)
    record = placed_by(step, intent, client_order_id)
    group = opened_by(step, intent, record)
    _write(transaction, intent)
    transaction.record_order(record)
    if group is not None:
        transaction.groups.record(group)
    return Entry(intent=intent, record=record, group=group, lock=lock)


def _venue_step(plan: Plan, index: int) -> VenueStep:
    step = plan.steps[index]
    if not isinstance(step, PlaceOrder | AmendOrder | CancelOrder):
        raise TypeError(f"{type(step).__name__} is not for the venue")
    return step


def _write(transaction: Transaction, intent: Intent) -> None:
    try:
        transaction.record_intent(intent)
    except AlreadyJournaled as error:  # on PostgreSQL both of two processes saw that it was free
        raise Withheld("another process is carrying out this very step") from error


def entry_without_store(
    plan: Plan,
    index: int,
    *,
    author: Author,
    policy: Policy,
    now: datetime,
    attempt: int,
    store_epoch: str,
    nearest_s: float = 0.0,
) -> Entry:
    """The same entry for a reduction, while nobody can ask the books what still holds.

    Raises:
        Withheld: an order needs an id, and the store's name is not known here.
    """
    step = _venue_step(plan, index)
    intent_id = intent_id_of(author.account.account_id, plan.plan_hash, index, attempt)
    deadline = deadline_for(step, policy, now=now, nearest_s=nearest_s, is_first=True)
    intent = _intent_of(
        plan, index, step, author, intent_id, attempt=attempt, now=now, deadline=deadline
    )
    if not isinstance(step, PlaceOrder):
        return Entry(intent=intent)
    if not store_epoch:
        raise Withheld("the store was never seen here, so no order can be named", code=STORE_GONE)
    client_order_id = client_order_id_of(intent.account_id, store_epoch, intent_id, attempt)
    intent = replace(intent, client_order_id=client_order_id)
    record = placed_by(step, intent, client_order_id)
    return Entry(intent=intent, record=record, group=opened_by(step, intent, record))


def _intent_of(
    plan: Plan,
    index: int,
    step: VenueStep,
    author: Author,
    intent_id: IntentId,
    *,
    attempt: int,
    now: datetime,
    deadline: datetime,
) -> Intent:
    symbol, side, purpose, venue_order_id = _about(step)
    return Intent(
        intent_id=intent_id,
        account_id=author.account.account_id,
        kind=_kind(step),
        state=IntentState.JOURNALED,
        command=author.command,
        plan_hash=plan.plan_hash,
        step_index=index,
        symbol=symbol,
        side=side,
        purpose=purpose,
        payload=canonical_json(as_sent(step)),
        deadline=deadline,
        created_at=now,
        updated_at=now,
        attempt=attempt,
        venue_order_id=venue_order_id,
        position_id=step.position_id,
        operator=author.operator,
        host=author.host,
        snapshot_hash=plan.snapshot_hash,
    )


def within_lease(
    transaction: Transaction,
    step: VenueStep,
    deadline: datetime,
    *,
    now: datetime,
    fence: Fence | None,
) -> datetime:
    """The deadline, or an earlier one: what is sent under a lease is dead before that ends.

    Raises:
        Withheld: the loop lost its lease, or it is about to run out.
    """
    latest = latest_deadline(transaction, step, fence, now)
    return deadline if latest is None else min(deadline, latest)


def claim(transaction: Transaction, entry: Entry, *, at: datetime) -> None:
    """Take the journaled intent to send it: from here on nobody may call it never sent."""
    intent_id = entry.intent.intent_id
    transaction.advance_intent(intent_id, IntentState.SENT, at=at, evidence="")


def mark(
    transaction: Transaction,
    entry: Entry,
    state: IntentState,
    *,
    at: datetime,
    evidence: str = "",
    proof: ProofKind = ProofKind.NONE,
    venue_order_id: VenueOrderId | None = None,
) -> None:
    """Advance the intent; an order that was never placed ends with it, a doubtful one says so.

    An intent that is settled already stays as it is, and its order with it.
    """
    is_news = resolve_intent(
        transaction,
        entry.intent.intent_id,
        state,
        at=at,
        evidence=evidence,
        proof=proof,
        venue_order_id=venue_order_id,
    )
    if entry.lock is not None:
        transaction.release_trade_lock(entry.intent.symbol, entry.lock.holder, at)
    if is_news and entry.record is not None:
        _follow(transaction, entry.record, state, at=at, evidence=evidence, venue_id=venue_order_id)


def resolve_intent(
    transaction: Transaction,
    intent_id: IntentId,
    state: IntentState,
    *,
    at: datetime,
    evidence: str,
    proof: ProofKind = ProofKind.NONE,
    venue_order_id: VenueOrderId | None = None,
) -> bool:
    """Advance an intent; what is known for good stays, and saying the same again is no news.

    Returns whether it advanced.
    """
    intent = transaction.intent(intent_id)
    steps = () if intent is None else steps_to(intent.state, state)
    try:
        for step in steps:
            transaction.advance_intent(
                intent_id,
                step,
                at=at,
                evidence=evidence,
                proof=proof if step is state else ProofKind.NONE,
                venue_order_id=venue_order_id if step is state else None,
            )
    except IllegalTransition:
        if transaction.intent(intent_id) == intent:
            raise
        # On a server another process said its word since we read: what is left is judged by that.
        return resolve_intent(
            transaction,
            intent_id,
            state,
            at=at,
            evidence=evidence,
            proof=proof,
            venue_order_id=venue_order_id,
        )
    if steps and state is IntentState.CONFIRMED and intent is not None:
        _note_repricing(transaction, intent, at)
    return bool(steps)


def _note_repricing(transaction: Transaction, intent: Intent, at: datetime) -> None:
    """A proved amendment of the desk's is one more attempt; its order's time begins again."""
    if intent.kind is not IntentKind.AMEND or intent.venue_order_id is None:
        return
    record = transaction.order_by_venue_id(intent.venue_order_id)
    if record is None or record.group_id is None:
        return
    after = repriced_by(record, intent, at)
    if after != record:
        transaction.record_order(after)


def _follow(
    transaction: Transaction,
    planned: OrderRecord,
    state: IntentState,
    *,
    at: datetime,
    evidence: str,
    venue_id: VenueOrderId | None,
) -> None:
    record = transaction.order(planned.client_order_id) or planned
    words = {
        IntentState.REJECTED: OrderStatus.REJECTED,
        IntentState.DENIED: OrderStatus.REJECTED,
        IntentState.UNKNOWN: OrderStatus.UNKNOWN,
    }
    status = words.get(state)
    after = record
    if venue_id is not None:
        after = armed(replace(record, venue_order_id=venue_id), at)
    if status is not None and record.status in (OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN):
        event = event_of(
            record.client_order_id, status, occurred_at=at, source="gate", reason=evidence
        )
        after = advance(after, event)
        transaction.append_order_event(event)
    if after != record:
        transaction.record_order(after)
        note_on_group(transaction, after)


def _demand_stops_gone(
    transaction: Transaction, step: VenueStep, gone: Collection[VenueOrderId]
) -> None:
    """A stop that the books know may rest, though the plan's look did not show it."""
    position_id = step.position_id
    if not isinstance(step, PlaceOrder) or step.request.purpose != "stop" or not position_id:
        return
    known = [each for each in stops_at_work(transaction, position_id) if each not in gone]
    if known:
        raise StopMayRest(known)


def stops_at_work(transaction: Transaction, position_id: PositionId) -> tuple[VenueOrderId, ...]:
    """The position's stops that may be at the venue, by all that the books know.

    A row can be changed by hand: one that is over counts until one of its events says so, too.
    """
    found = [
        order.venue_order_id
        for order in transaction.orders_of_position(position_id)
        if order.purpose == "stop"
        and order.venue_order_id is not None
        and not (order.status.is_terminal and _is_told_over(transaction, order))
    ]
    position = transaction.position(position_id)
    linked = None if position is None else position.stop_venue_order_id
    return tuple(dict.fromkeys(found if linked is None else [*found, linked]))


def _is_told_over(transaction: Transaction, order: OrderRecord) -> bool:
    events = transaction.order_events(order.client_order_id)
    return any(each.status.is_terminal for each in events)


def _kind(step: VenueStep) -> IntentKind:
    match step:
        case PlaceOrder():
            return IntentKind.PLACE
        case AmendOrder():
            return IntentKind.AMEND
        case CancelOrder():
            return IntentKind.CANCEL


def _about(step: VenueStep) -> tuple[Symbol, Side | None, OrderPurpose, VenueOrderId | None]:
    match step:
        case PlaceOrder(request=request):
            return request.symbol, request.side, request.purpose, None
        case AmendOrder(amendment=change, purpose=purpose):
            return change.symbol, None, purpose, change.venue_order_id
        case CancelOrder(symbol=symbol, purpose=purpose, venue_order_id=venue_order_id):
            return symbol, None, purpose, venue_order_id
