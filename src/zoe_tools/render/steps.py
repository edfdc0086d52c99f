"""Each kind of step in an operator's words: a sign, what it does, why, and the money at stake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, assert_never

from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderType
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    EndGroup,
    LinkStop,
    OrderStillOpen,
    OrderValues,
    PlaceOrder,
    PositionStill,
    PostAdjustment,
    Precondition,
    RebuildOrder,
    RecordFill,
    RecordOrder,
    ResolveIntent,
    SetTargets,
    SettleDiscrepancy,
    SetTradingState,
    Step,
    WriteCandles,
)
from zoe_tools.domain.position import Position
from zoe_tools.domain.position_event import retold
from zoe_tools.domain.trading_state import KillLevel

Sign = Literal["+", "-", "~"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepText:
    """`sign` reads as in a diff: + something new, - something gone, ~ something changed.

    `changes` are lines of what is and what will be, for a table; `what` alone says it in one line.
    """

    sign: Sign
    what: str
    why: str
    where: Literal["venue", "store"]
    stake: str = ""
    title: str = ""
    changes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    """What must still be so when the step's turn comes."""

    @property
    def lines(self) -> str:
        """The title with each change below it; without changes, what is done."""
        if not self.changes:
            return self.what
        return "\n".join((self.title, *(f"  {each}" for each in self.changes)))


def describe(step: Step) -> StepText:
    """The step in words."""
    if isinstance(step, PlaceOrder | AmendOrder | CancelOrder):
        told = _at_the_venue(step)
        return replace(told, conditions=tuple(_condition(each) for each in step.preconditions))
    if isinstance(step, RebuildOrder | SettleDiscrepancy | PostAdjustment):
        return _of_reconciliation(step)
    return _in_the_store(step)


def _condition(condition: Precondition) -> str:
    match condition:
        case PositionStill(quantity=quantity):
            return f"the position holds {short(quantity)}"
        case OrderStillOpen(venue_order_id=name, remaining_quantity=quantity):
            return f"{name} is open with {short(quantity)} to go"
        case _:
            assert_never(condition)


def _at_the_venue(step: PlaceOrder | AmendOrder | CancelOrder) -> StepText:
    match step:
        case PlaceOrder(request=request):
            return StepText(
                sign="+",
                what=f"place {_order(request)}",
                why=step.reason,
                where="venue",
                stake=_stake(step.notional),
            )
        case AmendOrder(amendment=amendment):
            what = f"amend {step.purpose} {amendment.venue_order_id} on {_change(amendment)}"
            return StepText(
                sign="~",
                what=what,
                why=step.reason,
                where="venue",
                title=f"amend {step.purpose} {amendment.venue_order_id} on {amendment.symbol}",
                changes=_amended(step.before, amendment),
            )
        case CancelOrder():
            what = f"cancel {step.purpose} {step.venue_order_id} on {step.symbol}"
            return StepText(
                sign="-",
                what=what,
                why=step.reason,
                where="venue",
                title=what,
                changes=(f"{_resting(step.before)} -> gone",) if step.before else (),
            )
        case _:
            assert_never(step)


def _in_the_store(
    step: AdoptPosition
    | AdjustPosition
    | LinkStop
    | SetTargets
    | RecordFill
    | RecordOrder
    | ResolveIntent
    | EndGroup
    | WriteCandles
    | SetTradingState,
) -> StepText:
    sign: Sign = "~"
    stake = title = ""
    changes: tuple[str, ...] = ()
    match step:
        case AdoptPosition(position=position):
            sign = "+"
            what = f"adopt {short(position.quantity)} {position.symbol}"
            stake = _stake(position.quantity * position.average_cost)
        case AdjustPosition(before=before, after=after):
            what, title, changes = _adjustment(step)
            stake = _stake(abs(before.quantity - after.quantity) * before.average_cost)
        case LinkStop() | SetTargets():
            what = _for_position(step)
        case RecordFill(fill=fill):
            sign = "+"
            what = (
                f"book fill {fill.fill_id}: {fill.side.value} {short(fill.quantity)}"
                f" {fill.symbol} at {short(fill.price)}"
            )
            stake = _stake(fill.cost)
        case RecordOrder() | EndGroup():
            sign, what = _about_orders(step)
        case ResolveIntent():
            what = f"close intent {step.intent_id} as {step.state.value}: {step.evidence}"
            title = f"close intent {step.intent_id}"
            changes = (f"unknown -> {step.state.value}: {step.evidence}",)
        case WriteCandles():
            sign = "+"
            what = f"write {len(step.candles)} {step.timeframe.value} candles of {step.symbol}"
        case SetTradingState(level=level):
            title = "set trading" if step.symbol is None else f"set trading in {step.symbol}"
            what = f"{title} to {_level(level)}"
            if step.before is not None:
                changes = (f"{_level(step.before)} -> {_level(level)}",)
        case _:
            assert_never(step)
    return StepText(
        sign=sign,
        what=what,
        why=step.reason,
        where="store",
        stake=stake,
        title=title,
        changes=changes,
    )


def _about_orders(step: RecordOrder | EndGroup) -> tuple[Sign, str]:
    if isinstance(step, EndGroup):
        return "-", f"end intent group {step.group_id} on {step.symbol}: {step.ending.value}"
    order = step.order
    return "~", f"record order {order.venue_order_id} on {order.symbol} as {order.status.value}"


def _of_reconciliation(step: RebuildOrder | SettleDiscrepancy | PostAdjustment) -> StepText:
    match step:
        case RebuildOrder(order=order):
            what = f"rebuild order {order.client_order_id} as {order.status.value}"
            return StepText(sign="~", what=what, why=step.reason, where="store")
        case SettleDiscrepancy(discrepancy_id=name):
            until = step.waived_until
            time = "" if until is None else f" until {until:%Y-%m-%d %H:%M} UTC"
            what = f"{name} is {step.state.value} by {step.author}{time}"
            return StepText(sign="~", what=what, why=step.reason, where="store")
        case PostAdjustment(adjustment=posted):
            price = posted.unit_price
            cost = "without a price" if price is None else f"at {short(price)} {posted.currency}"
            home = f" to {posted.position_id}" if posted.position_id else ""
            what = f"post {short(posted.quantity)} {posted.asset}{home} {cost}, by {posted.author}"
            stake = ZERO if price is None else abs(posted.quantity) * price
            return StepText(
                sign="+", what=what, why=step.reason, where="store", stake=_stake(stake)
            )
        case _:
            assert_never(step)


def _for_position(step: LinkStop | SetTargets) -> str:
    if isinstance(step, LinkStop):
        return f"link stop {step.order.venue_order_id} to position {step.position_id}"
    many = "target" if len(step.levels) == 1 else "targets"
    return f"set {len(step.levels)} {many} of {step.symbol}"


def _order(request: OrderRequest) -> str:
    told = [
        f"{request.purpose.replace('_', '-')}: {request.side.value} {short(request.quantity)}",
        request.symbol,
    ]
    if request.order_type is not OrderType.LIMIT:
        told.append(request.order_type.value)
    if request.trigger_price is not None:
        told.append(f"trigger {short(request.trigger_price)}")
    if request.limit_price is not None:
        told.append(f"limit {short(request.limit_price)}")
    return " ".join(told)


def _change(amendment: OrderAmendment) -> str:
    new = (
        ("quantity", amendment.quantity),
        ("limit", amendment.limit_price),
        ("trigger", amendment.trigger_price),
    )
    changes = [f"{name} {short(value)}" for name, value in new if value is not None]
    return f"{amendment.symbol} to {', '.join(changes) or 'nothing new'}"


def _amended(before: OrderValues | None, amendment: OrderAmendment) -> tuple[str, ...]:
    """Each value that is to change: what it is, and what it will be."""
    if before is None:
        return ()
    pairs = (
        ("quantity", before.quantity, amendment.quantity),
        ("limit", before.limit_price, amendment.limit_price),
        ("trigger", before.trigger_price, amendment.trigger_price),
    )
    return tuple(
        f"{name} {_told(was)} -> {short(new)}" for name, was, new in pairs if new is not None
    )


def _resting(values: OrderValues) -> str:
    prices = (("limit", values.limit_price), ("trigger", values.trigger_price))
    told = [f"{name} {short(price)}" for name, price in prices if price is not None]
    return " ".join([short(values.quantity), *(told or ["at the market"])])


def _adjustment(step: AdjustPosition) -> tuple[str, str, tuple[str, ...]]:
    """What is done, its title, and each change."""
    before, after = step.before, step.after
    if step.is_retelling:
        title = f"put {after.symbol} back to its own story"
        changes = tuple(f"{name} {was} -> {now}" for name, was, now in retold(before, after))
        return f"{title}: {', '.join(changes)}", title, changes
    what = (
        f"adjust {after.symbol} from {short(before.quantity)} to {short(after.quantity)}"
        f" ({after.status.value})"
    )
    return what, f"adjust {after.symbol}", _adjusted(before, after)


def _adjusted(before: Position, after: Position) -> tuple[str, ...]:
    pairs = (
        ("quantity", short(before.quantity), short(after.quantity)),
        ("cost", short(before.average_cost), short(after.average_cost)),
        ("state", before.status.value, after.status.value),
    )
    return tuple(f"{name} {was} -> {new}" for name, was, new in pairs if was != new)


def _level(level: KillLevel) -> str:
    return level.label if level else "armed"


def _told(value: Decimal | None) -> str:
    return "none" if value is None else short(value)


def _stake(notional: Decimal) -> str:
    return f"{short(notional.quantize(Decimal('0.01')))}" if notional > ZERO else ""
