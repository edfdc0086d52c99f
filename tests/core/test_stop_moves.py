"""Where a stop moves as the market does: never against its position, never into the market."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, d, make_instrument, make_intent, make_position, make_quote, make_stop
from zoe_tools.core.protection import Held, protect
from zoe_tools.core.stop_moves import break_even_price, is_overdue, raised
from zoe_tools.domain.journal import FOR_NOW, IntentKind, IntentState
from zoe_tools.domain.market import Quote
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.plan import AmendOrder, PlaceOrder
from zoe_tools.domain.policy import Policy

INSTRUMENT = make_instrument()
POSITION = make_position(stop_price=d("58800.0"))
TRAILING = Policy(trailing_stop_pct=d("2"))
EVEN = Policy(break_even_at_pct=d("3"))
BOTH = Policy(trailing_stop_pct=d("2"), break_even_at_pct=d("3"))
LATER = NOON + timedelta(minutes=1)
PERCENTS = st.decimals(min_value=0, max_value=20, places=1)


def at(bid: str | Decimal) -> Quote:
    """A market."""
    return make_quote(bid=d(f"{bid}"), ask=d(f"{bid}") + d("0.1"))


@pytest.mark.parametrize(
    ("policy", "bid", "price"),
    [
        (Policy(), "90000.0", None),
        (TRAILING, "60000.0", None),  # 58800: it is there
        (TRAILING, "60100.0", None),  # less than a tenth of the distance further
        (TRAILING, "60130.0", "58927.4"),
        (TRAILING, "70000.0", "68600.0"),
        (TRAILING, "59000.0", None),
        (EVEN, "61799.9", None),
        (EVEN, "61800.0", "60240.97"),
        (EVEN, "90000.0", "60240.97"),
        (BOTH, "61800.0", "60564.0"),
        (Policy(break_even_at_pct=d("0.3")), "60200.0", None),  # the fees are not earned yet
    ],
)
def test_a_stop_follows_the_market_and_rests_where_nothing_is_lost(
    policy: Policy, bid: str, price: str | None
) -> None:
    """The better of the two that are asked for; by steps; and only where it would rest."""
    found = raised(POSITION, INSTRUMENT, policy, at(bid), d("58800.0"))

    expected = None if price is None else INSTRUMENT.ceil_price(d(price))
    assert (None if found is None else found.price) == expected


@given(
    bid=st.decimals(min_value=1, max_value=200_000, places=1),
    stop=st.decimals(min_value=1, max_value=200_000, places=1),
    trailing=PERCENTS,
    even=PERCENTS,
)
def test_a_raise_is_above_the_stop_below_the_market_and_on_tick(
    bid: Decimal, stop: Decimal, trailing: Decimal, even: Decimal
) -> None:
    """Whatever the policy, and wherever the market is."""
    policy = Policy(trailing_stop_pct=trailing, break_even_at_pct=even)
    found = raised(POSITION, INSTRUMENT, policy, at(bid), stop)

    if found is not None:
        assert stop < found.price < bid
        assert INSTRUMENT.is_on_tick(found.price)


def test_a_sale_at_the_break_even_price_loses_nothing() -> None:
    """The purchase's fee is in the cost, the sale's is the dearest that the venue has."""
    price = break_even_price(POSITION, INSTRUMENT)
    brought = price * POSITION.quantity
    cost = POSITION.average_cost * POSITION.quantity

    assert brought - INSTRUMENT.taker_fee(brought) >= cost
    below = price - INSTRUMENT.tick_size
    assert below * POSITION.quantity * (1 - INSTRUMENT.tier(d("0")).taker_pct / 100) < cost


@pytest.mark.parametrize(
    ("limit_s", "age_s", "is_old"),
    [(0, 1e9, False), (60, 60, False), (60, 60.5, True), (60, -1e6, False)],
)
def test_a_position_is_overdue_beyond_the_age_that_is_allowed(
    limit_s: float,
    age_s: float,
    is_old: bool,  # noqa: FBT001 - a table
) -> None:
    """0 is no limit, and a clock that was set back makes nothing old."""
    now = POSITION.opened_at + timedelta(seconds=age_s)

    assert is_overdue(POSITION, Policy(max_position_age_s=limit_s), now) is is_old


# --- in a turn -----------------------------------------------------------------------------------


def held(**changes: Any) -> Held:
    """A minute after noon the market is at 70000."""
    values: dict[str, Any] = {
        "position": POSITION,
        "instrument": INSTRUMENT,
        "policy": TRAILING,
        "working": (make_stop(POSITION),),
        "quote": at("70000.0"),
        "at": LATER,
    }
    return Held(**{**values, **changes})


def refused(words: str, **changes: Any) -> Any:
    """The venue said no to a change of the stop."""
    values: dict[str, Any] = {
        "kind": IntentKind.AMEND,
        "state": IntentState.REJECTED,
        "purpose": "stop",
        "evidence": words,
        "venue_order_id": make_stop(POSITION).venue_order_id,
        "position_id": POSITION.position_id,
        "created_at": NOON + timedelta(seconds=30),
    }
    return make_intent(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "amended"),
    [
        ({}, (POSITION.quantity, d("68600.0"))),
        ({"quote": None}, None),
        ({"is_lowered": True}, None),
        ({"at": None}, None),
        ({"working": (make_stop(POSITION, trigger_price=d("69000.0")),)}, None),
        ({"working": (make_stop(POSITION, status=OrderStatus.UNKNOWN),)}, None),
        ({"working": (make_stop(POSITION, updated_at=LATER - timedelta(seconds=4)),)}, None),
        (
            {"working": (make_stop(POSITION, updated_at=LATER + timedelta(seconds=4)),)},
            (d("0.0004"), d("68600.0")),
        ),
        (
            {"working": (make_stop(POSITION, updated_at=LATER, quantity=d("0.0003")),)},
            (POSITION.quantity, d("68600.0")),
        ),
        ({"refusals": (refused("EOrder:Invalid price"),)}, None),
        ({"refusals": (refused(FOR_NOW + "EAPI:Rate limit exceeded"),)}, None),
        (
            {"refusals": (refused(FOR_NOW + "EAPI:Rate limit exceeded", created_at=NOON),)},
            (POSITION.quantity, d("68600.0")),
        ),
    ],
)
def test_a_stop_that_rests_is_amended_towards_profit(
    changes: dict[str, Any], amended: tuple[Decimal, Decimal] | None
) -> None:
    """Not where it stood a moment only, nor what the venue refused, nor what somebody lowered."""
    steps = list(protect(held(**changes)))

    if amended is None:
        assert steps == []
        return
    (step,) = steps
    assert isinstance(step, AmendOrder)
    assert (step.amendment.quantity, step.amendment.trigger_price) == amended


def test_a_stop_that_was_lost_is_placed_where_the_market_has_brought_it() -> None:
    """One order less, and no moment at the old price."""
    (step,) = protect(held(working=()))

    assert isinstance(step, PlaceOrder)
    assert step.request.trigger_price == d("68600.0")
    assert "it follows the market, 2 % below" in step.reason
