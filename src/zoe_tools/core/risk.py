"""The veto: which steps of a plan may not be done, each with a code and a sentence.

It knows one distinction. What adds risk must pass every limit, and fails closed on anything that
is missing. What reduces risk passes them all; it only has to be what it says it is. Nothing here
changes a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from zoe_tools.core.accounting import book, order_of, quote_of
from zoe_tools.domain.identifiers import PositionId, Symbol
from zoe_tools.domain.instrument import Instrument, InstrumentStatus
from zoe_tools.domain.market import Quote, VenueMode
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderRequest, OrderType, Side
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
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position, PositionStatus
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Snapshot

_LIMIT_PRICED = frozenset(
    {
        OrderType.LIMIT,
        OrderType.ICEBERG,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP_LIMIT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one step may not be done; `step_index` counts from 0 in the plan."""

    step_index: int
    code: str
    message: str


@dataclass(slots=True)
class _Running:
    """What the plan's earlier steps have already used up of the limits."""

    notional: Decimal
    quote_spent: dict[str, Decimal]
    symbols: set[Symbol]
    positions: dict[PositionId, Position]


_HUNDREDTH = Decimal("0.01")

_Found = tuple[str, str]
"""A code and a sentence."""


def veto(plan: Plan, snapshot: Snapshot) -> tuple[Refusal, ...]:
    """All refusals, at most one per step, in the order of the steps."""
    running = _Running(
        notional=snapshot.daily_notional,
        quote_spent={},
        symbols=_symbols_at_risk(snapshot),
        positions={each.position_id: each for each in snapshot.positions},
    )
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


def _wrong_account(plan: Plan, snapshot: Snapshot) -> _Found | None:
    if plan.account == snapshot.account:
        return None
    return (
        "WRONG_ACCOUNT",
        f"The plan is for {plan.account.title}, the snapshot is of {snapshot.account.title}.",
    )


def _judge(step: Step, plan: Plan, snapshot: Snapshot, running: _Running) -> _Found | None:
    match step:
        case PlaceOrder(request=request):
            malformed = _malformed(request.quantity, request.limit_price, request.trigger_price)
            if malformed is not None:
                return malformed
            if request.reduces_risk:
                return _not_a_reduction(step, running)
            return _first(_entry_checks(request, snapshot, running))
        case AmendOrder(amendment=change):
            malformed = _malformed(change.quantity, change.limit_price, change.trigger_price)
            if malformed is not None or not adds_risk(step):
                return malformed
            return _first(_state_checks(change.symbol, snapshot)) or _amend_check(step, snapshot)
        case SetTradingState(level=level):
            if level < snapshot.trading_state.level and plan.command != "resume":
                return ("DE_ESCALATION", "Only `zoe resume` lowers the kill level.")
            return None
        case _:
            return None


def _first(checks: Iterator[_Found | None]) -> _Found | None:
    return next((found for found in checks if found is not None), None)


def _malformed(quantity: Decimal | None, *prices: Decimal | None) -> _Found | None:
    for name, value in (("quantity", quantity), *(("price", price) for price in prices)):
        if value is not None and (not value.is_finite() or value <= ZERO):
            return ("MALFORMED", f"The {name} {value} is not a positive number.")
    return None


def _not_a_reduction(step: PlaceOrder, running: _Running) -> _Found | None:
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


def _entry_checks(
    request: OrderRequest, snapshot: Snapshot, running: _Running
) -> Iterator[_Found | None]:
    yield from _state_checks(request.symbol, snapshot)
    if request.side is Side.SELL:
        yield ("SHORT", "A spot account cannot enter by selling.")
    yield _mode_check(request, snapshot)
    if isinstance(snapshot.catalogue, Missing):
        yield ("NO_INSTRUMENT", f"The instruments are missing: {snapshot.catalogue.reason}.")
        return
    instrument = snapshot.catalogue.value.find(request.symbol)
    if instrument is None:
        yield ("NO_INSTRUMENT", f"The venue knows no instrument {request.symbol}.")
        return
    yield _instrument_check(request, instrument)
    quote = _quote_of(snapshot, request.symbol)
    if not isinstance(quote, Quote):
        yield quote
        return
    price = _price_at_risk(request, quote)
    yield from (check(request, instrument) for check in (_tick_check, _lot_check))
    yield _minimum_check(request, instrument, price)
    yield _collar_check(request, quote, snapshot)
    if is_too_wide(quote, snapshot.policy):
        told = f"{short((quote.spread_bps / HUNDRED).quantize(_HUNDREDTH))} %"
        yield ("SPREAD_TOO_WIDE", f"The spread of {request.symbol} is {told} wide.")
    yield from _limit_checks(request, price, snapshot, running)
    yield _balance_check(request, instrument, price, snapshot, running)


def _state_checks(symbol: Symbol, snapshot: Snapshot) -> Iterator[_Found | None]:
    state = snapshot.trading_state
    if not state.may_enter:
        yield ("HALTED", f"Trading is at {state.level.label}: {state.reason or 'no reason given'}.")
    for intent in snapshot.unresolved_intents:
        if intent.symbol == symbol:
            yield (
                "UNRESOLVED_INTENT",
                f"The outcome of intent {intent.intent_id} on {symbol} is not known yet.",
            )


def _mode_check(request: OrderRequest, snapshot: Snapshot) -> _Found | None:
    if isinstance(snapshot.venue_mode, Missing):
        return ("VENUE_MODE", f"The venue's mode is missing: {snapshot.venue_mode.reason}.")
    mode = snapshot.venue_mode.value
    allowed = (
        mode is VenueMode.ONLINE
        or (mode is VenueMode.POST_ONLY and request.post_only)
        or (mode is VenueMode.LIMIT_ONLY and request.order_type in _LIMIT_PRICED)
    )
    return None if allowed else ("VENUE_MODE", f"The venue is in mode {mode.value}.")


def _instrument_check(request: OrderRequest, instrument: Instrument) -> _Found | None:
    status = instrument.status
    allowed = (
        status is InstrumentStatus.ONLINE
        or (status is InstrumentStatus.POST_ONLY and request.post_only)
        or (status is InstrumentStatus.LIMIT_ONLY and request.order_type in _LIMIT_PRICED)
    )
    return None if allowed else ("INSTRUMENT_MODE", f"{request.symbol} is {status.value}.")


def _quote_of(snapshot: Snapshot, symbol: Symbol) -> Quote | _Found:
    if isinstance(snapshot.quotes, Missing):
        return ("NO_QUOTE", f"There is no quote for {symbol}: {snapshot.quotes.reason}.")
    found = [quote for quote in snapshot.quotes.value if quote.symbol == symbol]
    if not found:
        return ("NO_QUOTE", f"There is no quote for {symbol}.")
    quote = found[0]
    if not (quote.bid.is_finite() and quote.ask.is_finite() and ZERO < quote.bid <= quote.ask):
        return ("NO_QUOTE", f"The quote for {symbol} makes no sense: {quote.bid} / {quote.ask}.")
    age_s = (snapshot.taken_at - quote.as_of).total_seconds()
    if age_s > snapshot.policy.quote_stale_s:
        return ("STALE_QUOTE", f"The quote for {symbol} is {age_s:.0f} s old.")
    return quote


def _price_at_risk(request: OrderRequest, quote: Quote) -> Decimal:
    """The worst price one would knowingly pay: the limit, the trigger, or the ask."""
    if request.limit_price is not None:
        return request.limit_price
    if request.trigger_price is not None:
        return max(request.trigger_price, quote.ask)
    return quote.ask


def _tick_check(request: OrderRequest, instrument: Instrument) -> _Found | None:
    for price in (request.limit_price, request.trigger_price):
        if price is not None and not instrument.is_on_tick(price):
            tick = short(instrument.tick_size)
            return ("OFF_TICK", f"{short(price)} is not a multiple of the tick {tick}.")
    return None


def _lot_check(request: OrderRequest, instrument: Instrument) -> _Found | None:
    if request.quantity == instrument.floor_quantity(request.quantity):
        return None
    step = short(instrument.lot_step)
    return ("OFF_LOT", f"{short(request.quantity)} is not a multiple of the lot step {step}.")


def _minimum_check(request: OrderRequest, instrument: Instrument, price: Decimal) -> _Found | None:
    if instrument.is_tradable_quantity(request.quantity, price=price):
        return None
    return (
        "BELOW_MINIMUM",
        (
            f"{short(request.quantity)} {instrument.symbol} is below the venue's minimum of"
            f" {short(instrument.min_quantity)} or {short(instrument.min_cost)} {instrument.quote}."
        ),
    )


def _collar_check(request: OrderRequest, quote: Quote, snapshot: Snapshot) -> _Found | None:
    collar = snapshot.policy.price_collar_pct
    for price in (request.limit_price, request.trigger_price):
        if price is not None and abs(price - quote.mid) * HUNDRED > collar * quote.mid:
            return (
                "PRICE_COLLAR",
                (
                    f"{short(price)} is more than {short(collar)} % from the market at"
                    f" {short(quote.mid)}."
                ),
            )
    return None


def is_too_wide(quote: Quote, policy: Policy) -> bool:
    """Whether the spread is wider than an entry may cross."""
    return quote.spread_bps > policy.liquidity_guard_spread_pct * HUNDRED


def _limit_checks(
    request: OrderRequest, price: Decimal, snapshot: Snapshot, running: _Running
) -> Iterator[_Found | None]:
    policy = snapshot.policy
    notional = price * request.quantity
    if notional > policy.max_notional_per_trade:
        yield (
            "MAX_NOTIONAL_PER_TRADE",
            (
                f"The order is worth {short(notional)}; one trade may be worth"
                f" {short(policy.max_notional_per_trade)}."
            ),
        )
    if running.notional + notional > policy.max_daily_notional:
        yield (
            "MAX_DAILY_NOTIONAL",
            (
                f"With this order the day's entries would be worth"
                f" {short(running.notional + notional)}; {short(policy.max_daily_notional)} are"
                " allowed."
            ),
        )
    if len(running.symbols | {request.symbol}) > policy.max_open_positions:
        yield (
            "MAX_OPEN_POSITIONS",
            (
                f"{len(running.symbols)} positions are open or being opened;"
                f" {policy.max_open_positions} are allowed."
            ),
        )


def _balance_check(
    request: OrderRequest,
    instrument: Instrument,
    price: Decimal,
    snapshot: Snapshot,
    running: _Running,
) -> _Found | None:
    """A balance that nobody asked for is the venue's own check; one that failed to come refuses."""
    if snapshot.balances == NOT_GATHERED:
        return None
    if isinstance(snapshot.balances, Missing):
        return ("NO_BALANCE", f"The balances are missing: {snapshot.balances.reason}.")
    cost = price * request.quantity
    needed = cost + instrument.taker_fee(cost) + running.quote_spent.get(instrument.quote, ZERO)
    available = sum(
        (each.available for each in snapshot.balances.value if each.asset == instrument.quote),
        ZERO,
    )
    if needed <= available:
        return None
    return (
        "INSUFFICIENT_BALANCE",
        f"{short(needed)} {instrument.quote} are needed, {short(available)} are free.",
    )


def _amend_check(step: AmendOrder, snapshot: Snapshot) -> _Found | None:
    """An entry may be amended within the cap of one trade."""
    change = step.amendment
    known = [each for each in snapshot.orders if each.venue_order_id == change.venue_order_id]
    if not known:
        return ("UNKNOWN_ORDER", f"Order {change.venue_order_id} is not in zoe's books.")
    quantity = change.quantity or known[0].quantity
    price = change.limit_price or known[0].limit_price or change.trigger_price
    quote = _quote_of(snapshot, change.symbol)
    if not isinstance(quote, Quote):
        return quote
    notional = quantity * (price or quote.ask)
    cap = snapshot.policy.max_notional_per_trade
    if notional <= cap:
        return None
    return (
        "MAX_NOTIONAL_PER_TRADE",
        f"The amended order is worth {short(notional)}; one trade may be worth {short(cap)}.",
    )


def _symbols_at_risk(snapshot: Snapshot) -> set[Symbol]:
    held = {each.symbol for each in snapshot.positions if each.status is PositionStatus.OPEN}
    entering = {
        each.symbol
        for each in snapshot.orders
        if each.purpose == "entry" and not each.status.is_terminal
    }
    return held | entering


def _use_up(step: Step, snapshot: Snapshot, running: _Running) -> None:
    match step:
        case PlaceOrder(request=request) if not request.reduces_risk:
            quote = _quote_of(snapshot, request.symbol)
            price = _price_at_risk(request, quote) if isinstance(quote, Quote) else ZERO
            cost = price * request.quantity
            running.notional += cost
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
