"""One turn of the loop: protection before exits before entries, from the snapshot alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from builders import (
    BTC,
    ETH,
    NOON,
    PAPER,
    d,
    make_catalogue,
    make_order,
    make_position,
    make_quote,
    make_stop,
    snapshot_with,
)
from zoe_tools.core.protection import stop_price_for
from zoe_tools.core.run import plan_run, target_price_for, wants_exit
from zoe_tools.core.strategy.protocol import Decision
from zoe_tools.core.take_profit import levels_for
from zoe_tools.domain.identifiers import PositionId, VenueOrderId
from zoe_tools.domain.market import Quote
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import Reading, Snapshot
from zoe_tools.domain.take_profit import TargetMode
from zoe_tools.domain.trading_state import KillLevel, TradingState

ENTER = Decision(symbol=BTC, action="enter", reason="the close rose")
LEAVING = frozenset({PositionId("P1")})


def world(**changes: Any) -> Snapshot:
    """A flat paper account at noon with fresh quotes."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "catalogue": Reading(make_catalogue(), NOON, "test"),
        "quotes": Reading((make_quote(), make_quote(ETH)), NOON, "test"),
    }
    return Snapshot(**{**values, **changes})


def test_a_flat_account_without_decisions_has_nothing_to_do() -> None:
    """The normal answer is the empty plan."""
    assert plan_run(world(), (), frozenset()).steps == ()


def test_an_entry_begins_5_bps_above_the_bid_sized_by_the_worst_price_it_may_reach() -> None:
    """30 bps further, 60209.8, 25 USD buy 0.00041521 BTC, rounded down to the lot."""
    (step,) = plan_run(world(), (ENTER,), frozenset()).steps
    assert isinstance(step, PlaceOrder)

    request = step.request
    assert (request.side, request.order_type, request.limit_price, request.quantity) == (
        Side.BUY,
        OrderType.LIMIT,
        d("60029.8"),
        d("0.00041521"),
    )
    assert step.notional <= Policy().max_notional_per_trade
    assert step.ticket is not None
    assert step.ticket.worst_price == d("60209.8")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"positions": (make_position(),)}, "a position is open"),
        ({"orders": (make_order(),)}, "an order is working"),
        ({"daily_notional": d("50")}, "too little"),
        ({"policy": Policy(max_open_positions=0)}, "at its limit"),
        ({"quotes": Reading((), NOON, "test")}, "no fresh quote"),
        (
            {"quotes": Reading((make_quote(bid=d("59699.0")),), NOON, "test")},
            "the spread is too wide",
        ),
    ],
)
def test_an_entry_is_left_out_with_the_reason(changes: dict[str, Any], note: str) -> None:
    """What is not done is said."""
    plan = plan_run(world(**changes), (ENTER,), frozenset())

    assert not [
        step
        for step in plan.steps
        if isinstance(step, PlaceOrder) and step.request.purpose == "entry"
    ]
    assert any(note in each for each in plan.notes)


@pytest.mark.parametrize(
    ("changes", "wish", "told"),
    [
        ({"daily_notional": d("49")}, ENTER, "MAX_DAILY_NOTIONAL (50) leaves 1.00 USD"),
        ({"daily_notional": d("70")}, ENTER, "MAX_DAILY_NOTIONAL (50) leaves 0.00 USD"),
        (
            {"policy": Policy(max_notional_per_trade=d("0.5"))},
            ENTER,
            "MAX_NOTIONAL_PER_TRADE (0.5) leaves 0.50 USD",
        ),
        (
            {"policy": Policy(max_exposure_notional=d("2"))},
            ENTER,
            "MAX_EXPOSURE_NOTIONAL (2) leaves 2.00 USD",
        ),
        (
            {"policy": Policy(max_unexecuted_notional=d("2"))},
            ENTER,
            "MAX_UNEXECUTED_NOTIONAL (2) leaves 2.00 USD",
        ),
        ({}, replace(ENTER, notional=d("0.25")), "the strategy asks for 0.25 USD"),
        ({}, replace(ENTER, strength=d("0.01")), "the strategy asks for 0.25 USD"),
        ({"policy": Policy(max_open_positions=0)}, ENTER, "MAX_OPEN_POSITIONS (0)"),
    ],
)
def test_the_limit_that_leaves_too_little_for_an_entry_is_named(
    changes: dict[str, Any], wish: Decision, told: str
) -> None:
    """With its value, so that an operator knows which one to look at; or the strategy is."""
    (note,) = plan_run(world(**changes), (wish,), frozenset()).notes

    assert told in note


@pytest.mark.parametrize("level", [level for level in KillLevel if level is not KillLevel.NONE])
def test_no_kill_level_lets_an_entry_through(level: KillLevel) -> None:
    """Every level stops new risk."""
    state = TradingState(level=level, reason="test", changed_at=NOON)

    assert plan_run(world(trading_state=state), (ENTER,), frozenset()).steps == ()


def test_a_position_without_a_stop_gets_one_at_the_policy_distance() -> None:
    """2 percent below 60000 is 58800."""
    position = make_position()
    (step,) = plan_run(world(positions=(position,)), (), frozenset()).steps
    assert isinstance(step, PlaceOrder)

    request = step.request
    assert (request.order_type, request.side, request.trigger_price, request.quantity) == (
        OrderType.STOP_LOSS,
        Side.SELL,
        d("58800.0"),
        position.quantity,
    )
    assert step.position_id == position.position_id


@pytest.mark.parametrize("status", [OrderStatus.PENDING_NEW, OrderStatus.OPEN])
def test_a_covered_position_is_left_alone(status: OrderStatus) -> None:
    """A stop that is on its way counts: nothing is placed twice."""
    position = make_position()
    snapshot = world(positions=(position,), orders=(make_stop(position, status=status),))

    assert plan_run(snapshot, (), frozenset()).steps == ()


def test_defect_2_a_stop_that_covers_too_little_is_amended_not_replaced() -> None:
    """Amending leaves no moment without a stop."""
    position = make_position()
    small = make_stop(position, quantity=d("0.0003"))
    (step,) = plan_run(world(positions=(position,), orders=(small,)), (), frozenset()).steps

    assert isinstance(step, AmendOrder)
    assert step.amendment.quantity == position.quantity


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        (("0.0004", "0.0004"), [("cancel", "O2", "")]),
        (("0.0004", "0.0002", "0.0001"), [("cancel", "O3", ""), ("cancel", "O2", "")]),
        (("0.0003", "0.0002"), [("amend", "O2", "0.0001")]),
        (("0.0002", "0.0001"), [("amend", "O1", "0.0003")]),
        (("0.0003", "0.0001"), []),
    ],
)
def test_several_stops_of_a_position_come_to_what_is_held(
    quantities: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    """What they hold beyond it are coins of somebody else's; the linked one stays."""
    position = make_position(stop_venue_order_id=VenueOrderId("O1"))
    stops = tuple(
        make_stop(position, venue_order_id=VenueOrderId(f"O{number}"), quantity=d(each))
        for number, each in enumerate(quantities, start=1)
    )
    told = []
    for step in plan_run(world(positions=(position,), orders=stops), (), frozenset()).steps:
        if isinstance(step, AmendOrder):
            change = step.amendment
            told.append(("amend", change.venue_order_id, f"{change.quantity:f}"))
        elif isinstance(step, CancelOrder):
            told.append(("cancel", step.venue_order_id, ""))
    assert told == expected


def test_dust_is_not_stopped() -> None:
    """Below the venue's minimum there is no order that could protect it."""
    dust = make_position(quantity=d("0.00001"))

    assert plan_run(world(positions=(dust,)), (), frozenset()).steps == ()


def test_dust_does_not_stand_in_the_way_of_an_entry() -> None:
    """It is carried into the next position, and counts as none."""
    dust = make_position(quantity=d("0.00001"))
    snapshot = world(positions=(dust,), policy=Policy(max_open_positions=1))
    (step,) = plan_run(snapshot, (ENTER,), frozenset()).steps

    assert isinstance(step, PlaceOrder)
    assert step.request.purpose == "entry"


def test_leaving_on_spot_goes_stop_first_then_the_sale() -> None:
    """The resting stop holds the asset, so it is cancelled and seen gone before the sale."""
    position = make_position()
    stop = make_stop(position)
    first = plan_run(world(positions=(position,), orders=(stop,)), (), LEAVING).steps
    waiting = plan_run(
        world(positions=(position,), orders=(replace(stop, status=OrderStatus.CANCEL_PENDING),)),
        (),
        LEAVING,
    ).steps
    (sale,) = plan_run(world(positions=(position,)), (), LEAVING).steps

    assert [type(step) for step in first] == [CancelOrder]
    assert waiting == ()
    assert isinstance(sale, PlaceOrder)
    assert (sale.request.limit_price, sale.request.quantity, sale.request.purpose) == (
        d("59970.0"),  # 5 bps below the bid
        position.quantity,
        "exit",
    )


def test_a_sale_on_its_way_is_not_sold_again_and_gets_no_stop() -> None:
    """One exit at a time."""
    position = make_position()
    sale = make_stop(position, purpose="exit", order_type=OrderType.MARKET)
    snapshot = world(positions=(position,), orders=(sale,))

    assert plan_run(snapshot, (), LEAVING).steps == ()
    assert plan_run(snapshot, (), frozenset()).steps == ()


def test_an_old_entry_is_cancelled_and_a_young_one_is_not() -> None:
    """ORDER_TTL_SECONDS_ENTRY is 60."""
    young = make_order(created_at=NOON - timedelta(seconds=59))
    old = make_order(created_at=NOON - timedelta(seconds=60))

    assert plan_run(world(orders=(young,)), (), frozenset()).steps == ()
    assert [type(each) for each in plan_run(world(orders=(old,)), (), frozenset()).steps] == [
        CancelOrder
    ]


def test_an_entry_from_ahead_is_cancelled_as_an_old_one_is() -> None:
    """The clock was set back: nobody knows how long it has been working."""
    ahead = make_order(created_at=NOON + timedelta(seconds=60))
    nearly = make_order(created_at=NOON + timedelta(seconds=59))

    assert [type(step) for step in plan_run(world(orders=(ahead,)), (), frozenset()).steps] == [
        CancelOrder
    ]
    assert plan_run(world(orders=(nearly,)), (), frozenset()).is_empty


def test_an_orderly_stop_cancels_entries_and_keeps_stops() -> None:
    """Positions stay, protected."""
    position = make_position()
    snapshot = world(positions=(position,), orders=(make_order(), make_stop(position)))
    steps = plan_run(snapshot, (ENTER,), frozenset(), is_stopping=True).steps

    assert [(type(step), getattr(step, "purpose", "")) for step in steps] == [
        (CancelOrder, "entry")
    ]


def test_the_same_snapshot_gives_the_same_plan_byte_for_byte() -> None:
    """Plans are values."""
    snapshot = world(positions=(make_position(),))

    assert (
        plan_run(snapshot, (ENTER,), frozenset()).plan_hash
        == plan_run(snapshot, (ENTER,), frozenset()).plan_hash
    )


def test_stop_and_target_prefer_what_the_position_says() -> None:
    """A price noted on the position outranks the policy's distance."""
    instrument = make_catalogue().resolve("BTC/USD")
    noted = make_position(stop_price=d("59000.0"), take_profit_price=d("61000.0"))

    assert stop_price_for(noted, instrument, Policy()) == d("59000.0")
    assert target_price_for(noted, instrument, Policy()) == d("61000.0")
    assert target_price_for(make_position(), instrument, Policy()) == d("62400.0")


@pytest.mark.parametrize(("bid", "expected"), [("62399.9", False), ("62400.0", True)])
def test_the_target_is_reached_when_the_bid_is(bid: str, expected: bool) -> None:  # noqa: FBT001
    """What counts is the price at which one could sell."""
    instrument = make_catalogue().resolve("BTC/USD")
    quote = make_quote(bid=d(bid), ask=d("62500"))

    assert wants_exit(make_position(), quote, instrument, Policy()) is expected


@pytest.mark.parametrize("policy_says", list(TargetMode))
@pytest.mark.parametrize("set_to", list(TargetMode))
def test_levels_that_were_set_decide_who_sells_whatever_the_policy_says(
    policy_says: TargetMode, set_to: TargetMode
) -> None:
    """`repair-tp --mode managed` under a policy of resting targets: the loop has to sell."""
    held, instrument = make_position(), make_catalogue().resolve("BTC/USD")
    allowed = Policy(allow_targets_without_stop=True)
    levels = levels_for(held, instrument, replace(allowed, take_profit_mode=set_to), at=NOON)
    quote = make_quote(bid=d("62400.0"), ask=d("62500"))
    policy = replace(allowed, take_profit_mode=policy_says)

    by_the_loop = set_to is not TargetMode.RESTING
    assert wants_exit(held, quote, instrument, policy, levels) is by_the_loop
    below = make_quote(bid=d("62399.9"), ask=d("62500"))
    assert not wants_exit(held, below, instrument, policy, levels)


@pytest.mark.parametrize(
    ("notional", "strength", "cost"),
    [(None, "1", "25"), (None, "0.5", "12.5"), ("10", "0.5", "10"), ("100", "1", "25")],
)
def test_a_strategy_s_size_counts_within_what_the_limits_leave(
    notional: str | None, strength: str, cost: str
) -> None:
    """An amount of its own, or the part of what is left that its strength says."""
    wish = replace(ENTER, notional=None if notional is None else d(notional), strength=d(strength))
    (step,) = plan_run(world(), (wish,), frozenset()).steps

    assert isinstance(step, PlaceOrder)
    assert d(cost) - d("0.01") < step.notional <= d(cost)


def test_the_size_never_exceeds_what_is_left_of_the_day() -> None:
    """The daily limit belongs to the account."""
    (step,) = plan_run(world(daily_notional=d("40")), (ENTER,), frozenset()).steps
    assert isinstance(step, PlaceOrder)

    assert Decimal(9) < step.notional <= Decimal(10)


@pytest.mark.parametrize("bid", ["30000.0", "60000.0", "120000.0"])
def test_defect_5_an_exit_sells_what_is_held_whatever_that_is_worth_now(bid: str) -> None:
    """Defect 5: the quantity comes from the holding, never from money and a price."""
    held = make_position(quantity=d("0.00040001"))
    quote = make_quote(bid=d(bid), ask=d(bid) + d("0.2"))
    plan = plan_run(
        snapshot_with(positions=(held,), quotes=(quote,)), (), frozenset({held.position_id})
    )

    (step,) = plan.steps
    assert isinstance(step, PlaceOrder)
    assert step.request.quantity == d("0.00040001")


def test_defect_7_without_a_fresh_quote_no_level_is_due() -> None:
    """Defect 7: nothing is judged by a price that may be frozen; what rests goes on resting."""
    policy = Policy(take_profit_levels=((d("50"), d("1")), (d("50"), d("9"))))
    held = make_position()
    stop = make_stop(held)
    high = make_quote(bid=d("61000"), ask=d("61001"))

    def planned(*quotes: Quote) -> list[str]:
        snapshot = snapshot_with(
            policy=policy, positions=(held,), orders=(stop,), quotes=tuple(quotes)
        )
        return [type(each).__name__ for each in plan_run(snapshot, (), frozenset()).steps]

    assert planned(high) == ["SetTargets", "AmendOrder", "PlaceOrder"]
    assert planned() == ["SetTargets"]


def test_what_a_position_that_is_over_left_at_the_venue_is_cancelled() -> None:
    """Its stop would sell coins that are not zoe's any more."""
    stop = make_stop(make_position())
    (step,) = plan_run(snapshot_with(orders=(stop,)), (), frozenset()).steps

    assert isinstance(step, CancelOrder)
    assert (step.venue_order_id, step.reason) == (stop.venue_order_id, "its position is over")
    nobody_s = make_stop(make_position(), position_id=None)
    assert plan_run(snapshot_with(orders=(nobody_s,)), (), frozenset()).is_empty


def test_what_protects_a_position_that_was_given_up_unsold_stays_and_is_told() -> None:
    """Its row was in error, or merged into another: its coins may not stand naked."""
    stop = make_stop(make_position())
    plan = plan_run(
        snapshot_with(orders=(stop,), given_up=frozenset({PositionId("P1")})), (), frozenset()
    )

    assert plan.is_empty
    (note,) = plan.notes
    assert f"stop {stop.venue_order_id} stays, its position P1 was given up" in note
