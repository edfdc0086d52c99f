"""What trading cost, by hand-reckoned figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import NOON, d, make_fill, make_group, make_order
from zoe_tools.core.trade_costs import LATEST_FILLS, mean_slippage_bps, trade_cost, trade_costs
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, GroupId
from zoe_tools.domain.order import OrderStatus, Side

GROUP = make_group(target_quantity=d("4"), arrival_bid=d("99"), arrival_ask=d("101"))
ORDER = make_order(
    group_id=GROUP.group_id,
    quantity=d("4"),
    filled_quantity=d("4"),
    status=OrderStatus.FILLED,
    replace_count=2,
)


def fill(name: str, quantity: str, price: str, after_s: float = 0.0, **changes: Any) -> Fill:
    """A fill of the group's order, its fee 0.1 % in quote."""
    cost = d(quantity) * d(price)
    values: dict[str, Any] = {
        "fill_id": FillId(name),
        "client_order_id": ORDER.client_order_id,
        "quantity": d(quantity),
        "price": d(price),
        "cost": cost,
        "fee": cost / 1000,
        "filled_at": NOON + timedelta(seconds=after_s),
        "liquidity": "taker",
    }
    return make_fill(**{**values, **changes})


TWO = (
    fill("T1", "1", "100.00", 1.5, liquidity="maker"),
    fill("T2", "3", "102.00", 7.25),
)


def test_a_buy_above_the_arrival_mid_has_cost_the_difference() -> None:
    """1 at 100 and 3 at 102 make 101.5: 150 bps above 100, a quarter of it as maker."""
    cost = trade_cost(GROUP, (ORDER,), TWO)

    assert (cost.arrival_mid, cost.vwap) == (d("100"), d("101.5"))
    assert (cost.slippage_bps, cost.effective_spread_bps) == (d("150.00"), d("300.00"))
    assert cost.fees == d("0.406")
    assert (cost.first_fill_s, cost.last_fill_s) == (d("1.50"), d("7.25"))
    assert cost.maker_share_pct == d("25.00")
    assert (cost.orders, cost.reprices, cost.is_filled) == (1, 2, True)


def test_a_sale_above_the_arrival_mid_has_gained_it() -> None:
    """Signed by the side: below zero is better than the middle."""
    sale = make_group(side=Side.SELL, arrival_bid=d("99"), arrival_ask=d("101"))

    assert trade_cost(sale, (ORDER,), TWO).slippage_bps == d("-150.00")


def test_what_cannot_be_told_is_none_and_never_zero() -> None:
    """Nothing filled; no quote at arrival."""
    empty = trade_cost(GROUP, (make_order(group_id=GROUP.group_id),), ())
    blind = trade_cost(make_group(arrival_bid=None, arrival_ask=None), (ORDER,), TWO)

    assert (empty.vwap, empty.slippage_bps, empty.first_fill_s, empty.maker_share_pct) == (
        (None,) * 4
    )
    assert (blind.slippage_bps, blind.vwap) == (None, d("101.5"))


def test_a_fee_in_coins_is_told_in_money() -> None:
    """0.01 BTC at 100 is one dollar."""
    paid = fill("T1", "4", "100", fee=d("0.01"), fee_asset="BTC")

    assert trade_cost(GROUP, (ORDER,), (paid,)).fees == d("1.00")


def test_each_fill_goes_to_the_group_of_its_order() -> None:
    """Those of nobody's group are left out."""
    other = make_group(group_id=GroupId("G-2"))
    foreign = fill("T9", "1", "100", client_order_id=None)
    first, second = trade_costs((GROUP, other), (ORDER,), (*TWO, foreign))

    assert (first.filled_quantity, second.filled_quantity) == (d("4"), d("0"))


@pytest.mark.parametrize(
    ("prices", "mean"),
    [
        (["101"] * (LATEST_FILLS - 1), None),
        (["101"] * LATEST_FILLS, "100.00"),
        # Better or worse is the same to it, and only the latest count.
        (["150"] * 5 + ["101", "99"] * (LATEST_FILLS // 2), "100.00"),
    ],
)
def test_the_guard_s_mean_is_of_the_latest_fills_whichever_way(
    prices: list[str], mean: str | None
) -> None:
    """Twenty, or none."""
    fills = [fill(f"T{n:02d}", "1", price, n) for n, price in enumerate(prices)]

    assert mean_slippage_bps((GROUP,), (ORDER,), fills) == (None if mean is None else d(mean))
