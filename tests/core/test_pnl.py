"""Events from fills and ledger rows, and the report of them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, d, make_cost_basis
from pnl_rig import MINUTE, fill, history, mark, report, row
from zoe_tools.core.equity import assess_equity
from zoe_tools.core.lot_history import Records
from zoe_tools.core.lot_walk import Span
from zoe_tools.core.marks import MarkBook, marks_of_fills
from zoe_tools.core.pnl import PnlInput, assess_pnl
from zoe_tools.domain.discrepancy import Adjustment
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.lot import Acquire, CostBasis, Dispose, LotMethod, MoveOut
from zoe_tools.domain.order import Side

# --- fees -----------------------------------------------------------------------------------------


def test_a_fee_in_the_base_reduces_the_lot() -> None:
    """Bought 1 at 100, 0.004 of it kept by the venue: 0.996 that cost 100, fee and all."""
    (event,) = history([fill("a", Side.BUY, "1", "100", fee=d("0.004"), fee_asset="BTC")]).events

    assert isinstance(event, Acquire)
    assert (event.quantity, event.cost, event.fee) == (d("0.996"), d("99.6"), d("0.4"))


def test_a_fee_in_the_base_of_a_sale_consumes_lots_too() -> None:
    """Sold 0.9, charged 0.1: 1 goes, and what came is for 0.9."""
    (event,) = history([fill("s", Side.SELL, "0.9", "100", fee=d("0.1"), fee_asset="BTC")]).events

    assert isinstance(event, Dispose)
    assert (event.quantity, event.proceeds, event.fee) == (d("1"), d("90"), d("0"))


def test_a_fee_in_a_third_asset_is_the_trade_s_and_takes_lots_of_that_asset() -> None:
    """Paid with 0.001 ETH at 3000: the purchase cost 3 more, and the ETH was given for that."""
    told = history(
        [fill("a", Side.BUY, "1", "100", fee=d("0.001"), fee_asset="ETH")],
        marks=[mark("ETH", "3000")],
    )
    bought, paid = told.events

    assert isinstance(bought, Acquire)
    assert (bought.cost, bought.fee, bought.is_estimated) == (d("100"), d("3"), False)
    assert isinstance(paid, Dispose)
    assert (paid.asset, paid.quantity, paid.proceeds, paid.reason) == (
        "ETH",
        d("0.001"),
        d("3"),
        "sale",
    )


def test_a_fee_that_nobody_can_value_makes_the_trade_an_estimate() -> None:
    """Fee credits have no price: the cost lacks them, and says so."""
    told = history([fill("a", Side.BUY, "1", "100", fee=d("5"), fee_asset="KFEE")])

    assert [
        (each.asset, each.is_estimated) for each in told.events if isinstance(each, Acquire)
    ] == [("BTC", True)]
    assert [each.value for each in told.fees] == [None]


# --- other money than the report's ---------------------------------------------------------------


def test_a_stablecoin_is_an_asset_with_a_price() -> None:
    """100 USDT at 0.98: the coin cost 98, and the USDT were given for 98."""
    told = history(
        [fill("a", Side.BUY, "1", "100", symbol=Symbol("BTC/USDT"), fee_asset="USDT")],
        marks=[mark("USDT", "0.98")],
    )
    bought, given = told.events

    assert isinstance(bought, Acquire)
    assert isinstance(given, Dispose)
    assert (bought.cost, given.asset, given.proceeds) == (d("98"), "USDT", d("98"))


def test_without_a_price_of_the_quote_the_lot_is_pending() -> None:
    """Not assumed to be worth a dollar."""
    told = history([fill("a", Side.BUY, "1", "100", symbol=Symbol("BTC/USDT"), fee_asset="USDT")])

    assert [each.cost for each in told.events if isinstance(each, Acquire)] == [None]


# --- ledger rows ---------------------------------------------------------------------------------


def test_a_trade_that_is_booked_as_a_fill_is_not_told_twice() -> None:
    """The ledger's legs have the fill's id; those of an instant purchase have none."""
    legs = [
        row("L1", "trade", "USD", "-100", refid="T1"),
        row("L2", "trade", "BTC", "1", refid="T1"),
        row("L3", "spend", "USD", "-50", fee="0.5", refid="B1"),
        row("L4", "receive", "BTC", "0.5", refid="B1"),
    ]
    told = history([fill("T1", Side.BUY, "1", "100")], legs)
    by_fill, by_ledger = told.events

    assert isinstance(by_ledger, Acquire)
    assert (by_fill.event_id, by_ledger.event_id) == ("T1", "L4")
    assert (by_ledger.cost, by_ledger.fee) == (d("50"), d("0.5"))


def test_dust_that_is_swept_shares_what_it_brought_by_worth() -> None:
    """Two rests of 3 and 1 dollars become 4.4 in money: 3.3 and 1.1."""
    told = history(
        rows=[
            row("L1", "spend", "DOT", "-1", refid="D"),
            row("L2", "spend", "ADA", "-2", refid="D"),
            row("L3", "receive", "USD", "4.4", refid="D"),
        ],
        marks=[mark("DOT", "3"), mark("ADA", "0.5")],
    )

    assert [(each.asset, each.proceeds) for each in told.events if isinstance(each, Dispose)] == [
        ("DOT", d("3.3")),
        ("ADA", d("1.1")),
    ]


def test_a_withdrawal_moves_lots_and_its_fee_is_given_away() -> None:
    """0.5 out, 0.0001 for the network: 6 dollars."""
    told = history(
        rows=[row("L1", "withdrawal", "BTC", "-0.5", fee="0.0001")], marks=[mark("BTC", "60000")]
    )
    moved, fee = told.events

    assert isinstance(moved, MoveOut)
    assert isinstance(fee, Dispose)
    assert (moved.quantity, fee.quantity, fee.proceeds) == (d("0.5"), d("0.0001"), d("6"))
    assert [each.value for each in told.flows] == [d("-30000")]


def test_a_move_between_own_wallets_changes_no_lot() -> None:
    """Staked and back: nothing is realised, and nothing comes in."""
    told = history(
        rows=[
            row("L1", "transfer", "DOT", "-5", subtype="spottostaking"),
            row("L2", "transfer", "DOT", "5", subtype="stakingfromspot"),
        ]
    )

    assert (told.events, told.flows) == ((), ())


def test_a_reward_is_a_lot_at_its_worth_and_income() -> None:
    """0.1 DOT at 5, of which the venue keeps 0.02."""
    told = report(rows=[row("L1", "staking", "DOT", "0.1", fee="0.02")], marks=[mark("DOT", "5")])
    (line,) = told.assets

    assert (told.income, told.realised) == (d("0.5"), d("-0.1"))
    assert (line.quantity, line.average_cost) == (d("0.08"), d("5"))


def test_a_result_on_margin_is_money_and_no_lot() -> None:
    """Its fills make no lots either; fees and rollover are charges."""
    told = report(
        [fill("T1", Side.BUY, "1", "100")],
        [
            row("L1", "margin", "USD", "12", fee="1", refid="T1"),
            row("L2", "rollover", "USD", "0", fee="0.5"),
        ],
    )

    assert (told.margin, told.charges, told.assets) == (d("12"), d("-1.5"), ())
    assert told.total == d("10.5")


def test_what_nobody_can_explain_is_kept_without_a_cost_and_named() -> None:
    """An unknown kind of row."""
    told = report(rows=[row("L1", "mystery", "BTC", "1")])

    assert [each.pending for each in told.assets] == [d("1")]
    assert "1 ledger rows of a kind that is not explained" in told.notes


def test_a_declared_cost_ends_the_waiting() -> None:
    """A deposit of 2 at 50 each; the last word counts."""
    deposit = row("L1", "deposit", "BTC", "2")
    sale = fill("s", Side.SELL, "1", "120", filled_at=NOON + MINUTE / 2)
    basis = make_cost_basis(unit_cost=d("70"))

    assert report([sale], [deposit]).realised == d("0")
    assert report([sale], [deposit], costs=(basis,)).realised == d("50")
    better = replace(basis, unit_cost=d("50"))
    assert report([sale], [deposit], costs=(basis, better)).realised == d("70")


def test_other_national_money_came_in_at_its_worth() -> None:
    """Nobody bought it; 100 EUR at 1.1."""
    told = report(rows=[row("L1", "deposit", "EUR", "100")], marks=[mark("EUR", "1.1")])
    (line,) = told.assets

    assert (line.pending, line.average_cost, told.deposits) == (d("0"), d("1.1"), d("110"))


def test_a_row_of_the_future_is_in_no_sum_and_is_named() -> None:
    """Of five years later, and of the end of time."""
    years = 5 * 365 * 1440
    last = row("L3", "deposit", "BTC", "1")
    told = report(
        rows=[
            row("L1", "deposit", "BTC", "2"),
            row("L2", "deposit", "BTC", "1", minutes=years),
            replace(last, booked_at=datetime.max.replace(tzinfo=NOON.tzinfo)),
        ]
    )

    assert [each.quantity for each in told.assets] == [d("2")]
    assert "2 ledger rows are dated later than now: they are in no sum" in told.notes


def test_an_adjustment_of_the_account_is_in_the_lots_and_has_a_result_once_priced() -> None:
    """Bought 1, and 0.4 are gone: nothing is won until somebody says what they brought."""
    lost = Adjustment(
        adjustment_id="A-1",
        asset="BTC",
        quantity=d("-0.4"),
        author="tester",
        reason="gone",
        adjusted_at=NOON + MINUTE / 2,
    )
    told = make_cost_basis(ledger_id="A-1", quantity=d("-0.4"), unit_cost=d("0"), reason="stolen")
    bought = [fill("a", Side.BUY, "1", "100")]

    def made(adjustment: Adjustment, *costs: CostBasis) -> tuple[Decimal, Decimal]:
        found = report(bought, adjustments=(adjustment,), costs=costs)
        (line,) = found.assets
        assert found.trades.closed == 0
        return line.quantity, found.realised

    assert made(lost) == (d("0.6"), d("0"))
    assert made(replace(lost, unit_price=d("120"))) == (d("0.6"), d("8"))
    assert made(lost, told) == (d("0.6"), d("-40"))
    assert made(replace(lost, unit_price=d("120")), told) == (d("0.6"), d("-40"))
    (line,) = report(bought, adjustments=(replace(lost, quantity=d("0.5")),)).assets
    assert (line.quantity, line.pending) == (d("1.5"), d("0.5"))
    found = replace(lost, quantity=d("0.5"), unit_price=d("90"))
    (line,) = report(bought, adjustments=(found,)).assets
    assert (line.pending, line.average_cost) == (d("0"), d("145") / d("1.5"))


# --- the whole is the sum of its parts -----------------------------------------------------------


@given(seed=st.integers(0, 2**32), length=st.integers(1, 25))
@settings(deadline=None)
def test_equity_is_what_came_in_and_what_was_won(seed: int, length: int) -> None:
    """Deposits, trades with fees of all three kinds, rewards: nothing is lost or made up."""
    draw = random.Random(seed)
    rows = [row("D", "deposit", "USD", "100000"), row("E", "deposit", "EUR", "50", minutes=0.1)]
    fills: list[Fill] = []
    totals = {"USD": d("100000"), "BTC": d("0"), "EUR": d("50")}
    marks = [mark("EUR", "1.25")]
    for number in range(length):
        minutes = 1 + number / 100
        price = Decimal(draw.randint(100, 20_000)).scaleb(-2)
        if draw.random() < 0.1:
            rows.append(row(f"W{number}", "staking", "BTC", "0.25", minutes=minutes))
            totals["BTC"] += d("0.25")
            marks.append(mark("BTC", str(price), minutes))
            continue
        fills.append(traded(draw, f"T{number}", price, minutes, totals))
    last = Decimal(draw.randint(100, 20_000)).scaleb(-2)
    book = MarkBook([*marks_of_fills(fills), *marks, mark("BTC", str(last), 10)])
    now = NOON + MINUTE * 10
    held = [Balance(asset=asset, total=total) for asset, total in totals.items()]
    equity = assess_equity(held, book, at=now, currency="USD")
    given = PnlInput(
        records=Records(fills=fills, entries=rows),
        marks=book,
        points=(),
        equity=equity,
        currency="USD",
        now=now,
    )
    told = assess_pnl(given, Span(), LotMethod.FIFO)

    won = told.total + told.unrealised
    assert abs(equity.gross - told.net_deposits - won) <= d("1E-9")
    assert all(each.shortfall == 0 for each in told.assets if each.asset == "BTC")


def traded(
    draw: random.Random, name: str, price: Decimal, minutes: float, totals: dict[str, Decimal]
) -> Fill:
    """A purchase, or a sale of what is there; its fee in quote, base or EUR."""
    fee_asset = draw.choice(["USD", "BTC", "EUR"])
    fee = {"USD": d("0.26"), "BTC": d("0.001"), "EUR": d("0.05")}[fee_asset]
    quantity = Decimal(draw.randint(1, 300)).scaleb(-2)
    is_sale = totals["BTC"] > quantity + d("0.001") and draw.random() < 0.5
    sign = -1 if is_sale else 1
    totals["BTC"] += sign * quantity
    totals["USD"] -= sign * quantity * price
    totals[fee_asset] -= fee
    return fill(
        name,
        Side.SELL if is_sale else Side.BUY,
        str(quantity),
        str(price),
        fee=fee,
        fee_asset=fee_asset,
        filled_at=NOON + MINUTE * minutes,
    )
