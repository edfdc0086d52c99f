"""What somebody is told of orders: when it begins, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import BTC, ETH, NOON, d, make_intent, make_order
from zoe_tools.core.order_alarms import refused_too_often, rejections, stuck_orders
from zoe_tools.domain.identifiers import GroupId, Symbol
from zoe_tools.domain.journal import Intent, IntentKind, IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.policy import Policy

OLD = make_order(
    group_id=GroupId("G-1"),
    replace_count=3,
    ttl_s=d("60"),
    created_at=NOON - timedelta(seconds=301),
    next_action_at=NOON - timedelta(seconds=1),
)


@pytest.mark.parametrize(
    ("changes", "is_stuck"),
    [
        ({}, True),
        ({"created_at": NOON - timedelta(seconds=300)}, False),
        ({"replace_count": 2}, False),
        # Nobody tended it: each time to live that passed counts.
        ({"replace_count": 0, "next_action_at": NOON - timedelta(seconds=200)}, True),
        ({"status": OrderStatus.CANCEL_PENDING}, True),
        ({"status": OrderStatus.CANCELED}, False),
        ({"group_id": None}, False),
    ],
)
def test_an_order_is_stuck_after_five_minutes_with_its_attempts_used_up(
    changes: dict[str, Any], *, is_stuck: bool
) -> None:
    """A stop that rests for weeks is not: it is no group's."""
    order = replace(OLD, **changes)

    assert bool(stuck_orders((order,), NOON, Policy())) is is_stuck


def refusals(*told: tuple[Symbol, int]) -> list[Intent]:
    """Placed orders that the venue refused, so many seconds before noon."""
    return [
        make_intent(
            kind=IntentKind.PLACE,
            state=IntentState.REJECTED,
            symbol=symbol,
            created_at=NOON - timedelta(seconds=age_s),
        )
        for symbol, age_s in told
    ]


@pytest.mark.parametrize(
    ("told", "of_btc"),
    [
        ([(BTC, 1), (BTC, 2)], 0),
        ([(BTC, 1), (BTC, 2), (BTC, 599)], 3),
        ([(BTC, 1), (BTC, 2), (BTC, 600)], 0),
        ([(ETH, 1), (ETH, 2), (ETH, 3)], 0),
        ([(ETH, n) for n in range(5)] + [(BTC, 1)], 6),
    ],
)
def test_three_refusals_of_an_instrument_or_six_of_all_keep_it_back_for_ten_minutes(
    told: list[tuple[Symbol, int]], of_btc: int
) -> None:
    """It clears by itself."""
    assert refused_too_often(BTC, refusals(*told), NOON) == of_btc


def test_only_orders_that_were_to_be_placed_count() -> None:
    """An amendment that is refused has another way to go."""
    amended = [replace(each, kind=IntentKind.AMEND) for each in refusals((BTC, 1), (BTC, 2))]

    assert rejections(amended, NOON) == {}
