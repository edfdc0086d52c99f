"""The veto: which steps of a plan may not be done, each with a code and a sentence.

Each control has its code: of a single order in `risk_orders.py`, of the account in
`risk_limits.py`. There is one distinction. What adds risk must pass every limit, and fails closed
on anything that is missing. What reduces risk passes them all; it only has to be what it says it
is. Nothing here changes a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zoe_tools.core.accounting import book, order_of, quote_of
from zoe_tools.core.margin_rule import MARGIN_RULE
from zoe_tools.core.risk_groups import (
    amended_group_check,
    amended_tick_check,
    group_checks,
    refusals_check,
    worst_price,
)
from zoe_tools.core.risk_limits import (
    Running,
    balance_check,
    growth_checks,
    key_check,
    limit_checks,
    reconciliation_check,
    running_of,
)
from zoe_tools.core.risk_orders import (
    Found,
    allowed_check,
    collar_check,
    instrument_check,
    lot_check,
    malformed,
    minimum_check,
    mode_check,
    quantity_check,
    quote_at,
    spread_check,
    terms_check,
    tick_check,
)
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import Side
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    PlaceOrder,
    Plan,
    RecordFill,
    SetTradingState,
    Step,
)
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import KillReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one step may not be done; `step_index` counts from 0 in the plan."""

    step_index: int
    code: str
    message: str


def veto(plan: Plan, snapshot: Snapshot) -> tuple[Refusal, ...]:
    """All refusals, at most one per step, in the order of the steps."""
    running = running_of(snapshot)
    refusals: list[Refusal] = []
    for index, step in enumerate(plan.steps):
        found = _wrong_account(plan, snapshot) or _judge(step, plan, snapshot, running)
        if found is None:
            _use_up(step, snapshot, running)
        else:
            refusals.append(Refusal(step_index=index, code=found[0], message=found[1]))
    return tuple(refusals)


def adds_risk(step: Step) -> bool:
    """Whether a step can make the account's exposure larger."""
    match step:
        case PlaceOrder(request=request):
            return not request.reduces_risk
        case AmendOrder(purpose=purpose):
            return purpose == "entry"
        case _:
            return False


def without_risk(plan: Plan) -> Plan:
    """What is left of a plan where nothing may make the exposure larger."""
    return replace(plan, steps=tuple(each for each in plan.steps if not adds_risk(each)))


def keeps_back(symbol: Symbol, snapshot: Snapshot) -> bool:
    """Whether no entry of the instrument passes now, whatever it asks for."""
    return any(found is not None for found in _state_checks(symbol, snapshot))


def _wrong_account(plan: Plan, snapshot: Snapshot) -> Found | None:
    if plan.account == snapshot.account:
        return None
    return (
        "WRONG_ACCOUNT",
        f"The plan is for {plan.account.title}, the snapshot is of {snapshot.account.title}.",
    )


def _judge(step: Step, plan: Plan, snapshot: Snapshot, running: Running) -> Found | None:
    match step:
        case PlaceOrder(request=request):
            wrong = malformed(request.quantity, request.limit_price, request.trigger_price)
            if wrong is not None:
                return wrong
            if request.reduces_risk:
                return _not_a_reduction(step, running)
            return _first(_entry_checks(step, snapshot, running))
        case AmendOrder(amendment=change):
            wrong = malformed(change.quantity, change.limit_price, change.trigger_price)
            if wrong is not None or not adds_risk(step):
                return wrong
            return _first(_amend_checks(step, snapshot, running))
        case SetTradingState():
            return _escalation_check(step, plan, snapshot)
        case _:
            return None


def _escalation_check(step: SetTradingState, plan: Plan, snapshot: Snapshot) -> Found | None:
    """A person lowers a level, and the one rule what is margin's."""
    state = snapshot.trading_state.of(step.symbol)
    is_margins = plan.command == MARGIN_RULE and state.cause is KillReason.MARGIN_CRITICAL
    if step.level >= state.level or plan.command == "resume" or is_margins:
        return None
    return ("DE_ESCALATION", "Only `zoe resume` lowers the kill level.")


def _first(checks: Iterator[Found | None]) -> Found | None:
    return next((found for found in checks if found is not None), None)


def _not_a_reduction(step: PlaceOrder, running: Running) -> Found | None:
    """A reduction sells no more than the managed position holds."""
    request = step.request
    managed = sum(
        (
            position.quantity
            for position in running.positions.values()
            if position.symbol == request.symbol
            and step.position_id in (None, position.position_id)
        ),
        ZERO,
    )
    if request.side is Side.SELL and request.quantity <= managed:
        return None
    return (
        "NOT_A_REDUCTION",
        (
            f"To {request.side.value} {short(request.quantity)} {request.symbol} is no"
            f" {request.purpose}: zoe manages {short(managed)}."
        ),
    )


def _entry_checks(step: PlaceOrder, snapshot: Snapshot, running: Running) -> Iterator[Found | None]:
    request = step.request
    yield from _state_checks(request.symbol, snapshot)
    yield key_check(snapshot)
    if request.side is Side.SELL:
        yield ("SHORT", "A spot account cannot enter by selling.")
    yield terms_check(request)
    yield mode_check(request, snapshot)
    if isinstance(snapshot.catalogue, Missing):
        yield ("NO_INSTRUMENT", f"The instruments are missing: {snapshot.catalogue.reason}.")
        return
    catalogue = snapshot.catalogue.value
    instrument = catalogue.find(request.symbol)
    if instrument is None:
        yield ("NO_INSTRUMENT", f"The venue knows no instrument {request.symbol}.")
        return
    yield allowed_check(request.symbol, catalogue, snapshot.policy)
    yield instrument_check(request, instrument)
    quote = quote_at(snapshot, request.symbol)
    if not isinstance(quote, Quote):
        yield quote
        return
    price = worst_price(step, quote)
    yield from (check(request, instrument) for check in (tick_check, lot_check))
    yield minimum_check(request, instrument, price)
    yield collar_check((request.limit_price, request.trigger_price), quote, snapshot.policy)
    yield spread_check(request.symbol, quote, snapshot.policy)
    yield quantity_check(request, catalogue, snapshot.policy)
    yield from group_checks(step, snapshot, running)
    yield from limit_checks(request, price, snapshot, running)
    yield balance_check(request, instrument, price, snapshot, running)


def _state_checks(symbol: Symbol, snapshot: Snapshot) -> Iterator[Found | None]:
    state = snapshot.trading_state.in_force(symbol)
    if not state.may_enter:
        where = "Trading" if state is snapshot.trading_state else f"Trading in {symbol}"
        yield ("HALTED", f"{where} is at {state.level.label}: {state.reason or 'no reason given'}.")
    yield reconciliation_check(symbol, snapshot)
    yield refusals_check(symbol, snapshot)
    for held, reason in snapshot.held_back:
        if held == symbol:
            yield ("SAFE_MODE", f"{symbol} is in safe mode: {reason}.")
    for intent in snapshot.unresolved_intents:
        if intent.symbol == symbol:
            yield (
                "UNRESOLVED_INTENT",
                f"The outcome of intent {intent.intent_id} on {symbol} is not known yet.",
            )


def _amend_checks(step: AmendOrder, snapshot: Snapshot, running: Running) -> Iterator[Found | None]:
    """An entry may be amended within the collar, its group, and what the limits leave."""
    change = step.amendment
    yield from _state_checks(change.symbol, snapshot)
    yield key_check(snapshot)
    if change.limit_offset is not None or change.trigger_offset is not None:
        yield ("UNPRICED", "What this entry will cost cannot be told: its price is a distance.")
    known = [each for each in snapshot.orders if each.venue_order_id == change.venue_order_id]
    if not known:
        yield ("UNKNOWN_ORDER", f"Order {change.venue_order_id} is not in zoe's books.")
        return
    quote = quote_at(snapshot, change.symbol)
    if not isinstance(quote, Quote):
        yield quote
        return
    yield collar_check((change.limit_price, change.trigger_price), quote, snapshot.policy)
    yield amended_tick_check(change, snapshot)
    yield amended_group_check(change, known[0], snapshot)
    yield from growth_checks(change, known[0], quote, snapshot, running)


def _use_up(step: Step, snapshot: Snapshot, running: Running) -> None:
    match step:
        case PlaceOrder(request=request) if not request.reduces_risk:
            quote = quote_at(snapshot, request.symbol)
            price = worst_price(step, quote) if isinstance(quote, Quote) else ZERO
            cost = price * request.quantity
            running.notional += cost
            running.requests.append(request)
            group_id = None if step.ticket is None else step.ticket.group_id
            if group_id is not None:
                sent = running.grouped.get(group_id, ZERO)
                running.grouped[group_id] = sent + request.quantity
            running.entered[request.symbol] = running.entered.get(request.symbol, ZERO) + cost
            running.symbols.add(request.symbol)
            spent_in = quote_of(request.symbol)
            running.quote_spent[spent_in] = running.quote_spent.get(spent_in, ZERO) + cost
        case AdoptPosition(position=position):
            running.positions[position.position_id] = position
        case AdjustPosition(after=after):
            running.positions[after.position_id] = after
        case RecordFill(fill=fill):
            order = order_of(snapshot.orders, fill)
            if order is not None:
                book(running.positions, order, fill)
        case _:
            pass
