"""The registry follows the real fills; what is not managed is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    BTC,
    d,
    make_fill,
    make_order,
    make_position,
    make_quote,
    make_venue_order,
    snapshot_with,
)
from resting_orders import OUR_STOP, STOP
from zoe_tools.core.protection import UNLISTED
from zoe_tools.core.sync_positions import plan_sync_positions, shortages
from zoe_tools.domain.identifiers import ClientOrderId, FillId, PositionId, Symbol, VenueOrderId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.order import OrderStatus, Side
from zoe_tools.domain.plan import (
    AdjustPosition,
    AdoptPosition,
    AmendOrder,
    CancelOrder,
    LinkStop,
    PlaceOrder,
    Plan,
    RecordFill,
    Step,
)
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.snapshot import Missing, Snapshot
from zoe_tools.errors import ConfigError, VenueUnavailable

BOUGHT = make_fill(quantity=d("0.0004"), price=d("60000"), fee=d("0.096"))
ENTRY = make_order(
    status=OrderStatus.FILLED, filled_quantity=d("0.0004"), position_id=PositionId("P1")
)
HELD = make_position(stop_venue_order_id=VenueOrderId("O-stop"))


def world(**changes: Any) -> Snapshot:
    """A managed position in order: fill booked, stop resting and linked."""
    values: dict[str, Any] = {
        "positions": (HELD,),
        "orders": (ENTRY, OUR_STOP),
        "recorded_fills": (BOUGHT,),
        "fills": (BOUGHT,),
        "open_orders": (STOP,),
        "balances": (
            Balance(asset="BTC", total=d("0.0004"), hold=d("0.0004")),
            Balance(asset="USD", total=d("1000")),
        ),
        **changes,
    }
    return snapshot_with(**values)


def kinds(plan: Plan) -> list[type[Step]]:
    """The kinds of the steps."""
    return [type(step) for step in plan.steps]


def test_a_registry_in_order_needs_nothing() -> None:
    """No step and no note."""
    plan = plan_sync_positions(world())

    assert (plan.steps, plan.notes) == ((), ())


def test_a_stop_that_would_sell_at_once_is_not_planned_and_said() -> None:
    """The registry has a price that the market is through: nothing is sold by looking."""
    naked = make_position(stop_price=d("70000"))
    free = (Balance(asset="BTC", total=d("0.0004")),)
    snapshot = world(positions=(naked,), orders=(ENTRY,), open_orders=(), balances=free)
    plan = plan_sync_positions(snapshot)

    assert plan.steps == ()
    assert "its stop belongs at 70000, and the market is through that" in plan.notes[0]
    assert "nothing protects it. To get out: zoe run sells such a position at once" in plan.notes[0]


def test_a_fill_that_our_books_lack_is_booked_and_the_new_position_protected() -> None:
    """The stop counts on the position as it will then be."""
    naked = world(
        positions=(),
        orders=(make_order(),),
        recorded_fills=(),
        open_orders=(),
        balances=(Balance(asset="BTC", total=d("0.0004")),),
    )
    plan = plan_sync_positions(naked)
    stop = plan.steps[-1]

    assert kinds(plan) == [RecordFill, PlaceOrder]
    assert isinstance(stop, PlaceOrder)
    # average cost 60240, two percent below it is 59035.2, the bid 59999.9 makes it 58799.9
    assert stop.request.trigger_price == d("58799.9")
    assert stop.position_id == PositionId(f"P-{make_order().client_order_id}")


def test_a_sale_we_missed_closes_the_position_without_a_new_stop() -> None:
    """The stop filled while nobody looked."""
    sold = make_fill(
        fill_id=FillId("T2"),
        venue_order_id=VenueOrderId("O-stop"),
        side=Side.SELL,
        quantity=d("0.0004"),
        price=d("58700"),
    )
    plan = plan_sync_positions(
        world(fills=(sold, BOUGHT), open_orders=(), balances=(Balance(asset="USD", total=d("1")),))
    )

    assert kinds(plan) == [RecordFill]


@pytest.mark.parametrize("wrong", ["0.0007", "0.0001"])
def test_a_quantity_that_its_own_fills_deny_is_adjusted(wrong: str) -> None:
    """Quantity, cost and result follow the fills; the stop's link stays."""
    plan = plan_sync_positions(
        world(
            positions=(
                make_position(quantity=d(wrong), stop_venue_order_id=VenueOrderId("O-stop")),
            )
        )
    )
    step = plan.steps[0]

    assert kinds(plan) == [AdjustPosition]
    assert isinstance(step, AdjustPosition)
    assert (step.after.quantity, step.after.average_cost) == (d("0.0004"), d("60240"))
    assert step.after.stop_venue_order_id == "O-stop"


def test_a_position_whose_fills_say_it_is_over_is_closed() -> None:
    """And needs no stop."""
    sold = make_fill(
        fill_id=FillId("T2"),
        venue_order_id=VenueOrderId("O-stop"),
        side=Side.SELL,
        quantity=d("0.0004"),
        price=d("58700"),
    )
    plan = plan_sync_positions(
        world(
            fills=(),
            recorded_fills=(BOUGHT, sold),
            open_orders=(),
            balances=(Balance(asset="USD", total=d("1")),),
        )
    )
    step = plan.steps[0]

    assert kinds(plan) == [AdjustPosition]
    assert isinstance(step, AdjustPosition)
    assert step.after.status is PositionStatus.CLOSED


def test_two_bitcoins_bought_elsewhere_are_a_note_and_nothing_else() -> None:
    """Not managed, not stopped, not sold."""
    plan = plan_sync_positions(
        world(
            positions=(),
            orders=(),
            recorded_fills=(),
            fills=(make_fill(venue_order_id=VenueOrderId("O-foreign"), quantity=d("2")),),
            open_orders=(),
            balances=(Balance(asset="BTC", total=d("2")),),
        )
    )

    assert plan.steps == ()
    assert plan.notes == ("BTC: 2 are not managed and were left alone.",)


def test_adopting_by_name_makes_a_position_and_its_stop() -> None:
    """Half a bitcoin at the bid; the other one and a half stay unmanaged."""
    bare: dict[str, Any] = {
        "positions": (),
        "orders": (),
        "recorded_fills": (),
        "fills": (),
        "open_orders": (),
        "balances": (Balance(asset="BTC", total=d("2")),),
        "adopted": ((BTC, d("0.5")),),
    }
    plan = plan_sync_positions(world(**bare))
    priced = plan_sync_positions(world(**bare), adopt_price=d("50000"))

    adopted, stop = plan.steps
    assert isinstance(adopted, AdoptPosition)
    assert isinstance(stop, PlaceOrder)
    assert (adopted.position.quantity, adopted.position.average_cost) == (d("0.5"), d("59999.9"))
    assert (stop.request.quantity, stop.request.trigger_price) == (d("0.5"), d("58799.9"))
    assert plan.notes == ("BTC: 1.5 are not managed and were left alone.",)
    assert isinstance(priced.steps[0], AdoptPosition)
    assert priced.steps[0].position.average_cost == d("50000")


def test_coins_that_were_given_up_are_adopted_with_the_stop_that_rests_for_them() -> None:
    """One stop over one holding: linked, grown to what is adopted, at its own price and cost."""
    given_up: dict[str, Any] = {
        "positions": (),
        "given_up": frozenset({PositionId("P1")}),
        "balances": (Balance(asset="BTC", total=d("2"), hold=d("0.0004")),),
    }
    same = plan_sync_positions(world(**given_up, adopted=((BTC, d("0.0004")),)))
    more = plan_sync_positions(world(**given_up, adopted=((BTC, d("0.5")),)))

    adopted, linked = same.steps
    assert isinstance(adopted, AdoptPosition)
    assert isinstance(linked, LinkStop)
    assert adopted.position.average_cost == d("60240")
    assert (linked.position_id, linked.order) == (adopted.position.position_id, STOP)
    assert same.notes[0] == "BTC/USD: 60240 each is what these coins cost before."
    assert kinds(more) == [AdoptPosition, LinkStop, AmendOrder]
    assert isinstance(more.steps[0], AdoptPosition)
    assert more.steps[0].position.average_cost == d("59999.9")


def test_a_target_of_what_was_given_up_makes_room_for_the_stop() -> None:
    """It would sell coins beside those that the stop holds."""
    names: dict[str, Any] = {
        "client_order_id": ClientOrderId("T"),
        "venue_order_id": VenueOrderId("O-T"),
    }
    own = make_order(**names, side=Side.SELL, purpose="take_profit", position_id=PositionId("P1"))
    target = make_venue_order(**names, side=Side.SELL, limit_price=d("66000"))
    plan = plan_sync_positions(
        world(
            positions=(),
            given_up=frozenset({PositionId("P1")}),
            orders=(ENTRY, OUR_STOP, own),
            open_orders=(STOP, target),
            balances=(Balance(asset="BTC", total=d("2"), hold=d("0.0008")),),
            adopted=((BTC, d("0.0004")),),
        )
    )
    assert kinds(plan) == [AdoptPosition, LinkStop, CancelOrder]


def test_adopting_what_is_managed_already_adds_nothing() -> None:
    """The same words twice are not twice the quantity."""
    same = plan_sync_positions(world(adopted=((BTC, d("0.0004")),)))
    more = plan_sync_positions(world(adopted=((BTC, d("0.5")),)))

    assert (same.steps, same.notes) == ((), ())
    assert more.steps == ()
    assert "were not adopted on top" in more.notes[0]


@pytest.mark.parametrize("quantity", ["2.1", "0", "-1", "NaN"])
def test_more_than_the_venue_holds_cannot_be_adopted(quantity: str) -> None:
    """Nor nothing, nor less."""
    snapshot = world(
        positions=(),
        balances=(Balance(asset="BTC", total=d("2")),),
        adopted=((BTC, d(quantity)),),
    )

    with pytest.raises(ConfigError, match="Cannot adopt"):
        plan_sync_positions(snapshot)


def test_a_balance_below_what_is_managed_is_reported_and_destroys_nothing() -> None:
    """Neither a write-off nor an order that cannot be."""
    balances = (Balance(asset="BTC", total=d("0.0003")),)
    plan = plan_sync_positions(world(balances=balances, open_orders=()))

    assert plan.steps == ()
    assert plan.notes == shortages((HELD,), balances)
    assert "the venue holds 0.0003, zoe manages 0.0004" in plan.notes[0]


UNLINKED_AND_LARGER = make_position(quantity=d("0.0005"), origin="adopted")
STOPS: list[tuple[dict[str, Any], list[type[Step]]]] = [
    ({"positions": (make_position(),)}, [LinkStop]),
    (
        {"positions": (make_position(quantity=d("0.0005"), origin="adopted"),)},
        [LinkStop, AmendOrder],
    ),
    ({"orders": (ENTRY,)}, []),
    ({"orders": (ENTRY,), "positions": (make_position(),)}, []),
]


@pytest.mark.parametrize(("changes", "expected"), STOPS)
def test_a_stop_at_the_venue_is_linked_and_sized(
    changes: dict[str, Any], expected: list[type[Step]]
) -> None:
    """By our id or by its link; somebody else's stop holds the coins and is left alone."""
    plan = plan_sync_positions(
        world(
            balances=(Balance(asset="BTC", total=d("0.0005"), hold=d("0.0004")),),
            **changes,
        )
    )

    assert kinds(plan) == expected


def test_dust_is_named_and_left_without_a_stop() -> None:
    """Below the venue's minimum no stop is possible."""
    plan = plan_sync_positions(
        world(positions=(make_position(quantity=d("0.00001"), origin="adopted"),), open_orders=())
    )

    assert plan.steps == ()
    assert "dust that no stop can protect" in plan.notes[0]


def test_a_market_below_the_cost_puts_the_stop_below_the_market() -> None:
    """A stop above the market would sell at once."""
    plan = plan_sync_positions(
        world(
            open_orders=(),
            balances=(Balance(asset="BTC", total=d("0.0004")),),
            quotes=(make_quote(bid=d("50000.0"), ask=d("50000.1")),),
        )
    )

    assert isinstance(plan.steps[0], PlaceOrder)
    assert plan.steps[0].request.trigger_price == d("49000.0")


@pytest.mark.parametrize("part", ["balances", "open_orders", "fills", "quotes", "catalogue"])
def test_what_cannot_be_read_is_not_taken_for_empty(part: str) -> None:
    """No plan is better than one made blindly."""
    with pytest.raises(VenueUnavailable, match="down"):
        plan_sync_positions(world(**{part: Missing("down")}))


def test_what_left_the_venue_s_list_is_told_and_keeps_no_other_stop_back() -> None:
    """Nothing was synced any more, for a crumb of a coin that is not listed."""
    gone = make_position(position_id=PositionId("P-gone"), symbol=Symbol("OLD/USD"))
    free = (Balance(asset="BTC", total=d("0.0004")),)
    bare = world(positions=(gone, make_position()), orders=(ENTRY,), open_orders=(), balances=free)
    plan = plan_sync_positions(bare)

    assert [each.request.symbol for each in plan.steps if isinstance(each, PlaceOrder)] == [BTC]
    assert f"OLD/USD: {UNLISTED}" in plan.notes
