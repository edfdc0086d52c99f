"""What proves that a change happened at the venue, what that it did not, what may go again.

Looking is the gate's work. Silence proves nothing before the deadline and the venue's visibility
lag have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from zoe_tools.core.risk import adds_risk
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord
from zoe_tools.domain.money import short
from zoe_tools.domain.order import OrderAmendment, OrderPurpose, OrderType, TimeInForce, VenueOrder
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, VenueStep
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.rate_cost import VenueRead

LOOKS_NEEDED = 2
"""How often the venue must have been asked, after the wait, before silence counts."""

CLOCK_TOLERANCE_S = 5.0
"""How much older than its intent an order may look, because two clocks differ."""


def is_protective(step: VenueStep) -> bool:
    """Whether it must not wait for long: a stop, placed or changed, and every cancel."""
    match step:
        case PlaceOrder(request=request):
            return request.purpose == "stop"
        case AmendOrder(purpose=purpose):
            return purpose == "stop"
        case CancelOrder():
            return True


def is_stop_move(step: VenueStep) -> bool:
    """Whether it changes a stop that rests."""
    return isinstance(step, AmendOrder) and is_protective(step)


def deadline_for(
    step: VenueStep, policy: Policy, *, now: datetime, nearest_s: float, is_first: bool
) -> datetime:
    """Until when the venue may take what is sent now; `nearest_s` is the nearest that it accepts.

    What is protective is dead soon, so that it can soon go again; if the first try was too late for
    a slow venue, the next one has the time of any other order.
    """
    seconds = policy.order_deadline_s
    if is_protective(step) and (is_first or isinstance(step, CancelOrder)):
        seconds = min(seconds, _soon_s(policy, nearest_s))
    return now + timedelta(seconds=seconds)


def answer_due_at(
    step: VenueStep, policy: Policy, *, now: datetime, nearest_s: float, deadline: datetime
) -> datetime:
    """Until when the answer to what is sent now is waited for; then the records are asked.

    To an entry: as long as it may arrive. A sale that nobody answers is looked for at once, as its
    position stands without a stop meanwhile.
    """
    if adds_risk(step) or is_protective(step):
        return deadline
    return min(deadline, now + timedelta(seconds=_soon_s(policy, nearest_s)))


def _soon_s(policy: Policy, nearest_s: float) -> float:
    return max(policy.stop_deadline_s, nearest_s)


class Resend(StrEnum):
    """Whether a step of unknown outcome may be sent again."""

    ALWAYS = "always"
    SAME_AFTER_DEADLINE = "the very same, once its deadline has passed"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRule:
    """One row of the table, in words for a person and in the word the code acts on."""

    done_by: str
    not_done_by: str
    resend: Resend


RULES: dict[str, ProofRule] = {
    "place": ProofRule(
        done_by="an open or closed order, or a trade, that bears our client id and agrees",
        not_done_by=(
            "open orders, closed orders and trades asked by client id, more than once, after"
            " the deadline and the visibility lag, without a trace"
        ),
        resend=Resend.NEVER,
    ),
    "place a protective stop": ProofRule(
        done_by="an open or closed order that bears our client id and agrees",
        not_done_by="as for any order placed",
        resend=Resend.SAME_AFTER_DEADLINE,
    ),
    "amend a protective stop": ProofRule(
        done_by="the order shows the new values",
        not_done_by="as for any order amended",
        resend=Resend.SAME_AFTER_DEADLINE,
    ),
    "amend": ProofRule(
        done_by="the order shows the new values",
        not_done_by="the order shows the old values after the deadline and the visibility lag",
        resend=Resend.NEVER,
    ),
    "cancel": ProofRule(
        done_by="the order is no longer open",
        not_done_by="the order is still open after the deadline and the visibility lag",
        resend=Resend.ALWAYS,
    ),
}


def rule_for(kind: IntentKind, purpose: OrderPurpose) -> ProofRule:
    """The row that governs an intent."""
    if kind is not IntentKind.CANCEL and purpose == "stop":
        return RULES[f"{kind.value} a protective stop"]
    return RULES[kind.value]


def is_due_again(intent: Intent, now: datetime, *, is_dead: bool = False) -> bool:
    """Whether it may be sent once more, the very same, by whoever finds it in the journal.

    `is_dead`: the venue refused what was sent last, and all before that was dead by then.
    """
    is_open = intent.state in (IntentState.SENT, IntentState.UNKNOWN)
    resend = rule_for(intent.kind, intent.purpose).resend
    return is_open and resend is Resend.SAME_AFTER_DEADLINE and (is_dead or intent.deadline <= now)


def is_proved_by_a_look(kind: IntentKind, purpose: OrderPurpose) -> bool:
    """Whether one look at the open orders proves it, and nothing is built upon it before that.

    The cancel of an entry. That of a stop is looked up at once: what it filled last decides how
    much there is to sell.
    """
    return kind is IntentKind.CANCEL and purpose == "entry"


def fills_may_wait(purpose: OrderPurpose) -> bool:
    """Whether an order's fills may be booked with those of others, by who looks again.

    The sale that ends a position: until they are booked, what was sold counts as being sold.
    """
    return purpose == "flatten"


def reads_to_prove(step: VenueStep, *, looks_again: bool = False) -> tuple[VenueRead, ...]:
    """What the venue is asked when all goes well: the order, and the fills of one that trades.

    Nothing where the caller `looks_again` and that proves it.
    """
    if looks_again and isinstance(step, CancelOrder):
        return () if is_proved_by_a_look(IntentKind.CANCEL, step.purpose) else (VenueRead.ORDERS,)
    if looks_again and isinstance(step, PlaceOrder) and fills_may_wait(step.request.purpose):
        return (VenueRead.ORDERS,)
    trades_at_once = isinstance(step, PlaceOrder) and (
        step.request.order_type is OrderType.MARKET
        or step.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    )
    return (VenueRead.ORDERS, VenueRead.FILLS) if trades_at_once else (VenueRead.ORDERS,)


class Verdict(StrEnum):
    """What the evidence says."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"
    FOREIGN_MATCH = "foreign match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict, the sentence for the journal, and the order it rests on.

    `is_answered`: the venue was asked and said something, if only that there is nothing.
    """

    verdict: Verdict
    evidence: str
    order: VenueOrder | None = None
    is_answered: bool = True


def silence_counts_from(intent: Intent, policy: Policy) -> datetime:
    """From when on an absence at the venue means something."""
    return intent.deadline + timedelta(seconds=policy.visibility_lag_s)


def judge_place(
    intent: Intent,
    record: OrderRecord,
    *,
    orders: Sequence[VenueOrder],
    fills: Sequence[Fill],
    silent_looks: int,
) -> Judgement:
    """`orders` and `fills` bear our client id; `silent_looks` were made after the wait."""
    for order in orders:
        differs = _difference(intent, record, order)
        if differs:
            return Judgement(
                verdict=Verdict.FOREIGN_MATCH,
                evidence=(
                    f"order {order.venue_order_id} bears our client id"
                    f" {intent.client_order_id} but {differs}"
                ),
                order=order,
            )
    if orders:
        return Judgement(verdict=Verdict.DONE, evidence=described(orders[0]), order=orders[0])
    if fills:
        return Judgement(
            verdict=Verdict.UNKNOWN,
            evidence=f"trade {fills[0].fill_id} bears our client id, its order is not visible yet",
        )
    return _silence(silent_looks, "open orders, closed orders and trades show no trace of it")


def judge_amend(
    amendment: OrderAmendment, order: VenueOrder | None, *, silent_looks: int
) -> Judgement:
    """The order as the venue shows it, against the values that were asked for."""
    if order is None:
        return _silence(silent_looks, f"the venue knows no order {amendment.venue_order_id}")
    if _has_values(amendment, order):
        return Judgement(verdict=Verdict.DONE, evidence=described(order), order=order)
    if order.status.is_terminal:
        return Judgement(verdict=Verdict.NOT_DONE, evidence=described(order), order=order)
    return _silence(silent_looks, f"unchanged: {described(order)}", order)


def judge_cancel(order: VenueOrder | None, *, silent_looks: int) -> Judgement:
    """Gone is done, however it went: the order's own record says how much of it filled."""
    if order is None:
        return _silence(silent_looks, "the venue knows no such order")
    if order.status.is_terminal:
        return Judgement(verdict=Verdict.DONE, evidence=described(order), order=order)
    return _silence(silent_looks, f"still open: {described(order)}", order)


def described(order: VenueOrder) -> str:
    """An order as a person would say it."""
    reason = f", {order.reason}" if order.reason else ""
    return (
        f"order {order.venue_order_id} is {order.status.value},"
        f" {short(order.filled_quantity)} of {short(order.quantity)} filled{reason}"
    )


def _silence(looks: int, evidence: str, order: VenueOrder | None = None) -> Judgement:
    if looks >= LOOKS_NEEDED:
        return Judgement(
            verdict=Verdict.NOT_DONE, evidence=f"{evidence} ({looks} looks)", order=order
        )
    return Judgement(verdict=Verdict.UNKNOWN, evidence=evidence, order=order)


def _difference(intent: Intent, record: OrderRecord, order: VenueOrder) -> str:
    """Where an order that bears our id is not the one we meant; empty when it agrees."""
    pairs = (
        ("is for", order.symbol, record.symbol),
        ("is to", order.side.value, record.side.value),
        ("is of type", order.order_type.value, record.order_type.value),
        ("is for a quantity of", short(order.quantity), short(record.quantity)),
    )
    for words, seen, meant in pairs:
        if seen != meant:
            return f"{words} {seen}, not {meant}"
    if order.opened_at < intent.created_at - timedelta(seconds=CLOCK_TOLERANCE_S):
        return f"was opened at {order.opened_at:%H:%M:%S}, before the intent"
    return ""


def _has_values(amendment: OrderAmendment, order: VenueOrder) -> bool:
    asked = (
        (amendment.quantity, order.quantity),
        (amendment.limit_price, order.limit_price),
        (amendment.trigger_price, order.trigger_price),
    )
    return all(wanted is None or wanted == seen for wanted, seen in asked)
