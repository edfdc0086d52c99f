"""The order desk's part of a turn, from the snapshot alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    NOON,
    d,
    make_catalogue,
    make_group,
    make_instrument,
    make_intent,
    make_order,
    make_position,
    snapshot_with,
)
from zoe_tools.core.run import plan_run
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.domain.discrepancy import ReconciliationState
from zoe_tools.domain.identifiers import ClientOrderId, GroupId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.journal import FOR_NOW, IntentKind, IntentState, OrderRecord
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, EndGroup, PlaceOrder, Step
from zoe_tools.domain.trading_state import KillLevel, TradingState

GROUP = make_group(worst_price=d("60200.0"))
DUE = make_order(
    group_id=GROUP.group_id, ttl_s=d("60"), limit_price=d("59990.0"), next_action_at=NOON
)
GONE = replace(DUE, status=OrderStatus.CANCELED)
ROOM = replace(GROUP, renews=DUE.client_order_id)
DEGRADED = ReconciliationState(is_degraded=True, reason="cash mismatch")
PAUSED = TradingState(level=KillLevel.PAUSE_ENTRIES, reason="test", changed_at=NOON)
STOPPED = TradingState(level=KillLevel.CANCEL_OPEN, reason="test", changed_at=NOON)
HELD = make_position(quantity=d("0.001"))
EXIT = make_group(
    group_id=GroupId("G-2"),
    purpose="exit",
    side=Side.SELL,
    position_id=HELD.position_id,
    target_quantity=d("0.001"),
    ttl_s=d("30"),
)


def steps(*decisions: Decision, **changes: Any) -> list[str]:
    """What a turn would do, in short."""
    plan = plan_run(snapshot_with(**changes), decisions, frozenset())
    return [told(each) for each in plan.steps]


def told(step: Step) -> str:
    """Kind, and what it is about."""
    match step:
        case PlaceOrder(request=asked):
            return f"place {asked.purpose} {asked.order_type.value} {asked.quantity:f}"
        case AmendOrder(amendment=change):
            return f"amend to {change.limit_price}"
        case CancelOrder(ends_group=ending):
            return f"cancel {ending.value if ending else '-'}"
        case EndGroup(ending=ending):
            return f"end {ending.value}"
        case _:
            return type(step).__name__


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["amend to 60020.0"]),
        ({"reconciliation": DEGRADED}, []),
        ({"trading_state": PAUSED}, []),
        ({"trading_state": STOPPED}, ["cancel stopped"]),
    ],
)
def test_a_working_entry_is_not_repriced_where_none_may_be_made(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """The gate would refuse it turn after turn; from cancel-open on it goes."""
    assert steps(groups=(GROUP,), orders=(DUE,), **changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["place entry limit 0.0004"]),
        ({"reconciliation": DEGRADED}, []),
        ({"trading_state": PAUSED}, ["end stopped"]),
        ({"trading_state": STOPPED}, ["end stopped"]),
        ({"taken_at": NOON + timedelta(minutes=9), "reconciliation": DEGRADED}, ["end exhausted"]),
    ],
)
def test_what_is_left_of_an_entry_waits_or_ends_where_none_may_be_made(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """A doubt may pass within its time; an order of the operator's ends it."""
    assert steps(groups=(ROOM,), recent_orders=(GONE,), **changes) == expected


def test_the_rest_of_an_entry_goes_before_a_new_one() -> None:
    """At most one a turn; the new one is noted."""
    wish = Decision(symbol=GROUP.symbol, action="enter", reason="test")
    snapshot = snapshot_with(groups=(ROOM,), recent_orders=(GONE,))
    plan = plan_run(snapshot, (wish,), frozenset())

    assert [told(each) for each in plan.steps] == ["place entry limit 0.0004"]
    assert plan.notes == (f"{GROUP.symbol}: another entry goes on first",)


def sale(**changes: Any) -> OrderRecord:
    """The exit's order, five basis points below the bid, due at noon."""
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId("sale"),
        "group_id": EXIT.group_id,
        "side": Side.SELL,
        "purpose": "exit",
        "quantity": d("0.001"),
        "limit_price": d("60100.0"),
        "position_id": HELD.position_id,
        "ttl_s": d("30"),
        "next_action_at": NOON,
    }
    return make_order(**{**values, **changes})


@pytest.mark.parametrize(
    ("orders", "recent", "expected"),
    [
        ((sale(),), (), ["amend to 60070.0"]),
        ((), (sale(status=OrderStatus.CANCELED),), ["place exit limit 0.001"]),
        (
            (),
            (sale(status=OrderStatus.CANCELED, replace_count=4),),
            ["place exit market 0.001"],
        ),
        # Sold in part: the rest alone.
        (
            (),
            (sale(status=OrderStatus.CANCELED, filled_quantity=d("0.0004")),),
            ["place exit limit 0.0006"],
        ),
    ],
)
def test_an_exit_that_was_begun_goes_on_whoever_remembers_it(
    orders: tuple[OrderRecord, ...], recent: tuple[OrderRecord, ...], expected: list[str]
) -> None:
    """The books say that the position is left; degraded or stopped, it is left."""
    for state in ({}, {"reconciliation": DEGRADED}, {"trading_state": STOPPED}):
        told_now = steps(
            positions=(HELD,), groups=(EXIT,), orders=orders, recent_orders=recent, **state
        )
        assert told_now == expected


def test_an_exit_without_its_position_ends() -> None:
    """Somebody sold it, or it was given up."""
    gone = sale(status=OrderStatus.CANCELED)

    assert steps(groups=(EXIT,), recent_orders=(gone,)) == ["end not_held"]


def test_an_exit_without_a_price_goes_to_the_market() -> None:
    """A sale cannot wait for a quote that may not come."""
    snapshot = snapshot_with(positions=(HELD,), quotes=())
    plan = plan_run(snapshot, (), frozenset({HELD.position_id}))

    (step,) = plan.steps
    assert isinstance(step, PlaceOrder)
    assert (step.request.order_type, step.request.purpose) == (OrderType.MARKET, "exit")


STOP = make_order(
    client_order_id=ClientOrderId("stop"),
    side=Side.SELL,
    purpose="stop",
    order_type=OrderType.STOP_LOSS,
    quantity=d("0.001"),
    limit_price=None,
    trigger_price=d("58800.0"),
    position_id=HELD.position_id,
)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (VenueMode.ONLINE, ["cancel -"]),
        (VenueMode.CANCEL_ONLY, []),
        (VenueMode.MAINTENANCE, []),
        (VenueMode.POST_ONLY, []),
    ],
)
def test_a_stop_stays_while_the_venue_would_take_no_sale(
    mode: VenueMode, expected: list[str]
) -> None:
    """Cancelled for an exit that is refused it would leave the coins with nothing."""
    snapshot = snapshot_with(positions=(HELD,), orders=(STOP,), venue_mode=mode)
    plan = plan_run(snapshot, (), frozenset({HELD.position_id}))

    assert [told(each) for each in plan.steps] == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (InstrumentStatus.REDUCE_ONLY, ["cancel -"]),
        (InstrumentStatus.LIMIT_ONLY, ["cancel -"]),
        (InstrumentStatus.CANCEL_ONLY, []),
        (InstrumentStatus.POST_ONLY, []),
        (InstrumentStatus.MAINTENANCE, []),
        (InstrumentStatus.WORK_IN_PROGRESS, []),
        (InstrumentStatus.DELISTED, []),
    ],
)
def test_a_stop_stays_while_its_own_instrument_takes_no_sale(
    status: InstrumentStatus, expected: list[str]
) -> None:
    """The same of one market alone."""
    catalogue = make_catalogue(make_instrument(status=status))
    snapshot = snapshot_with(positions=(HELD,), orders=(STOP,), catalogue=catalogue)
    plan = plan_run(snapshot, (), frozenset({HELD.position_id}))

    assert [told(each) for each in plan.steps] == expected


@pytest.mark.parametrize("purpose", ["exit", "take_profit"])
def test_while_nobody_knows_of_a_sale_a_stop_is_tried_once(purpose: str) -> None:
    """If the sale arrived, it holds the coins and the stop is refused; else the stop rests."""
    unknown = sale(status=OrderStatus.UNKNOWN, created_at=NOON, purpose=purpose)
    world = {"positions": (HELD,), "groups": (EXIT,), "orders": (unknown,)}
    assert steps(**world) == ["place stop stop-loss 0.001"]

    refused = make_intent(
        kind=IntentKind.PLACE,
        state=IntentState.REJECTED,
        purpose="stop",
        position_id=HELD.position_id,
        created_at=NOON,
    )
    assert steps(**world, refusals=(refused,)) == []
    passing = replace(refused, evidence=f"{FOR_NOW}EService:Market in post_only mode")
    assert steps(**world, refusals=(passing,)) == ["place stop stop-loss 0.001"]
    held = replace(refused, evidence=f"{FOR_NOW}EOrder:Insufficient funds: not enough")
    assert steps(**world, refusals=(held,)) == []


@pytest.mark.parametrize(
    ("on_account", "is_tried"), [("0.001", True), ("0.0019", True), ("0.002", False)]
)
def test_no_stop_is_tried_beside_a_doubtful_sale_that_would_sell_others_coins(
    on_account: str, *, is_tried: bool
) -> None:
    """The venue would take it though the sale arrived: it proves nothing, and sells too much."""
    unknown = sale(status=OrderStatus.UNKNOWN, created_at=NOON)
    balances = (Balance(asset="BTC", total=d(on_account)),)
    world = {"positions": (HELD,), "groups": (EXIT,), "orders": (unknown,), "balances": balances}

    assert steps(**world) == (["place stop stop-loss 0.001"] if is_tried else [])


def test_a_sale_that_is_refused_for_now_was_no_attempt() -> None:
    """A venue in maintenance does not drive the price down the ladder."""
    refused = sale(
        status=OrderStatus.REJECTED,
        reason=f"{FOR_NOW}EService:Market in cancel_only mode",
        replace_count=1,
    )
    snapshot = snapshot_with(positions=(HELD,), groups=(EXIT,), recent_orders=(refused,))
    (step,) = plan_run(snapshot, (), frozenset()).steps

    assert isinstance(step, PlaceOrder)
    assert step.ticket is not None
    assert (step.request.limit_price, step.ticket.attempt) == (d("59970.0"), 1)
