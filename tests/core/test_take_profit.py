"""Levels come from the policy, are taken in order, and always come to what is held."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import BTC, NOON, d, make_catalogue, make_order, make_position
from zoe_tools.core.take_profit import (
    Resting,
    as_taken,
    due_now,
    fit_resting,
    keep_levels,
    levels_for,
    levels_of,
    open_levels,
    rungs_of,
)
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.domain.plan import AmendOrder, CancelOrder, PlaceOrder, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position
from zoe_tools.domain.take_profit import LevelStatus, TargetMode

BITCOIN = make_catalogue().resolve(BTC)
LADDER = Policy(take_profit_levels=((d("50"), d("3")), (d("50"), d("6"))))
ALLOWED = replace(LADDER, allow_targets_without_stop=True)
SPLIT = replace(ALLOWED, take_profit_mode=TargetMode.SPLIT)
RESTING = replace(ALLOWED, take_profit_mode=TargetMode.RESTING)
HELD = make_position(quantity=d("0.001"))


def sold(quantity: str, position: Position = HELD) -> Position:
    """The position after so much of it was sold."""
    left = position.entry_quantity - d(quantity)
    return replace(position, quantity=left, exit_quantity=d(quantity))


def order(purpose: str, quantity: str, price: str | None = None, **more: Any) -> OrderRecord:
    """A working order of ours for the position."""
    is_stop = purpose == "stop"
    values = {
        "client_order_id": ClientOrderId(f"{purpose}-{price}"),
        "venue_order_id": VenueOrderId(f"O-{purpose}-{price}"),
        "position_id": HELD.position_id,
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS if is_stop else OrderType.LIMIT,
        "limit_price": None if is_stop or price is None else d(price),
        "trigger_price": d("58800") if is_stop else None,
        "status": OrderStatus.OPEN,
        "purpose": purpose,
        "quantity": d(quantity),
    }
    return make_order(**{**values, **more})


def told(steps: list[Step]) -> list[tuple[str, str, str]]:
    """What the steps do: verb, purpose, quantity."""
    found: list[tuple[str, str, str]] = []
    for step in steps:
        match step:
            case PlaceOrder(request=request):
                found.append(("place", request.purpose, short(request.quantity)))
            case AmendOrder(amendment=change, purpose=purpose):
                found.append(("amend", purpose, short(change.quantity or ZERO)))
            case CancelOrder(purpose=purpose):
                found.append(("cancel", purpose, ""))
            case _:
                raise AssertionError(step)
    return found


def test_a_ladder_has_its_prices_from_the_cost_on_tick() -> None:
    """Half at three percent, half at six; nothing rests where targets are managed."""
    first, second = levels_for(HELD, BITCOIN, LADDER, at=NOON)

    assert (first.price, first.quantity) == (d("61800.0"), d("0.0005"))
    assert (second.price, second.quantity) == (d("63600.0"), d("0.0005"))
    assert {first.mode, second.mode} == {TargetMode.MANAGED}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("managed", "mm"), ("split", "rm"), ("resting", "rr")],
)
def test_the_mode_says_which_levels_rest(mode: str, expected: str) -> None:
    """None, all but the last, all."""
    policy = replace(ALLOWED, take_profit_mode=TargetMode(mode))
    levels = levels_for(HELD, BITCOIN, policy, at=NOON)

    assert "".join(each.mode.value[0] for each in levels) == expected


@pytest.mark.parametrize("mode", list(TargetMode))
def test_no_level_rests_where_no_target_may_take_a_stop_s_place(mode: TargetMode) -> None:
    """Neither a new one nor one that was set while targets were allowed to: the stop wins."""
    policy = replace(LADDER, take_profit_mode=mode)
    stored = levels_for(HELD, BITCOIN, replace(ALLOWED, take_profit_mode=mode), at=NOON)
    found = levels_of(HELD, stored, BITCOIN, policy, at=NOON)

    assert {each.mode for each in levels_for(HELD, BITCOIN, policy, at=NOON)} == {
        TargetMode.MANAGED
    }
    assert found == tuple(replace(each, mode=TargetMode.MANAGED) for each in stored)


def test_a_single_target_is_split_into_two_halves() -> None:
    """One rests, the other is left to the stop."""
    policy = Policy(take_profit_mode=TargetMode.SPLIT, allow_targets_without_stop=True)

    assert rungs_of(policy) == ((d("50"), d("4")), (d("50"), d("4")))
    assert rungs_of(Policy(take_profit_pct=d("0"))) == ()


def test_a_level_too_small_for_an_order_goes_into_the_next() -> None:
    """One bad level never spoils the set, and nothing is lost by it."""
    policy = Policy(take_profit_levels=((d("1"), d("1")), (d("98"), d("2")), (d("1"), d("3"))))
    (only,) = levels_for(HELD, BITCOIN, policy, at=NOON)

    assert (only.level, only.quantity, only.price) == (1, d("0.001"), d("61200.0"))


def test_what_was_sold_took_the_first_levels() -> None:
    """Whatever sold it."""
    levels = levels_for(HELD, BITCOIN, LADDER, at=NOON)
    (first, second) = open_levels(sold("0.0002"), levels, BITCOIN)
    assert (first.remaining, second.remaining) == (d("0.0003"), d("0.0005"))
    (last,) = open_levels(sold("0.0005"), levels, BITCOIN)
    assert last.level.level == 2
    assert due_now((first, second), d("61799.9")) == d("0")
    assert due_now((first, second), d("61800")) == d("0.0003")


def test_levels_that_were_set_keep_their_prices() -> None:
    """Until they are about another quantity than was bought."""
    stored = levels_for(HELD, BITCOIN, LADDER, at=NOON)
    later = replace(LADDER, take_profit_levels=((d("100"), d("9")),))
    assert levels_of(HELD, stored, BITCOIN, later, at=NOON) == stored
    grown = replace(HELD, entry_quantity=d("0.002"), quantity=d("0.002"))
    assert len(levels_of(grown, stored, BITCOIN, later, at=NOON)) == 1
    assert keep_levels(HELD, stored, stored) is None
    assert keep_levels(HELD, (), stored) is not None


@pytest.mark.parametrize(
    ("policy", "stop", "targets", "expected"),
    [
        (LADDER, "0.001", (), []),
        (SPLIT, "0.001", (), [("amend", "stop", "0.0005"), ("place", "take_profit", "0.0005")]),
        (SPLIT, "0.0005", (("0.0005", "61800.0"),), []),
        (
            SPLIT,
            "0.0007",
            (("0.0003", "61800.0"),),
            [("amend", "stop", "0.0005"), ("amend", "take_profit", "0.0005")],
        ),
        (
            SPLIT,
            "0.0005",
            (("0.0005", "61000.0"),),
            [("cancel", "take_profit", ""), ("place", "take_profit", "0.0005")],
        ),
        (
            LADDER,
            "0.0005",
            (("0.0005", "61800.0"),),
            [("cancel", "take_profit", ""), ("amend", "stop", "0.001")],
        ),
        (
            RESTING,
            "0.001",
            (),
            [
                ("cancel", "stop", ""),
                ("place", "take_profit", "0.0005"),
                ("place", "take_profit", "0.0005"),
            ],
        ),
    ],
)
def test_the_venue_is_brought_in_line_with_the_levels(
    policy: Policy,
    stop: str,
    targets: tuple[tuple[str, str], ...],
    expected: list[tuple[str, str, str]],
) -> None:
    """First the stop makes room, then targets are placed; and back in the other order."""
    levels = levels_for(HELD, BITCOIN, policy, at=NOON)
    resting = Resting(
        stop=order("stop", stop),
        targets=tuple(order("take_profit", quantity, price) for quantity, price in targets),
    )
    steps, notes = fit_resting(HELD, BITCOIN, levels, resting)

    assert told(steps) == expected
    assert notes == []


def test_what_is_left_of_a_level_may_be_too_small_to_rest() -> None:
    """It stays managed and is named; the other levels are placed all the same."""
    levels = levels_for(HELD, BITCOIN, RESTING, at=NOON)
    held = sold("0.00049")
    steps, notes = fit_resting(held, BITCOIN, levels, Resting(stop=None, targets=()))

    assert told(steps) == [("place", "take_profit", "0.0005")]
    assert "level 1, 0.00001 at 61800" in notes[0]


def test_what_became_of_each_level_is_told() -> None:
    """Filled by what was sold, working where an order rests, else waiting."""
    levels = levels_for(HELD, BITCOIN, RESTING, at=NOON)
    working = order("take_profit", "0.0005", "63600.0")
    over = order("take_profit", "0.0005", "61800.0", status=OrderStatus.FILLED)
    first, second = as_taken(sold("0.0005"), levels, (over, working), at=NOON)

    assert (first.status, second.status) == (LevelStatus.FILLED, LevelStatus.WORKING)
    assert second.client_order_id == working.client_order_id
    gone = as_taken(sold("0.0005"), (first, second), (over,), at=NOON)
    assert gone[1].status is LevelStatus.WAITING


QUANTITIES = st.integers(1, 10**9).map(lambda units: Decimal(units).scaleb(-8))
SHARES = st.lists(st.integers(1, 50), min_size=1, max_size=5)


@given(QUANTITIES, SHARES, st.sampled_from(list(TargetMode)), st.floats(0, 1))
def test_open_levels_come_to_what_is_held(
    bought: Decimal, shares: list[int], mode: TargetMode, part: float
) -> None:
    """At any ladder, any quantity and after any sale; and the second fit finds nothing to do."""
    total = sum(shares)
    ladder = tuple(
        (Decimal(share) * 100 / total, Decimal(number)) for number, share in enumerate(shares, 1)
    )
    policy = replace(ALLOWED, take_profit_levels=ladder, take_profit_mode=mode)
    whole = BITCOIN.floor_quantity(bought)
    exited = BITCOIN.floor_quantity(whole * Decimal(str(part)))
    held = make_position(quantity=whole - exited, exit_quantity=exited)
    levels = levels_for(held, BITCOIN, policy, at=NOON)
    if levels:
        still = open_levels(held, levels, BITCOIN)
        assert sum((each.remaining for each in still), d("0")) == held.quantity
        assert all(BITCOIN.is_tradable_quantity(each.quantity, price=each.price) for each in levels)
