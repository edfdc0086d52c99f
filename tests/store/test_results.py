"""Marks, the equity curve, results by day and declared costs: what goes in comes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from builders import NOON, d, make_cost_basis
from zoe_tools.domain.equity import EquityPoint, Mark, PnlDay
from zoe_tools.store.store import Store

MARK = Mark(asset="BTC", currency="USD", price=d("60000.1"), marked_at=NOON, source="ticker")
POINT = EquityPoint(
    taken_at=NOON,
    currency="USD",
    gross=d("1000.5"),
    net=d("996.498"),
    cash=d("500"),
    holdings=d("500.5"),
    flow=d("-300"),
    return_index=d("1.012345678901"),
    peak_index=d("1.2"),
    lacks=("SOL",),
    flow_ids=("L1", "L2"),
    is_blind=True,
)
DAY = PnlDay(
    date=date(2026, 1, 5),
    currency="USD",
    opening_equity=d("1000"),
    gross_equity=d("1100"),
    net_equity=d("1098"),
    net_deposits=d("-5"),
    daily_pnl=d("105"),
    realised_pnl=d("24.129"),
    unrealised_pnl=d("-0.000000000001"),
    fees_paid=d("1"),
    return_pct=d("10.5"),
    drawdown_pct=d("0"),
    trades=3,
    wins=2,
    losses=1,
    expectancy=None,
    is_estimated=True,
    is_final=False,
    updated_at=NOON,
)
BASIS = make_cost_basis(quantity=d("0.5"), unit_cost=d("30000"))


def test_an_asset_is_marked_once_in_five_minutes_at_most(store: Store) -> None:
    """Whoever sees it; each pair of asset and currency for itself."""
    with store.transaction() as transaction:
        soon = replace(MARK, marked_at=NOON + timedelta(seconds=200), price=d("1"))
        later = replace(MARK, marked_at=NOON + timedelta(seconds=300), price=d("2"))
        euro = replace(soon, currency="EUR")

        assert transaction.record_marks([MARK]) == 1
        assert transaction.record_marks([later, soon, euro]) == 2
        assert transaction.record_marks([MARK, later]) == 0
        assert transaction.marks() == (MARK, euro, later)
        assert transaction.marks(since=later.marked_at) == (later,)
        assert transaction.latest_marks() == (euro, later)


def test_the_curve_comes_back_as_it_was(store: Store) -> None:
    """With what a point lacks; the newest one carries index and peak on."""
    blind = replace(
        POINT, taken_at=NOON + timedelta(hours=1), is_estimated=True, lacks=("SOL", "XRP")
    )
    with store.transaction() as transaction:
        assert transaction.latest_equity() is None
        transaction.record_equity(blind)
        transaction.record_equity(POINT)
        transaction.record_equity(POINT)

        assert transaction.equity_points() == (POINT, blind)
        assert transaction.latest_equity() == blind


def test_a_day_has_one_row(store: Store) -> None:
    """Written again it has the newer figures."""
    restated = replace(DAY, realised_pnl=d("20"), expectancy=d("6.7"), restated_at=NOON)
    other = replace(DAY, date=date(2026, 1, 4))
    with store.transaction() as transaction:
        transaction.record_pnl_days([DAY, other])
        transaction.record_pnl_days([restated])
        transaction.record_pnl_days([])

        assert transaction.pnl_days() == (other, restated)


def test_declarations_are_added_and_none_is_lost(store: Store) -> None:
    """The last one of a deposit counts; the one before can still be read."""
    better = replace(BASIS, unit_cost=d("31000"))
    with store.transaction() as transaction:
        transaction.declare_cost(BASIS)
        transaction.declare_cost(better)

        assert transaction.declared_costs() == (BASIS, better)
