"""Whatever the ledger tells, the lots hold what the balances say: nothing is lost or made up."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kraken_answers as kraken
from builders import NOON, d, make_fill
from program import SHARED_DATA
from zoe_tools.core.ledger_kinds import BY_SUBTYPE, BY_TYPE, known_of
from zoe_tools.core.lot_events import history_of
from zoe_tools.core.lot_history import Records
from zoe_tools.core.lots import LotBook, match_lots
from zoe_tools.core.marks import MarkBook
from zoe_tools.domain.equity import Mark
from zoe_tools.domain.identifiers import FillId, LedgerId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.lot import Dispose, Shortfall
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
from zoe_tools.kraken.ledger_table import LedgerTable

EXPORT = SHARED_DATA / "zcrypto-kraken" / "window-1-ledgers.csv"
KINDS = [(kind, "") for kind in BY_TYPE] + list(BY_SUBTYPE) + [("mystery", ""), ("transfer", "x")]
ASSETS = ("USD", "EUR", "BTC", "DOT")
MARKS = MarkBook(
    [
        Mark(asset=asset, currency="USD", price=d(price), marked_at=NOON, source="test")
        for asset, price in (("EUR", "1.1"), ("BTC", "60000"))
    ]
)
"""DOT has none."""


def row(name: str, kind: str, asset: str, amount: str, **more: Any) -> LedgerEntry:
    """A ledger row at noon."""
    values: dict[str, Any] = {
        "refid": f"R-{name}",
        "subtype": "",
        "fee": d("0"),
        "booked_at": NOON,
        **more,
    }
    return LedgerEntry(
        ledger_id=LedgerId(name), kind=kind, asset=asset, amount=d(amount), balance=d("0"), **values
    )


def moved(entries: Iterable[LedgerEntry]) -> dict[str, Decimal]:
    """By how much the rows changed each asset, but moves between own wallets."""
    sums: dict[str, Decimal] = {}
    for each in entries:
        sums[each.asset] = sums.get(each.asset, ZERO) + each.change
        if each.fee_asset not in {"", each.asset}:
            sums[each.fee_asset] = sums.get(each.fee_asset, ZERO) - each.fee
    return sums


def check_conserved(entries: Sequence[LedgerEntry], *, currency: str = "USD") -> None:
    """Lots less shortfalls are what the rows moved, for every asset but the currency."""
    told = history_of(Records(entries=entries), MARKS, currency)
    book = LotBook()
    outcomes = list(match_lots(told.events, book))
    for asset, change in moved(entries).items():
        if asset == currency:
            continue
        held = sum((each.quantity for each in book.open_lots() if each.asset == asset), ZERO)
        short = sum(
            (e.quantity for e in outcomes if isinstance(e, Shortfall) and e.asset == asset), ZERO
        )
        assert held - short == change, asset


@given(seed=st.integers(0, 2**32), length=st.integers(1, 30))
@settings(deadline=None)
def test_any_ledger_is_conserved(seed: int, length: int) -> None:
    """Every kind of row there is, any asset, fees too; exchanges of one to three legs."""
    draw = random.Random(seed)
    entries: list[LedgerEntry] = []
    while len(entries) < length:
        at = NOON + timedelta(seconds=len(entries))
        kind, subtype = draw.choice(KINDS)
        if is_a_move(kind, subtype):
            continue
        refid = f"R{len(entries)}"
        legs = draw.choice([1, 1, 2, 3])
        for leg in range(legs):
            amount = Decimal(draw.randint(-1000, 1000)).scaleb(-3)
            fee = draw.choice(["0", "0", "0.001"])
            entries.append(
                row(
                    f"L{len(entries)}",
                    kind,
                    draw.choice(ASSETS),
                    str(amount),
                    subtype=subtype,
                    refid=refid,
                    fee=d(fee) if leg == 0 else d("0"),
                    fee_asset=draw.choice(["", "", *ASSETS]),
                    booked_at=at,
                )
            )

    check_conserved(entries)


def is_a_move(kind: str, subtype: str) -> bool:
    """Between wallets of the account: its two rows belong together, and make no lot."""
    counter, _, _ = known_of(kind, subtype)
    return counter.startswith("wallet:") or counter in {"transit", "hold"}


def test_the_export_of_2026_is_conserved() -> None:
    """Trades, margin, settlement, rewards, dust, conversions: the closing balances are the lots."""
    if not EXPORT.exists():
        pytest.skip("the export is not on this machine (../shared/data/zcrypto-kraken)")
    with Path(EXPORT).open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    table = LedgerTable(names, kraken.catalogue())
    found = [each for cells in rows if (each := table.entry(cells)) is not None]
    entries = sorted(found, key=lambda each: each.booked_at)

    for currency in ("USD", "EUR"):
        check_conserved(entries, currency=currency)
    told = history_of(Records(entries=entries), MARKS, "EUR")
    assert told.strange == ()
    assert sum((e.value or ZERO for e in told.results if e.kind == "margin"), ZERO) == d("1.75")
    assert [each.value for each in told.flows if each.asset == "EUR"] == [d("1250")]


def test_the_fills_of_a_margin_position_make_no_lot() -> None:
    """Also the one that opened it, whose row has a fee and no amount."""
    fill = make_fill(fill_id=FillId("T1"), side=Side.BUY, quantity=d("1"), price=d("100"))
    opening = row("L1", "margin", "USD", "0", fee=d("0.3"), refid="T1")
    told = history_of(Records(fills=[fill], entries=[opening]), MARKS, "USD")

    assert told.events == ()
    assert [each.value for each in told.results] == [d("-0.3")]


def test_money_that_was_changed_for_a_fill_s_fee_is_told_beside_the_fill() -> None:
    """A collateral conversion bears the trade's id, and is no leg of it."""
    fill = make_fill(fill_id=FillId("T1"), side=Side.BUY, quantity=d("1"), price=d("100"))
    entries = [
        row("L1", "trade", "BTC", "1", refid="T1"),
        row("L2", "collateralconversion", "EUR", "-1", refid="T1"),
        row("L3", "collateralconversion", "EURC", "1.1", refid="T1"),
    ]
    told = history_of(Records(fills=[fill], entries=entries), MARKS, "USD")

    assert sorted(each.event_id for each in told.events) == ["L2", "L3", "T1"]


def test_a_fee_in_another_asset_takes_lots_of_that_asset() -> None:
    """No row of that asset tells it, and the proof of balances takes it: so do the lots."""
    paid = row("L1", "withdrawal", "BTC", "-1", fee=d("5"), fee_asset="EUR")
    told = history_of(Records(entries=[paid]), MARKS, "USD")
    _, given_away = told.events

    assert [(each.asset, each.amount, each.value) for each in told.fees] == [
        ("EUR", d("5"), d("5.5"))
    ]
    assert isinstance(given_away, Dispose)
    assert (given_away.asset, given_away.quantity, given_away.proceeds) == ("EUR", d("5"), d("5.5"))
    in_dollars = row("L1", "withdrawal", "BTC", "-1", fee=d("5"), fee_asset="USD")
    told = history_of(Records(entries=[in_dollars]), MARKS, "USD")
    assert [(each.kind, each.value) for each in told.results] == [("charge", d("-5"))]


@pytest.mark.parametrize(("hours", "cost"), [(0, "600"), (23, "600"), (25, None), (-1, None)])
def test_only_a_price_of_its_day_says_what_something_was_worth(
    hours: float, cost: str | None
) -> None:
    """One that is older than a day, or that came later, makes no cost."""
    reward = row("L1", "staking", "BTC", "0.01", booked_at=NOON + timedelta(hours=hours))
    (event,) = history_of(Records(entries=[reward]), MARKS, "USD").events

    assert getattr(event, "cost", None) == (None if cost is None else d(cost))
