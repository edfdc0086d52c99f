"""Stops are matched by side, quantity and owner; the missing one is placed once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from builders import (
    BTC,
    NOON,
    PAPER,
    d,
    make_catalogue,
    make_fill,
    make_order,
    make_position,
    make_quote,
    make_venue_order,
)
from zoe_tools.core.protection import UNLISTED
from zoe_tools.core.recover_sl import as_booked, left_without_a_stop, plan_recover_sl
from zoe_tools.domain.identifiers import ClientOrderId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderType, Side, VenueOrder
from zoe_tools.domain.plan import AmendOrder, CancelOrder, LinkStop, PlaceOrder
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.snapshot import NOT_GATHERED, Reading, Snapshot
from zoe_tools.errors import VenueUnavailable

STOP = make_venue_order(
    side=Side.SELL,
    order_type=OrderType.STOP_LOSS,
    limit_price=None,
    trigger_price=d("58800.0"),
)
OURS = make_order(side=Side.SELL, order_type=OrderType.STOP_LOSS, purpose="stop", position_id="P1")


def world(*open_orders: VenueOrder, **changes: Any) -> Snapshot:
    """One open position; what rests at the venue is given."""
    values: dict[str, Any] = {
        "taken_at": NOON,
        "account": PAPER,
        "policy": Policy(),
        "catalogue": Reading(make_catalogue(), NOON, "test"),
        "open_orders": Reading(open_orders, NOON, "test"),
        "quotes": Reading((make_quote(),), NOON, "test"),
        "positions": (make_position(),),
    }
    return Snapshot(**{**values, **changes})


def test_a_missing_stop_is_placed() -> None:
    """Two percent below the lower of cost and bid."""
    (step,) = plan_recover_sl(world()).steps
    assert isinstance(step, PlaceOrder)

    request = step.request
    assert (request.side, request.order_type, request.quantity, request.trigger_price) == (
        Side.SELL,
        OrderType.STOP_LOSS,
        d("0.0004"),
        d("58799.9"),
    )


def test_our_own_unlinked_stop_is_linked_not_doubled() -> None:
    """The id is recovered."""
    (step,) = plan_recover_sl(world(STOP, orders=(OURS,))).steps

    assert isinstance(step, LinkStop)
    assert step.order == STOP


def test_a_linked_stop_needs_nothing() -> None:
    """A second run is empty."""
    linked = make_position(stop_venue_order_id=STOP.venue_order_id)

    assert plan_recover_sl(world(STOP, orders=(OURS,), positions=(linked,))).is_empty


def test_a_stop_of_a_position_that_was_given_up_is_too_much_beside_another() -> None:
    """Both would fire: the managed coins would be sold, and as many that are nobody's here."""
    names: dict[str, Any] = {
        "client_order_id": ClientOrderId("old"),
        "venue_order_id": VenueOrderId("OOLD"),
    }
    old = replace(STOP, **names)
    stray = replace(OURS, **names, position_id=PositionId("P0"))
    held = make_position(stop_venue_order_id=STOP.venue_order_id)
    both: dict[str, Any] = {
        "orders": (OURS, stray),
        "positions": (held,),
        "given_up": frozenset({PositionId("P0")}),
    }
    (step,) = plan_recover_sl(world(STOP, old, **both)).steps
    assert isinstance(step, CancelOrder)
    assert step.venue_order_id == old.venue_order_id

    alone = both | {"positions": ()}
    assert plan_recover_sl(world(STOP, old, **alone)).is_empty


@pytest.mark.parametrize(
    "other",
    [
        replace(STOP, side=Side.BUY),
        replace(STOP, quantity=d("0.0003")),
        replace(STOP, order_type=OrderType.TAKE_PROFIT),
        replace(STOP, order_type=OrderType.LIMIT),
    ],
    ids=["other side", "other quantity", "a take-profit", "a limit"],
)
def test_an_order_of_the_same_symbol_is_not_a_stop_by_that_alone(other: VenueOrder) -> None:
    """The predecessor matched by symbol and took a take-profit for a stop."""
    foreign = replace(other, client_order_id=None)
    (step,) = plan_recover_sl(world(foreign)).steps

    assert isinstance(step, PlaceOrder)


@pytest.mark.parametrize(
    ("changes", "expected", "note"),
    [
        ({}, d("59000"), ""),
        ({"quotes": Reading((make_quote(bid=d("59000")),), NOON, "test")}, None, ""),
        ({"stops_lowered": frozenset({PositionId("P1")})}, None, "away from profit"),
    ],
)
def test_a_trigger_moves_towards_profit_where_it_would_rest_and_nobody_lowered_it(
    changes: dict[str, Any], expected: Decimal | None, note: str
) -> None:
    """In place, to the price that the registry has; what somebody lowered is told, not fought."""
    linked = make_position(stop_venue_order_id=STOP.venue_order_id, stop_price=d("59000"))
    plan = plan_recover_sl(world(STOP, orders=(OURS,), positions=(linked,), **changes))

    moved = [each.amendment.trigger_price for each in plan.steps if isinstance(each, AmendOrder)]
    assert moved == ([] if expected is None else [expected])
    assert note in "".join(plan.notes)


def test_a_foreign_stop_is_neither_linked_nor_doubled() -> None:
    """What somebody else placed is named and left alone."""
    plan = plan_recover_sl(world(replace(STOP, client_order_id=None)))

    assert plan.is_empty
    assert "was not placed here" in plan.notes[0]


def stop(number: int, quantity: str, **changes: Any) -> tuple[VenueOrder, OrderRecord]:
    """A stop of ours for P1, at the venue and in the books."""
    name = ClientOrderId(f"C{number}")
    order = replace(
        STOP,
        client_order_id=name,
        venue_order_id=VenueOrderId(f"O{number}"),
        quantity=d(quantity),
        **changes,
    )
    return order, replace(OURS, client_order_id=name)


LINKED = make_position(stop_venue_order_id=VenueOrderId("O1"), stop_price=d("58800"))


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        (("0.0002",), [("amend", "O1", "0.0004")]),
        (("0.0005",), [("amend", "O1", "0.0004")]),
        (("0.0003", "0.0001"), []),
        (("0.0002", "0.0001"), [("amend", "O1", "0.0003")]),
        (("0.0003", "0.0002"), [("amend", "O2", "0.0001")]),
        (("0.0004", "0.0002"), [("cancel", "O2", "")]),
        (("0.0004", "0.0004"), [("cancel", "O2", "")]),
        (("0.0004", "0.0002", "0.0001"), [("cancel", "O3", ""), ("cancel", "O2", "")]),
    ],
)
def test_several_stops_come_to_what_is_held(
    quantities: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    """The largest grows to what is missing; what is too much goes, the smallest first."""
    made = [stop(number, each) for number, each in enumerate(quantities, start=1)]
    plan = plan_recover_sl(
        world(
            *(order for order, _ in made),
            orders=tuple(record for _, record in made),
            positions=(LINKED,),
        )
    )
    told = []
    for step in plan.steps:
        if isinstance(step, AmendOrder):
            change = step.amendment
            told.append(("amend", change.venue_order_id, f"{change.quantity:f}"))
        elif isinstance(step, CancelOrder):
            told.append(("cancel", step.venue_order_id, ""))
    assert told == expected
    assert len(plan.steps) == len(expected)


def test_a_target_leaves_its_part_to_itself() -> None:
    """What a take-profit of ours holds cannot be held by the stop as well."""
    target = make_venue_order(
        side=Side.SELL,
        client_order_id=ClientOrderId("T"),
        venue_order_id=VenueOrderId("OT"),
        quantity=d("0.0001"),
        limit_price=d("62400"),
    )
    record = make_order(
        client_order_id=ClientOrderId("T"), purpose="take_profit", position_id="P1", side=Side.SELL
    )
    (step,) = plan_recover_sl(world(target, orders=(record,))).steps

    assert isinstance(step, PlaceOrder)
    assert step.request.quantity == d("0.0003")


def test_a_stop_on_the_wrong_side_of_the_market_protects_nothing() -> None:
    """Nor is one of ours, that no position owns, taken for this one at another price."""
    above = replace(STOP, client_order_id=None, trigger_price=d("61000"))
    (step,) = plan_recover_sl(world(above)).steps
    assert isinstance(step, PlaceOrder)

    nobody_s = replace(OURS, position_id=None)
    held = make_position(stop_price=d("58000"))
    plan = plan_recover_sl(world(STOP, orders=(nobody_s,), positions=(held,)))
    assert not any(isinstance(each, LinkStop) for each in plan.steps)


@pytest.mark.parametrize(("stop_price", "is_placed"), [("59999.8", True), ("59999.9", False)])
def test_a_stop_that_would_sell_at_once_is_not_placed_and_said(
    stop_price: str, *, is_placed: bool
) -> None:
    """At the bid it fires; whether the market fell or somebody set the price is for people."""
    snapshot = world(positions=(make_position(stop_price=d(stop_price)),))
    plan = plan_recover_sl(snapshot)

    assert [type(each) for each in plan.steps] == ([PlaceOrder] if is_placed else [])
    assert left_without_a_stop(snapshot) is not is_placed
    if not is_placed:
        (note,) = plan.notes
        assert "its stop belongs at 59999.9, and the market is through that (bid 59999.9)" in note


def test_a_stop_that_rests_is_enough_wherever_the_market_is() -> None:
    """Nothing is left without one; and what is too small for any is dust."""
    held = make_position(stop_venue_order_id=STOP.venue_order_id, stop_price=d("70000"))

    assert not left_without_a_stop(world(STOP, orders=(OURS,), positions=(held,)))
    dust = make_position(quantity=d("0.00001"), stop_price=d("70000"))
    assert not left_without_a_stop(world(positions=(dust,)))


@pytest.mark.parametrize(("sold", "left"), [("0.0004", None), ("0.0001", "0.0003")])
def test_what_was_sold_and_is_not_booked_yet_gets_no_stop(sold: str, left: str | None) -> None:
    """The stop fired and nobody has told the books: the dry run plans what --execute would do."""
    fill = make_fill(side=Side.SELL, quantity=d(sold), price=d("58790"), fee=d("0"))
    snapshot = as_booked(world(orders=(OURS,), fills=Reading((fill,), NOON, "test")))
    plan = plan_recover_sl(snapshot)

    placed = [each for each in plan.steps if isinstance(each, PlaceOrder)]
    assert [f"{each.request.quantity:f}" for each in placed] == ([] if left is None else [left])
    assert f"the venue shows sell {sold} BTC, the books do not" in plan.notes[0]
    booked = replace(snapshot, recorded_fills=(fill,))
    assert as_booked(booked) == booked
    assert plan_recover_sl(booked).notes == ()


def test_dust_is_named() -> None:
    """No order can protect it."""
    plan = plan_recover_sl(world(positions=(make_position(quantity=d("0.00001")),)))

    assert plan.is_empty
    assert "dust" in plan.notes[0]


def test_without_the_open_orders_there_is_no_plan() -> None:
    """An unread venue is not an empty one."""
    with pytest.raises(VenueUnavailable):
        plan_recover_sl(world(open_orders=NOT_GATHERED))


def test_what_left_the_venue_s_list_is_told_and_keeps_no_other_stop_back() -> None:
    """All positions went without their stops for a crumb of a coin that is not listed any more."""
    gone = make_position(position_id=PositionId("P-gone"), symbol=Symbol("OLD/USD"))
    plan = plan_recover_sl(world(positions=(gone, make_position())))

    assert [each.request.symbol for each in plan.steps if isinstance(each, PlaceOrder)] == [BTC]
    assert f"OLD/USD: {UNLISTED}" in plan.notes
