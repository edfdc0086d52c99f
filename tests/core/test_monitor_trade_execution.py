"""The report on how orders are filled, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from builders import BTC, ETH, NOON, d, make_fill, make_group, make_intent, make_order
from zoe_tools.core.monitor_trade_execution import (
    ExecutionFacts,
    Rejected,
    assess_execution,
    narrowed,
    venue_code,
)
from zoe_tools.domain.identifiers import ClientOrderId, FillId, GroupId
from zoe_tools.domain.intent_group import GroupEnd
from zoe_tools.domain.journal import FOR_NOW, IntentKind, IntentState
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.policy import Policy


def facts(**changes: Any) -> ExecutionFacts:
    """Nothing happened."""
    values: dict[str, Any] = {
        "now": NOON,
        "policy": Policy(),
        "groups": (),
        "orders": (),
        "fills": (),
        "refusals": (),
    }
    return ExecutionFacts(**{**values, **changes})


def traded(count: int) -> dict[str, Any]:
    """So many groups, each filled as a taker after as many seconds as its number, at 60000 + it."""
    groups, orders, fills = [], [], []
    for n in range(1, count + 1):
        group = make_group(
            group_id=GroupId(f"G{n}"), ending=GroupEnd.FILLED, target_quantity=d("1")
        )
        order = make_order(
            client_order_id=ClientOrderId(f"C{n}"),
            group_id=group.group_id,
            quantity=d("1"),
            filled_quantity=d("1"),
            status=OrderStatus.FILLED,
        )
        fill = make_fill(
            fill_id=FillId(f"T{n:03d}"),
            client_order_id=order.client_order_id,
            quantity=d("1"),
            price=d("60000") + n,
            cost=d("60000") + n,
            filled_at=NOON + timedelta(seconds=n),
            liquidity="taker",
        )
        groups.append(group)
        orders.append(order)
        fills.append(fill)
    return {"groups": groups, "orders": orders, "fills": fills}


def test_percentiles_are_by_nearest_rank() -> None:
    """Of 1 to 100 seconds: 50, 90, 99."""
    report, costs = assess_execution(facts(**traded(100)))

    times = report.first_fill_s
    assert (times.p50, times.p90, times.p99, times.worst) == (d("50"), d("90"), d("99"), d("100"))
    assert (report.groups, report.filled, report.fill_rate_pct) == (100, 100, d("100.00"))
    assert report.maker_share_pct == d("0.00")
    assert report.findings == ()
    assert costs[0].group_id == "G100"


def test_the_fill_rate_is_of_those_that_are_over() -> None:
    """One filled, one given up in part, one that works still."""
    told = traded(3)
    told["groups"][1] = replace(told["groups"][1], ending=GroupEnd.EXHAUSTED)
    told["groups"][1] = replace(told["groups"][1], target_quantity=d("2"))
    told["groups"][2] = replace(told["groups"][2], ending=None)
    report, _ = assess_execution(facts(**told))

    assert (report.filled, report.partly, report.working) == (1, 1, 1)
    assert report.fill_rate_pct == d("50.00")


def test_nothing_is_no_division_by_zero() -> None:
    """An account that never traded."""
    report, _ = assess_execution(facts())

    assert (report.fill_rate_pct, report.maker_share_pct, report.mean_slippage_bps) == (None,) * 3
    assert report.slippage_bps.count == 0


def test_each_trouble_is_a_finding_with_its_name() -> None:
    """Stuck, refused, overfilled, slipped."""
    told = traded(20)
    told["groups"] = [
        replace(each, arrival_bid=d("59000"), arrival_ask=d("59000")) for each in told["groups"]
    ]
    told["groups"][0] = replace(told["groups"][0], target_quantity=d("0.5"))
    stuck = make_order(
        group_id=GroupId("G1"), replace_count=3, created_at=NOON - timedelta(hours=1), ttl_s=d("60")
    )
    refused = make_intent(
        kind=IntentKind.PLACE,
        state=IntentState.REJECTED,
        created_at=NOON,
        evidence="EOrder:Insufficient funds: no",
    )
    report, _ = assess_execution(
        facts(**{**told, "orders": (*told["orders"], stuck)}, refusals=(refused,) * 6)
    )

    names = [each.split()[0] for each in report.findings]
    assert names == [
        "STUCK_ORDER",
        "REPEATED_REJECTIONS",
        "REPEATED_REJECTIONS",
        "GROUP_OVERFILL",
        "SLIPPAGE",
    ]
    assert report.rejects == (Rejected(code="EOrder:Insufficient funds", count=6),)


def test_a_refusal_for_now_goes_by_the_venue_s_code_too() -> None:
    """The journal's own words before it are cut off."""
    refused = make_intent(evidence=f"{FOR_NOW}EOrder:Rate limit exceeded: wait")

    assert venue_code(refused) == "EOrder:Rate limit exceeded"
    assert venue_code(make_intent(evidence="")) == "unknown"


def test_one_instrument_alone_leaves_the_others_out() -> None:
    """Groups, orders, fills and refusals."""
    told = traded(2)
    told["groups"][0] = replace(told["groups"][0], symbol=ETH)
    report, costs = assess_execution(narrowed(facts(**told), BTC))

    assert report.groups == 1
    assert [each.symbol for each in costs] == [BTC]
