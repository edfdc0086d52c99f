"""One order for each pre-trade control that must be refused by it, and by it alone.

A drill changes one thing of a world in which a modest entry passes: the order, the limits, or what
was seen. Whether its control fires is for the gate to show, on an exchange that nobody trades on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from zoe_tools.domain.discrepancy import Level, ReconciliationState
from zoe_tools.domain.identifiers import AccountId, ClientOrderId, IntentId, Symbol
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.intent_group import Style, Ticket
from zoe_tools.domain.journal import Intent, IntentKind, IntentState, OrderRecord
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import Quote
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderRequest, OrderStatus, OrderTerms, OrderType, Side
from zoe_tools.domain.snapshot import Missing, Reading, Snapshot, value_of
from zoe_tools.domain.trading_state import KillLevel, TradingState

BTC = Symbol("BTC/USD")
_BELOW = Decimal("0.98")
_STAKE = Decimal(20)

World = Callable[[Snapshot], Snapshot]
Order = Callable[[OrderRequest, Snapshot], OrderRequest]
Wish = Callable[[OrderRequest], Ticket | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of one drill; `fired` is the code that refused, or how the order ended."""

    control: str
    planted: str
    fired: str
    is_proved: bool


def _same_world(snapshot: Snapshot) -> Snapshot:
    return snapshot


def _same_order(request: OrderRequest, snapshot: Snapshot) -> OrderRequest:
    del snapshot
    return request


def _no_ticket(request: OrderRequest) -> None:
    del request


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What is planted, in words; `limits` are fields of the policy."""

    control: str
    planted: str
    limits: Mapping[str, Any] = field(default_factory=dict)
    world: World = _same_world
    order: Order = _same_order
    wish: Wish = _no_ticket

    def seen(self, snapshot: Snapshot) -> Snapshot:
        """The world of the drill."""
        tight = replace(snapshot, policy=replace(snapshot.policy, **self.limits))
        return self.world(tight)


def modest_entry(snapshot: Snapshot) -> OrderRequest:
    """An entry that every control lets pass: some dollars' worth, a little below the market.

    Raises:
        VenueUnavailable: instruments or quotes are missing.
    """
    instrument = value_of(snapshot.catalogue, "the instruments").resolve(BTC)
    price = instrument.floor_price(quote_of_btc(snapshot).bid * _BELOW)
    return OrderRequest(
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=instrument.floor_quantity(_STAKE / price),
        limit_price=price,
    )


def quote_of_btc(snapshot: Snapshot) -> Quote:
    """The drill's only market."""
    return next(each for each in value_of(snapshot.quotes, "the quotes") if each.symbol == BTC)


# --- what is planted -----------------------------------------------------------------------------


def _with(**changes: Any) -> Order:
    return lambda request, _: replace(request, **changes)


def _seeing(**changes: Any) -> World:
    return lambda snapshot: replace(snapshot, **changes)


def _priced(factor: str) -> Order:
    def order(request: OrderRequest, snapshot: Snapshot) -> OrderRequest:
        instrument = value_of(snapshot.catalogue, "the instruments").resolve(BTC)
        price = instrument.floor_price(quote_of_btc(snapshot).mid * Decimal(factor))
        return replace(request, limit_price=price)

    return order


def _off(what: str) -> Order:
    def order(request: OrderRequest, snapshot: Snapshot) -> OrderRequest:
        instrument = value_of(snapshot.catalogue, "the instruments").resolve(BTC)
        if what == "tick":
            return replace(
                request, limit_price=(request.limit_price or ZERO) + instrument.tick_size / 2
            )
        if what == "lot":
            return replace(request, quantity=request.quantity + instrument.lot_step / 2)
        return replace(request, quantity=instrument.lot_step)

    return order


def _of_worth(dollars: str) -> Order:
    def order(request: OrderRequest, snapshot: Snapshot) -> OrderRequest:
        instrument = value_of(snapshot.catalogue, "the instruments").resolve(BTC)
        price = request.limit_price or quote_of_btc(snapshot).ask
        return replace(request, quantity=instrument.floor_quantity(Decimal(dollars) / price))

    return order


def _closed(snapshot: Snapshot) -> Snapshot:
    catalogue = value_of(snapshot.catalogue, "the instruments")
    closed = catalogue.with_statuses({BTC: InstrumentStatus.CANCEL_ONLY})
    return replace(snapshot, catalogue=Reading(closed, snapshot.taken_at, "drill"))


def _halted(snapshot: Snapshot) -> Snapshot:
    state = TradingState(
        level=KillLevel.PAUSE_ENTRIES, reason="drill", changed_at=snapshot.taken_at
    )
    return replace(snapshot, trading_state=state)


_DEGRADED = ReconciliationState(is_degraded=True, reason="cash mismatch")
_CRITICAL = ReconciliationState(level=Level.CRIT, reason="orphaned >= 3 in 15 min")
_PAUSED = ReconciliationState(paused=(BTC,))


def _compared(state: ReconciliationState) -> World:
    return lambda snapshot: replace(snapshot, reconciliation=state)


def _open_intent(snapshot: Snapshot) -> Snapshot:
    now = snapshot.taken_at
    intent = Intent(
        intent_id=IntentId("drill"),
        account_id=AccountId(snapshot.account.account_id),
        kind=IntentKind.PLACE,
        state=IntentState.UNKNOWN,
        command="drill",
        plan_hash="",
        step_index=0,
        symbol=BTC,
        side=Side.BUY,
        purpose="entry",
        payload="{}",
        deadline=now,
        created_at=now,
        updated_at=now,
    )
    return replace(snapshot, unresolved_intents=(intent,))


def _refused(snapshot: Snapshot) -> Snapshot:
    (intent,) = _open_intent(snapshot).unresolved_intents
    refusal = replace(intent, state=IntentState.REJECTED)
    return replace(snapshot, refusals=(refusal,) * 3)


def _idle_hour(snapshot: Snapshot) -> Snapshot:
    at = snapshot.taken_at - timedelta(minutes=30)
    idle = tuple(
        OrderRecord(
            client_order_id=ClientOrderId(f"drill-{number}"),
            venue_order_id=None,
            intent_id=None,
            symbol=BTC,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            purpose="entry",
            status=OrderStatus.CANCELED,
            quantity=Decimal(1),
            created_at=at,
            updated_at=at,
        )
        for number in range(20)
    )
    return replace(snapshot, recent_orders=idle)


def _late(snapshot: Snapshot) -> Snapshot:
    late_s = snapshot.policy.quote_stale_s + 1
    return replace(snapshot, taken_at=snapshot.taken_at + timedelta(seconds=late_s))


def _of_a_group(*, target: str = "1", worst: str = "1") -> Wish:
    """An order of an intent group whose target, or whose worst price, is so much of its own."""

    def wish(request: OrderRequest) -> Ticket:
        return Ticket(
            style=Style.NORMAL,
            target_quantity=request.quantity * Decimal(target),
            ttl_s=Decimal(60),
            worst_price=(request.limit_price or ZERO) * Decimal(worst),
        )

    return wish


def _poor(snapshot: Snapshot) -> Snapshot:
    one = (Balance(asset="USD", total=Decimal(1)),)
    return replace(snapshot, balances=Reading(one, snapshot.taken_at, "drill"))


def _unquoted(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, quotes=Reading((), snapshot.taken_at, "drill"))


_ONE = Decimal(1)

DRILLS: tuple[Drill, ...] = (
    Drill(control="MALFORMED", planted="an order for nothing", order=_with(quantity=ZERO)),
    Drill(control="HALTED", planted="an entry while entries are paused", world=_halted),
    Drill(control="DEGRADED", planted="cash that differs", world=_compared(_DEGRADED)),
    Drill(
        control="RECONCILIATION_CRITICAL",
        planted="comparisons that found too much",
        world=_compared(_CRITICAL),
    ),
    Drill(
        control="INSTRUMENT_PAUSED",
        planted="a discrepancy nobody explained",
        world=_compared(_PAUSED),
    ),
    Drill(control="UNRESOLVED_INTENT", planted="an outcome nobody knows yet", world=_open_intent),
    Drill(control="SHORT", planted="an entry that sells", order=_with(side=Side.SELL)),
    Drill(
        control="UNPRICED",
        planted="an entry with borrowed money",
        order=_with(terms=OrderTerms(leverage=2)),
    ),
    Drill(control="INSTRUMENT_MODE", planted="an instrument in cancel_only", world=_closed),
    Drill(
        control="NO_INSTRUMENT",
        planted="an instrument that there is not",
        order=_with(symbol=Symbol("NO/SUCH")),
    ),
    Drill(
        control="NOT_ALLOWED",
        planted="an instrument off the list",
        limits={"allowed_symbols": ("ETH-USD",)},
    ),
    Drill(control="NO_QUOTE", planted="a market without a quote", world=_unquoted),
    Drill(
        control="SAFE_MODE",
        planted="an instrument in safe mode",
        world=_seeing(held_back=((BTC, "no trade for 300 s"),)),
    ),
    Drill(control="STALE_QUOTE", planted="a quote that is too old", world=_late),
    Drill(control="OFF_TICK", planted="a price between two ticks", order=_off("tick")),
    Drill(control="OFF_LOT", planted="a quantity between two lots", order=_off("lot")),
    Drill(control="BELOW_MINIMUM", planted="the smallest lot there is", order=_off("minimum")),
    Drill(control="PRICE_COLLAR", planted="a tenth above the market", order=_priced("1.1")),
    Drill(
        control="SPREAD_TOO_WIDE",
        planted="a spread, where none is allowed",
        limits={"liquidity_guard_spread_pct": ZERO},
    ),
    Drill(
        control="MAX_QUANTITY_PER_TRADE",
        planted="more than the instrument's cap",
        limits={"max_quantities": (("BTC-USD", ZERO),)},
    ),
    Drill(control="MAX_NOTIONAL_PER_TRADE", planted="twice the trade", order=_of_worth("50")),
    Drill(
        control="MAX_DAILY_NOTIONAL",
        planted="an entry after the day's last dollar",
        world=_seeing(daily_notional=Decimal(50)),
    ),
    Drill(
        control="MAX_OPEN_POSITIONS",
        planted="a position too many",
        limits={"max_open_positions": 0},
    ),
    Drill(
        control="MAX_UNEXECUTED_NOTIONAL",
        planted="more waiting than is allowed",
        limits={"max_unexecuted_notional": _ONE},
    ),
    Drill(
        control="MAX_POSITION_NOTIONAL",
        planted="more of one instrument than is allowed",
        limits={"max_position_notional": _ONE},
    ),
    Drill(
        control="MAX_EXPOSURE_NOTIONAL",
        planted="more of everything than is allowed",
        limits={"max_exposure_notional": _ONE},
    ),
    Drill(
        control="GROUP_OVERFILL",
        planted="twice what was decided",
        wish=_of_a_group(target="0.5"),
    ),
    Drill(
        control="REPEATED_REJECTIONS",
        planted="three refusals within a minute",
        world=_refused,
    ),
    Drill(
        control="WORST_PRICE",
        planted="more than the worst price reckoned with",
        wish=_of_a_group(worst="0.99"),
    ),
    Drill(control="MAX_OPEN_ORDERS", planted="an order too many", limits={"max_open_orders": 0}),
    Drill(
        control="ORDER_RATE",
        planted="an order too soon",
        limits={"max_orders_per_minute": 0},
    ),
    Drill(control="CANCEL_RATIO", planted="an hour of entries for nothing", world=_idle_hour),
    Drill(
        control="NO_BALANCE",
        planted="balances that did not come",
        world=_seeing(balances=Missing("the drill hides them")),
    ),
    Drill(control="INSUFFICIENT_BALANCE", planted="one dollar on the account", world=_poor),
)
"""Those that need nothing at the exchange; the others are in `runtime/control_drill.py`."""
