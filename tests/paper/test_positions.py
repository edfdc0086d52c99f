"""Margin arithmetic and the shelf of positions, without an engine."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from paper_desk import BTC_USD, START, d
from zoe_tools.paper.values.margin import (
    MarginRules,
    Standing,
    charge_of,
    is_called,
    is_stopped,
    margin_of,
    profit_of,
    share_of,
    terms_text,
)
from zoe_tools.paper.values.positions import Position, Shelf, fill_of, split
from zoe_tools.paper.values.times import NS

RULES = MarginRules()
LONG = Position(
    position_id="T1",
    account_id="A",
    order_id="O1",
    symbol="BTC/USD",
    side="buy",
    order_type="limit",
    at=START,
    quantity=d("0.30000000"),
    cost=d("21000.03000"),
    fee=d("88.20013"),
    margin=d("4200.00600"),
    leverage=5,
    rollover_pct=d("0.02"),
    rollover_ns=4 * 3600 * NS,
    rolls_at=START + 4 * 3600 * NS,
)


def standing(collateral: str, used: str, profit: str = "0") -> Standing:
    """Of an account with positions and nothing else."""
    return Standing(
        worth=d(collateral),
        collateral=d(collateral),
        used=d(used),
        profit=d(profit),
        cost=d("0"),
        value=d("0"),
        orders_margin=d("0"),
        unexecuted=d("0"),
    )


@pytest.mark.parametrize(
    ("cost", "leverage", "margin", "charge"),
    [
        ("8.48544", 10, "0.84854", "0.00170"),
        ("12.00000", 10, "1.20000", "0.00240"),
        ("104610.52842", 5, "20922.10568", "20.92211"),
        ("0.00240", 5, "0.00048", "0.00000"),
    ],
)
def test_margin_is_cost_over_leverage_and_charges_are_percents_of_cost(
    cost: str, leverage: int, margin: str, charge: str
) -> None:
    """Section 13.7, with the figures captured there and in 7.3; half-up at the cost's decimals."""
    assert margin_of(BTC_USD, d(cost), leverage) == d(margin)
    assert charge_of(BTC_USD, d(cost), RULES.opening_pct) == d(charge)


def test_the_terms_are_told_in_krakens_words() -> None:
    """Section 7.3."""
    assert terms_text(RULES.rollover_pct, RULES.rollover_ns) == "0.0200% per 4 hours"


@pytest.mark.parametrize(
    ("collateral", "used", "profit", "level", "called", "stopped"),
    [
        ("10000", "7000", "0", "142.857", False, False),
        ("10000", "7000", "-4400", "80", True, False),
        ("10000", "7000", "-4399", "80.014", False, False),
        ("10000", "7000", "-7200", "40", True, True),
        ("10000", "7000", "-7199", "40.014", True, False),
        ("10000", "7000", "-12000", "-28.571", True, True),
    ],
)
def test_the_level_is_equity_over_used_margin(
    collateral: str, used: str, profit: str, level: str, *, called: bool, stopped: bool
) -> None:
    """Call at 80 percent, liquidation from 40 (section 13.7)."""
    found = standing(collateral, used, profit)

    assert round(found.level or d("0"), 3) == d(level)
    assert (is_called(found, RULES), is_stopped(found, RULES)) == (called, stopped)


def test_without_positions_there_is_no_level() -> None:
    """Nothing is called and nothing stopped, not even in debt."""
    found = standing("-5", "0")

    assert (found.level, is_called(found, RULES), is_stopped(found, RULES)) == (None, False, False)


@pytest.mark.parametrize(
    ("is_long", "opened", "closed", "profit"),
    [(True, "100", "110", "10"), (True, "100", "90", "-10"), (False, "100", "110", "-10")],
)
def test_a_long_gains_when_the_price_rises_and_a_short_when_it_falls(
    opened: str, closed: str, profit: str, *, is_long: bool
) -> None:
    """Before fees."""
    assert profit_of(is_long=is_long, opened=d(opened), closed=d(closed)) == d(profit)


def test_the_last_share_takes_what_rounding_left() -> None:
    """A third of a cent's hundredth is not lost, however an amount is cut."""
    parts = [d("1"), d("1"), d("1")]
    shares = split(BTC_USD, d("100.00000"), parts)

    assert shares == [d("33.33333"), d("33.33334"), d("33.33333")]
    assert sum(shares) == d("100")
    assert share_of(BTC_USD, d("7.77777"), d("2"), d("2")) == d("7.77777")


def shelf_of(*positions: Position) -> Shelf:
    """A shelf with these, oldest first."""
    shelf = Shelf()
    for position in positions:
        shelf.put(position)
    return shelf


SECOND = replace(LONG, position_id="T2", quantity=d("0.20000000"), cost=d("14200.00000"))


def test_opposite_fills_close_the_oldest_first() -> None:
    """Section 13.7: 0.4 sold closes the 0.3 and half of the 0.2, and opens nothing."""
    shelf = shelf_of(LONG, SECOND)
    fill = fill_of(shelf, BTC_USD, "sell", d("0.4"), (d("28400.00000"), d("113.60000")))

    assert [(one.position.position_id, one.quantity) for one in fill.closings] == [
        ("T1", d("0.3")),
        ("T2", d("0.1")),
    ]
    assert [one.cost for one in fill.closings] == [d("21000.03000"), d("7100.00000")]
    assert fill.proceeds == (d("21300.00000"), d("7100.00000"))
    assert fill.profit == d("299.97000")
    assert (fill.opening, fill.opening_cost, fill.closes_whole) == (d("0"), d("0"), False)


def test_what_is_beyond_the_positions_opens_the_other_way() -> None:
    """A flip: 0.3 close, 0.2 open short at their share of cost and fee."""
    fill = fill_of(shelf_of(LONG), BTC_USD, "sell", d("0.5"), (d("35000.00000"), d("140.00000")))

    assert (fill.closed, fill.opening) == (d("0.3"), d("0.2"))
    assert (fill.opening_cost, fill.opening_share) == (d("14000.00000"), d("56.00000"))
    assert fill.closes_whole


def test_the_same_side_only_opens() -> None:
    """A second buy adds a position."""
    fill = fill_of(shelf_of(LONG), BTC_USD, "buy", d("0.1"), (d("7000.00000"), d("28.00000")))

    assert (fill.closings, fill.opening) == ((), d("0.1"))


def test_a_position_that_is_closed_in_parts_ends_with_nothing_left() -> None:
    """However the parts are cut, cost and margin leave with them to the last digit."""
    position = LONG
    proceeds = Decimal(0)
    for number, part in enumerate(("0.07", "0.11", "0.12")):
        shelf = shelf_of(position)
        money = (d("7123.45678") + number, d("1"))
        (position,) = fill_of(shelf, BTC_USD, "sell", d(part), money).closed_positions(f"C{number}")
        proceeds += money[0]

    left = (position.remaining, position.remaining_cost, position.remaining_margin)
    assert left == (Decimal(0), Decimal(0), Decimal(0))
    assert position.profit == proceeds - LONG.cost
    assert (position.status, position.closing_ids) == ("closed", ("C0", "C1", "C2"))


def test_the_shelf_lets_go_of_old_closed_positions_only() -> None:
    """What is open is never forgotten."""
    ended = [replace(LONG, position_id=f"E{number}", closed=LONG.quantity) for number in range(5)]
    shelf = shelf_of(LONG, *ended)
    shelf.trim(2)

    assert (list(shelf.open), list(shelf.closed)) == (["T1"], ["E3", "E4"])
    assert shelf.closable("BTC/USD", "sell") == d("0.3")
    assert shelf.closable("BTC/USD", "buy") == shelf.size("BTC/USD", "sell") == 0
