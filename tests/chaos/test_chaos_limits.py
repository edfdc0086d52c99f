"""Which moment of an exchange's log shows that a limit did not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import d, make_group, make_order
from chaos_events import balance, bought, order, step
from chaos_limits import groups_overrun, limits_passed
from chaos_market import BUSY
from chaos_world import POLICY, TIGHT, Chronicle, Trial
from zoe_tools.domain.identifiers import ClientOrderId, GroupId
from zoe_tools.paper.values.events import LedgerEvent, OrderEvent
from zoe_tools.paper.values.order import OrderView
from zoe_tools.paper.values.times import NS

TRIAL = Trial(seed=1, hours=0.1, bustle=BUSY, deaths=0, blows_of_each=0, policy=TIGHT)


def found(*events: OrderEvent | LedgerEvent, trial: Trial = TRIAL) -> list[str]:
    """What did not hold, by the first word."""
    return [each.split()[0] for each in limits_passed(trial, Chronicle(events=list(events)))]


LARGE, DEAR = order(quantity=d("0.008")), order(quantity=d("0.0081"))
OTHER, THIRD = order("O2", symbol="ETH/USD"), order("O3", symbol="SOL/USD")


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ([step(LARGE)], []),
        ([step(DEAR)], ["order"]),
        ([step(order()), step(OTHER)], []),
        ([step(LARGE), step(OTHER)], ["entries"]),
        ([step(LARGE), step(order(status="canceled"), "canceled"), step(OTHER)], []),
        ([*bought(LARGE), step(OTHER)], []),
        ([*bought(LARGE), step(order("O4"))], ["BTC/USD"]),
        ([*bought(LARGE), balance("BTC", d("0")), step(order("O4"))], []),
        ([*bought(LARGE), *bought(OTHER), step(THIRD)], ["positions:", "all"]),
        ([*bought(LARGE), *bought(OTHER), balance("BTC", d("0")), step(THIRD)], []),
    ],
)
def test_no_moment_shows_more_than_a_limit_allows(
    events: list[OrderEvent | LedgerEvent], what: list[str]
) -> None:
    """400 a trade, 405 an instrument, 500 that works, 700 in all, two positions."""
    assert found(*events) == what


@pytest.mark.parametrize(("day", "what"), [(0, ["the"]), (1, [])])
def test_a_day_s_entries_are_counted_by_what_they_cost_or_may(day: int, what: list[str]) -> None:
    """One was filled and sold, one works: together 300.05, and 300 are allowed."""
    trial = replace(TRIAL, policy=replace(POLICY, max_daily_notional=d("300")))
    second = order("O4", quantity=d("0.002001"), opened_at=day * 86_400 * NS)

    assert found(*bought(order()), balance("BTC", d("0")), step(second), trial=trial) == what


@pytest.mark.parametrize(("seconds", "count"), [(14, 0), (15, 1), (55, 1), (56, 0)])
def test_an_entry_is_one_of_ten_orders_a_minute(seconds: int, count: int) -> None:
    """Ten stops came in ten seconds; all count for who came 5 s after the last, or 54 to the first.

    Five seconds is how much later than it was journaled an order may come.
    """
    stops = [step(order(f"S{n}", side="sell"), at=n * NS) for n in range(1, 11)]
    entry = step(order("O9"), at=seconds * NS)

    assert len(found(*stops, entry)) == count


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([order(quantity=d("3"))], 0),
        ([order(quantity=d("3.1"))], 1),
        ([order(quantity=d("1")), order("O2", quantity=d("2"))], 1),
        ([order(status="canceled", filled=d("1")), order("O2", quantity=d("2"))], 0),
        ([order(status="canceled", filled=d("1")), order("O2", quantity=d("2.1"))], 1),
        ([order(status="canceled", filled=d("1")), order("O3", quantity=d("9"))], 0),
    ],
)
def test_a_group_has_one_order_and_fills_no_more_than_its_target(
    events: list[OrderView], count: int
) -> None:
    """Three coins; the third order is of another one's group."""
    groups = [make_group(target_quantity=d("3"))]
    records = [
        make_order(client_order_id=ClientOrderId(f"c-{name}"), group_id=GroupId(its))
        for name, its in (("O1", "G-1"), ("O2", "G-1"), ("O3", "G-2"))
    ]
    chronicle = Chronicle(events=[step(each) for each in events])

    assert len(list(groups_overrun(chronicle, groups, records))) == count
