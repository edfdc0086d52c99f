"""Balances chain per asset and wallet, in whatever order the rows of one second stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import d, make_ledger_entry
from zoe_tools.core.ledger_chain import ChainEnd, Chains, chain_row
from zoe_tools.domain.ledger import ChainRow

NOW = "2026-01-05T12:00:00"
LATER = "2026-01-05T12:00:01"


def row(
    name: str, change: str, balance: str, *, at: str = NOW, asset: str = "USD", place: int = 0
) -> ChainRow:
    """A row of the main wallet."""
    return ChainRow(at, name, asset, "main", d(change), d(balance), place)


def walked(*rows: ChainRow) -> tuple[ChainEnd, ...]:
    """The ends of the chains of these rows."""
    chains = Chains()
    for each in rows:
        chains.add(each)
    return chains.ends()


def test_each_asset_and_wallet_has_its_own_chain() -> None:
    """With what it began with, and where it ends."""
    usd, eur = row("A", "10", "10"), row("B", "5", "5", asset="EUR")
    earning = ChainRow(NOW, "C", "USD", "earn / flexible", d("3"), d("7"))
    ends = walked(usd, eur, earning, row("D", "-4", "6", at=LATER))

    told = [(end.asset, end.wallet, end.rows, end.opening, end.closing) for end in ends]
    assert told == [
        ("EUR", "main", 1, d("0"), d("5")),
        ("USD", "earn / flexible", 1, d("4"), d("7")),
        ("USD", "main", 2, d("0"), d("6")),
    ]
    assert {end.breaks for end in ends} == {0}


@given(
    changes=st.lists(st.integers(-3, 3), min_size=1, max_size=9),
    opening=st.integers(-2, 5),
    data=st.data(),
)
def test_rows_of_one_second_chain_in_whatever_order_they_stand(
    changes: Sequence[int], opening: int, data: st.DataObject
) -> None:
    """Also where the same balances come again and again, and a greedy search would lose its way."""
    balance, rows = opening, []
    for number, change in enumerate(changes):
        balance += change
        rows.append(row(str(number), str(change), str(balance)))
    mixed = data.draw(st.permutations(rows))
    before = row("first", str(opening), str(opening), at="2026-01-05T11:59:59")

    (end,) = walked(before, *mixed)

    assert (end.broken, end.closing, end.rows) == (None, d(str(balance)), len(rows) + 1)


@given(changes=st.lists(st.integers(1, 9), min_size=1, max_size=6), data=st.data())
def test_the_beginning_of_a_chain_is_found_among_the_rows_of_its_first_second(
    changes: Sequence[int], data: st.DataObject
) -> None:
    """It is the balance that no other row leaves."""
    balance, rows = 7, []
    for number, change in enumerate(changes):
        balance += change
        rows.append(row(str(number), str(change), str(balance)))

    (end,) = walked(*data.draw(st.permutations(rows)))

    assert (end.opening, end.closing, end.breaks) == (d("7"), d(str(balance)), 0)


def test_a_circle_of_a_first_second_begins_with_nothing() -> None:
    """What came and went at once began at zero, if it passes zero."""
    (end,) = walked(row("B", "-10", "0"), row("A", "10", "10"))

    assert (end.opening, end.closing, end.broken) == (d("0"), d("0"), None)


@pytest.mark.parametrize(
    ("rows", "bad", "expected", "off_by"),
    [
        ((row("A", "10", "10"), row("B", "5", "16", at=LATER, place=3)), "B", "10", "1"),
        ((row("A", "10", "10"), row("B", "5", "12", at=LATER, place=3)), "B", "10", "-3"),
        (
            (
                row("A", "10", "10"),
                row("C", "1", "21", at=LATER, place=3),
                row("B", "5", "15", at=LATER),
            ),
            "C",
            "15",
            "5",
        ),
    ],
)
def test_the_first_row_that_follows_from_nothing_is_named(
    rows: tuple[ChainRow, ...], bad: str, expected: str, off_by: str
) -> None:
    """With its line, what it should have begun with, and by how much it is off."""
    (end,) = walked(*rows)

    assert end.broken is not None
    assert (end.broken.ledger_id, end.broken.place, end.breaks) == (bad, 3, 1)
    assert (end.broken.expected, end.broken.off_by) == (d(expected), d(off_by))


def test_a_chain_goes_on_after_a_break() -> None:
    """So that further ones are counted, and the first stays the one that is named."""
    rows = (
        row("A", "1", "1"),
        row("B", "1", "5", at="2026-01-05T12:00:01"),
        row("C", "1", "6", at="2026-01-05T12:00:02"),
        row("D", "1", "9", at="2026-01-05T12:00:03"),
    )
    (end,) = walked(*rows)

    assert end.broken is not None
    assert (end.broken.ledger_id, end.breaks, end.closing) == ("B", 2, d("9"))


def test_rows_come_by_their_seconds() -> None:
    """Whoever hands them in has to sort them."""
    chains = Chains()
    chains.add(row("A", "1", "1", at=LATER))
    with pytest.raises(ValueError, match="older"):
        chains.add(row("B", "1", "1"))


@pytest.mark.parametrize("own_first", [True, False])
def test_a_fee_in_a_third_asset_is_taken_from_that_assets_chain(*, own_first: bool) -> None:
    """Before or after the rows of its second, as they say."""
    balance = "96" if own_first else "93"
    paid = make_ledger_entry(amount=d("-5"), fee=d("3"), fee_asset="KFEE", balance=d("95"))
    rows = (
        row("K", "100", "100", asset="KFEE", at="2026-01-05T11:00:00"),
        chain_row(paid)._replace(second=NOW, wallet="main"),
        row("L", "-4", balance, asset="KFEE"),
        row("M", "1", "94", asset="KFEE", at=LATER),
    )
    ends = {end.asset: end for end in walked(*rows)}

    assert ends["KFEE"].breaks == 0
    assert ends["KFEE"].closing == d("94")
    assert (ends["USD"].opening, ends["USD"].closing) == (d("100"), d("95"))


def test_a_fee_in_an_asset_without_rows_is_owed() -> None:
    """Then it is that asset's only movement; the venue's balance differs if it is not so."""
    entry = make_ledger_entry(fee=d("3"), fee_asset="KFEE", balance=d("900"))
    ends = {end.asset: end for end in walked(chain_row(entry))}

    assert (ends["KFEE"].closing, ends["KFEE"].rows) == (d("-3"), 0)
