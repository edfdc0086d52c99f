"""Exchanges that only the ledger tells of: one worth for both sides, and fees where they belong."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, d
from pnl_rig import MINUTE, history, mark, report, row
from zoe_tools.core.equity import assess_equity
from zoe_tools.core.lot_history import Records
from zoe_tools.core.lot_walk import Span
from zoe_tools.core.marks import MarkBook
from zoe_tools.core.pnl import PnlInput, assess_pnl
from zoe_tools.domain.ledger import Balance, LedgerEntry
from zoe_tools.domain.lot import Acquire, Dispose, LotMethod

MARKS = [
    mark("EUR", "1.1"),
    mark("USDT", "0.99"),
    mark("BTC", "54300"),
    mark("ETH", "3000", -60),
]
"""The price of ETH is an hour old."""


def sides(*legs: tuple[str, str], fee: str = "0") -> tuple[Acquire, Dispose]:
    """What was got and what was given by these amounts; the first leg has the fee."""
    rows = [
        row(f"L{number}", "trade", asset, amount, refid="X", fee="0" if number else fee)
        for number, (asset, amount) in enumerate(legs)
    ]
    events = history(rows=rows, marks=MARKS).events
    (got,) = (each for each in events if isinstance(each, Acquire))
    (given_away,) = (each for each in events if isinstance(each, Dispose))
    return got, given_away


@pytest.mark.parametrize(
    ("came", "went", "worth"),
    [
        (("EUR", "50000"), ("BTC", "-1"), "55000"),
        (("BTC", "1"), ("EUR", "-50000"), "55000"),
        (("BTC", "1"), ("USDT", "-55000"), "54450"),
        (("EUR", "50000"), ("USDT", "-55000"), "55000"),
        (("ETH", "20"), ("BTC", "-1"), "54300"),
        (("BTC", "1"), ("ETH", "-20"), "54300"),
    ],
)
def test_both_sides_of_an_exchange_have_one_worth(
    came: tuple[str, str], went: tuple[str, str], worth: str
) -> None:
    """The money's, the nearest to the report's first; without money that of the fresher price."""
    got, given_away = sides(came, went)

    assert (got.cost, given_away.proceeds) == (d(worth), d(worth))


def test_a_fee_in_money_is_the_trade_s_whichever_money_it_is() -> None:
    """100 EUR, 110 dollars: they are in the cost of what was bought, and left the euros at that."""
    got, paid = sides(("EUR", "-50000"), ("BTC", "1"), fee="100")
    assert (got.cost, got.fee) == (d("55000"), d("110"))
    assert (paid.quantity, paid.proceeds, paid.fee) == (d("50100"), d("55110"), d("0"))

    money, sold = sides(("EUR", "50000"), ("BTC", "-1"), fee="100")
    assert (sold.proceeds, sold.fee) == (d("55000"), d("110"))
    assert (money.quantity, money.cost, money.fee) == (d("49900"), d("54890"), d("0"))


def test_a_fee_in_a_third_asset_is_the_trade_s_and_is_given_away() -> None:
    """100 USDT beside a sale for dollars: they cost the sale 99."""
    rows = [
        row("L1", "trade", "BTC", "-1", refid="X", fee="100", fee_asset="USDT"),
        row("L2", "trade", "USD", "60000", refid="X"),
    ]
    fee, sold = history(rows=rows, marks=MARKS).events

    assert isinstance(fee, Dispose)
    assert isinstance(sold, Dispose)
    assert (fee.asset, fee.quantity, fee.proceeds) == ("USDT", d("100"), d("99"))
    assert (sold.proceeds, sold.fee) == (d("60000"), d("99"))


def test_a_purchase_is_no_closed_trade_whatever_money_paid_for_it() -> None:
    """Ten purchases with euros and two sales are two trades, both won."""
    rows = [row("D", "deposit", "EUR", "1000")]
    for number in range(10):
        rows += [
            row(f"P{number}", "spend", "EUR", "-100", refid=f"B{number}"),
            row(f"Q{number}", "receive", "BTC", "0.001", refid=f"B{number}"),
        ]
    for number in range(2):
        rows += [
            row(f"S{number}", "trade", "BTC", "-0.001", refid=f"S{number}", minutes=1),
            row(f"T{number}", "trade", "USD", "200", refid=f"S{number}", minutes=1),
        ]
    told = report(rows=rows, marks=MARKS).trades

    assert (told.closed, told.wins, told.losses) == (2, 2, 0)


@given(seed=st.integers(0, 2**32), length=st.integers(1, 20))
@settings(deadline=None)
def test_equity_is_what_came_in_and_what_was_won_by_the_ledger_alone(
    seed: int, length: int
) -> None:
    """Exchanges at any price, fees in either leg or beside them: no worth is made or lost."""
    draw = random.Random(seed)
    totals = {"USD": d("100000"), "EUR": d("100000"), "USDT": d("0"), "BTC": d("0")}
    rows = [row(f"D{asset}", "deposit", asset, "100000") for asset in ("USD", "EUR")]
    for number in range(length):
        rows += exchanged(draw, number, totals)
    book = MarkBook([*MARKS, mark("BTC", "60000", 30), mark("EUR", "1.2", 30)])
    now = NOON + MINUTE * 30
    held = [Balance(asset=asset, total=total) for asset, total in totals.items()]
    equity = assess_equity(held, book, at=now, currency="USD")
    inputs = PnlInput(
        records=Records(entries=rows),
        marks=book,
        points=(),
        equity=equity,
        currency="USD",
        now=now,
    )
    told = assess_pnl(inputs, Span(), LotMethod.FIFO)

    won = told.total + told.unrealised
    assert abs(equity.gross - told.net_deposits - won) <= d("1E-9")
    assert all(each.shortfall == 0 for each in told.assets)


def exchanged(draw: random.Random, number: int, totals: dict[str, Decimal]) -> list[LedgerEntry]:
    """Something that is there for something else, and a fee of the first leg in any asset there."""
    given_away = draw.choice([asset for asset, total in totals.items() if total >= 1])
    got = draw.choice([asset for asset in totals if asset != given_away])
    went = totals[given_away] * draw.randint(1, 50) / 100
    came = Decimal(draw.randint(1, 10**7)).scaleb(-3)
    totals[given_away] -= went
    fee_asset = draw.choice([asset for asset, total in totals.items() if total > d("0.01")])
    fee = draw.choice([d("0"), d("0.01")])
    totals[fee_asset] -= fee
    totals[got] += came
    legs = [(given_away, -went, fee_asset), (got, came, fee_asset)]
    draw.shuffle(legs)
    return [
        row(
            f"X{number}{asset}",
            "trade",
            asset,
            str(amount),
            refid=f"X{number}",
            minutes=1 + number / 100,
            fee=str(fee) if place == 0 else "0",
            fee_asset=paid_in if place == 0 else "",
        )
        for place, (asset, amount, paid_in) in enumerate(legs)
    ]
