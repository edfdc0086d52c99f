"""Positions from fills: average cost, fees, realised result, dust, conservation."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import ETH, NOON, d, make_fill, make_order, make_position
from zoe_tools.core.accounting import (
    apply_fill,
    book,
    excess_of,
    fold_fills,
    next_standing,
    with_stop,
)
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, PositionId, VenueOrderId
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import HOLDING, Position, PositionStatus
from zoe_tools.domain.position_lifecycle import demand_change, demand_transition

P = PositionId("P1")


def buy(quantity: str, price: str, fee: str = "0", **more: object) -> Fill:
    """A purchase."""
    return make_fill(quantity=d(quantity), price=d(price), fee=d(fee), **more)


def sell(quantity: str, price: str, fee: str = "0", **more: object) -> Fill:
    """A sale."""
    return make_fill(side=Side.SELL, quantity=d(quantity), price=d(price), fee=d(fee), **more)


def position_of(*fills: Fill) -> Position:
    """What these fills make."""
    position = fold_fills(fills, position_id=P)
    assert position is not None
    return position


def test_two_purchases_and_a_partial_exit() -> None:
    """The reference sum: 1 @ 100 fee 0.26, 1 @ 110 fee 0.286, then 1.5 sold @ 120 fee 0.468."""
    position = position_of(
        buy("1", "100", "0.26"), buy("1", "110", "0.286"), sell("1.5", "120", "0.468")
    )

    # average cost (100.26 + 110.286) / 2 = 105.273; 179.532 - 1.5 x 105.273
    assert position.average_cost == d("105.273")
    assert position.realised_pnl == d("21.6225")
    assert position.quantity == d("0.5")
    assert position.fees == d("1.014")
    assert position.status is PositionStatus.PARTIAL
    assert (position.entry_quantity, position.exit_quantity) == (d("2"), d("1.5"))


def test_a_full_exit_closes_and_its_result_is_the_money_that_came_back() -> None:
    """Proceeds less fees less all that was paid."""
    position = position_of(buy("2", "100", "0.8"), sell("2", "90", "0.72"))

    assert (position.status, position.closed_at) == (PositionStatus.CLOSED, NOON)
    assert position.realised_pnl == d("-21.52")
    assert position.quantity == d("0")


def test_a_fee_in_the_base_asset_leaves_less_in_the_position() -> None:
    """Bought 1, charged 0.004 of it: 0.996 are held, at the whole cost."""
    position = position_of(buy("1", "100", "0.004", fee_asset="BTC"))

    assert position.quantity == d("0.996")
    assert position.average_cost * d("0.996") == pytest.approx(d("100"))
    assert position.fees == d("0.4")


def test_a_sale_with_a_base_fee_takes_the_fee_from_the_position_too() -> None:
    """Sold 0.9, charged 0.1: nothing is left."""
    position = position_of(buy("1", "100"), sell("0.9", "110", "0.1", fee_asset="BTC"))

    assert position.quantity == d("0")
    assert position.realised_pnl == d("-1")


def test_a_fee_in_a_third_asset_is_not_this_position_s_money() -> None:
    """It stands on the fill, and in no price of this pair."""
    position = position_of(buy("1", "100", "5", fee_asset="KFEE"))

    assert (position.average_cost, position.fees) == (d("100"), d("0"))


def test_dust_stays_in_the_position() -> None:
    """What is too small to sell is still held, and the position open."""
    position = position_of(buy("1.00000001", "100"), sell("1", "100"))

    assert (position.quantity, position.status) == (d("0.00000001"), PositionStatus.PARTIAL)


def test_a_late_purchase_opens_a_closed_position_again() -> None:
    """A fill that arrives after the exit is real; the result so far stays."""
    position = position_of(buy("1", "100"), sell("1", "110"), buy("1", "120"))

    assert (position.status, position.closed_at) == (PositionStatus.OPEN, None)
    assert (position.quantity, position.average_cost) == (d("1"), d("120"))
    assert position.realised_pnl == d("10")


@pytest.mark.parametrize("status", sorted(HOLDING))
@pytest.mark.parametrize("sold", ["0", "0.1"])
@pytest.mark.parametrize("is_leaving", [True, False])
def test_what_follows_from_a_position_s_facts_is_what_its_life_allows(
    status: PositionStatus, sold: str, *, is_leaving: bool
) -> None:
    """A stop that rests, one that is gone, an exit at work: no fact raises, whatever the row is."""
    bare = make_position(status=status, quantity=d("1"), exit_quantity=d(sold))
    linked = with_stop(bare, None, VenueOrderId("O1"), d("58800"), at=NOON)
    demand_change(bare, linked)
    demand_change(linked, with_stop(linked, None, None, None, at=NOON))

    for each in (bare, linked):
        demand_transition(each.status, next_standing(each, is_leaving=is_leaving))


def test_what_is_sold_beyond_the_position_is_named_and_not_booked() -> None:
    """Quantity ends at zero; the result counts the part that was held."""
    held = position_of(buy("1", "100"))
    fill = sell("3", "110", "3")

    assert excess_of(held, fill) == d("2")
    after = apply_fill(held, fill, position_id=P)
    assert after.quantity == d("0")
    assert round(after.realised_pnl, 10) == d("9")


def test_what_ended_a_position_stays_the_reason_of_its_end() -> None:
    """A sale that comes after that changes no row: its story would contradict it."""
    held = {P: position_of(buy("1", "100"))}
    stop = make_order(side=Side.SELL, purpose="stop", position_id=P)
    book(held, stop, sell("1", "95"))
    book(held, replace(stop, purpose="flatten"), sell("1", "94", fill_id=FillId("T2")))

    assert held[P].status is PositionStatus.CLOSED
    assert held[P].exit_reason == "stop_loss"


def test_a_fill_is_not_booked_on_a_position_whose_instrument_was_changed_by_hand() -> None:
    """The sale finds nothing there, and the position keeps what it says it holds."""
    changed = make_position(symbol=ETH)
    stop = make_order(side=Side.SELL, purpose="stop", position_id=P)
    positions = {P: changed}
    book(positions, stop, sell("0.0001", "59000"))

    assert positions == {P: changed}


def test_a_sale_from_nothing_and_a_foreign_fill_are_refused() -> None:
    """There is nothing they could be booked on."""
    with pytest.raises(ValueError, match="nothing is managed"):
        apply_fill(None, sell("1", "100"), position_id=P)
    with pytest.raises(ValueError, match="is not the position's"):
        apply_fill(position_of(buy("1", "100")), buy("1", "100", symbol=ETH), position_id=P)


amounts = st.decimals(min_value="0.0001", max_value="100", places=4)
prices = st.decimals(min_value="0.01", max_value="100000", places=2)
fees = st.decimals(min_value="0", max_value="1", places=5)


@st.composite
def stories(draw: st.DrawFn) -> list[Fill]:
    """Purchases and sales, the sales never beyond what is held."""
    held, story = Decimal(0), []
    for number in range(draw(st.integers(min_value=1, max_value=12))):
        quantity = draw(amounts)
        is_sale = held > 0 and draw(st.booleans())
        quantity = min(quantity, held) if is_sale else quantity
        held += -quantity if is_sale else quantity
        story.append(
            make_fill(
                fill_id=FillId(f"T{number}"),
                side=Side.SELL if is_sale else Side.BUY,
                quantity=quantity,
                price=draw(prices),
                fee=draw(fees),
            )
        )
    return story


@given(stories())
def test_quantity_and_money_are_conserved(story: list[Fill]) -> None:
    """Held = bought - sold; realised + cost of what is held = money in - money out."""
    position = position_of(*story)
    signed = [(1 if fill.side is Side.BUY else -1, fill) for fill in story]
    spent = sum((sign * fill.cost + fill.fee for sign, fill in signed), Decimal(0))

    assert position.quantity == sum((sign * fill.quantity for sign, fill in signed), Decimal(0))
    assert position.fees == sum((fill.fee for fill in story), Decimal(0))
    basis = position.quantity * position.average_cost
    assert abs(basis - position.realised_pnl - spent) < Decimal("1e-12")


@given(st.lists(st.tuples(st.sampled_from(Side), amounts, prices), min_size=1, max_size=12))
def test_no_story_makes_a_position_negative(story: list[tuple[Side, Decimal, Decimal]]) -> None:
    """Not even one that cannot happen."""
    fills = [make_fill(side=side, quantity=size, price=price) for side, size, price in story]
    position = fold_fills(fills, position_id=P)

    assert position is None or position.quantity >= 0
