"""What each kill level cancels, spares and sells, and what stands against re-arming."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    BTC,
    ETH,
    NOON,
    d,
    make_catalogue,
    make_fill,
    make_instrument,
    make_intent,
    make_order,
    make_position,
    make_venue_order,
    snapshot_with,
)
from resting_orders import ENTRY, OUR_STOP, STOP
from zoe_tools.core.kill import is_unfinished, plan_kill, plan_latch
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.instrument import InstrumentStatus
from zoe_tools.domain.journal import IntentKind
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.market import VenueMode
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Plan, SetTradingState, Step
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.domain.trading_state import (
    CONFIG_SWITCH,
    KillLevel,
    TradingState,
)
from zoe_tools.errors import VenueUnavailable

FOREIGN_SELL = make_venue_order(
    venue_order_id=VenueOrderId("O-foreign"),
    client_order_id=None,
    symbol=ETH,
    side=Side.SELL,
    limit_price=d("9000.0"),
)
FOREIGN_BUY = make_venue_order(
    venue_order_id=VenueOrderId("O-manual"), client_order_id=None, symbol=ETH
)
HELD = make_position(stop_venue_order_id=VenueOrderId("O-stop"))


def world(**changes: Any) -> Snapshot:
    """A managed position with its stop, an entry, and two orders that somebody placed by hand."""
    values: dict[str, Any] = {
        "open_orders": (ENTRY, STOP, FOREIGN_SELL, FOREIGN_BUY),
        "orders": (make_order(venue_order_id=VenueOrderId("O-entry")), OUR_STOP),
        "positions": (HELD,),
        "balances": (Balance(asset="BTC", total=d("2.0004")), Balance(asset="USD", total=d("1"))),
        **changes,
    }
    return snapshot_with(**values)


def cancelled(plan: Plan) -> list[str]:
    """The ids a plan cancels."""
    return [step.venue_order_id for step in plan.steps if isinstance(step, CancelOrder)]


def kinds(plan: Plan) -> list[type[Step]]:
    """The kinds of its steps."""
    return [type(step) for step in plan.steps]


LEVELS = [
    (KillLevel.PAUSE_ENTRIES, []),
    (KillLevel.CANCEL_OPEN, ["O-entry", "O-manual"]),
    (KillLevel.REDUCE_ONLY, ["O-entry", "O-manual"]),
    (KillLevel.FLATTEN, ["O-entry", "O-manual", "O-stop"]),
]


@pytest.mark.parametrize(("level", "ids"), LEVELS)
def test_each_level_latches_first_and_cancels_what_could_add_risk(
    level: KillLevel, ids: list[str]
) -> None:
    """Sells stay; flattening cancels zoe's own, because they hold what is to be sold."""
    plan = plan_kill(world(), level, "drill")

    assert plan.steps[0] == SetTradingState(level=level, reason="drill", before=KillLevel.NONE)
    assert cancelled(plan) == ids


def test_flattening_sells_what_is_managed_and_not_one_coin_more() -> None:
    """Two BTC bought elsewhere stay."""
    sales = [
        step.request
        for step in plan_kill(world(), KillLevel.FLATTEN, "drill").steps
        if isinstance(step, PlaceOrder)
    ]

    assert [(sale.symbol, sale.quantity, sale.side) for sale in sales] == [
        (BTC, d("0.0004"), Side.SELL)
    ]


def test_each_position_keeps_its_stop_until_it_is_its_turn_to_be_sold() -> None:
    """Buys first; then cancelled and sold one by one: limits may hold up what comes later."""
    eth_stop = replace(STOP, symbol=ETH, venue_order_id=VenueOrderId("O-eth"))
    held = make_position(
        position_id=PositionId("P2"), symbol=ETH, stop_venue_order_id=VenueOrderId("O-eth")
    )
    plan = plan_kill(
        world(open_orders=(eth_stop, STOP, ENTRY), positions=(HELD, held)),
        KillLevel.FLATTEN,
        "drill",
    )

    told = [
        each.venue_order_id if isinstance(each, CancelOrder) else each.request.symbol
        for each in plan.steps
        if isinstance(each, CancelOrder | PlaceOrder)
    ]
    assert told == ["O-entry", "O-stop", BTC, "O-eth", ETH]


@pytest.mark.parametrize(
    ("level", "ids"), [(KillLevel.CANCEL_OPEN, ["O-manual"]), (KillLevel.FLATTEN, ["O-manual"])]
)
def test_an_instrument_s_kill_is_about_nothing_else(level: KillLevel, ids: list[str]) -> None:
    """ETH: its buy goes; of BTC neither the entry nor the stop nor the position is touched."""
    plan = plan_kill(world(), level, "drill", ETH)

    assert plan.steps[0] == SetTradingState(
        level=level, reason="drill", before=KillLevel.NONE, symbol=ETH
    )
    assert cancelled(plan) == ids
    assert PlaceOrder not in kinds(plan)


def test_an_instrument_is_sold_out_for_itself() -> None:
    """Its own stop goes, and what zoe manages of it; whatever is open elsewhere stays."""
    plan = plan_kill(world(), KillLevel.FLATTEN, "drill", BTC)

    assert cancelled(plan) == ["O-entry", "O-stop"]
    assert [each.request.symbol for each in plan.steps if isinstance(each, PlaceOrder)] == [BTC]


def test_what_was_stopped_needs_no_second_plan() -> None:
    """Idempotent: latched, cancelled, sold, nothing left to do."""
    state = TradingState(level=KillLevel.FLATTEN, reason="drill", changed_at=NOON)
    after = world(trading_state=state, open_orders=(FOREIGN_SELL,), positions=())

    assert plan_kill(after, KillLevel.FLATTEN, "again").is_empty


def test_defect_12_a_level_is_never_lowered() -> None:
    """Asked for less, nothing is latched and a note says so."""
    state = TradingState(level=KillLevel.FLATTEN, reason="drill", changed_at=NOON)
    plan = plan_latch(world(trading_state=state), KillLevel.PAUSE_ENTRIES, "less")

    assert (plan.steps, plan.notes) == ((), ("Trading is already at flatten.",))


def test_latching_needs_nothing_of_the_venue_and_cancelling_needs_the_open_orders() -> None:
    """An unreadable list is never an empty one, where the books know of no buy, either."""
    blind = world(open_orders=Missing("down"), orders=(OUR_STOP,))

    assert kinds(plan_latch(blind, KillLevel.CANCEL_OPEN, "r")) == [SetTradingState]
    with pytest.raises(VenueUnavailable, match="the open orders: down"):
        plan_kill(blind, KillLevel.CANCEL_OPEN, "r")


def test_a_missing_part_keeps_nothing_back_that_can_be_done_without_it() -> None:
    """Without the list: what the books know goes. Without instruments: stops stay."""
    gone = Missing("OpenOrders is down")
    unlisted = plan_kill(world(open_orders=gone), KillLevel.FLATTEN, "drill")
    assert cancelled(unlisted) == ["O-entry"]
    assert unlisted.notes == ("What else is open cannot be told: OpenOrders is down.",)
    with pytest.raises(VenueUnavailable):
        plan_kill(world(open_orders=gone, orders=(OUR_STOP,)), KillLevel.FLATTEN, "drill")

    blind = world(catalogue=Missing("AssetPairs is down"))
    halted = TradingState(level=KillLevel.FLATTEN, reason="drill", changed_at=NOON)
    assert cancelled(plan_kill(blind, KillLevel.FLATTEN, "drill")) == ["O-entry", "O-manual"]
    quiet = replace(
        world(catalogue=Missing("AssetPairs is down"), open_orders=(STOP,)), trading_state=halted
    )
    left = plan_kill(quiet, KillLevel.FLATTEN, "drill")
    assert (left.is_empty, is_unfinished(left)) == (True, True)


def test_what_rests_to_take_profit_makes_room_as_the_stop_does() -> None:
    """A part of the position is held by a target of ours: the whole position is sold."""
    target = replace(
        STOP,
        venue_order_id=VenueOrderId("O-target"),
        client_order_id=ClientOrderId("target"),
        order_type=OrderType.LIMIT,
        limit_price=d("66000.0"),
        trigger_price=None,
    )
    ours = replace(
        OUR_STOP,
        client_order_id=ClientOrderId("target"),
        purpose="take_profit",
        order_type=OrderType.LIMIT,
    )
    plan = plan_kill(
        world(open_orders=(STOP, target), orders=(OUR_STOP, ours)), KillLevel.FLATTEN, "drill"
    )

    assert cancelled(plan) == ["O-stop", "O-target"]
    sales = [each.request for each in plan.steps if isinstance(each, PlaceOrder)]
    assert [(each.symbol, each.quantity) for each in sales] == [(BTC, HELD.quantity)]


def test_dust_is_named_and_not_sold() -> None:
    """Below the venue's minimum there is nothing to send."""
    dust = make_position(quantity=d("0.00001"))
    dusty = world(positions=(dust,), open_orders=(), orders=(OUR_STOP,))
    plan = plan_kill(dusty, KillLevel.FLATTEN, "r")

    assert kinds(plan) == [SetTradingState]
    assert "cannot be sold" in plan.notes[-1]


def test_an_instrument_that_left_the_venue_s_list_keeps_no_other_one_from_being_sold() -> None:
    """It is named, and the kill is not told as done: something is held."""
    gone = make_position(position_id=PositionId("P-gone"), symbol=Symbol("OLD/USD"))
    plan = plan_kill(world(positions=(gone, HELD), open_orders=(STOP,)), KillLevel.FLATTEN, "r")

    sales = [each.request.symbol for each in plan.steps if isinstance(each, PlaceOrder)]
    assert sales == [HELD.symbol]
    assert "OLD/USD: 0.0004 cannot be sold yet: the venue lists no such instrument." in plan.notes
    assert is_unfinished(plan)


@pytest.mark.parametrize(
    "status",
    [InstrumentStatus.CANCEL_ONLY, InstrumentStatus.POST_ONLY, InstrumentStatus.MAINTENANCE],
)
def test_a_stop_stays_where_its_instrument_takes_no_sale(
    status: InstrumentStatus,
) -> None:
    """Cancelled for a sale that is refused it would leave the coins with nothing."""
    catalogue = make_catalogue(make_instrument(status=status), make_instrument(ETH))
    plan = plan_kill(world(catalogue=catalogue), KillLevel.FLATTEN, "r")

    assert cancelled(plan) == ["O-entry", "O-manual"]
    assert [each for each in plan.steps if isinstance(each, PlaceOrder)] == []
    told = f"BTC/USD: 0.0004 cannot be sold yet: the venue has it at {status.value}."
    assert told in plan.notes
    assert is_unfinished(plan)


def test_where_limits_alone_are_taken_it_is_sold_by_one() -> None:
    """At the edge of the collar; without a price there is none, and the stop stays."""
    limited = make_instrument(status=InstrumentStatus.LIMIT_ONLY)
    catalogue = make_catalogue(limited, make_instrument(ETH))
    plan = plan_kill(world(catalogue=catalogue), KillLevel.FLATTEN, "r")

    (sale,) = [each.request for each in plan.steps if isinstance(each, PlaceOrder)]
    assert (sale.order_type, sale.limit_price) == (OrderType.LIMIT, d("57000.0"))
    assert "O-stop" in cancelled(plan)

    unpriced = plan_kill(world(catalogue=catalogue, quotes=()), KillLevel.FLATTEN, "r")
    assert "O-stop" not in cancelled(unpriced)
    assert is_unfinished(unpriced)


@pytest.mark.parametrize("mode", list(VenueMode))
def test_nothing_is_uncovered_that_the_whole_venue_would_not_let_be_sold(mode: VenueMode) -> None:
    """Only the buys go then; and where it takes limits alone, one is sold at."""
    plan = plan_kill(world(venue_mode=mode), KillLevel.FLATTEN, "r")
    sales = [each.request.order_type for each in plan.steps if isinstance(each, PlaceOrder)]

    is_open = mode in {VenueMode.ONLINE, VenueMode.LIMIT_ONLY, VenueMode.UNKNOWN}
    assert ("O-stop" in cancelled(plan)) is is_open
    assert {"O-entry", "O-manual"} <= set(cancelled(plan))
    assert is_unfinished(plan) is not is_open
    limited = OrderType.LIMIT if mode is VenueMode.LIMIT_ONLY else OrderType.MARKET
    assert sales == ([limited] if is_open else [])


def test_a_mode_that_nobody_told_keeps_nothing_from_being_sold() -> None:
    """It is not known to be closed."""
    plan = plan_kill(world(venue_mode=Missing("down")), KillLevel.FLATTEN, "r")

    assert PlaceOrder in kinds(plan)


def test_a_sale_that_is_under_way_is_not_doubled() -> None:
    """The working market sell covers the position."""
    selling = make_order(
        client_order_id=ClientOrderId("sale"),
        purpose="flatten",
        side=Side.SELL,
        order_type=OrderType.MARKET,
        status=OrderStatus.UNKNOWN,
        position_id=PositionId("P1"),
    )
    plan = plan_kill(world(open_orders=(), orders=(selling,)), KillLevel.FLATTEN, "r")

    assert kinds(plan) == [SetTradingState]
    assert "being sold already" in plan.notes[-1]


def test_a_position_whose_stop_may_have_fired_unseen_is_not_sold_again() -> None:
    """The books call the stop open, the venue shows it no more: first it is known what it sold."""
    plan = plan_kill(world(open_orders=()), KillLevel.FLATTEN, "r")

    assert kinds(plan) == [SetTradingState]
    assert "0.0004 cannot be sold yet: its order O-stop rests at the venue no more" in plan.notes[0]
    assert is_unfinished(plan)


@pytest.mark.parametrize(
    ("booked", "ids", "sales"),
    [("0", [], []), ("0.0003", [], ["0.0003"]), ("0.0004", ["O-stop"], ["0.0004"])],
)
def test_what_was_executed_and_is_not_booked_keeps_its_stop(
    booked: str, ids: list[str], sales: list[str]
) -> None:
    """It cannot be sold before its trades are shown, and stays protected until then."""
    bought = make_order(
        venue_order_id=VenueOrderId("O-in"),
        status=OrderStatus.FILLED,
        filled_quantity=d("0.0004"),
        position_id=PositionId("P1"),
    )
    fills = () if booked == "0" else (make_fill(venue_order_id=VenueOrderId("O-in")),)
    snapshot = world(
        open_orders=(STOP,),
        orders=(bought, OUR_STOP),
        recent_orders=(bought, OUR_STOP),
        recorded_fills=tuple(replace(each, quantity=d(booked)) for each in fills),
        positions=(replace(HELD, quantity=d(booked)),) if fills else (),
    )
    plan = plan_kill(snapshot, KillLevel.FLATTEN, "r")

    assert cancelled(plan) == ids
    placed = [each.request.quantity for each in plan.steps if isinstance(each, PlaceOrder)]
    assert placed == [d(each) for each in sales]
    assert is_unfinished(plan) is (booked != "0.0004")
    if booked != "0.0004":
        assert "cannot be sold yet: the venue shows no trade" in plan.notes[0]
    other = plan_kill(snapshot, KillLevel.FLATTEN, "r", Symbol("ETH/USD"))
    assert not any("no trade" in each for each in other.notes)


def short_of_trades(stop: str, **changes: Any) -> Plan:
    """One is booked, 0.4 more is executed and not booked; of both there is one stop."""
    bought = make_order(
        client_order_id=ClientOrderId("E2"),
        venue_order_id=VenueOrderId("O-e2"),
        status=OrderStatus.FILLED,
        quantity=d("0.4"),
        filled_quantity=d("0.4"),
    )
    snapshot = world(
        open_orders=(replace(STOP, quantity=d(stop)),),
        orders=(bought, replace(OUR_STOP, quantity=d(stop))),
        positions=(replace(HELD, quantity=d("1"), entry_quantity=d("1")),),
        **changes,
    )
    return plan_kill(snapshot, KillLevel.FLATTEN, "r")


@pytest.mark.parametrize(
    ("stop", "shrunk", "ids"), [("1.4", ["0.4"], []), ("0.4", [], []), ("0.3", [], [])]
)
def test_a_stop_shrinks_to_what_cannot_be_sold_yet(
    stop: str, shrunk: list[str], ids: list[str]
) -> None:
    """Cancelled it would leave that bare until its trades show; one that is no larger stays."""
    plan = short_of_trades(stop)

    changes = [each.amendment for each in plan.steps if isinstance(each, AmendOrder)]
    assert [each.quantity for each in changes] == [d(each) for each in shrunk]
    assert cancelled(plan) == ids
    sales = [each.request.quantity for each in plan.steps if isinstance(each, PlaceOrder)]
    assert sales == [d("1")]
    assert is_unfinished(plan)


def test_a_stop_that_the_venue_would_not_shrink_goes() -> None:
    """What is booked is sold all the same; so where what is left is below the minimum."""
    refused = make_intent(kind=IntentKind.AMEND, venue_order_id=VenueOrderId("O-stop"))
    large = make_catalogue(make_instrument(min_quantity=d("0.5")), make_instrument(ETH))

    for plan in (
        short_of_trades("1.4", refusals=(refused,)),
        short_of_trades("1.4", catalogue=large),
    ):
        assert cancelled(plan) == ["O-stop"]
        assert AmendOrder not in kinds(plan)
        assert PlaceOrder in kinds(plan)


STOPPED = TradingState(level=KillLevel.REDUCE_ONLY, reason="drill", changed_at=NOON)
SWITCHED = TradingState(
    level=KillLevel.REDUCE_ONLY, reason="x", changed_at=None, changed_by=CONFIG_SWITCH
)


@pytest.mark.parametrize("level", [KillLevel.PAUSE_ENTRIES, KillLevel.CANCEL_OPEN])
def test_vector_10_a_kill_takes_over_what_was_margin_s(level: KillLevel) -> None:
    """What a person ordered must not pass with the margin; nor is the level lowered by it."""
    state = TradingState(
        level=KillLevel.CANCEL_OPEN, reason="margin_critical: 93", changed_at=NOON, changed_by="run"
    )
    snapshot = snapshot_with(trading_state=state)
    wanted = SetTradingState(
        level=KillLevel.CANCEL_OPEN, reason="mine", before=KillLevel.CANCEL_OPEN
    )

    assert plan_latch(snapshot, level, "mine").steps == (wanted,)
    assert plan_latch(snapshot, level, "margin_critical: 94").steps == ()


def test_a_level_that_only_the_switch_demands_is_latched_by_a_kill() -> None:
    """Else it would go when the row of the table goes."""
    wanted = SetTradingState(level=KillLevel.REDUCE_ONLY, reason="r", before=KillLevel.REDUCE_ONLY)

    assert plan_latch(world(trading_state=SWITCHED), KillLevel.REDUCE_ONLY, "r").steps == (wanted,)
    assert plan_latch(world(trading_state=STOPPED), KillLevel.REDUCE_ONLY, "r").is_empty
