"""The veto: what adds risk passes every limit or is refused; what reduces risk always passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    BTC,
    ETH,
    LIVE,
    NOON,
    d,
    make_catalogue,
    make_instrument,
    make_intent,
    make_order,
    make_position,
    make_quote,
    make_request,
    make_stop_request,
    make_venue_order,
    place,
    plan_with,
    reading,
    snapshot_with,
)
from zoe_tools.core.risk import adds_risk, veto
from zoe_tools.domain.account import KeyInfo
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import (
    OrderAmendment,
    OrderRequest,
    OrderStatus,
    OrderTerms,
    OrderType,
    PriceOffset,
    Side,
    VenueOrder,
)
from zoe_tools.domain.plan import AdoptPosition, AmendOrder, CancelOrder, SetTradingState
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED, Missing, Snapshot
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState

HALTED = TradingState(level=KillLevel.PAUSE_ENTRIES, reason="drill", changed_at=NOON)
POSITIONS = tuple(
    make_position(position_id=PositionId(name), symbol=Symbol(f"{name}/USD"))
    for name in ("ETH", "SOL", "ADA")
)


def codes(snapshot: Snapshot, *requests: OrderRequest) -> list[str]:
    """The refusals of a plan that places these."""
    plan = plan_with(*(place(request) for request in requests))
    return [refusal.code for refusal in veto(plan, snapshot)]


def test_a_modest_entry_on_a_calm_day_passes() -> None:
    """No refusal at all."""
    assert codes(snapshot_with(), make_request()) == []


def instrument(**changes: Any) -> dict[str, Any]:
    """A catalogue whose BTC/USD differs."""
    return {"catalogue": make_catalogue(make_instrument(**changes))}


MAY_WITHDRAW = frozenset({"modify-trades", "withdraw-funds"})
OFFSET = PriceOffset(distance=d("10"), direction="-")
NO_LIMIT: dict[str, Any] = {"limit_price": None}
TRIGGERED: dict[str, Any] = {"trigger_price": d("59000.0")}
ONE_ETH = make_position(position_id=PositionId("E"), symbol=ETH, quantity=d("0.143"))
"""429 USD of it: the default exposure of nine positions is 450."""


def limited(**changes: Any) -> dict[str, Any]:
    """A policy of which these limits differ."""
    return {"policy": Policy(**changes)}


def working(notional: Decimal) -> OrderRecord:
    """An entry on ETH that still waits for so much money."""
    return make_order(symbol=ETH, order_type=OrderType.MARKET, limit_price=None, notional=notional)


def filled(at: datetime) -> OrderRecord:
    """An entry of that time, bought whole."""
    return make_order(created_at=at, status=OrderStatus.FILLED, filled_quantity=d("0.0004"))


def an_hour(*, canceled: int, filled_: int) -> tuple[OrderRecord, ...]:
    """The hour's entries: the first so many came to nothing."""
    return tuple(
        make_order(
            client_order_id=ClientOrderId(f"C{number}"),
            created_at=NOON - timedelta(minutes=30),
            status=OrderStatus.CANCELED if number < canceled else OrderStatus.FILLED,
            filled_quantity=d("0") if number < canceled else d("0.0004"),
        )
        for number in range(canceled + filled_)
    )


def sale_at(price: str, **changes: Any) -> VenueOrder:
    """Somebody's own offer that rests at the venue."""
    return make_venue_order(
        venue_order_id=VenueOrderId("OSALE"),
        client_order_id=None,
        side=Side.SELL,
        limit_price=d(price),
        **changes,
    )


FAR_SALE = sale_at("90000.0")


def own_sale(price: str) -> OrderRecord:
    """An exit of ours that rests at the venue."""
    return make_order(side=Side.SELL, purpose="exit", limit_price=d(price), quantity=d("0.1"))


ADOPTED = {"positions": (make_position(quantity=d("9"), origin="adopted"),)}

REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("HALTED", {"trading_state": HALTED}, {}),
    ("UNRESOLVED_INTENT", {"unresolved_intents": (make_intent(),)}, {}),
    ("SHORT", {}, {"side": Side.SELL}),
    ("VENUE_MODE", {"venue_mode": VenueMode.MAINTENANCE}, {}),
    ("VENUE_MODE", {"venue_mode": VenueMode.POST_ONLY}, {}),
    ("VENUE_MODE", {"venue_mode": Missing("down")}, {}),
    ("NO_INSTRUMENT", {"catalogue": Missing("down")}, {}),
    ("NO_INSTRUMENT", {"catalogue": make_catalogue(make_instrument("ETH/USD"))}, {}),
    ("INSTRUMENT_MODE", instrument(status=InstrumentStatus.REDUCE_ONLY), {}),
    ("NO_QUOTE", {"quotes": ()}, {}),
    ("NO_QUOTE", {"quotes": Missing("down")}, {}),
    ("NO_QUOTE", {"quotes": (make_quote(bid=d("0")),)}, {}),
    ("NO_QUOTE", {"quotes": (make_quote(bid=d("60001")),)}, {}),
    ("STALE_QUOTE", {"quotes": (make_quote(as_of=NOON - timedelta(seconds=11)),)}, {}),
    ("OFF_TICK", {}, {"limit_price": d("60000.05")}),
    ("OFF_LOT", {}, {"quantity": d("0.000400001")}),
    ("BELOW_MINIMUM", {}, {"quantity": d("0.00009")}),
    ("PRICE_COLLAR", {}, {"limit_price": d("63000.1")}),
    ("PRICE_COLLAR", {}, {"limit_price": d("56999.9")}),
    ("SPREAD_TOO_WIDE", {"quotes": (make_quote(bid=d("59699.0")),)}, {}),
    ("MAX_NOTIONAL_PER_TRADE", {}, {"quantity": d("0.00042")}),
    ("MAX_DAILY_NOTIONAL", {"daily_notional": d("26.01")}, {}),
    ("MAX_OPEN_POSITIONS", {"positions": POSITIONS}, {}),
    ("NO_BALANCE", {"balances": Missing("down")}, {}),
    ("INSUFFICIENT_BALANCE", {"balances": (Balance(asset="USD", total=d("24")),)}, {}),
    (
        "INSUFFICIENT_BALANCE",
        {"balances": (Balance(asset="USD", total=d("100"), hold=d("80")),)},
        {},
    ),
    ("KEY_SCOPE", {"key": reading(KeyInfo(name="k", permissions=MAY_WITHDRAW))}, {}),
    ("KEY_SCOPE", {"key": Missing("down")}, {}),
    ("UNPRICED", {}, {"order_type": OrderType.TRAILING_STOP, "trigger_price": d("60000.0")}),
    ("UNPRICED", {}, {"terms": OrderTerms(leverage=2)}),
    ("UNPRICED", {}, {"terms": OrderTerms(is_quantity_in_quote=True)}),
    ("UNPRICED", {}, {"terms": OrderTerms(limit_offset=OFFSET)}),
    ("NOT_ALLOWED", limited(allowed_symbols=("ETH-USD",)), {}),
    ("MAX_QUANTITY_PER_TRADE", limited(max_quantities=(("BTC-USD", d("0.00039")),)), {}),
    ("MAX_UNEXECUTED_NOTIONAL", {"orders": (working(notional=d("51.01")),)}, {}),
    ("MAX_UNEXECUTED_NOTIONAL", limited(max_unexecuted_notional=d("23.99")), {}),
    ("MAX_POSITION_NOTIONAL", {"positions": (make_position(quantity=d("0.00043334")),)}, {}),
    ("MAX_POSITION_NOTIONAL", limited(max_position_notional=d("0")), {}),
    ("MAX_POSITION_NOTIONAL", {**ADOPTED, **limited(max_position_notional=d("500"))}, {}),
    ("MAX_EXPOSURE_NOTIONAL", {**ADOPTED, **limited(max_exposure_notional=d("500"))}, {}),
    ("MAX_EXPOSURE_NOTIONAL", {"positions": (ONE_ETH,), **limited(max_open_positions=9)}, {}),
    ("MAX_OPEN_ORDERS", limited(max_open_orders=0), {}),
    ("MAX_OPEN_ORDERS", {"open_orders": (FAR_SALE,), **limited(max_open_orders=1)}, {}),
    ("ORDER_RATE", limited(max_orders_per_minute=0), {}),
    (
        "ORDER_RATE",
        {"recent_orders": (filled(NOON),), **limited(max_orders_per_minute=1)},
        {"quantity": d("0.0003")},
    ),
    ("CANCEL_RATIO", {"recent_orders": an_hour(canceled=20, filled_=0)}, {}),
    ("CANCEL_RATIO", {"recent_orders": an_hour(canceled=20, filled_=1)}, {}),
    ("DUPLICATE_ORDER", {"orders": (make_order(),)}, {}),
    ("DUPLICATE_ORDER", {"recent_orders": (filled(NOON - timedelta(seconds=9)),)}, {}),
    ("SELF_TRADE", {"open_orders": (sale_at("60000.0"),)}, {}),
    ("SELF_TRADE", {"orders": (own_sale("59999.9"),)}, {}),
    (
        "SELF_TRADE",
        {"orders": (own_sale("60000.1"),)},
        {"order_type": OrderType.MARKET, **NO_LIMIT},
    ),
    ("MALFORMED", {}, {"quantity": d("0")}),
    ("MALFORMED", {}, {"quantity": d("-1")}),
    ("MALFORMED", {}, {"quantity": d("NaN")}),
    ("MALFORMED", {}, {"limit_price": d("Infinity")}),
]


@pytest.mark.parametrize(("code", "world", "order"), REFUSED)
def test_an_entry_is_refused_when(code: str, world: dict[str, Any], order: dict[str, Any]) -> None:
    """One cause, one code; what is missing or stale refuses too."""
    assert codes(snapshot_with(**world), make_request(**order)) == [code]


PASSING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"key": reading(KeyInfo(name="k", permissions=frozenset({"modify-trades"})))}, {}),
    (
        {
            "key": reading(KeyInfo(name="k", permissions=MAY_WITHDRAW)),
            **limited(allow_withdrawal_key=True),
        },
        {},
    ),
    (limited(allowed_symbols=("BTC-USD",)), {}),
    (limited(max_quantities=(("BTC-USD", d("0.0004")), ("ETH-USD", d("0")))), {}),
    ({"orders": (working(notional=d("51")),)}, {}),
    ({"positions": (make_position(quantity=d("0.00043333")),)}, {}),
    (ADOPTED, {}),
    ({"open_orders": (FAR_SALE,), **limited(max_open_orders=2)}, {}),
    (
        {
            "recent_orders": (filled(NOON - timedelta(minutes=1)),),
            **limited(max_orders_per_minute=1),
        },
        {},
    ),
    ({"recent_orders": an_hour(canceled=19, filled_=0)}, {}),
    ({"recent_orders": an_hour(canceled=19, filled_=1)}, {}),
    ({"recent_orders": (filled(NOON - timedelta(seconds=10)),)}, {}),
    ({"recent_orders": an_hour(canceled=1, filled_=0)}, {}),
    ({"orders": (make_order(),), **limited(duplicate_window_s=0.0)}, {}),
    ({"orders": (make_order(),)}, {"quantity": d("0.0003")}),
    ({"open_orders": (sale_at("60000.1"),)}, {}),
    ({"open_orders": (sale_at("59000.0", order_type=OrderType.STOP_LOSS_LIMIT, **TRIGGERED),)}, {}),
    ({"daily_notional": d("26")}, {}),
    ({"quotes": (make_quote(as_of=NOON - timedelta(seconds=10)),)}, {}),
    ({"venue_mode": VenueMode.POST_ONLY}, {"post_only": True}),
    ({"venue_mode": VenueMode.LIMIT_ONLY}, {}),
    ({"unresolved_intents": (make_intent(symbol=ETH),)}, {}),
    ({"positions": POSITIONS[:2]}, {}),
    ({"positions": (*POSITIONS[:2], make_position())}, {}),
    ({"balances": NOT_GATHERED}, {}),
    ({"balances": (Balance(asset="USD", total=d("24.096")),)}, {}),
    ({}, {"order_type": OrderType.MARKET, "limit_price": None}),
    ({}, {"limit_price": d("63000.0"), "quantity": d("0.0003")}),
]


@pytest.mark.parametrize(("world", "order"), PASSING)
def test_an_entry_at_the_very_limit_passes(world: dict[str, Any], order: dict[str, Any]) -> None:
    """Limits are inclusive."""
    assert codes(snapshot_with(**world), make_request(**order)) == []


def test_defect_23_the_steps_of_one_plan_share_the_limits() -> None:
    """Three entries of 24: two fit into the day's 50, and into 49 dollars only one."""
    three = [make_request(limit_price=d(each)) for each in ("60000.0", "59999.9", "59999.8")]
    poor = snapshot_with(balances=(Balance(asset="USD", total=d("47")),))

    assert codes(snapshot_with(), *three) == ["MAX_DAILY_NOTIONAL"]
    assert codes(poor, *three[:2]) == ["INSUFFICIENT_BALANCE"]


def test_zero_as_a_limit_means_zero() -> None:
    """Not "no limit"."""
    snapshot = snapshot_with(policy=Policy(max_open_positions=0))

    assert codes(snapshot, make_request()) == ["MAX_OPEN_POSITIONS"]


def test_a_plan_for_another_account_is_refused_step_by_step() -> None:
    """Paper and live never mix."""
    plan = plan_with(place(), SetTradingState(level=KillLevel.FLATTEN, reason="r"), account=LIVE)

    assert [each.code for each in veto(plan, snapshot_with())] == ["WRONG_ACCOUNT"] * 2


def test_defect_12_only_resume_lowers_a_level() -> None:
    """Escalation always, de-escalation by one command."""
    snapshot = snapshot_with(trading_state=HALTED)
    lower = SetTradingState(level=KillLevel.NONE, reason="r")
    higher = SetTradingState(level=KillLevel.FLATTEN, reason="r")

    assert [each.code for each in veto(plan_with(lower), snapshot)] == ["DE_ESCALATION"]
    assert veto(plan_with(higher), snapshot) == ()
    assert veto(plan_with(lower, command="resume"), snapshot) == ()


def test_a_stopped_instrument_takes_no_new_risk_and_no_other_is_concerned() -> None:
    """Its level falls by `zoe resume` of it alone; the account's is another."""
    state = replace(ARMED, stopped=((BTC, HALTED),))
    snapshot = snapshot_with(trading_state=state)
    lower = SetTradingState(level=KillLevel.NONE, reason="r", symbol=BTC)
    other = SetTradingState(level=KillLevel.PAUSE_ENTRIES, reason="r")

    assert codes(snapshot, make_request()) == ["HALTED"]
    assert "HALTED" not in codes(snapshot, make_request(symbol=ETH))
    assert [each.code for each in veto(plan_with(lower, other), snapshot)] == ["DE_ESCALATION"]


NO_REDUCTIONS = [
    make_stop_request(side=Side.BUY),
    make_stop_request(quantity=d("0.00040001")),
    make_stop_request(symbol=ETH),
]


@pytest.mark.parametrize("request_", NO_REDUCTIONS)
def test_what_calls_itself_a_reduction_has_to_be_one(request_: OrderRequest) -> None:
    """It sells, and no more than is managed: coins bought elsewhere are not zoe's to sell."""
    assert codes(snapshot_with(positions=(make_position(),)), request_) == ["NOT_A_REDUCTION"]


def test_a_position_adopted_in_the_same_plan_may_be_protected_in_it() -> None:
    """The plan's earlier steps count."""
    plan = plan_with(
        AdoptPosition(position=make_position(), reason="r"),
        place(make_stop_request(), position_id=PositionId("P1")),
    )

    assert veto(plan, snapshot_with()) == ()


AMENDS = [
    ("stop", {}, {"trading_state": HALTED}, []),
    ("entry", {"limit_price": d("60000.0")}, {"trading_state": HALTED}, ["HALTED"]),
    ("entry", {"limit_price": d("60000.0")}, {}, []),
    ("entry", {"quantity": d("0.001")}, {}, ["MAX_NOTIONAL_PER_TRADE"]),
    ("entry", {"quantity": d("NaN")}, {}, ["MALFORMED"]),
    ("entry", {"limit_price": d("63000.1")}, {}, ["PRICE_COLLAR"]),
    ("entry", {"limit_offset": OFFSET}, {}, ["UNPRICED"]),
    ("entry", {}, {"key": Missing("down")}, ["KEY_SCOPE"]),
    ("entry", {}, {"quotes": Missing("down")}, ["NO_QUOTE"]),
]


@pytest.mark.parametrize(("purpose", "change", "world", "expected"), AMENDS)
def test_amending_an_entry_is_risk_and_amending_a_stop_is_not(
    purpose: Any, change: dict[str, Any], world: dict[str, Any], expected: list[str]
) -> None:
    """The cap of one trade holds for the amended whole."""
    amendment = OrderAmendment(
        venue_order_id=VenueOrderId("OAAAAA-AAAAA-AAAAA1"), symbol=BTC, **change
    )
    step = AmendOrder(amendment=amendment, reason="r", purpose=purpose)
    snapshot = snapshot_with(orders=(make_order(),), **world)

    assert [each.code for each in veto(plan_with(step), snapshot)] == expected


parts = st.sampled_from([NOT_GATHERED, Missing("down")])
worlds = st.fixed_dictionaries(
    {
        "trading_state": st.sampled_from(KillLevel).map(
            lambda level: TradingState(level=level, reason="r", changed_at=NOON)
        ),
        "venue_mode": st.one_of(parts, st.sampled_from(VenueMode)),
        "quotes": parts,
        "balances": parts,
        "catalogue": parts,
        "unresolved_intents": st.sampled_from([(), (make_intent(),)]),
        "daily_notional": st.decimals(min_value=0, max_value=10**9, places=2),
        "policy": st.just(Policy(max_notional_per_trade=Decimal(0), max_daily_notional=Decimal(0))),
    }
)


@given(
    worlds,
    st.decimals(min_value="0.00000001", max_value="0.0004", places=8),
    st.sampled_from(["exit", "stop", "take_profit", "flatten", "repair"]),
)
def test_defect_6_no_state_of_the_world_blocks_a_reduction(
    world: dict[str, Any], quantity: Decimal, purpose: Any
) -> None:
    """Limits, halts, blind feeds, unknown outcomes stop new risk, never its reduction."""
    snapshot = snapshot_with(positions=(make_position(),), **world)
    plan = plan_with(
        place(make_stop_request(quantity=quantity, purpose=purpose)),
        CancelOrder(venue_order_id=VenueOrderId("O1"), symbol=BTC, reason="r"),
    )

    assert veto(plan, snapshot) == ()
    assert not any(adds_risk(step) for step in plan.steps)


@given(worlds)
def test_an_entry_never_passes_a_world_that_cannot_be_seen(world: dict[str, Any]) -> None:
    """Whatever is missing fails closed."""
    assert len(codes(snapshot_with(**world), make_request())) == 1


@pytest.mark.parametrize(
    ("code", "changes", "ahead_s"),
    [
        ("MALFORMED", {"quantity": d("1e15")}, 0),
        ("MALFORMED", {"quantity": d("1e999999")}, 0),
        ("MALFORMED", {"limit_price": d("1e30")}, 0),
        ("MALFORMED", {"trigger_price": d("1e999999")}, 0),
        ("UNPRICED", NO_LIMIT, 0),
        ("STALE_QUOTE", {}, 10.1),
        (None, {}, 10),
    ],
)
def test_absurd_orders_and_quotes_from_ahead_are_refused_and_break_nothing(
    code: str | None, changes: dict[str, Any], ahead_s: float
) -> None:
    """A number that cannot be reckoned with, a limit order without one, a clock set back."""
    quote = make_quote(as_of=NOON + timedelta(seconds=ahead_s))
    snapshot = snapshot_with(quotes=reading((quote,)))
    entry = make_request(order_type=OrderType.LIMIT, **changes)

    assert codes(snapshot, entry) == ([] if code is None else [code])


@pytest.mark.parametrize(("window_s", "refused"), [(10.0, ["DUPLICATE_ORDER"]), (0.0, [])])
def test_the_same_entry_twice_in_one_plan_is_a_duplicate(
    window_s: float, refused: list[str]
) -> None:
    """It is placed within a second of the first."""
    snapshot = snapshot_with(**limited(duplicate_window_s=window_s))
    entry = make_request(quantity=d("0.0002"))

    assert codes(snapshot, entry, entry) == refused
