"""The curve of days on which nobody looked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from builders import NOON, d
from zoe_tools.core.equity import curve_of
from zoe_tools.core.ledger_curve import points_of_ledger
from zoe_tools.core.lot_events import flows_in
from zoe_tools.core.marks import MarkBook
from zoe_tools.domain.equity import EquityPoint, Mark
from zoe_tools.domain.identifiers import LedgerId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.wallet import FUTURES

DAY = timedelta(days=1)


def row(days: int, asset: str, amount: str, balance: str, **more: Any) -> LedgerEntry:
    """A row of so many days after noon of the fifth; a deposit unless said otherwise."""
    values: dict[str, Any] = {"kind": "deposit", "subtype": "", "fee": d("0"), **more}
    return LedgerEntry(
        ledger_id=LedgerId(f"L{days}{asset}{amount}"),
        refid=f"R{days}",
        booked_at=NOON + DAY * days,
        asset=asset,
        amount=d(amount),
        balance=d(balance),
        **values,
    )


def closes(*prices: str) -> MarkBook:
    """A price of BTC at the end of each day from the fifth on; `-` is none."""
    midnight = NOON + timedelta(hours=12)
    return MarkBook(
        Mark(
            asset="BTC",
            currency="USD",
            price=d(price),
            marked_at=midnight + DAY * number,
            source="candle",
        )
        for number, price in enumerate(prices)
        if price != "-"
    )


def points(
    rows: Sequence[LedgerEntry], marks: MarkBook, *, days: int = 3, seen: Sequence[date] = ()
) -> list[EquityPoint]:
    """The points up to noon so many days later."""
    return list(points_of_ledger(rows, marks, "USD", until=NOON + DAY * days, seen=seen))


def test_each_day_that_is_over_has_a_point_by_its_closing_balances() -> None:
    """Also one on which nothing happened; the running day has none."""
    rows = [
        row(0, "USD", "1000", "1000"),
        row(1, "USD", "-500", "499", kind="spend", fee=d("1")),
        row(1, "BTC", "5", "5", kind="receive"),
    ]
    found = points(rows, closes("90", "100", "120", "130"))

    assert [each.taken_at.date().day for each in found] == [5, 6, 7]
    assert [each.gross for each in found] == [d("1000"), d("999"), d("1099")]


def test_an_export_from_the_middle_begins_with_what_was_there() -> None:
    """The first row of each wallet says what it found."""
    rows = [
        row(0, "USD", "10", "110"),
        row(1, "BTC", "1", "3"),
        row(1, "BTC", "1", "6", wallet="e"),
    ]
    first, second = points(rows, closes("100", "100"), days=2)

    assert (first.gross, second.gross) == (d("110") + d("700"), d("110") + d("900"))


def test_a_day_without_a_price_of_its_own_has_no_point() -> None:
    """One of the day before will do, as an estimate; what never had any is in no point."""
    rows = [row(0, "BTC", "1", "1"), row(3, "BTC", "-1", "0", kind="withdrawal")]
    found = points(rows, closes("100", "-", "-"), days=5)

    assert [(each.taken_at.day, each.gross, each.is_estimated) for each in found] == [
        (5, d("100"), False),
        (6, d("100"), True),
        (8, d("0"), False),
        (9, d("0"), False),
    ]
    late = closes("-", "-", "-", "-", "100")
    assert [each.taken_at.day for each in points(rows, late, days=5)] == [8, 9]
    (bare,) = points(rows, closes("-"), days=1)
    assert (bare.gross, bare.lacks) == (d("0"), ("BTC",))


def test_days_that_were_seen_are_left_to_what_was_seen() -> None:
    """And the flows of the ledger are no result."""
    rows = [row(0, "USD", "1000", "1000"), row(1, "USD", "-300", "700", kind="withdrawal")]
    found = points(rows, closes())
    flows = flows_in(rows, closes(), "USD")

    assert [each.drawdown_pct for each in curve_of(found, flows)] == [0, 0, 0]
    assert len(points(rows, closes(), seen=[date(2026, 1, 6)])) == 2


def test_a_fee_in_another_asset_leaves_the_balance_of_that_one() -> None:
    """As the proof of balances has it: no row of its own tells it."""
    rows = [
        row(0, "USD", "1000", "1000"),
        row(1, "BTC", "1", "1", fee=d("4"), fee_asset="USD"),
    ]
    first, second = points(rows, closes("100", "100"), days=2)

    assert (first.gross, second.gross) == (d("1000"), d("1096"))


def test_the_futures_wallet_is_no_part_of_the_account() -> None:
    """No balance that is looked at has it; what goes there is a flow."""
    rows = [
        row(0, "USD", "1000", "1000"),
        row(1, "USD", "-300", "700", kind="transfer", subtype="spottofutures"),
        row(2, "USD", "300", "300", kind="transfer", subtype="spottofutures", wallet=FUTURES),
    ]
    found = points(rows, closes())

    assert [each.gross for each in found] == [d("1000"), d("700"), d("700")]
    assert [each.drawdown_pct for each in curve_of(found, flows_in(rows, closes(), "USD"))] == [
        0
    ] * 3


def test_a_row_at_the_end_of_time_ends_no_curve() -> None:
    """There is no day after it that could be asked for."""
    last = (date.max - NOON.date()).days
    rows = [row(last, "USD", "1", "1")]

    assert points(rows, closes()) == []
    assert len(points([row(0, "USD", "1000", "1000"), *rows], closes())) == 3
