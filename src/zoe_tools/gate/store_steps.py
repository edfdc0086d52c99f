"""Carries out the steps that change only the books, several of them in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from zoe_tools.core.accounting import with_stop
from zoe_tools.core.adjustments import adjusted, made_by
from zoe_tools.core.discrepancies import stepped
from zoe_tools.core.escalation import degraded_reasons, paused_by
from zoe_tools.core.reconcile_positions import ADOPTED
from zoe_tools.core.reconcile_store import as_told
from zoe_tools.domain.discrepancy import DiscrepancyState
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import PositionId
from zoe_tools.domain.journal import OrderRecord, ProofKind
from zoe_tools.domain.level_story import spelled
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    EndGroup,
    LinkStop,
    OutcomeState,
    PostAdjustment,
    RebuildOrder,
    RecordFill,
    RecordOrder,
    ResolveIntent,
    SetTargets,
    SettleDiscrepancy,
    SetTradingState,
    StepOutcome,
    StoreStep,
    WriteCandles,
)
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.position_event import as_retold, retold
from zoe_tools.domain.position_lifecycle import PositionRuleBroken
from zoe_tools.domain.take_profit import TakeProfitLevel
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.gate.books import book_missed_fill, record_execution, sighting_of_order
from zoe_tools.gate.group_books import end_group
from zoe_tools.gate.journal import resolve_intent
from zoe_tools.gate.position_books import note_levels
from zoe_tools.store.store import Transaction

PLAN_SOURCE = "venue records"


def apply_store_steps(
    transaction: Transaction, steps: Sequence[StoreStep], *, now: datetime, changed_by: str
) -> tuple[StepOutcome, ...]:
    """Carry out all of them, or, should one raise, none."""
    return tuple(
        apply_store_step(transaction, step, now=now, changed_by=changed_by) for step in steps
    )


def apply_store_step(
    transaction: Transaction, step: StoreStep, *, now: datetime, changed_by: str
) -> StepOutcome:
    """Carry out one step; a step whose ground is gone is skipped and says why."""
    missing = evidence = ""
    match step:
        case AdoptPosition() | AdjustPosition() | LinkStop() | SetTargets():
            missing, evidence = _to_positions(transaction, step, now)
        case RecordFill() | RecordOrder() | ResolveIntent() | EndGroup():
            missing, evidence = _to_orders(transaction, step, now)
        case RebuildOrder(order=order):
            missing, evidence = _rebuild(transaction, order)
        case SettleDiscrepancy() | PostAdjustment():
            missing, evidence = _to_discrepancies(transaction, step, now)
        case WriteCandles(candles=candles, source=source):
            count = transaction.write_candles(candles, source)
            note_looked(transaction, step)
            evidence = f"{count} candle rows changed"
        case SetTradingState():
            return _to_trading_state(transaction, step, now, changed_by)
    if missing:
        return StepOutcome(
            step=step, state=OutcomeState.SKIPPED, evidence=missing, code="PRECONDITION"
        )
    return StepOutcome(step=step, state=OutcomeState.DONE, evidence=f"store: {evidence}")


STOPPED_AGAIN = "STOPPED_AGAIN"
"""The code of a state that was not armed again: what stands is not what was looked at."""


def _to_trading_state(
    transaction: Transaction, step: SetTradingState, now: datetime, changed_by: str
) -> StepOutcome:
    """Raise it to the higher of what stands and what is wanted, or arm what was looked at."""
    wanted = TradingState(
        level=step.level, reason=step.reason, changed_at=now, changed_by=changed_by
    )
    where = "" if step.symbol is None else f" of {step.symbol}"
    if step.level is not KillLevel.NONE:
        stands = transaction.latch(wanted, step.symbol)
        evidence = f"store: trading state{where} is {stands.level.label}"
        return StepOutcome(step=step, state=OutcomeState.DONE, evidence=evidence)
    before = KillLevel.NONE if step.before is None else step.before
    seen = TradingState(level=before, reason="", changed_at=step.stopped_at)
    in_the_way = transaction.rearm(wanted, seen, step.times_stopped, step.symbol)
    if in_the_way is None:
        evidence = f"store: trading state{where} is {step.level.label}"
        return StepOutcome(step=step, state=OutcomeState.DONE, evidence=evidence)
    return StepOutcome(
        step=step,
        state=OutcomeState.DENIED,
        code=STOPPED_AGAIN,
        evidence=f"trading{where} was stopped again since this was planned, and stays at"
        f" {in_the_way.level.label}: {in_the_way.reason or 'no reason given'}",
    )


def note_looked(transaction: Transaction, step: WriteCandles) -> None:
    """Note what was looked through for these candles, in the transaction of the last of them."""
    if step.looked is not None:
        transaction.market.note_read(step.symbol, step.timeframe, step.looked.span, step.source)


_Result = tuple[str, str]
"""What is missing (empty when nothing is), and what was done."""


def _to_positions(
    transaction: Transaction,
    step: AdoptPosition | AdjustPosition | LinkStop | SetTargets,
    now: datetime,
) -> _Result:
    """What a rule of the registry forbids is left out and said; the other steps go on."""
    try:
        match step:
            case AdoptPosition(position=position):
                return _adopt(transaction, position)
            case AdjustPosition(before=before, after=after) if step.is_retelling:
                return _restore(transaction, before, after, now)
            case AdjustPosition(before=before, after=after):
                return _adjust(transaction, before, after)
            case LinkStop(position_id=position_id, order=order):
                return _link(transaction, position_id, order, now)
            case SetTargets(position_id=position_id, levels=levels):
                return _set_targets(transaction, position_id, levels, now)
    except PositionRuleBroken as error:
        return f"a rule of the registry forbids it: {error}", ""


def _to_orders(
    transaction: Transaction,
    step: RecordFill | RecordOrder | ResolveIntent | EndGroup,
    now: datetime,
) -> _Result:
    match step:
        case RecordFill(fill=fill):
            known = book_missed_fill(transaction, fill)
            return ("", "fill booked") if known else ("its order is not in the books", "")
        case RecordOrder(order=order):
            sighting = sighting_of_order(order, seen_at=now, source=PLAN_SOURCE)
            if record_execution(transaction, sighting) is None:
                return "the order is not in the books", ""
            return "", "order brought up to date"
        case ResolveIntent(intent_id=intent_id, state=state, evidence=evidence):
            resolve_intent(
                transaction,
                intent_id,
                state,
                at=now,
                evidence=evidence,
                proof=ProofKind.RECORDS,
                venue_order_id=step.venue_order_id,
            )
            return "", f"intent is {state.value}"
        case EndGroup(group_id=group_id, ending=ending):
            if not end_group(transaction, group_id, ending, now):
                return "the intent group is over, or an order of it is at work", ""
            return "", f"intent group ended: {ending.value}"


def _to_discrepancies(
    transaction: Transaction, step: SettleDiscrepancy | PostAdjustment, now: datetime
) -> _Result:
    book = transaction.reconciliation
    if isinstance(step, SettleDiscrepancy):
        known = book.discrepancy(step.discrepancy_id)
        if known is None or known.state is DiscrepancyState.RESOLVED:
            return "the discrepancy is over", ""
        until = step.waived_until
        book.record([stepped(known, step.state, by=step.author, why=step.reason, until=until)])
        _stand(transaction, now)
        return "", f"{step.discrepancy_id} is {step.state.value}"
    adjustment = step.adjustment
    position = None
    if adjustment.position_id is not None:
        position = transaction.position(adjustment.position_id)
        if position is None:
            return "the position is gone", ""
    if not book.post(adjustment):
        return "this very adjustment is posted already", ""
    if position is not None:
        transaction.record_position(adjusted(position, adjustment))
    return "", "adjustment posted"


def _stand(transaction: Transaction, now: datetime) -> None:
    """What somebody has explained keeps no entry back from now on."""
    book = transaction.reconciliation
    before, active = book.state(), book.active()
    reasons = degraded_reasons(active)
    is_same = bool(reasons) == before.is_degraded
    book.set_state(
        replace(
            before,
            is_degraded=bool(reasons),
            reason=before.reason if is_same else "; ".join(reasons),
            since=before.since if is_same else now,
            paused=paused_by(active),
        ),
        now,
    )


def _rebuild(transaction: Transaction, planned: OrderRecord) -> _Result:
    """By the events of now: what was planned may be older than a fill that is booked since."""
    row = transaction.order(planned.client_order_id)
    base = planned if row is None else row
    events = transaction.order_events(base.client_order_id)
    told = as_told(base, events, _fills_of(transaction, base))
    if told == row:
        return "its row agrees with its events by now", ""
    transaction.record_order(told)
    return "", "the order is what its events say"


def _fills_of(transaction: Transaction, order: OrderRecord) -> tuple[Fill, ...]:
    if order.venue_order_id is None:
        return ()
    return transaction.fills(venue_order_id=order.venue_order_id)


def _adopt(transaction: Transaction, position: Position) -> _Result:
    active = transaction.positions(active_only=True)
    if any(
        each.symbol == position.symbol and each.position_id != position.position_id
        for each in active
    ):
        return f"{position.symbol} is managed already", ""
    known = transaction.position(position.position_id)
    if known is not None and known.status.holds:
        return f"{position.symbol} is managed already", ""
    if known is not None and known.status is PositionStatus.ERROR:
        return "its row is in error: adopt what it held by name, with zoe sync-positions", ""
    made = None if position.origin == ADOPTED else _made(transaction, position.position_id)
    if made is not None and made.quantity != position.quantity:
        return "its fills say otherwise by now", ""
    if known is not None:
        return _adjust(transaction, known, position)
    transaction.record_position(position)
    return "", "position adopted"


def _adjust(transaction: Transaction, before: Position, after: Position) -> _Result:
    current = transaction.position(before.position_id)
    if current is None:
        return "the position is gone", ""
    if _figures(current) != _figures(before) and not _is_by_fills(transaction, after):
        return "the position has changed since", ""
    # A row that contradicts itself stays as it was when a fill is booked: it tells of no change.
    made = None if current.origin == ADOPTED else _made(transaction, before.position_id)
    if made is not None and made.quantity < after.quantity:
        return "its fills have left less by now", ""
    transaction.record_position(
        replace(
            current,
            status=after.status,
            quantity=after.quantity,
            entry_quantity=after.entry_quantity,
            exit_quantity=after.exit_quantity,
            average_cost=after.average_cost,
            closed_at=after.closed_at,
            realised_pnl=after.realised_pnl,
            fees=after.fees,
            updated_at=after.updated_at,
        )
    )
    return "", "position follows its fills"


def _restore(transaction: Transaction, before: Position, after: Position, now: datetime) -> _Result:
    current = transaction.position(before.position_id)
    if current is None:
        return "the position is gone", ""
    if retold(current, before):
        return "the position has changed since", ""
    transaction.restore_position(as_retold(current, after), at=now)
    return "", "the position says what its story tells"


def _figures(position: Position) -> tuple[object, ...]:
    return (
        position.status,
        position.quantity,
        position.entry_quantity,
        position.exit_quantity,
    )


def _made(transaction: Transaction, name: PositionId) -> Position | None:
    """What is booked of it by now makes this; None where that cannot be told."""
    adjustments = transaction.reconciliation.adjustments()
    return made_by(name, transaction.fills_of_position(name), adjustments)


def _is_by_fills(transaction: Transaction, after: Position) -> bool:
    made = _made(transaction, after.position_id)
    return made is not None and (made.quantity, made.entry_quantity, made.exit_quantity) == (
        after.quantity,
        after.entry_quantity,
        after.exit_quantity,
    )


def _link(
    transaction: Transaction, position_id: PositionId, order: VenueOrder, now: datetime
) -> _Result:
    position = transaction.position(position_id)
    if position is None:
        return "the position is gone", ""
    linked = with_stop(
        position,
        order.client_order_id,
        order.venue_order_id,
        order.trigger_price,
        at=now,
    )
    transaction.record_position(linked, by_operator=True)
    _rehome(transaction, position_id, order)
    return "", "stop linked"


def _rehome(transaction: Transaction, position_id: PositionId, order: VenueOrder) -> None:
    """What it sells is the position's from now on, whose coins a position was given up with."""
    own = transaction.order_by_venue_id(order.venue_order_id)
    if own is None or own.position_id in (None, position_id):
        return
    before = transaction.position(own.position_id)
    if before is not None and before.status.is_given_up:
        transaction.record_order(replace(own, position_id=position_id))


def _set_targets(
    transaction: Transaction,
    position_id: PositionId,
    levels: Sequence[TakeProfitLevel],
    now: datetime,
) -> _Result:
    """The last level is where the whole position is left: it is the position's target."""
    position = transaction.position(position_id)
    if position is None or not position.status.is_active:
        return "the position is gone", ""
    if spelled(levels) == spelled(transaction.targets(position_id)):
        transaction.set_targets(position_id, levels)
        note_levels(transaction, position_id, now)
        return "", "its levels are those that were set"
    last = levels[-1].price if levels else None
    transaction.record_position(
        replace(
            position,
            take_profit_price=last,
            initial_take_profit_price=position.initial_take_profit_price or last,
            updated_at=now,
        )
    )
    transaction.set_targets(position_id, levels)
    note_levels(transaction, position_id, now)
    return "", f"{len(levels)} targets set"
