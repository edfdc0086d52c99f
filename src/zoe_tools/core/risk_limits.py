"""What an account may take on in all: money, positions, orders, and how fast.

What an order costs is reckoned at the worst price one would knowingly pay. What is held is worth
the middle of the market, and where there is no quote what it cost. The codes are those of
`core/risk.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from zoe_tools.core.pre_flight import FORBIDDEN_PERMISSIONS
from zoe_tools.core.risk_orders import LIMIT_PRICED, Found
from zoe_tools.domain.identifiers import GroupId, PositionId, Symbol
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import HUNDRED, ZERO, short
from zoe_tools.domain.order import OrderAmendment, OrderRequest, OrderStatus, Side
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Snapshot

MINUTE = timedelta(minutes=1)

ENOUGH_ENTRIES = 20
"""Of fewer entries in the last hour no ratio is made."""

_CENT = Decimal("0.01")
_ENDED_EARLY = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


@dataclass(slots=True)
class Running:
    """What the plan's earlier steps have already used up of the limits."""

    notional: Decimal
    quote_spent: dict[str, Decimal]
    symbols: set[Symbol]
    positions: dict[PositionId, Position]
    entered: dict[Symbol, Decimal] = field(default_factory=dict)
    requests: list[OrderRequest] = field(default_factory=list)
    grouped: dict[GroupId, Decimal] = field(default_factory=dict)
    """By intent group: what the plan's earlier steps send for it, in base."""

    @property
    def orders(self) -> int:
        """How many entries."""
        return len(self.requests)


def running_of(snapshot: Snapshot) -> Running:
    """Before the first step."""
    return Running(
        notional=snapshot.daily_notional,
        quote_spent={},
        symbols=_symbols_at_risk(snapshot),
        positions={each.position_id: each for each in snapshot.positions},
    )


def limit_checks(
    request: OrderRequest, price: Decimal, snapshot: Snapshot, running: Running
) -> Iterator[Found | None]:
    """Every limit of the account that an entry at that price could pass; inclusive."""
    notional = price * request.quantity
    yield from _money_checks(request, notional, snapshot, running)
    yield from _exposure_checks(request.symbol, notional, snapshot, running)
    yield _open_orders_check(snapshot, running)
    yield _rate_check(snapshot, running)
    yield _cancel_ratio_check(snapshot)
    yield _duplicate_check(request, snapshot, running)
    yield _self_trade_check(request, price, snapshot)


def growth_checks(
    change: OrderAmendment,
    order: OrderRecord,
    quote: Quote,
    snapshot: Snapshot,
    running: Running,
) -> Iterator[Found | None]:
    """The limits of money for a working entry whose price or quantity changes; what grows counts.

    What it put at stake before is counted already, at the worst price of its group.
    """
    quantity = change.quantity or order.quantity
    price = change.limit_price or order.limit_price or change.trigger_price or quote.ask
    notional, cap = price * quantity, snapshot.policy.max_notional_per_trade
    if notional > cap:
        yield (
            "MAX_NOTIONAL_PER_TRADE",
            f"The amended order is worth {short(notional)}; one trade may be worth {short(cap)}.",
        )
    left = quantity - order.filled_quantity
    more = price * left - _still_at_stake(order)
    if more <= ZERO:
        return
    daily, allowed = running.notional + more, snapshot.policy.max_daily_notional
    if daily > allowed:
        yield (
            "MAX_DAILY_NOTIONAL",
            (
                f"With this change the day's entries would be worth {short(daily)};"
                f" {short(allowed)} are allowed."
            ),
        )
    yield from _exposure_checks(change.symbol, more, snapshot, running)


def reconciliation_check(symbol: Symbol, snapshot: Snapshot) -> Found | None:
    """What books and venue disagree about keeps entries back, if the operator wants it so."""
    state = snapshot.reconciliation
    if not snapshot.policy.stop_trading_on_degraded:
        return None
    if state.is_degraded:
        return "DEGRADED", f"Books and venue differ: {state.reason}."
    if state.pauses_account:
        return "RECONCILIATION_CRITICAL", f"Reconciliation is critical: {state.reason}."
    if symbol in state.paused:
        return "INSTRUMENT_PAUSED", f"{symbol} has a discrepancy that nobody has explained yet."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a limit leaves for one entry, in quote and before fees; below zero where nothing."""

    limit: str
    cap: Decimal
    left: Decimal


def room_for_entry(symbol: Symbol, snapshot: Snapshot) -> Room:
    """The most that one entry may cost now by all limits of money, and the limit that says so."""
    policy = snapshot.policy
    working = _working_by_symbol(snapshot)
    here, held = _held_here(symbol, snapshot), _held_in_all(snapshot)
    unexecuted = sum(working.values(), ZERO)
    rooms = (
        ("MAX_NOTIONAL_PER_TRADE", policy.max_notional_per_trade, ZERO),
        ("MAX_DAILY_NOTIONAL", policy.max_daily_notional, snapshot.daily_notional),
        ("MAX_UNEXECUTED_NOTIONAL", policy.unexecuted_cap, unexecuted),
        ("MAX_POSITION_NOTIONAL", policy.position_cap, here + working.get(symbol, ZERO)),
        ("MAX_EXPOSURE_NOTIONAL", policy.exposure_cap, held + unexecuted),
    )
    found = (Room(limit=name, cap=cap, left=cap - used) for name, cap, used in rooms)
    return min(found, key=lambda each: each.left)


# --- money ---------------------------------------------------------------------------------------


def _money_checks(
    request: OrderRequest, notional: Decimal, snapshot: Snapshot, running: Running
) -> Iterator[Found | None]:
    policy = snapshot.policy
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


def _exposure_checks(
    symbol: Symbol, notional: Decimal, snapshot: Snapshot, running: Running
) -> Iterator[Found | None]:
    policy = snapshot.policy
    working = _working_by_symbol(snapshot)
    unexecuted = sum(working.values(), ZERO) + sum(running.entered.values(), ZERO) + notional
    here = _held_here(symbol, snapshot)
    here += sum((each.get(symbol, ZERO) for each in (working, running.entered)), ZERO)
    exposure = _held_in_all(snapshot) + unexecuted
    for code, what, value, cap in (
        ("MAX_UNEXECUTED_NOTIONAL", "working entries", unexecuted, policy.unexecuted_cap),
        (
            "MAX_POSITION_NOTIONAL",
            f"{symbol}, held and being bought,",
            here + notional,
            policy.position_cap,
        ),
        (
            "MAX_EXPOSURE_NOTIONAL",
            "all that is held and being bought",
            exposure,
            policy.exposure_cap,
        ),
    ):
        if value > cap:
            yield (
                code,
                (
                    f"With this order {what} would be worth {short(value.quantize(_CENT))};"
                    f" {short(cap)} are allowed."
                ),
            )


def balance_check(
    request: OrderRequest,
    instrument: Instrument,
    price: Decimal,
    snapshot: Snapshot,
    running: Running,
) -> Found | None:
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


def key_check(snapshot: Snapshot) -> Found | None:
    """A key that could take the money away trades only where a setting says so.

    That nobody asked for it is no answer of the venue's, and refuses nothing.
    """
    if snapshot.key == NOT_GATHERED:
        return None
    if isinstance(snapshot.key, Missing):
        return ("KEY_SCOPE", f"What the key may do is not known: {snapshot.key.reason}.")
    if snapshot.policy.allow_withdrawal_key:
        return None
    granted = snapshot.key.value.permissions
    excess = [what for token, what in FORBIDDEN_PERMISSIONS.items() if token in granted]
    if not excess:
        return None
    return (
        "KEY_SCOPE",
        f"The key may: {'; '.join(excess)}. Take that away at Kraken, or set ALLOW_WITHDRAWAL_KEY.",
    )


# --- orders --------------------------------------------------------------------------------------


def _open_orders_check(snapshot: Snapshot, running: Running) -> Found | None:
    count = len(_open_ids(snapshot)) + running.orders
    cap = snapshot.policy.max_open_orders
    if count < cap:
        return None
    return ("MAX_OPEN_ORDERS", f"{count} orders are open or being placed; {cap} are allowed.")


def _rate_check(snapshot: Snapshot, running: Running) -> Found | None:
    since = snapshot.taken_at - MINUTE
    sent = sum(each.created_at > since for each in _lately(snapshot)) + running.orders
    cap = snapshot.policy.max_orders_per_minute
    if sent < cap:
        return None
    return ("ORDER_RATE", f"{sent} orders were placed within a minute; {cap} are allowed.")


def _cancel_ratio_check(snapshot: Snapshot) -> Found | None:
    """Entries that come to nothing are noise to the venue, and a sign of a strategy gone wrong."""
    entries = _last_of_each_group(
        each
        for each in _lately(snapshot)
        if each.purpose == "entry" and each.status is not OrderStatus.REJECTED
    )
    if len(entries) < ENOUGH_ENTRIES:
        return None
    idle = sum(each.status in _ENDED_EARLY and each.filled_quantity == ZERO for each in entries)
    cap = snapshot.policy.max_cancel_ratio_pct
    if idle * HUNDRED <= cap * len(entries):
        return None
    return (
        "CANCEL_RATIO",
        (
            f"{idle} of the last hour's {len(entries)} entries ended without a fill;"
            f" {short(cap)} % are allowed."
        ),
    )


def _last_of_each_group(orders: Iterable[OrderRecord]) -> list[OrderRecord]:
    """What made room for another order of its intent group came to that, and not to nothing."""
    last: dict[str, OrderRecord] = {}
    for each in sorted(orders, key=lambda order: order.replace_count):
        last[each.group_id or each.client_order_id] = each
    return list(last.values())


def _duplicate_check(request: OrderRequest, snapshot: Snapshot, running: Running) -> Found | None:
    """The same entry a moment after the first is more often an accident than a wish."""
    window_s = snapshot.policy.duplicate_window_s
    if window_s > 0 and request in running.requests:
        return ("DUPLICATE_ORDER", "The same order is in this plan already.")
    for each in _lately(snapshot):
        age_s = (snapshot.taken_at - each.created_at).total_seconds()
        is_dead = each.status.is_terminal and each.filled_quantity == ZERO
        if age_s < window_s and not is_dead and _is_same(each, request):
            name = each.venue_order_id or each.client_order_id
            return (
                "DUPLICATE_ORDER",
                (
                    f"The same order was placed {max(age_s, 0):.0f} s ago ({name}); within"
                    f" {window_s:g} s that is taken for a mistake."
                ),
            )
    return None


def _is_same(order: OrderRecord, request: OrderRequest) -> bool:
    return (
        order.symbol,
        order.side,
        order.order_type,
        order.quantity,
        order.limit_price,
        order.trigger_price,
    ) == (
        request.symbol,
        request.side,
        request.order_type,
        request.quantity,
        request.limit_price,
        request.trigger_price,
    )


def _self_trade_check(request: OrderRequest, price: Decimal, snapshot: Snapshot) -> Found | None:
    """To buy what one offers oneself costs two fees and looks like manipulation."""
    for name, symbol, side, order_price in _resting(snapshot):
        if symbol != request.symbol or side is request.side:
            continue
        if order_price <= price if request.side is Side.BUY else order_price >= price:
            return (
                "SELF_TRADE",
                (
                    f"At {short(price)} the order would trade with your own {side.value} {name} at"
                    f" {short(order_price)}."
                ),
            )
    return None


# --- what the snapshot says ----------------------------------------------------------------------


def _lately(snapshot: Snapshot) -> tuple[OrderRecord, ...]:
    """Working orders and those of the last hour, each once; the later look counts."""
    found = {each.client_order_id: each for each in snapshot.recent_orders}
    found.update((each.client_order_id, each) for each in snapshot.orders)
    return tuple(found.values())


def _working(snapshot: Snapshot) -> tuple[OrderRecord, ...]:
    return tuple(each for each in _lately(snapshot) if not each.status.is_terminal)


def _open_ids(snapshot: Snapshot) -> set[str]:
    """Our own working orders, and where the venue was asked also those that are not ours."""
    ours = _working(snapshot)
    ids: set[str] = {each.venue_order_id or each.client_order_id for each in ours}
    if not isinstance(snapshot.open_orders, Missing):
        ids |= {each.venue_order_id for each in snapshot.open_orders.value}
    return ids


def _resting(snapshot: Snapshot) -> Iterator[tuple[str, Symbol, Side, Decimal]]:
    """Own orders that stand in the book with a price; triggers do not stand there yet."""
    seen: set[str] = set()
    for order in _working(snapshot):
        name = order.venue_order_id or order.client_order_id
        seen.add(name)
        is_priced = order.order_type in LIMIT_PRICED and order.trigger_price is None
        if is_priced and order.limit_price is not None:
            yield name, order.symbol, order.side, order.limit_price
    if isinstance(snapshot.open_orders, Missing):
        return
    for resting in snapshot.open_orders.value:
        price = resting.limit_price
        if resting.venue_order_id not in seen and price and not resting.trigger_price:
            yield resting.venue_order_id, resting.symbol, resting.side, price


def _working_by_symbol(snapshot: Snapshot) -> dict[Symbol, Decimal]:
    """What working entries may still cost; one without a price at its share of the plan's sum."""
    found: dict[Symbol, Decimal] = {}
    for order in _working(snapshot):
        if order.purpose == "entry":
            found[order.symbol] = found.get(order.symbol, ZERO) + _still_at_stake(order)
    return found


def _still_at_stake(order: OrderRecord) -> Decimal:
    """At its price, or at the worst that the plan reckoned with, if that is more."""
    price = order.limit_price or order.trigger_price or ZERO
    planned = order.notional * order.remaining_quantity / order.quantity
    return max(order.remaining_quantity * price, planned)


def _held_here(symbol: Symbol, snapshot: Snapshot) -> Decimal:
    """A cap that the operator set is one of everything managed; by default, of what was entered."""
    is_set = snapshot.policy.max_position_notional is not None
    return _held_by_symbol(snapshot, with_adopted=is_set).get(symbol, ZERO)


def _held_in_all(snapshot: Snapshot) -> Decimal:
    """The same for all instruments together."""
    is_set = snapshot.policy.max_exposure_notional is not None
    return sum(_held_by_symbol(snapshot, with_adopted=is_set).values(), ZERO)


def _held_by_symbol(snapshot: Snapshot, *, with_adopted: bool) -> dict[Symbol, Decimal]:
    """What entries bought, and, if asked for, what was adopted by the operator's word."""
    quotes: tuple[Quote, ...] = ()
    if not isinstance(snapshot.quotes, Missing):
        quotes = snapshot.quotes.value
    mids = {each.symbol: each.mid for each in quotes}
    found: dict[Symbol, Decimal] = {}
    for each in snapshot.positions:
        if each.status.holds and (with_adopted or each.origin == "entry"):
            worth = each.quantity * mids.get(each.symbol, each.average_cost)
            found[each.symbol] = found.get(each.symbol, ZERO) + worth
    return found


def _symbols_at_risk(snapshot: Snapshot) -> set[Symbol]:
    held = {each.symbol for each in snapshot.positions if each.status.holds}
    entering = {
        each.symbol
        for each in snapshot.orders
        if each.purpose == "entry" and not each.status.is_terminal
    }
    return held | entering
